//! The end of the system.

use ntsim::Rule::BugCheck;

use crate::breaker::caught;

#[test]
fn the_driver_stops_the_system() {
    caught("bug-check", BugCheck, "bug check 0xe2 (0x1, 0x2, 0x3, 0x4)");
}
