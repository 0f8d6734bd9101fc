//! Memory: pages, strings for drivers, and accesses that may fail.

pub mod guest;
pub mod pages;
pub mod strings;

use crate::intercept::Failure;
use crate::nt::Irql;
use crate::routine::{Call, Outcome, Routine};

/// The routines of the memory manager.
pub const ROUTINES: &[Routine] = &[
    Routine::new(
        "MmGetSystemRoutineAddress",
        Irql::PASSIVE,
        system_routine_address,
    )
    .fails_with(Failure::Null),
    Routine::new("MmIsAddressValid", Irql::HIGH, is_address_valid),
];

fn system_routine_address(call: &Call<'_>) -> Outcome {
    let name = guest::read_unicode_string(call.registers()[0])?;
    let name = String::from_utf16_lossy(&name);
    Ok(call.thread.kernel.export(&name).unwrap_or(0))
}

fn is_address_valid(call: &Call<'_>) -> Outcome {
    Ok(guest::read::<u8>(call.registers()[0]).is_ok().into())
}
