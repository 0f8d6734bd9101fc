//! Debug output.

use ntsim::Rule::Output;

use crate::breaker::{Machine, caught, commit};

#[test]
fn a_text_is_longer_than_one_call_transmits() {
    caught("print-long-line", Output, "more than 511 bytes");
}

#[test]
fn the_longest_text_is_not_too_long() {
    assert!(commit("print-full-line").is_empty());
}

#[test]
fn a_line_does_not_end() {
    caught("print-no-newline", Output, "\"no end\"");
}

#[test]
fn a_float_is_printed() {
    caught("print-float", Output, "%f");
}

#[test]
fn the_same_place_is_recorded_once_and_counted() {
    let machine = Machine::new();
    machine.load("print-no-newline").unwrap();
    for _ in 0..1000 {
        machine.create(&[0x41]).unwrap();
    }
    let findings = machine.findings();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].count, 1000);
}
