//! Handle tables: one for the kernel, one for each process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::object::Object;
use crate::ldr::backtrace::Acquisition;

/// What distinguishes kernel handles: only kernel mode can use them.
pub const KERNEL_HANDLE_BITS: u64 = 0xffff_ffff_8000_0000;

/// `NtCurrentProcess()`.
pub const CURRENT_PROCESS: u64 = u64::MAX;

/// `NtCurrentThread()`.
pub const CURRENT_THREAD: u64 = u64::MAX - 1;

/// How many freed values wait before one is used again, so that a stale handle
/// is noticed rather than taken for its successor.
const RESTING: usize = 256;

/// An open handle.
#[derive(Clone)]
pub struct Handle {
    /// What it leads to.
    pub object: Arc<Object>,
    /// `OBJ_INHERIT` and the like.
    pub attributes: u32,
    /// What it may be used for.
    pub access: u32,
    /// Where a driver opened it.
    pub opened: Acquisition,
}

/// A handle table.
#[derive(Default)]
pub struct HandleTable {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    handles: Vec<Option<Handle>>,
    free: VecDeque<usize>,
}

impl HandleTable {
    /// Opens a handle and gives its value, without [`KERNEL_HANDLE_BITS`].
    pub fn open(&self, handle: Handle) -> u64 {
        let mut entries = self.lock();
        let index = if entries.free.len() > RESTING {
            entries.free.pop_front()
        } else {
            None
        };
        let index = index.unwrap_or_else(|| {
            entries.handles.push(None);
            entries.handles.len() - 1
        });
        entries.handles[index] = Some(handle);
        // Values are multiples of four, and never zero.
        (index as u64 + 1) * 4
    }

    /// What the handle `value` leads to.
    pub fn find(&self, value: u64) -> Option<Handle> {
        self.lock().handles.get(index(value)?)?.clone()
    }

    /// Closes the handle `value`.
    pub fn close(&self, value: u64) -> Option<Handle> {
        let mut entries = self.lock();
        let index = index(value)?;
        let handle = entries.handles.get_mut(index)?.take()?;
        entries.free.push_back(index);
        Some(handle)
    }

    /// Whether `value` is, or was, a handle of this table.
    pub fn was_open(&self, value: u64) -> bool {
        index(value).is_some_and(|index| index < self.lock().handles.len())
    }

    /// Closes all handles for which `which` holds and gives them with their
    /// values.
    pub fn close_all(&self, which: impl Fn(&Handle) -> bool) -> Vec<(u64, Handle)> {
        let mut entries = self.lock();
        let mut closed = Vec::new();
        for index in 0..entries.handles.len() {
            if entries.handles[index].as_ref().is_some_and(&which) {
                let handle = entries.handles[index].take().expect("just seen");
                entries.free.push_back(index);
                closed.push(((index as u64 + 1) * 4, handle));
            }
        }
        closed
    }

    /// How many handles are open.
    pub fn len(&self) -> usize {
        self.lock().handles.iter().flatten().count()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The low two bits of a handle are the application's own.
fn index(value: u64) -> Option<usize> {
    usize::try_from(value / 4).ok()?.checked_sub(1)
}
