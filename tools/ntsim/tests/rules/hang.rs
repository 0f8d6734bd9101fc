//! Driver code that does not return.

use ntsim::Rule::Hang;

use crate::breaker::caught;

#[test]
fn a_loop_without_a_call() {
    caught("loop-silently", Hang, "has not returned within 2s");
}

#[test]
fn a_loop_that_calls_routines() {
    caught("loop-calling", Hang, "has not returned");
}
