//! A place for what lives from `DriverEntry` to `DriverUnload`.

use core::cell::UnsafeCell;

/// Holds a value for the time that the driver is loaded.
pub struct Slot<T>(UnsafeCell<Option<T>>);

// SAFETY: The value is reached through `put` and `take` only, whose callers
// answer for having the slot to themselves; it then moves between threads,
// which `Send` allows.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    /// A slot with nothing in it.
    #[must_use]
    pub const fn empty() -> Self {
        Self(UnsafeCell::new(None))
    }

    /// Puts a value into the slot, and drops one that was there.
    ///
    /// IRQL: that of dropping a `T`.
    ///
    /// # Safety
    ///
    /// Nothing else may use the slot at the same time.
    pub unsafe fn put(&self, value: T) {
        // SAFETY: The caller has the slot to itself.
        let slot = unsafe { &mut *self.0.get() };
        *slot = Some(value);
    }

    /// Takes the value out of the slot.
    ///
    /// IRQL: any.
    ///
    /// # Safety
    ///
    /// Nothing else may use the slot at the same time.
    pub unsafe fn take(&self) -> Option<T> {
        // SAFETY: The caller has the slot to itself.
        let slot = unsafe { &mut *self.0.get() };
        slot.take()
    }
}
