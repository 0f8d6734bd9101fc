//! A driver whose `DriverEntry` fails: its service must not start.

#![no_std]

use core::ffi::c_void;
use core::hint;
use core::panic::PanicInfo;

use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_DEVICE_NOT_CONNECTED};

/// Refuses to be loaded, with a status that Windows reports as error 1167.
// SAFETY: The linker is told to start here, and nothing else has this name.
#[unsafe(export_name = "DriverEntry")]
pub extern "system" fn driver_entry(_driver: *mut c_void, _registry: *const c_void) -> NTSTATUS {
    STATUS_DEVICE_NOT_CONNECTED
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        hint::spin_loop();
    }
}
