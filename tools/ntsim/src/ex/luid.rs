//! Locally unique identifiers: no other has the same value until the next boot.

use std::sync::atomic::{AtomicU64, Ordering};

/// The first that is handed out; those below are known ones, such as
/// `SYSTEM_LUID`.
const FIRST: u64 = 0x1_0000;

/// The source of a machine's LUIDs.
pub struct Luids(AtomicU64);

impl Default for Luids {
    fn default() -> Self {
        Self(AtomicU64::new(FIRST))
    }
}

impl Luids {
    /// The next one.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}
