//! `DbgPrint` that knows `%wZ`, which Wine's does not.

use core::arch::naked_asm;
use core::ffi::{CStr, c_char};
use core::fmt::{self, Write};
use core::slice;

use windows_sys::Win32::Foundation::UNICODE_STRING;

use crate::nt;

/// The most bytes that `DbgPrint` transmits in one call.
const MOST_BYTES: usize = 512;

/// In the place of `DbgPrint`. Stores the arguments that came in registers in
/// the places that the caller left for them, beside those on the stack: then all
/// lie in a row.
#[unsafe(naked)]
pub unsafe extern "C" fn dbg_print() -> u32 {
    naked_asm!(
        "mov [rsp + 16], rdx",
        "mov [rsp + 24], r8",
        "mov [rsp + 32], r9",
        "lea rdx, [rsp + 16]",
        "sub rsp, 40",
        "call {print}",
        "add rsp, 40",
        "ret",
        print = sym print,
    )
}

unsafe extern "C" fn print(format: *const c_char, arguments: *const u64) -> u32 {
    // SAFETY: `DbgPrint`'s format ends with a NUL.
    let format = unsafe { CStr::from_ptr(format) }.to_bytes();
    let mut line = Line {
        bytes: [0; MOST_BYTES + 1],
        length: 0,
    };
    // SAFETY: The caller of `DbgPrint` passes an argument for each conversion.
    if unsafe { line.format(format, arguments) }.is_none() {
        line.length = 0;
        line.push(b"[notifier] DbgPrint with an unknown conversion\n");
    }
    // SAFETY: The text ends with a NUL: the last byte of `bytes` stays zero.
    unsafe { nt::print_text(c"%s".as_ptr().cast(), line.bytes.as_ptr()) }
}

struct Line {
    bytes: [u8; MOST_BYTES + 1],
    length: usize,
}

impl Line {
    /// Adds text; as in the kernel, what does not fit is lost.
    fn push(&mut self, text: &[u8]) {
        let room = &mut self.bytes[self.length..MOST_BYTES];
        let count = text.len().min(room.len());
        room[..count].copy_from_slice(&text[..count]);
        self.length += count;
        self.bytes[self.length] = 0;
    }

    /// Adds what a format asks for, or gives `None` at a conversion that is not
    /// among those that the driver under test uses.
    ///
    /// # Safety
    ///
    /// `arguments` holds an argument for each conversion.
    unsafe fn format(&mut self, mut format: &[u8], mut arguments: *const u64) -> Option<()> {
        while let [byte, rest @ ..] = format {
            format = rest;
            if *byte != b'%' {
                self.push(slice::from_ref(byte));
                continue;
            }
            // SAFETY: A conversion has an argument.
            let argument = unsafe { *arguments };
            // SAFETY: The next one follows, or is not read.
            arguments = unsafe { arguments.add(1) };
            // SAFETY: The argument is that of this conversion.
            format = unsafe { self.convert(rest, argument) }?;
        }
        Some(())
    }

    /// Adds one argument, and gives what follows the conversion.
    ///
    /// # Safety
    ///
    /// `argument` is of the type that the conversion asks for.
    unsafe fn convert<'a>(&mut self, conversion: &'a [u8], argument: u64) -> Option<&'a [u8]> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the upper half is undefined"
        )]
        let low = argument as u32;
        match conversion {
            [b'I', b'6', b'4', b'x', rest @ ..] => {
                self.write_fmt(format_args!("{argument:x}")).map(|()| rest)
            }
            [b'I', b'6', b'4', b'u', rest @ ..] => {
                self.write_fmt(format_args!("{argument}")).map(|()| rest)
            }
            [b'x', rest @ ..] => self.write_fmt(format_args!("{low:x}")).map(|()| rest),
            [b'u', rest @ ..] => self.write_fmt(format_args!("{low}")).map(|()| rest),
            [b's', rest @ ..] => {
                // SAFETY: The argument points to text that ends with a NUL.
                let text = unsafe { CStr::from_ptr(argument as *const c_char) };
                self.push(text.to_bytes());
                Ok(rest)
            }
            [b'w', b'Z', rest @ ..] => {
                // SAFETY: The argument points to a string.
                unsafe { self.push_utf16(&*(argument as *const UNICODE_STRING)) };
                Ok(rest)
            }
            _ => return None,
        }
        .ok()
    }

    /// Adds text as UTF-8, so that nothing depends on the machine's locale.
    ///
    /// # Safety
    ///
    /// The string's buffer holds the bytes that it counts.
    unsafe fn push_utf16(&mut self, text: &UNICODE_STRING) {
        let count = usize::from(text.Length / 2);
        if count == 0 {
            return;
        }
        // SAFETY: The caller says so, and an empty string is not read.
        let units = unsafe { slice::from_raw_parts(text.Buffer, count) };
        for character in char::decode_utf16(units.iter().copied()) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.push(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}
