//! The end of the system.

use ntsim::Rule::{BugCheck, Unsupported};

use crate::breaker::caught;

#[test]
fn the_driver_stops_the_system() {
    caught("bug-check", BugCheck, "bug check 0xe2 (0x1, 0x2, 0x3, 0x4)");
}

#[test]
fn the_driver_asks_for_what_is_not_modelled() {
    caught(
        "handle-exception",
        Unsupported,
        "structured exception handling is not modelled",
    );
}
