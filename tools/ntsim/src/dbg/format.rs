//! The formatted text of one `DbgPrint` call.
//!
//! The directives are those of the kernel's C run-time: C's integers and
//! strings with Microsoft's sizes (`I64`, `I32`, `I`, `w`), the inverted `%C`
//! and `%S`, and `%Z`, `%wZ` for counted strings. Where C and Microsoft differ,
//! Microsoft is followed: `%p` is sixteen upper-case digits, `long` has 32
//! bits, `0` pads strings too, a counted string ignores its precision, and an
//! unknown directive prints its letter. Floating point is not supported by
//! `DbgPrint` and `%n` is disabled: both take their argument, print nothing and
//! are remembered in [`Printed::unsupported`].

use super::code_page::CodePage;
use super::output::OUTPUT_LIMIT;
use crate::mm::guest::{BadAddress, GuestMemory};
use crate::nt::Irql;

/// Driver memory is read in pieces of this size, never across a page that the
/// text does not reach.
const PIECE: usize = 256;
const PAGE: u64 = 0x1000;

/// A driver's variable arguments, eight bytes each, one after the other.
pub trait Arguments {
    /// The next one.
    ///
    /// # Errors
    /// The address, when the driver's stack ends before it.
    fn next(&mut self) -> Result<u64, BadAddress>;
}

/// What a format string is printed with.
pub struct Context<'a> {
    /// The driver's memory.
    pub memory: &'a dyn GuestMemory,
    /// The system's ANSI code page.
    pub code_page: CodePage,
    /// The current level; Unicode conversions need `PASSIVE_LEVEL`.
    pub irql: Irql,
}

/// Why a format could not be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The format or an argument points nowhere.
    #[error(transparent)]
    BadAddress(#[from] BadAddress),
    /// A Unicode conversion was used above `PASSIVE_LEVEL`.
    #[error("%{conversion} is allowed at PASSIVE_LEVEL only, not at {irql}")]
    UnicodeAbovePassive {
        /// The conversion, such as `wZ`.
        conversion: &'static str,
        /// The level at the call.
        irql: Irql,
    },
}

/// What was unusual about a text that was printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// The text was longer than [`OUTPUT_LIMIT`] and its end is lost.
    pub is_cut: bool,
    /// The letter of the last directive that `DbgPrint` does not support:
    /// floating point, or `%n`.
    pub unsupported: Option<char>,
}

/// Formats the NUL-terminated `format` at that address of the driver's memory
/// into `output`, which is emptied first and never holds more than
/// [`OUTPUT_LIMIT`] bytes.
///
/// A text that is longer keeps its first 510 bytes and ends in a newline, as
/// the kernel leaves it; the directives beyond are not looked at.
///
/// # Errors
/// Where the driver's memory cannot be read, or a conversion is not allowed at
/// the current level. `output` then holds what was formatted before.
pub fn format(
    output: &mut Vec<u8>,
    format: u64,
    arguments: &mut dyn Arguments,
    context: &Context<'_>,
) -> Result<Printed, FormatError> {
    output.clear();
    let mut printer = Printer {
        output,
        arguments,
        context,
        unsupported: None,
    };
    let is_cut = match printer.format(format) {
        Ok(()) => false,
        Err(Stop::Error(error)) => return Err(error),
        Err(Stop::Full) => {
            printer.output[OUTPUT_LIMIT - 2] = b'\n';
            printer.output.truncate(OUTPUT_LIMIT - 1);
            true
        }
    };
    Ok(Printed {
        is_cut,
        unsupported: printer.unsupported,
    })
}

/// The buffer is full: like the kernel's `_vsnprintf`, formatting ends here.
struct Full;

enum Stop {
    Full,
    Error(FormatError),
}

impl From<Full> for Stop {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl<E: Into<FormatError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// How wide an integer argument is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Default,
    Char,
    Short,
    Long,
    Int64,
    Wide,
}

/// One directive, parsed up to its letter.
#[expect(clippy::struct_excessive_bools, reason = "the five flags of printf")]
struct Directive {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    size: Size,
}

