//! Counted UTF-16 strings: `UNICODE_STRING` and slices.

use core::marker::PhantomData;
use core::slice;

use wdk_sys::{PCUNICODE_STRING, UNICODE_STRING, USHORT};

/// A `UNICODE_STRING` that borrows its characters.
///
/// # Invariants
///
/// `Buffer` points to `Length` bytes that live as long as `'a`.
///
/// [UNICODE_STRING](https://learn.microsoft.com/windows/win32/api/ntdef/ns-ntdef-_unicode_string)
#[repr(transparent)]
pub struct UnicodeString<'a> {
    raw: UNICODE_STRING,
    units: PhantomData<&'a [u16]>,
}

impl<'a> UnicodeString<'a> {
    /// The most UTF-16 units that a `UNICODE_STRING` can count.
    const MOST_UNITS: usize = (USHORT::MAX / 2) as usize;

    /// Borrows UTF-16 units; what is past the longest possible string is left
    /// out.
    ///
    /// IRQL: any.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the length in bytes is at most 65,534"
    )]
    pub const fn new(units: &'a [u16]) -> Self {
        let count = if units.len() < Self::MOST_UNITS {
            units.len()
        } else {
            Self::MOST_UNITS
        };
        let bytes = (count * 2) as USHORT;
        Self {
            raw: UNICODE_STRING {
                Length: bytes,
                MaximumLength: bytes,
                Buffer: units.as_ptr().cast_mut(),
            },
            units: PhantomData,
        }
    }

    /// The string as the kernel's routines take it.
    ///
    /// IRQL: any. The routine must only read the string: its characters may
    /// be in memory that cannot be written.
    #[must_use]
    pub const fn as_raw(&self) -> PCUNICODE_STRING {
        &raw const self.raw
    }
}

/// The characters of a string that the kernel hands out, or `None` where there
/// is no string or no buffer behind it, even for a length of 0.
///
/// An odd last byte is no character, bytes past `MaximumLength` are not the
/// string's, and a buffer at an odd address holds no characters.
///
/// IRQL: that at which the string's memory may be read.
///
/// # Safety
///
/// `string` is null, or points to a `UNICODE_STRING` whose buffer, unless null,
/// holds the bytes that it counts; both stay as they are for `'a`.
#[must_use]
pub unsafe fn units<'a>(string: PCUNICODE_STRING) -> Option<&'a [u16]> {
    // SAFETY: The caller says that a string that is not null can be read.
    let string = unsafe { string.as_ref() }?;
    let bytes = string.Length.min(string.MaximumLength);
    let count = usize::from(bytes / 2);
    if string.Buffer.is_null() || !string.Buffer.is_aligned() {
        return None;
    }
    // SAFETY: The buffer is there and aligned, and the caller says that it
    // holds the bytes counted.
    Some(unsafe { slice::from_raw_parts(string.Buffer, count) })
}

/// The UTF-16 units of an ASCII name.
///
/// IRQL: any.
///
/// # Panics
///
/// Where the name is not ASCII, or not of `UNITS` characters; a use in a
/// constant then does not compile.
#[must_use]
pub const fn utf16<const UNITS: usize>(ascii: &str) -> [u16; UNITS] {
    assert!(ascii.is_ascii() && ascii.len() == UNITS);
    let mut units = [0; UNITS];
    let mut index = 0;
    while index < UNITS {
        units[index] = ascii.as_bytes()[index] as u16;
        index += 1;
    }
    units
}
