//! What depends on the processor: switching between the host's stack and the
//! driver's, memory accesses that may fault, and the registers of a trap. The
//! code through which a driver reaches kernel routines stands in `gate`.
//!
//! # The two stacks
//! Driver code runs on a kernel stack of its own ([`crate::ke::stack`]); every
//! routine that it calls runs on the host's stack, below the frame that called
//! the driver. The first page of a kernel stack's region holds a [`Control`],
//! found from any driver stack pointer by masking, which remembers where the
//! other stack was left.

mod control;
#[cfg_attr(target_arch = "aarch64", path = "arch/registers/aarch64.rs")]
#[cfg_attr(target_arch = "x86_64", path = "arch/registers/x86_64.rs")]
mod registers;
mod words;
pub use control::*;
pub use words::*;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
pub use aarch64::*;
#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
compile_error!(
    "ntsim runs drivers for x64 and ARM64, each on its own processor; see src/arch for what a port needs"
);
