//! A driver that registers an ETW provider: its service starts where the routines
//! act as they do without a session.

#![no_std]

use core::ffi::c_void;
use core::hint;
use core::panic::PanicInfo;
use core::ptr;

use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_INVALID_HANDLE, STATUS_SUCCESS, STATUS_UNSUCCESSFUL,
};

#[link(name = "ntoskrnl.exe", kind = "raw-dylib", modifiers = "+verbatim")]
unsafe extern "system" {
    fn EtwRegister(
        provider: *const [u8; 16],
        callback: *const c_void,
        context: *const c_void,
        handle: *mut u64,
    ) -> NTSTATUS;
    fn EtwSetInformation(
        handle: u64,
        class: i32,
        information: *const c_void,
        length: u32,
    ) -> NTSTATUS;
    fn EtwEventEnabled(handle: u64, descriptor: *const c_void) -> u8;
    fn EtwUnregister(handle: u64) -> NTSTATUS;
}

/// Registers and unregisters a provider.
// SAFETY: The linker is told to start here, and nothing else has this name.
#[unsafe(export_name = "DriverEntry")]
pub extern "system" fn driver_entry(_driver: *mut c_void, _registry: *const c_void) -> NTSTATUS {
    let mut handle = 0;
    // SAFETY: The routine writes the handle and reads the identifier.
    let registered = unsafe { EtwRegister(&[7; 16], ptr::null(), ptr::null(), &raw mut handle) };
    // SAFETY: The provider is registered.
    let described = unsafe { EtwSetInformation(handle, 2, ptr::null(), 0) };
    // SAFETY: As above.
    let enabled = unsafe { EtwEventEnabled(handle, ptr::null()) };
    // SAFETY: As above.
    let unregistered = unsafe { EtwUnregister(handle) };
    // SAFETY: As documented, an invalid handle is refused.
    let again = unsafe { EtwUnregister(handle) };
    let succeeded = [registered, described, unregistered] == [STATUS_SUCCESS; 3];
    if succeeded && enabled == 0 && again == STATUS_INVALID_HANDLE {
        STATUS_SUCCESS
    } else {
        STATUS_UNSUCCESSFUL
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        hint::spin_loop();
    }
}
