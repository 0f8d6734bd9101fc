//! The parts of the driver that know nothing of the kernel, compiled for this
//! host.

#[path = "../../../src/plain.rs"]
pub mod plain;
#[path = "../../../src/text.rs"]
pub mod text;
