//! The end of the system.

use core::ffi::c_void;
use core::{hint, ptr};

use wdk_sys::NTSTATUS;
use wdk_sys::ntddk::KeBugCheckEx;

use crate::misdeed::{Misdeed, Scene, When};

pub const MISDEEDS: &[Misdeed] = &[
    Misdeed::new("bug-check", When::Exit, bug_check),
    Misdeed::new("handle-exception", When::Exit, handle_exception),
];

// What C compilers name in the unwind data of guarded code.
unsafe extern "C" {
    fn __C_specific_handler(
        record: *mut c_void,
        frame: *mut c_void,
        context: *mut c_void,
        dispatcher: *mut c_void,
    ) -> i32;
}

fn bug_check(_: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: nothing asks for it.
    unsafe { KeBugCheckEx(0xe2, 1, 2, 3, 4) } // caught: bug-check
}

fn handle_exception(_: &Scene) -> NTSTATUS {
    const NULL: *mut c_void = ptr::null_mut();
    // SAFETY: wrong on purpose: there is no exception.
    let status = unsafe { __C_specific_handler(NULL, NULL, NULL, NULL) }; // caught: handle-exception
    // A call that is the last thing done is compiled to a jump, of which a
    // backtrace shows nothing.
    hint::black_box(status)
}