impl Directive {
    /// Whether `0` fills a number's field: `-` and a precision turn it off.
    fn pads_with_zeros(&self) -> bool {
        self.zero && !self.left && self.precision.is_none()
    }
}

/// Where text that is printed with padding comes from.
#[derive(Clone, Copy)]
enum Text {
    Literal(&'static [u8]),
    Narrow { address: u64, bytes: u64 },
    Wide { address: u64, units: u64 },
    Byte(u8),
    Unit(u16),
}

struct Printer<'a> {
    output: &'a mut Vec<u8>,
    arguments: &'a mut dyn Arguments,
    context: &'a Context<'a>,
    unsupported: Option<char>,
}

impl Printer<'_> {
    /// Prints the format at that address.
    fn format(&mut self, address: u64) -> Result<(), Stop> {
        let length = self.narrow_length(address, u64::MAX)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (mut short, mut long) = ([0; PIECE], Vec::new());
        let format = if length <= PIECE {
            &mut short[..length]
        } else {
            long.resize(length, 0);
            &mut long[..]
        };
        self.context.memory.read(address, format)?;
        self.print(format)
    }

    fn print(&mut self, mut format: &[u8]) -> Result<(), Stop> {
        while !format.is_empty() {
            let plain = format
                .iter()
                .position(|&byte| byte == b'%')
                .unwrap_or(format.len());
            self.put(&format[..plain])?;
            format = &format[plain..];
            if let Some((_, rest)) = format.split_first() {
                format = self.directive(rest)?;
            }
        }
        Ok(())
    }

    /// Prints the directive at the front of `format`; returns what follows it.
    fn directive<'f>(&mut self, mut format: &'f [u8]) -> Result<&'f [u8], Stop> {
        let directive = self.parse(&mut format)?;
        let Some((&letter, rest)) = format.split_first() else {
            return Ok(format);
        };
        match letter {
            b'd' | b'i' => self.signed(&directive)?,
            b'u' => self.unsigned(&directive, 10, DIGITS_LOWER, b"")?,
            b'o' => self.octal(&directive)?,
            b'x' => self.unsigned(&directive, 16, DIGITS_LOWER, b"0x")?,
            b'X' => self.unsigned(&directive, 16, DIGITS_UPPER, b"0X")?,
            b'p' => {
                let pointer = Directive {
                    size: Size::Int64,
                    precision: Some(16),
                    ..directive
                };
                self.unsigned(&pointer, 16, DIGITS_UPPER, b"0X")?;
            }
            b'c' | b'C' => self.character(&directive, letter)?,
            b's' | b'S' => self.string(&directive, letter)?,
            b'Z' => self.counted_string(&directive)?,
            b'n' | b'e' | b'E' | b'f' | b'F' | b'g' | b'G' | b'a' | b'A' => {
                self.arguments.next()?;
                self.unsupported = Some(char::from(letter));
            }
            other => self.put(&[other])?,
        }
        Ok(rest)
    }

    fn parse(&mut self, format: &mut &[u8]) -> Result<Directive, BadAddress> {
        let mut directive = Directive {
            left: false,
            plus: false,
            space: false,
            alternate: false,
            zero: false,
            width: 0,
            precision: None,
            size: Size::Default,
        };
        loop {
            match format.first() {
                Some(b'-') => directive.left = true,
                Some(b'+') => directive.plus = true,
                Some(b' ') => directive.space = true,
                Some(b'#') => directive.alternate = true,
                Some(b'0') => directive.zero = true,
                _ => break,
            }
            *format = &format[1..];
        }
        if let Some(rest) = format.strip_prefix(b"*") {
            *format = rest;
            let width = self.int()?;
            directive.left |= width < 0;
            directive.width = width.unsigned_abs() as usize;
        } else {
            directive.width = number(format);
        }
        if let Some(rest) = format.strip_prefix(b".") {
            *format = rest;
            directive.precision = if let Some(rest) = format.strip_prefix(b"*") {
                *format = rest;
                usize::try_from(self.int()?).ok()
            } else {
                Some(number(format))
            };
        }
        directive.size = size(format);
        Ok(directive)
    }

    fn signed(&mut self, directive: &Directive) -> Result<(), Stop> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a size names the bytes to keep"
        )]
        #[expect(
            clippy::cast_possible_wrap,
            reason = "the directive says that it is signed"
        )]
        let value = match (self.arguments.next()?, directive.size) {
            (slot, Size::Char) => i64::from(slot as i8),
            (slot, Size::Short) => i64::from(slot as i16),
            (slot, Size::Default | Size::Long | Size::Wide) => i64::from(slot as i32),
            (slot, Size::Int64) => slot as i64,
        };
        let sign: &[u8] = if value < 0 {
            b"-"
        } else if directive.plus {
            b"+"
        } else if directive.space {
            b" "
        } else {
            b""
        };
        self.integer(directive, value.unsigned_abs(), 10, DIGITS_LOWER, sign)
    }

    fn unsigned(
        &mut self,
        directive: &Directive,
        base: u64,
        digits: &[u8; 16],
        alternate: &'static [u8],
    ) -> Result<(), Stop> {
        let value = self.unsigned_value(directive.size)?;
        let prefix = if directive.alternate && value != 0 {
            alternate
        } else {
            b""
        };
        self.integer(directive, value, base, digits, prefix)
    }

    /// `#` makes the first octal digit a zero rather than putting one in front.
    fn octal(&mut self, directive: &Directive) -> Result<(), Stop> {
        let value = self.unsigned_value(directive.size)?;
        if !directive.alternate {
            return self.integer(directive, value, 8, DIGITS_LOWER, b"");
        }
        let digits = (u64::BITS - value.leading_zeros()).div_ceil(3) as usize;
        if directive.pads_with_zeros() && directive.width > digits {
            return self.integer(directive, value, 8, DIGITS_LOWER, b"");
        }
        let with_zero = Directive {
            precision: Some(directive.precision.unwrap_or(0).max(digits + 1)),
            ..*directive
        };
        self.integer(&with_zero, value, 8, DIGITS_LOWER, b"")
    }

    fn unsigned_value(&mut self, size: Size) -> Result<u64, BadAddress> {
        let slot = self.arguments.next()?;
        Ok(match size {
            Size::Char => slot & 0xff,
            Size::Short => slot & 0xffff,
            Size::Default | Size::Long | Size::Wide => slot & 0xffff_ffff,
            Size::Int64 => slot,
        })
    }

    fn integer(
        &mut self,
        directive: &Directive,
        mut value: u64,
        base: u64,
        digits: &[u8; 16],
        prefix: &[u8],
    ) -> Result<(), Stop> {
        // 22 octal digits are the most that 64 bits can have.
        let mut buffer = [0; 22];
        let mut start = buffer.len();
        while value != 0 {
            start -= 1;
            #[expect(clippy::cast_possible_truncation, reason = "less than the base")]
            let digit = (value % base) as usize;
            buffer[start] = digits[digit];
            value /= base;
        }
        let number = &buffer[start..];
        let zeros = directive
            .precision
            .unwrap_or(1)
            .saturating_sub(number.len());
        let length = prefix.len() + zeros + number.len();
        let padding = directive.width.saturating_sub(length);
        let zero_padding = directive.pads_with_zeros();

        if !directive.left && !zero_padding {
            self.pad(b' ', padding)?;
        }
        self.put(prefix)?;
        self.pad(b'0', if zero_padding { padding } else { 0 } + zeros)?;
        self.put(number)?;
        if directive.left {
            self.pad(b' ', padding)?;
        }
        Ok(())
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a character is the low end of its argument"
    )]
    fn character(&mut self, directive: &Directive, letter: u8) -> Result<(), Stop> {
        let slot = self.arguments.next()?;
        if is_wide(directive.size, letter == b'C') {
            self.unicode(if letter == b'C' { "C" } else { "wc" })?;
            self.padded(directive, 1, Text::Unit(slot as u16))
        } else {
            self.padded(directive, 1, Text::Byte(slot as u8))
        }
    }

    fn string(&mut self, directive: &Directive, letter: u8) -> Result<(), Stop> {
        let address = self.arguments.next()?;
        let wide = is_wide(directive.size, letter == b'S');
        if wide {
            self.unicode(if letter == b'S' { "S" } else { "ws" })?;
        }
        let limit = directive.precision.map_or(u64::MAX, |limit| limit as u64);
        if address == 0 {
            return self.null(directive, limit);
        }
        if wide {
            let units = self.wide_length(address, limit)?;
            self.padded(directive, units, Text::Wide { address, units })
        } else {
            let bytes = self.narrow_length(address, limit)?;
            self.padded(directive, bytes, Text::Narrow { address, bytes })
        }
    }

    fn counted_string(&mut self, directive: &Directive) -> Result<(), Stop> {
        let wide = directive.size == Size::Wide;
        if wide {
            self.unicode("wZ")?;
        }
        let string = self.arguments.next()?;
        if string == 0 {
            return self.null(directive, u64::MAX);
        }
        // STRING and UNICODE_STRING: Length, MaximumLength, padding, Buffer.
        let mut header = [0; 16];
        self.context.memory.read(string, &mut header)?;
        let [length_low, length_high, _, _, _, _, _, _, buffer @ ..] = header;
        let length = u64::from(u16::from_le_bytes([length_low, length_high]));
        let address = u64::from_le_bytes(buffer);
        if address == 0 {
            return self.null(directive, u64::MAX);
        }
        if wide {
            let units = length / 2;
            self.padded(directive, units, Text::Wide { address, units })
        } else {
            let text = Text::Narrow {
                address,
                bytes: length,
            };
            self.padded(directive, length, text)
        }
    }

    fn null(&mut self, directive: &Directive, limit: u64) -> Result<(), Stop> {
        const NULL: &[u8] = b"(null)";
        let length = usize::try_from(limit).map_or(NULL.len(), |limit| limit.min(NULL.len()));
        self.padded(directive, length as u64, Text::Literal(&NULL[..length]))
    }

    /// Prints `text`, which counts as `length` characters, in its field.
    fn padded(&mut self, directive: &Directive, length: u64, text: Text) -> Result<(), Stop> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let padding = directive.width.saturating_sub(length);
        if !directive.left {
            let fill = if directive.zero { b'0' } else { b' ' };
            self.pad(fill, padding)?;
        }
        match text {
            Text::Literal(bytes) => self.put(bytes)?,
            Text::Byte(byte) => self.put(&[byte])?,
            Text::Unit(unit) => self.units(&[unit])?,
            Text::Narrow { address, bytes } => self.narrow(address, bytes)?,
            Text::Wide { address, units } => self.wide(address, units)?,
        }
        if directive.left {
            self.pad(b' ', padding)?;
        }
        Ok(())
    }

    fn narrow(&mut self, mut address: u64, mut bytes: u64) -> Result<(), Stop> {
        let mut piece = [0; PIECE];
        while bytes != 0 {
            let piece = piece_of(&mut piece, bytes);
            self.context.memory.read(address, piece)?;
            self.put(piece)?;
            address = address.wrapping_add(piece.len() as u64);
            bytes -= piece.len() as u64;
        }
        Ok(())
    }

    fn wide(&mut self, mut address: u64, mut units: u64) -> Result<(), Stop> {
        let mut bytes = [0; PIECE];
        let mut piece = [0; PIECE / 2];
        while units != 0 {
            let bytes = piece_of(&mut bytes, units * 2);
            self.context.memory.read(address, bytes)?;
            let mut count = bytes.len() / 2;
            for (unit, pair) in piece.iter_mut().zip(bytes.chunks_exact(2)) {
                *unit = u16::from_le_bytes([pair[0], pair[1]]);
            }
            // A pair of surrogates is one character: keep it in one piece.
            if (count as u64) < units && (0xd800..0xdc00).contains(&piece[count - 1]) {
                count -= 1;
            }
            self.units(&piece[..count])?;
            address = address.wrapping_add(count as u64 * 2);
            units -= count as u64;
        }
        Ok(())
    }

    fn units(&mut self, units: &[u16]) -> Result<(), Full> {
        self.context.code_page.encode(units, self.output);
        self.within_limit()
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.output.extend_from_slice(bytes);
        self.within_limit()
    }

    fn pad(&mut self, byte: u8, count: usize) -> Result<(), Full> {
        let most = count.min(OUTPUT_LIMIT + 1);
        self.output.extend(std::iter::repeat_n(byte, most));
        self.within_limit()
    }

    fn within_limit(&self) -> Result<(), Full> {
        if self.output.len() > OUTPUT_LIMIT {
            Err(Full)
        } else {
            Ok(())
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "an int is the low half of its slot"
    )]
    fn int(&mut self) -> Result<i32, BadAddress> {
        Ok(self.arguments.next()? as i32)
    }

    /// Unicode needs the code page's tables, which are paged.
    fn unicode(&self, conversion: &'static str) -> Result<(), FormatError> {
        match self.context.irql {
            Irql::PASSIVE => Ok(()),
            irql => Err(FormatError::UnicodeAbovePassive { conversion, irql }),
        }
    }

    /// The bytes before the NUL, at most `limit`.
    fn narrow_length(&self, address: u64, limit: u64) -> Result<u64, BadAddress> {
        let mut piece = [0; PIECE];
        let mut length = 0;
        while length < limit {
            let from = address.wrapping_add(length);
            let piece = piece_of(&mut piece, (limit - length).min(PAGE - from % PAGE));
            self.context.memory.read(from, piece)?;
            if let Some(end) = piece.iter().position(|&byte| byte == 0) {
                return Ok(length + end as u64);
            }
            length += piece.len() as u64;
        }
        Ok(limit)
    }

    /// The units before the NUL, at most `limit`.
    fn wide_length(&self, address: u64, limit: u64) -> Result<u64, BadAddress> {
        let mut piece = [0; PIECE];
        let mut length = 0;
        while length < limit {
            let from = address.wrapping_add(length.wrapping_mul(2));
            // A unit at an odd address may lie across two pages.
            let to_page_end = ((PAGE - from % PAGE) & !1).max(2);
            let piece = piece_of(
                &mut piece,
                (limit - length).saturating_mul(2).min(to_page_end),
            );
            self.context.memory.read(from, piece)?;
            if let Some(end) = piece.chunks_exact(2).position(|unit| unit == [0, 0]) {
                return Ok(length + end as u64);
            }
            length += piece.len() as u64 / 2;
        }
        Ok(limit)
    }
}

