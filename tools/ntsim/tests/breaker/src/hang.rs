//! Driver code that does not return.

use core::arch::asm;

use wdk_sys::NTSTATUS;
use wdk_sys::ntddk::PsGetCurrentProcessId;

use crate::misdeed::{Misdeed, Scene, When};

pub const MISDEEDS: &[Misdeed] = &[
    Misdeed::new("loop-silently", When::Create, loop_silently),
    Misdeed::new("loop-calling", When::Create, loop_calling),
];

#[cfg(target_arch = "aarch64")]
macro_rules! jump_to_itself {
    () => {
        "2: b 2b"
    };
}
#[cfg(target_arch = "x86_64")]
macro_rules! jump_to_itself {
    () => {
        "2: jmp 2b"
    };
}

fn loop_silently(_: &Scene) -> NTSTATUS {
    // SAFETY: jumps to itself and touches nothing.
    unsafe { asm!(jump_to_itself!()) }; // caught: loop-silently
    0
}

fn loop_calling(_: &Scene) -> NTSTATUS {
    loop {
        // SAFETY: the routine has no preconditions.
        unsafe { PsGetCurrentProcessId() }; // caught: loop-calling
    }
}
