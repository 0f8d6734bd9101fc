//! Pool.

use ntsim::Rule::{Fault, Pool, PoolLeft};

use crate::breaker::caught;

#[test]
fn a_block_is_never_freed() {
    caught("leak-pool", PoolLeft, "100 bytes, tag 'Brkr'");
}

#[test]
fn a_block_is_freed_twice() {
    caught("free-twice", Pool, "that was freed");
}

#[test]
fn a_block_is_freed_with_another_tag() {
    caught("free-wrong-tag", Pool, "'Brkr' is freed with tag 'Othr'");
}

#[test]
fn what_was_never_allocated_is_freed() {
    caught("free-stack", Pool, "never allocated");
}

#[test]
fn nothing_is_asked_for() {
    caught("allocate-nothing", Pool, "of zero bytes");
}

#[test]
fn pool_without_a_tag_is_asked_for() {
    caught("allocate-without-tag", Pool, "with a tag of zero");
}

#[test]
fn a_block_is_written_past_its_end() {
    caught("overrun", Fault, "offset 64 of a pool block of 64 bytes");
}

#[test]
fn a_block_is_written_past_its_end_by_a_byte() {
    caught("overrun-by-one", Pool, "was written past its end");
}

#[test]
fn a_block_is_read_after_it_was_freed() {
    caught("use-after-free", Fault, "that was freed");
}
