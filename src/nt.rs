//! The kernel, as far as this driver needs it, in safe Rust.
//!
//! Raw WDK types and `unsafe` end here; each file wraps one thing that the DDI
//! documentation has a name for.

pub mod failure;
pub mod handle;
pub mod notify;
pub mod print;
pub mod process;
pub mod provider;
pub mod slot;
pub mod string;
pub mod system_routine;
pub mod token;
