//! An image's unwind data: checked before it is believed. What it looks like,
//! and how call stacks are walked, depends on the processor.

mod table;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
pub use aarch64::{Unwinder, check, functions};
#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::{Unwinder, check, functions};
