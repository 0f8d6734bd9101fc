//! Executive support: pool, run-down protection.

pub mod pool;
pub mod rundown;

use crate::nt::Irql;
use crate::routine::{Failure, Routine};

/// The routines of the executive.
pub const ROUTINES: &[Routine] = &[
    Routine::new("ExAllocatePool2", Irql::DISPATCH, pool::allocate2).fails_with(Failure::Null),
    Routine::new(
        "ExAllocatePoolWithTag",
        Irql::DISPATCH,
        pool::allocate_with_tag,
    )
    .fails_with(Failure::Null),
    Routine::new("ExAllocatePool", Irql::DISPATCH, pool::allocate).fails_with(Failure::Null),
    Routine::new("ExFreePool", Irql::DISPATCH, pool::free),
    Routine::new("ExFreePoolWithTag", Irql::DISPATCH, pool::free_with_tag),
];
