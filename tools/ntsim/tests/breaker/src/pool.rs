//! Pool.

use core::ptr;

use wdk_sys::ntddk::{ExAllocatePool2, ExFreePoolWithTag};
use wdk_sys::{NTSTATUS, POOL_FLAG_NON_PAGED, PVOID, STATUS_SUCCESS};

use crate::misdeed::{Misdeed, Scene, When};

pub const MISDEEDS: &[Misdeed] = &[
    Misdeed::new("leak-pool", When::Load, leak_pool),
    Misdeed::new("free-twice", When::Create, free_twice),
    Misdeed::new("free-wrong-tag", When::Create, free_wrong_tag),
    Misdeed::new("free-stack", When::Create, free_stack),
    Misdeed::new("allocate-nothing", When::Create, allocate_nothing),
    Misdeed::new("allocate-without-tag", When::Create, allocate_without_tag),
    Misdeed::new("overrun", When::Create, overrun),
    Misdeed::new("overrun-by-one", When::Create, overrun_by_one),
    Misdeed::new("use-after-free", When::Create, use_after_free),
];

const TAG: u32 = u32::from_le_bytes(*b"Brkr");
const OTHER_TAG: u32 = u32::from_le_bytes(*b"Othr");

fn allocate(size: u64) -> *mut u8 {
    // SAFETY: the routine has no preconditions at this level.
    unsafe { ExAllocatePool2(POOL_FLAG_NON_PAGED, size, TAG) }.cast()
}

fn free(block: *mut u8) {
    // SAFETY: the block is allocated, or not, on purpose.
    unsafe { ExFreePoolWithTag(block.cast(), TAG) };
}

fn leak_pool(_: &Scene) -> NTSTATUS {
    allocate(100); // caught: leak-pool
    STATUS_SUCCESS
}

fn free_twice(_: &Scene) -> NTSTATUS {
    let block = allocate(100);
    free(block);
    free(block); // caught: free-twice
    STATUS_SUCCESS
}

fn free_wrong_tag(_: &Scene) -> NTSTATUS {
    let block: PVOID = allocate(100).cast();
    // SAFETY: wrong on purpose: the tag is another one.
    unsafe { ExFreePoolWithTag(block, OTHER_TAG) }; // caught: free-wrong-tag
    STATUS_SUCCESS
}

fn free_stack(_: &Scene) -> NTSTATUS {
    let mut local = [0u8; 64];
    free(ptr::from_mut(&mut local).cast()); // caught: free-stack
    STATUS_SUCCESS
}

fn allocate_nothing(_: &Scene) -> NTSTATUS {
    allocate(0); // caught: allocate-nothing
    STATUS_SUCCESS
}

fn allocate_without_tag(_: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: the tag is zero.
    unsafe { ExAllocatePool2(POOL_FLAG_NON_PAGED, 16, 0) }; // caught: allocate-without-tag
    STATUS_SUCCESS
}

fn overrun(_: &Scene) -> NTSTATUS {
    let end = allocate(64).wrapping_add(64);
    // SAFETY: wrong on purpose: the block ends before this byte.
    unsafe { end.write_volatile(1) }; // caught: overrun
    STATUS_SUCCESS
}

/// Within the alignment of the block, so that only freeing it shows it.
fn overrun_by_one(_: &Scene) -> NTSTATUS {
    let block = allocate(61);
    // SAFETY: wrong on purpose: the block ends before this byte.
    unsafe { block.wrapping_add(61).write_volatile(1) };
    free(block); // caught: overrun-by-one
    STATUS_SUCCESS
}

fn use_after_free(_: &Scene) -> NTSTATUS {
    let block = allocate(64);
    free(block);
    // SAFETY: wrong on purpose: the block is freed.
    let _ = unsafe { block.read_volatile() }; // caught: use-after-free
    STATUS_SUCCESS
}
