//! What a driver prints, kept.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::dbg::{DebugMessage, DebugOutput};

/// One `DbgPrint` each, in their order.
#[derive(Debug, Default)]
pub struct Transcript(Mutex<Vec<Vec<u8>>>);

impl Transcript {
    /// What was printed since the last time.
    pub fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DebugOutput for Transcript {
    fn print(&self, message: &DebugMessage<'_>) {
        self.lock().push(message.text.to_vec());
    }
}
