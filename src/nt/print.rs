//! `DbgPrint` with a format that is held against its arguments at compile time.

use core::ffi::{CStr, c_char};

use wdk_sys::PCUNICODE_STRING;

use crate::fields::Fields;
use crate::nt::string::UnicodeString;

/// A type that `DbgPrint` takes, and the conversions that fit it.
pub trait Argument {
    /// What may stand after the `%`.
    const CONVERSIONS: &'static [&'static str];
    /// What is passed.
    type Raw;
    /// The value as it is passed.
    fn raw(self) -> Self::Raw;
}

impl Argument for u32 {
    const CONVERSIONS: &'static [&'static str] = &["u", "x"];
    type Raw = Self;
    fn raw(self) -> Self {
        self
    }
}

impl Argument for u64 {
    const CONVERSIONS: &'static [&'static str] = &["I64u", "I64x"];
    type Raw = Self;
    fn raw(self) -> Self {
        self
    }
}

impl Argument for &CStr {
    const CONVERSIONS: &'static [&'static str] = &["s"];
    type Raw = *const c_char;
    fn raw(self) -> Self::Raw {
        self.as_ptr()
    }
}

impl Argument for &Fields {
    const CONVERSIONS: &'static [&'static str] = &["s"];
    type Raw = *const c_char;
    fn raw(self) -> Self::Raw {
        self.as_bytes_with_nul().as_ptr().cast()
    }
}

impl Argument for &UnicodeString<'_> {
    const CONVERSIONS: &'static [&'static str] = &["wZ"];
    type Raw = PCUNICODE_STRING;
    fn raw(self) -> Self::Raw {
        self.as_raw()
    }
}

/// Whether `format` has one conversion for each argument, in their order, and
/// nothing that `DbgPrint` would read beyond them.
#[must_use]
pub const fn format_fits(format: &str, arguments: &[&[&str]]) -> bool {
    let mut rest = format.as_bytes();
    let mut argument = 0;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match *byte {
            0 => return false,
            b'%' => {
                if argument == arguments.len() {
                    return false;
                }
                let Some(after) = after_one_of(rest, arguments[argument]) else {
                    return false;
                };
                rest = after;
                argument += 1;
            }
            _ => {}
        }
    }
    argument == arguments.len()
}

const fn after_one_of<'a>(text: &'a [u8], mut prefixes: &[&str]) -> Option<&'a [u8]> {
    while let [prefix, others @ ..] = prefixes {
        if let Some(after) = after(text, prefix.as_bytes()) {
            return Some(after);
        }
        prefixes = others;
    }
    None
}

const fn after<'a>(mut text: &'a [u8], mut prefix: &[u8]) -> Option<&'a [u8]> {
    while let [expected, expected_rest @ ..] = prefix {
        let [byte, rest @ ..] = text else { return None };
        if *byte != *expected {
            return None;
        }
        text = rest;
        prefix = expected_rest;
    }
    Some(text)
}

/// Prints one line to the kernel debugger: a format, and `name: type = value`
/// for each of its conversions.
///
/// The line with its `\n` must stay within 511 bytes, which the callers see to.
///
/// IRQL: `PASSIVE_LEVEL`, for `%wZ`; else at most `DIRQL`.
///
/// [DbgPrint](https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-dbgprint)
#[macro_export]
macro_rules! print_line {
    ($format:literal $(, $name:ident: $type:ty = $value:expr)* $(,)?) => {{
        const FORMAT: &str = concat!($format, "\n\0");
        const {
            assert!(
                $crate::nt::print::format_fits(
                    $format,
                    &[$(<$type as $crate::nt::print::Argument>::CONVERSIONS),*],
                ),
                "the format does not fit the arguments"
            );
        }
        $(let $name: $type = $value;)*
        $(let $name = <$type as $crate::nt::print::Argument>::raw($name);)*
        // SAFETY: The format ends with a NUL and was held against the types of
        // the arguments, which live to the end of this block.
        unsafe { ::wdk_sys::ntddk::DbgPrint(FORMAT.as_ptr().cast() $(, $name)*) };
    }};
}
