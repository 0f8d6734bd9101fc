//! Memory that is not there, not the driver's, or not for this.

use ntsim::Rule::{BadPointer, CreateInfo, Fault, StackOverflow};

use crate::breaker::{Machine, assert_caught, caught, commit};

#[test]
fn a_name_is_read_past_its_end() {
    caught("read-past-name", Fault, "past the end of a string");
}

#[test]
fn a_name_is_written_to() {
    caught("write-to-name", Fault, "which is read-only");
}

#[test]
fn a_command_line_is_written_to() {
    caught("write-to-command-line", Fault, "which is read-only");
}

#[test]
fn what_other_drivers_are_told_is_rewritten() {
    let findings = commit("rewrite-parent");
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].rule, CreateInfo);
    assert!(
        findings[0].message.contains("at offset 0x10"),
        "{findings:#?}"
    );
    let function = findings[0].backtrace[0].function.as_deref();
    assert!(function.is_some_and(|name| name.contains("notify")));
}

#[test]
fn a_veto_is_no_violation_and_names_the_driver() {
    let machine = Machine::new();
    let driver = machine.load("veto").unwrap();
    let creation = machine.create(&[0x41]).unwrap();
    assert_eq!(creation.status.cast_unsigned(), 0xc000_0022);
    assert_eq!(creation.vetoed_by.as_deref(), Some("breaker.sys"));
    assert!(machine.kernel.unload_driver(driver).unwrap().is_empty());
    assert!(machine.findings().is_empty());
}

#[test]
fn the_null_page_is_written_to() {
    caught("null-page", Fault, "write to 0x40, through a NULL pointer");
}

#[test]
fn the_stack_is_used_up_by_recursion() {
    caught("use-up-stack", StackOverflow, "24 KB kernel stack");
}

#[test]
fn the_stack_is_used_up_by_one_frame() {
    caught("large-frame", StackOverflow, "24 KB kernel stack");
}

#[test]
fn data_is_executed() {
    caught("run-data", Fault, "whose section does not allow it");
}

#[test]
fn a_constant_is_written_to() {
    caught("write-to-constant", Fault, "write to");
}

#[test]
fn code_is_written_to() {
    let finding = commit("write-to-code").remove(0);
    assert_caught(&finding, "write-to-code", Fault, "does not allow it");
}

#[test]
fn a_routine_is_given_a_pointer_to_nowhere() {
    let finding = caught("pass-bad-pointer", BadPointer, "0x666600000000");
    assert_eq!(finding.routine, Some("ZwQueryInformationProcess"));
}

#[test]
fn a_driver_is_called_after_it_was_unloaded() {
    let machine = Machine::new();
    let gone = machine.load("tell-address").unwrap();
    let address = u64::from_str_radix(machine.output().trim(), 16).unwrap();
    machine.load("call-address-in-name").unwrap();
    let name: [u16; 4] = bytemuck::cast(address);
    assert!(machine.create(&name).is_some(), "the function is there");

    assert!(machine.kernel.unload_driver(gone).unwrap().is_empty());
    assert!(machine.create(&name).is_none(), "the kernel stops");
    let mut findings = machine.findings();
    let finding = findings.pop().unwrap();
    assert_caught(&finding, "call-address-in-name", Fault, "which is unloaded");
    assert!(findings.is_empty(), "{findings:?}");
}
