//! Debug output that is kept.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::output::{DebugMessage, DebugOutput};

/// Keeps what drivers print, one message for each `DbgPrint`, in their order.
#[derive(Debug, Default)]
pub struct Transcript(Mutex<Vec<Vec<u8>>>);

impl Transcript {
    /// The messages since the last time, in the system's code page.
    pub fn take(&self) -> Vec<Vec<u8>> {
        mem::take(&mut self.lock())
    }

    /// The messages since the last time, of a system whose code page is UTF-8.
    ///
    /// # Panics
    /// Where one is not UTF-8.
    pub fn take_text(&self) -> Vec<String> {
        let text = |message| String::from_utf8(message).expect("debug output in UTF-8");
        self.take().into_iter().map(text).collect()
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
