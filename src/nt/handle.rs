//! Kernel handles.

use wdk_sys::HANDLE;
use wdk_sys::ntddk::ZwClose;

/// A kernel handle, closed when it is dropped.
///
/// # Invariants
///
/// The handle is open.
#[derive(Debug)]
pub struct Handle(HANDLE);

impl Handle {
    /// # Safety
    ///
    /// `handle` is open, and nothing else closes it.
    pub(super) const unsafe fn from_raw(handle: HANDLE) -> Self {
        Self(handle)
    }

    pub(super) const fn as_raw(&self) -> HANDLE {
        self.0
    }
}

impl Drop for Handle {
    /// IRQL: `PASSIVE_LEVEL`.
    ///
    /// [ZwClose](https://learn.microsoft.com/windows-hardware/drivers/ddi/ntifs/nf-ntifs-zwclose)
    fn drop(&mut self) {
        // SAFETY: The handle is open, and nothing uses it afterwards.
        let status = unsafe { ZwClose(self.0) };
        debug_assert!(wdk::nt_success(status));
    }
}
