//! The way from driver code to a kernel routine: a thunk for each routine, to
//! which the driver's import leads. It stores the arguments, changes to the
//! host's stack and calls [`crate::routine::dispatch`].

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
pub use aarch64::*;
#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;
