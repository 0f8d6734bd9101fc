//! The part of the driver that knows nothing of the kernel, compiled for this
//! host.

#[path = "../../../src/text.rs"]
pub mod text;
