//! Names and command lines, cut into lines and made safe to show.
//!
//! A process chooses its own name and command line. Nothing in them may begin a
//! new line of the log, none of it may be lost, and what was written must be
//! plain from what is shown. So a UTF-16 unit that could break a line, or that
//! no code page can show, becomes `\u` and four hex digits; and so does a
//! backslash that would look like the beginning of such an escape. Undoing the
//! escapes restores the text exactly.

use crate::plain::plain_prefix;

/// The most bytes that the text on one line may take once the kernel has
/// converted it. The longest line around it, `[Create]` with three 64-bit
/// numbers, leaves 406 of the 511 bytes of a `DbgPrint`.
pub const LINE_BYTES: usize = 384;

/// The most bytes of text on a line that has escapes: it is copied onto the
/// stack, of which the whole callback may take no more than 1 KiB.
pub const ESCAPED_LINE_BYTES: usize = 96;

/// The most bytes that a UTF-16 unit becomes in any code page.
const UNIT_BYTES: usize = 3;

/// The length of an escape, in units and in bytes.
const ESCAPE: usize = r"\u0000".len();

/// A text in lines of at most [`LINE_BYTES`].
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    rest: &'a [u16],
    /// How many units of the rest are known to be plain, so that no unit is
    /// looked at again for the next line, or for the lines to be counted.
    plain: usize,
}

/// A part of a text that fits on a line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line<'a> {
    units: &'a [u16],
    /// The line and all that follows it: whether a backslash at the end of the
    /// line would look like an escape shows on the next one.
    text: &'a [u16],
    has_escapes: bool,
}

impl<'a> Lines<'a> {
    /// The lines of a text; none for an empty one.
    #[must_use]
    pub const fn of(text: &'a [u16]) -> Self {
        Self {
            rest: text,
            plain: 0,
        }
    }

    /// The number of lines that are left.
    #[must_use]
    pub fn count_left(&self) -> usize {
        if self.plain == self.rest.len() {
            return self.plain.div_ceil(LINE_BYTES);
        }
        self.clone().count()
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    #[inline(never)]
    fn next(&mut self) -> Option<Line<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let mut bytes = 0;
        let mut taken = 0;
        let mut most = LINE_BYTES;
        while let Some(left) = self.rest.get(taken..) {
            if self.plain == 0 && matches!(left, [0x20..0x7f, ..]) {
                self.plain = plain_prefix(left);
            }
            let plain = self.plain.min(most - bytes);
            self.plain -= plain;
            taken += plain;
            bytes += plain;
            if self.plain != 0 {
                break;
            }
            let Some(symbol) = left.get(plain..).and_then(Symbol::first_of) else {
                break;
            };
            let limit = most.min(symbol.line_bytes());
            if bytes + symbol.bytes() > limit {
                break;
            }
            most = limit;
            taken += symbol.units();
            bytes += symbol.bytes();
        }
        let text = self.rest;
        let (units, rest) = text.split_at_checked(taken)?;
        self.rest = rest;
        Some(Line {
            units,
            text,
            has_escapes: most == ESCAPED_LINE_BYTES,
        })
    }
}

impl Line<'_> {
    /// Calls `print` with the line as it is shown: the text itself, or a copy
    /// of it with its escapes.
    pub fn show(self, print: &mut dyn FnMut(&[u16])) {
        if self.has_escapes {
            self.show_escaped(print);
        } else {
            print(self.units);
        }
    }

    #[cold]
    #[inline(never)]
    fn show_escaped(self, print: &mut dyn FnMut(&[u16])) {
        let mut shown = Shown {
            units: [0; ESCAPED_LINE_BYTES],
            length: 0,
        };
        let mut taken = 0;
        while taken < self.units.len()
            && let Some(symbol) = self.text.get(taken..).and_then(Symbol::first_of)
        {
            shown.push(symbol);
            taken += symbol.units();
        }
        print(shown.units.get(..shown.length).unwrap_or_default());
    }
}

/// What stands for itself, or is escaped, as a whole.
#[derive(Clone, Copy)]
enum Symbol {
    Ascii(u16),
    Wide(u16),
    Pair(u16, u16),
    Escaped(u16),
}

impl Symbol {
    #[inline(never)]
    fn first_of(text: &[u16]) -> Option<Self> {
        let (&unit, rest) = text.split_first()?;
        Some(match unit {
            0..0x20 | 0x7f..0xa0 | 0x2028 | 0x2029 => Self::Escaped(unit),
            BACKSLASH if looks_escaped(rest) => Self::Escaped(unit),
            0x20..0x7f => Self::Ascii(unit),
            0xd800..0xdc00 => match rest.first() {
                Some(&low @ 0xdc00..0xe000) => Self::Pair(unit, low),
                _ => Self::Escaped(unit),
            },
            0xdc00..0xe000 => Self::Escaped(unit),
            _ => Self::Wide(unit),
        })
    }

    const fn units(self) -> usize {
        match self {
            Self::Pair(..) => 2,
            _ => 1,
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Ascii(_) => 1,
            Self::Wide(_) => UNIT_BYTES,
            Self::Pair(..) => 2 * UNIT_BYTES,
            Self::Escaped(_) => ESCAPE,
        }
    }

    /// The most bytes of a line with this symbol on it.
    const fn line_bytes(self) -> usize {
        match self {
            Self::Escaped(_) => ESCAPED_LINE_BYTES,
            _ => LINE_BYTES,
        }
    }
}

const BACKSLASH: u16 = b'\\' as u16;

/// Whether a backslash before `rest` would read as an escape.
fn looks_escaped(rest: &[u16]) -> bool {
    let Some((&letter, digits)) = rest.split_first() else {
        return false;
    };
    letter == u16::from(b'u')
        && digits
            .get(..4)
            .is_some_and(|digits| digits.iter().all(|&digit| is_hex_digit(digit)))
}

fn is_hex_digit(unit: u16) -> bool {
    u8::try_from(unit).is_ok_and(|byte| byte.is_ascii_hexdigit())
}

/// A line with its escapes written out.
struct Shown {
    units: [u16; ESCAPED_LINE_BYTES],
    length: usize,
}

impl Shown {
    fn push(&mut self, symbol: Symbol) {
        match symbol {
            Symbol::Ascii(unit) | Symbol::Wide(unit) => self.push_unit(unit),
            Symbol::Pair(high, low) => {
                self.push_unit(high);
                self.push_unit(low);
            }
            Symbol::Escaped(unit) => {
                self.push_unit(BACKSLASH);
                self.push_unit(u16::from(b'u'));
                for shift in [12, 8, 4, 0] {
                    self.push_unit(hex_digit(unit >> shift & 0xf));
                }
            }
        }
    }

    #[inline(never)]
    fn push_unit(&mut self, unit: u16) {
        if let Some(place) = self.units.get_mut(self.length) {
            *place = unit;
            self.length += 1;
        }
    }
}

fn hex_digit(nibble: u16) -> u16 {
    let zero = if nibble < 10 { b'0' } else { b'a' - 10 };
    u16::from(zero) + nibble
}
