//! Stands in for the resource compiler, of which only the place matters:
//! succeeds and writes nothing.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

use windows_sys::Win32::System::Threading::ExitProcess;

/// The program's entry point.
// SAFETY: The linker is told to start here, and nothing else has this name.
#[unsafe(no_mangle)]
pub extern "system" fn start() -> ! {
    // SAFETY: Nothing has to be cleaned up.
    unsafe { ExitProcess(0) }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: Nothing has to be cleaned up.
    unsafe { ExitProcess(2) }
}
