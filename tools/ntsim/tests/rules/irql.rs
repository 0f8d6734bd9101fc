//! Levels and critical regions.

use ntsim::Rule::Irql;

use crate::breaker::caught;

#[test]
fn a_routine_is_called_above_its_level() {
    let finding = caught(
        "call-at-dispatch",
        Irql,
        "PsLookupProcessByProcessId was called at DISPATCH_LEVEL; it allows APC_LEVEL at most",
    );
    assert_eq!(finding.routine, Some("PsLookupProcessByProcessId"));
    assert_eq!(finding.event.as_deref(), Some("create of process 0x1a2c"));
}

/// Only on x64 is the level a register.
#[cfg(target_arch = "x86_64")]
#[test]
fn the_level_may_be_raised_in_line() {
    caught("call-at-inline-dispatch", Irql, "at DISPATCH_LEVEL");
}

#[test]
fn driver_entry_returns_at_a_raised_level() {
    let finding = caught(
        "load-raised",
        Irql,
        "was called at PASSIVE_LEVEL and returned at DISPATCH_LEVEL",
    );
    let event = finding.event.as_deref();
    assert_eq!(event, Some("DriverEntry of load-raised"));
}

#[test]
fn a_callback_returns_at_a_raised_level() {
    caught(
        "return-raised",
        Irql,
        "was called at PASSIVE_LEVEL and returned at DISPATCH_LEVEL",
    );
}

#[test]
fn a_callback_returns_in_a_critical_region() {
    caught(
        "return-in-critical-region",
        Irql,
        "was called in 1 critical regions and returned in 2",
    );
}

#[test]
fn a_critical_region_is_left_that_was_not_entered() {
    caught("leave-unentered-region", Irql, "that was not entered");
}

#[test]
fn the_level_is_lowered_upwards() {
    caught("lower-upwards", Irql, "which is not lower");
}

#[test]
fn the_level_is_raised_downwards() {
    caught("raise-downwards", Irql, "which is not higher");
}

#[test]
fn a_wide_string_is_printed_above_passive_level() {
    caught(
        "print-wide-at-dispatch",
        Irql,
        "allowed at PASSIVE_LEVEL only",
    );
}
