//! Code that breaks a rule, in place of the beginning of `DriverEntry`.

use std::sync::Arc;

use ntsim::{LoadError, Report, Rule};

use crate::code;
use crate::shipped::{Image, machine, notepad};

/// Runs `code` in place of `DriverEntry` and gives the report that it causes.
fn report_of(code: &[u8]) -> Arc<Report> {
    let image = Image::shipped().patch_entry(code);
    let (kernel, _) = machine();
    let error = kernel.load_driver(&image.path(), "procmon").unwrap_err();
    let LoadError::Stopped(stopped) = error else {
        panic!("{error}");
    };
    let report = stopped.0;
    assert_eq!(report.event.as_deref(), Some("DriverEntry of procmon"));
    let again = kernel.create_process(&notepad(0x1a2c)).unwrap_err();
    assert_eq!(again.0, report, "a stopped kernel stays stopped");
    report
}

#[track_caller]
fn assert_report(code: &[u8], rule: Rule, message: &str) {
    let report = report_of(code);
    assert_eq!(report.rule, rule, "{report}");
    assert!(report.message.contains(message), "{report}");
    let named = report.backtrace.iter().any(|frame| {
        frame
            .function
            .as_deref()
            .is_some_and(|name| name.contains("driver_entry"))
    });
    let line = report.backtrace.iter().any(|frame| frame.line.is_some());
    assert!(line, "no line in: {report}");
    assert!(named, "no driver_entry in: {report}");
}

#[test]
fn a_null_pointer_is_reported() {
    assert_report(
        code::WRITE_TO_NULL,
        Rule::Fault,
        "write to 0x8, through a NULL",
    );
}

#[test]
fn an_illegal_instruction_is_reported() {
    assert_report(code::ILLEGAL, Rule::Fault, "illegal instruction");
}

#[test]
fn a_privileged_instruction_is_reported() {
    assert_report(code::PRIVILEGED, Rule::Fault, "privileged instruction");
}

#[test]
fn a_fast_fail_is_reported() {
    assert_report(code::FAST_FAIL_2, Rule::Fault, "__fastfail with code 0x2");
}

#[test]
fn a_breakpoint_is_reported() {
    assert_report(code::BREAKPOINT, Rule::Fault, "breakpoint");
}

#[test]
fn a_division_by_zero_is_reported() {
    assert_report(code::DIVIDE_BY_ZERO, Rule::Fault, "division by zero");
}

#[test]
fn a_stack_that_is_used_up_is_reported() {
    assert_report(code::CALL_ITSELF, Rule::StackOverflow, "24 KB kernel stack");
}

#[test]
fn a_jump_to_nowhere_is_reported_with_its_caller() {
    assert_report(
        code::CALL_41414141,
        Rule::Fault,
        "call or jump to 0x41414141",
    );
}

#[test]
fn a_write_to_code_is_reported() {
    assert_report(
        code::WRITE_TO_ITSELF,
        Rule::Fault,
        "whose section does not allow it",
    );
}

#[test]
fn execution_of_the_stack_is_reported() {
    let report = report_of(code::CALL_STACK);
    assert!(report.message.contains("call or jump to"), "{report}");
}

#[test]
fn a_write_to_the_registry_path_is_reported() {
    assert_report(
        code::WRITE_TO_REGISTRY_PATH,
        Rule::Fault,
        "a string handed to the driver, which is read-only",
    );
}

#[test]
fn reading_past_the_registry_path_is_reported() {
    assert_report(
        code::READ_PAST_REGISTRY_PATH,
        Rule::Fault,
        "past the end of a string",
    );
}
