//! The kernel's ETW routines, which Wine 8 lacks, without any session: providers
//! register and unregister.

#![no_std]

extern crate no_crt;

use core::ffi::c_void;
use core::hint;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU64, Ordering};

use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_INVALID_HANDLE, STATUS_NO_MEMORY, STATUS_SUCCESS,
};

/// A bit for each provider that is registered. The handle is the bit's number,
/// counted from 1.
static REGISTERED: AtomicU64 = AtomicU64::new(0);

fn bit(handle: u64) -> Option<u64> {
    1_u64.checked_shl(u32::try_from(handle.checked_sub(1)?).ok()?)
}

fn is_registered(handle: u64) -> bool {
    bit(handle).is_some_and(|bit| REGISTERED.load(Ordering::Relaxed) & bit != 0)
}

/// Registers a provider.
///
/// # Safety
///
/// `handle` is valid for a write.
// SAFETY: Nothing else has this name.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn EtwRegister(
    _provider: *const c_void,
    _callback: *const c_void,
    _context: *const c_void,
    handle: *mut u64,
) -> NTSTATUS {
    let with_one_more = |bits: u64| bits.checked_add(1).map(|next| bits | next);
    let Ok(bits) = REGISTERED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_one_more)
    else {
        return STATUS_NO_MEMORY;
    };
    // SAFETY: The caller says so.
    unsafe { handle.write(u64::from(bits.trailing_ones()) + 1) };
    STATUS_SUCCESS
}

/// Unregisters a provider.
// SAFETY: Nothing else has this name.
#[unsafe(no_mangle)]
pub extern "system" fn EtwUnregister(handle: u64) -> NTSTATUS {
    if !is_registered(handle) {
        return STATUS_INVALID_HANDLE;
    }
    REGISTERED.fetch_and(!bit(handle).unwrap_or_default(), Ordering::Relaxed);
    STATUS_SUCCESS
}

/// Takes what a provider says of itself.
// SAFETY: Nothing else has this name.
#[unsafe(no_mangle)]
pub extern "system" fn EtwSetInformation(
    handle: u64,
    _class: i32,
    _information: *const c_void,
    _length: u32,
) -> NTSTATUS {
    if is_registered(handle) {
        STATUS_SUCCESS
    } else {
        STATUS_INVALID_HANDLE
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        hint::spin_loop();
    }
}
