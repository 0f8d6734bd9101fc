//! Notify routines.

use ntsim::Rule::{NotifyRoutine, NotifyRoutineLeft, Registration};

use crate::breaker::caught;

#[test]
fn a_routine_is_left_registered() {
    caught("leave-registered", NotifyRoutineLeft, "0xCE");
}

#[test]
fn a_routine_is_registered_while_the_driver_unloads() {
    caught("register-in-unload", NotifyRoutineLeft, "0xCE");
}

#[test]
fn a_routine_is_registered_twice() {
    caught("register-twice", Registration, "is registered already");
}

#[test]
fn a_routine_is_removed_that_is_not_registered() {
    caught("remove-unregistered", Registration, "is not registered");
}

#[test]
fn a_routine_removes_itself() {
    caught("remove-inside", NotifyRoutine, "removes itself");
}
