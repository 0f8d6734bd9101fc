//! The end of the system.

use wdk_sys::NTSTATUS;
use wdk_sys::ntddk::KeBugCheckEx;

use crate::misdeed::{Misdeed, Scene, When};

pub const MISDEEDS: &[Misdeed] = &[Misdeed::new("bug-check", When::Exit, bug_check)];

fn bug_check(_: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: nothing asks for it.
    unsafe { KeBugCheckEx(0xe2, 1, 2, 3, 4) } // caught: bug-check
}