const DIGITS_LOWER: &[u8; 16] = b"0123456789abcdef";
const DIGITS_UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// `C` and `S` are the other width than their small letters, unless a size says.
fn is_wide(size: Size, wide_letter: bool) -> bool {
    match size {
        Size::Char | Size::Short => false,
        Size::Long | Size::Int64 | Size::Wide => true,
        Size::Default => wide_letter,
    }
}

fn piece_of(piece: &mut [u8; PIECE], wanted: u64) -> &mut [u8] {
    let length = usize::try_from(wanted).map_or(PIECE, |wanted| wanted.min(PIECE));
    &mut piece[..length]
}

fn number(format: &mut &[u8]) -> usize {
    let mut number = 0usize;
    while let Some((&digit @ b'0'..=b'9', rest)) = format.split_first() {
        number = number
            .saturating_mul(10)
            .saturating_add(usize::from(digit - b'0'));
        *format = rest;
    }
    number
}

fn size(format: &mut &[u8]) -> Size {
    const SIZES: [(&[u8], Size); 12] = [
        (b"hh", Size::Char),
        (b"h", Size::Short),
        (b"ll", Size::Int64),
        (b"l", Size::Long),
        (b"w", Size::Wide),
        (b"I64", Size::Int64),
        (b"I32", Size::Default),
        (b"I", Size::Int64),
        (b"z", Size::Int64),
        (b"t", Size::Int64),
        (b"j", Size::Int64),
        (b"L", Size::Default),
    ];
    if format
        .first()
        .is_none_or(|first| !b"hlwIztjL".contains(first))
    {
        return Size::Default;
    }
    for (prefix, size) in SIZES {
        if let Some(rest) = format.strip_prefix(prefix) {
            *format = rest;
            return size;
        }
    }
    Size::Default
}

#[cfg(test)]
mod tests;
