//! Code that breaks a rule, in place of the beginning of `DriverEntry`.

use std::sync::Arc;

use ntsim::{LoadError, Report, Rule};

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
    // xor eax, eax; mov [rax + 8], eax
    assert_report(
        &[0x31, 0xc0, 0x89, 0x40, 8],
        Rule::Fault,
        "write to 0x8, through a NULL",
    );
}

#[test]
fn an_illegal_instruction_is_reported() {
    assert_report(&[0x0f, 0x0b], Rule::Fault, "illegal instruction");
}

#[test]
fn a_privileged_instruction_is_reported() {
    // cli
    assert_report(&[0xfa], Rule::Fault, "privileged instruction");
}

#[test]
fn a_fast_fail_is_reported() {
    // mov ecx, 2; int 29h
    assert_report(
        &[0xb9, 2, 0, 0, 0, 0xcd, 0x29],
        Rule::Fault,
        "__fastfail with code 0x2",
    );
}

#[test]
fn a_breakpoint_is_reported() {
    assert_report(&[0xcc], Rule::Fault, "breakpoint");
}

#[test]
fn a_division_by_zero_is_reported() {
    // xor ecx, ecx; div ecx
    assert_report(&[0x31, 0xc9, 0xf7, 0xf1], Rule::Fault, "division by zero");
}

#[test]
fn a_stack_that_is_used_up_is_reported() {
    // sub rsp, 0x58; call itself: an even frame, so that walks stay aligned
    let code = [0x48, 0x83, 0xec, 0x58, 0xe8, 0xf7, 0xff, 0xff, 0xff];
    assert_report(&code, Rule::StackOverflow, "24 KB kernel stack");
}

#[test]
fn a_jump_to_nowhere_is_reported_with_its_caller() {
    // mov eax, 0x41414141; call rax
    let code = [0xb8, 0x41, 0x41, 0x41, 0x41, 0xff, 0xd0];
    assert_report(&code, Rule::Fault, "call or jump to 0x41414141");
}

#[test]
fn a_write_to_code_is_reported() {
    // mov [rip - 6], eax
    let code = [0x89, 0x05, 0xfa, 0xff, 0xff, 0xff];
    assert_report(&code, Rule::Fault, "whose section does not allow it");
}

#[test]
fn execution_of_the_stack_is_reported() {
    // mov rax, rsp; call rax
    let report = report_of(&[0x48, 0x89, 0xe0, 0xff, 0xd0]);
    assert!(report.message.contains("call or jump to"), "{report}");
}

#[test]
fn a_write_to_the_registry_path_is_reported() {
    // mov rax, [rdx + 8]; mov word ptr [rax], 0
    let code = [0x48, 0x8b, 0x42, 8, 0x66, 0xc7, 0, 0, 0];
    assert_report(
        &code,
        Rule::Fault,
        "a string handed to the driver, which is read-only",
    );
}

#[test]
fn reading_past_the_registry_path_is_reported() {
    // movzx eax, word ptr [rdx]; add rax, [rdx + 8]; mov ax, [rax]
    let code = [0x0f, 0xb7, 0x02, 0x48, 0x03, 0x42, 8, 0x66, 0x8b, 0];
    assert_report(&code, Rule::Fault, "past the end of a string");
}
