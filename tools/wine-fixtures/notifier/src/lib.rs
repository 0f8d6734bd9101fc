//! A driver that delivers process-notify callbacks under Wine.
//!
//! Wine takes a registration with `PsSetCreateProcessNotifyRoutineEx` and never
//! calls back. This driver is loaded first, into the same `winedevice.exe`. It
//! puts routines of its own in the import table of `procmon.sys` once that is
//! mapped and before its `DriverEntry` runs ([`interpose`]): one that remembers
//! the callback ([`notify`]), and those that Wine lacks ([`print`],
//! [`process`]). A program then announces a process that it started, and the
//! callback is called with what Wine's own process object says ([`device`]).

#![no_std]

mod device;
mod interpose;
mod notify;
mod nt;
mod print;
mod process;

extern crate no_crt;

use core::hint;
use core::panic::PanicInfo;

use windows_sys::Wdk::Foundation::DRIVER_OBJECT;
use windows_sys::Wdk::System::SystemServices::{
    PsRemoveLoadImageNotifyRoutine, PsSetLoadImageNotifyRoutine,
};
use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_SUCCESS, UNICODE_STRING};

/// Makes the device, and asks to be told of each image that is loaded.
///
/// # Safety
///
/// Only the I/O manager may call this, with the driver's own object.
// SAFETY: The linker is told to start here, and nothing else has this name.
#[unsafe(export_name = "DriverEntry")]
pub unsafe extern "system" fn driver_entry(
    driver: *mut DRIVER_OBJECT,
    _registry: *const UNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: The I/O manager gives the driver its object for itself.
    let driver = unsafe { &mut *driver };
    let status = device::create(driver);
    if status != STATUS_SUCCESS {
        return status;
    }
    driver.DriverUnload = Some(unload);
    // SAFETY: The routine has the right signature, and `unload` removes it.
    let status = unsafe { PsSetLoadImageNotifyRoutine(Some(interpose::image_loaded)) };
    if status != STATUS_SUCCESS {
        device::delete(driver);
    }
    status
}

unsafe extern "system" fn unload(driver: *const DRIVER_OBJECT) {
    // SAFETY: `driver_entry` set the routine.
    unsafe { PsRemoveLoadImageNotifyRoutine(Some(interpose::image_loaded)) };
    // SAFETY: The I/O manager passes the driver's own object.
    device::delete(unsafe { &*driver });
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        hint::spin_loop();
    }
}
