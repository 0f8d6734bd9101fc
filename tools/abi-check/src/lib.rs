//! Holds the bindings of `wdk-sys` that the driver uses against Microsoft's own
//! metadata, as `windows-sys` publishes it.
//!
//! The bindings are made from C headers, off Windows from others than the
//! WDK's. Wherever the two disagree in what a compiled driver depends on, this
//! crate does not compile, and the error names the difference.

#![no_std]

mod constants;
#[cfg(feature = "differences")]
mod differences;
mod routines;
mod structures;
