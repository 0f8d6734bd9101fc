//! What compiled Rust refers to of Microsoft's C runtime, for images that are
//! linked without it. wdk-sys has the same for drivers.

#![no_std]

use core::arch::naked_asm;
use core::ffi::{c_char, c_int, c_void};

// What the compiler calls for copies and comparisons. Every Windows process has
// ntdll, which exports them.
#[link(name = "ntdll", kind = "raw-dylib")]
#[expect(dead_code, reason = "no source calls these; compiled code does")]
unsafe extern "C" {
    fn memcmp(left: *const c_void, right: *const c_void, length: usize) -> c_int;
    fn memcpy(to: *mut c_void, from: *const c_void, length: usize) -> *mut c_void;
    fn memmove(to: *mut c_void, from: *const c_void, length: usize) -> *mut c_void;
    fn memset(to: *mut c_void, value: c_int, length: usize) -> *mut c_void;
    fn strlen(text: *const c_char) -> usize;
}

/// Marks an object file that uses floating point.
// SAFETY: Nothing else in an image without the C runtime has this name.
#[unsafe(no_mangle)]
pub static _fltused: i32 = 0;

/// Handles exceptions in functions of `core` that could unwind; with
/// `panic = "abort"` none is ever raised.
// SAFETY: Nothing else in an image without the C runtime has this name.
#[unsafe(no_mangle)]
pub extern "system" fn __CxxFrameHandler3() -> i32 {
    1
}

/// Where calls through pointers go in code that is compiled with control-flow
/// guard, as `core` is for the driver; here they are not checked.
// SAFETY: Nothing else in an image without the C runtime has this name.
#[unsafe(no_mangle)]
pub static __guard_dispatch_icall_fptr: unsafe extern "C" fn() = dispatch;

/// Goes on to the function that is called, whose address is in `rax`.
#[unsafe(naked)]
unsafe extern "C" fn dispatch() {
    naked_asm!("jmp rax")
}
