//! Debug output.

use wdk_sys::ntddk::DbgPrint;
use wdk_sys::{NTSTATUS, STATUS_SUCCESS};

use crate::misdeed::{Misdeed, Scene, When};

pub const MISDEEDS: &[Misdeed] = &[
    Misdeed::new("print-long-line", When::Create, print_long_line),
    Misdeed::new("print-no-newline", When::Create, print_no_newline),
    Misdeed::new("print-float", When::Create, print_float),
    Misdeed::new("print-full-line", When::Create, print_full_line),
];

fn print_long_line(_: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: the text is of 512 bytes.
    unsafe { DbgPrint(c"%511s\n".as_ptr(), c"".as_ptr()) }; // caught: print-long-line
    STATUS_SUCCESS
}

/// Breaks no rule: the longest text that one call transmits.
fn print_full_line(_: &Scene) -> NTSTATUS {
    // SAFETY: the format takes one string.
    unsafe { DbgPrint(c"%510s\n".as_ptr(), c"".as_ptr()) };
    STATUS_SUCCESS
}

fn print_no_newline(_: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: the line does not end.
    unsafe { DbgPrint(c"no end".as_ptr()) }; // caught: print-no-newline
    STATUS_SUCCESS
}

fn print_float(_: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: DbgPrint knows no floating point.
    unsafe { DbgPrint(c"%f\n".as_ptr(), 0u64) }; // caught: print-float
    STATUS_SUCCESS
}
