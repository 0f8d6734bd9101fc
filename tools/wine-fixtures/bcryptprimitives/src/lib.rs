//! The system library that Rust's standard library takes random numbers from,
//! and Wine 8 lacks.

#![no_std]

use core::ffi::c_void;
use core::hint;
use core::panic::PanicInfo;

#[link(name = "advapi32", kind = "raw-dylib")]
unsafe extern "system" {
    /// `RtlGenRandom`, by the name that is exported.
    fn SystemFunction036(buffer: *mut c_void, length: u32) -> u8;
}

/// Fills a buffer with random bytes.
///
/// # Safety
///
/// The buffer has that length.
// SAFETY: Nothing else has this name.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn ProcessPrng(buffer: *mut c_void, length: usize) -> i32 {
    let Ok(length) = u32::try_from(length) else {
        return 0;
    };
    // SAFETY: The caller keeps to the length.
    i32::from(unsafe { SystemFunction036(buffer, length) })
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        hint::spin_loop();
    }
}
