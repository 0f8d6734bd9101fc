//! Routines of the kernel that are looked up instead of imported.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::mem;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use wdk_sys::STATUS_PROCEDURE_NOT_FOUND;
use wdk_sys::ntddk::MmGetSystemRoutineAddress;

use crate::nt::failure::Failure;
use crate::nt::string::UnicodeString;

/// A kernel routine of type `F`, found by its name.
///
/// # Invariants
///
/// `address` is null or that of the routine called `name`, whose type is `F`.
pub struct SystemRoutine<F> {
    name: &'static [u16],
    address: AtomicPtr<c_void>,
    signature: PhantomData<F>,
}

impl<F: Copy> SystemRoutine<F> {
    /// A routine that has not been looked up yet.
    ///
    /// # Safety
    ///
    /// `F` must be the type of a pointer to the function that the kernel
    /// exports as `name`.
    #[must_use]
    pub const unsafe fn named(name: &'static [u16]) -> Self {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        Self {
            name,
            address: AtomicPtr::new(ptr::null_mut()),
            signature: PhantomData,
        }
    }

    /// Looks the routine up.
    ///
    /// IRQL: `PASSIVE_LEVEL`.
    ///
    /// # Errors
    ///
    /// `STATUS_PROCEDURE_NOT_FOUND` where this kernel has no such routine.
    ///
    /// [MmGetSystemRoutineAddress](https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-mmgetsystemroutineaddress)
    pub fn resolve(&self) -> Result<(), Failure> {
        let name = UnicodeString::new(self.name);
        // SAFETY: The routine only reads the name, which outlives the call.
        let address = unsafe { MmGetSystemRoutineAddress(name.as_raw().cast_mut()) };
        self.address.store(address, Ordering::Release);
        if address.is_null() {
            return Err(Failure {
                call: c"MmGetSystemRoutineAddress",
                status: STATUS_PROCEDURE_NOT_FOUND,
            });
        }
        Ok(())
    }

    /// The routine, once [`resolve`](Self::resolve) has found it.
    ///
    /// IRQL: any.
    #[must_use]
    pub fn get(&self) -> Option<F> {
        let address = self.address.load(Ordering::Acquire);
        if address.is_null() {
            return None;
        }
        // SAFETY: The address is that of a function of type `F`, by the type's
        // invariant, and a pointer to a function is as large as any pointer.
        Some(unsafe { mem::transmute_copy::<*mut c_void, F>(&address) })
    }
}
