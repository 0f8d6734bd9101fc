//! Executive support: pool, run-down protection.

pub mod luid;
pub mod pool;
pub mod rundown;

use crate::intercept::Failure;
use crate::nt::Irql;
use crate::report::Rule;
use crate::routine::{Call, CallError, Outcome, Routine};
use crate::thread::Thread;

const FLAG_UNINITIALIZED: u64 = 0x2;
const FLAG_NON_PAGED: u64 = 0x40;
const FLAG_NON_PAGED_EXECUTE: u64 = 0x80;
const FLAG_PAGED: u64 = 0x100;

/// `PagedPool` and its variants of the older routines' `POOL_TYPE` are odd.
const TYPE_PAGED: u64 = 1;

/// What blocks hold that were asked for without zeroing.
const UNINITIALIZED: u8 = 0xcd;

/// The routines of the executive.
pub const ROUTINES: &[Routine] = &[
    Routine::new("ExAllocatePool2", Irql::DISPATCH, allocate2).fails_with(Failure::Null),
    Routine::new("ExAllocatePoolWithTag", Irql::DISPATCH, allocate_with_tag)
        .fails_with(Failure::Null),
    Routine::new("ExAllocatePool", Irql::DISPATCH, allocate).fails_with(Failure::Null),
    Routine::new("ExFreePool", Irql::DISPATCH, free),
    Routine::new("ExFreePoolWithTag", Irql::DISPATCH, free_with_tag),
];

/// `ExAllocatePool2`.
fn allocate2(call: &Call<'_>) -> Outcome {
    let [flags, size, tag, _] = call.registers();
    let kinds = flags & (FLAG_NON_PAGED | FLAG_NON_PAGED_EXECUTE | FLAG_PAGED);
    if kinds.count_ones() != 1 {
        return Ok(0);
    }
    let fill = (flags & FLAG_UNINITIALIZED != 0).then_some(UNINITIALIZED);
    take(call, kinds == FLAG_PAGED, size, tag as u32, fill)
}

/// `ExAllocatePoolWithTag`.
fn allocate_with_tag(call: &Call<'_>) -> Outcome {
    let [pool_type, size, tag, _] = call.registers();
    let paged = pool_type & TYPE_PAGED != 0;
    take(call, paged, size, tag as u32, Some(UNINITIALIZED))
}

/// `ExAllocatePool`.
fn allocate(call: &Call<'_>) -> Outcome {
    let [pool_type, size, ..] = call.registers();
    let tag = u32::from_le_bytes(*b"None");
    let paged = pool_type & TYPE_PAGED != 0;
    take(call, paged, size, tag, Some(UNINITIALIZED))
}

fn take(call: &Call<'_>, paged: bool, size: u64, tag: u32, fill: Option<u8>) -> Outcome {
    let thread = call.thread;
    if paged && thread.irql() >= Irql::DISPATCH {
        return Err(CallError::violation(
            Rule::Irql,
            format!("paged pool is allocated at {}", thread.irql()),
        ));
    }
    if size == 0 || tag == 0 {
        let lack = if size == 0 {
            "of zero bytes"
        } else {
            "with a tag of zero"
        };
        return Err(CallError::violation(
            Rule::Pool,
            format!("pool {lack} is asked for"),
        ));
    }
    let size = usize::try_from(size).expect("64-bit");
    let pool = &thread.kernel.pool;
    let block = pool.allocate(paged, size, tag, fill, thread.acquisition());
    Ok(block.unwrap_or(0))
}

/// `ExFreePool`.
fn free(call: &Call<'_>) -> Outcome {
    give_back(call.thread, call.registers()[0], 0)
}

/// `ExFreePoolWithTag`.
fn free_with_tag(call: &Call<'_>) -> Outcome {
    let [address, tag, ..] = call.registers();
    give_back(call.thread, address, tag as u32)
}

fn give_back(thread: &Thread<'_>, address: u64, tag: u32) -> Outcome {
    match thread.kernel.pool.free(address, tag) {
        Ok(()) => Ok(0),
        Err(bad) => Err(CallError::violation(Rule::Pool, bad.to_string())),
    }
}
