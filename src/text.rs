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
#[derive(Debug, Clone, Copy)]
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
    pub fn of(text: &'a [u16]) -> Self {
        Self {
            rest: text,
            plain: plain_prefix(text),
        }
    }

    /// All that is left, where it is plain and fits on one line.
    #[must_use]
    pub fn whole(&self) -> Option<&'a [u16]> {
        (self.plain == self.rest.len() && self.plain <= LINE_BYTES).then_some(self.rest)
    }

    /// The number of lines that are left.
    #[must_use]
    #[inline(never)]
    pub fn count_left(&self) -> usize {
        if self.plain == self.rest.len() {
            return self.plain.div_ceil(LINE_BYTES);
        }
        self.clone().count()
    }

    /// The next line where not all of it is plain.
    #[inline(never)]
    fn next_mixed(&mut self) -> Option<Line<'a>> {
        let text = self.rest;
        let mut bytes = 0;
        let mut taken = 0;
        let mut most = LINE_BYTES;
        while let Some(left) = text.get(taken..) {
            if self.plain == 0 && matches!(left, [0x20..0x7f, ..]) {
                self.plain = plain_prefix(left);
            }
            if self.plain != 0 {
                let plain = self.plain.min(most - bytes);
                self.plain -= plain;
                taken += plain;
                bytes += plain;
                if self.plain != 0 {
                    break;
                }
                continue;
            }
            let Some(symbol) = Symbol::first_of(left) else {
                break;
            };
            let limit = most.min(symbol.line_bytes());
            if bytes + symbol.bytes() > limit {
                break;
            }
            most = limit;
            let run = match symbol {
                Symbol::Wide => wide_prefix(left, (most - bytes) / UNIT_BYTES),
                _ => 1,
            };
            taken += run * symbol.units();
            bytes += run * symbol.bytes();
        }
        self.take(taken, most == ESCAPED_LINE_BYTES)
    }

    fn take(&mut self, units: usize, has_escapes: bool) -> Option<Line<'a>> {
        let text = self.rest;
        let (units, rest) = text.split_at_checked(units)?;
        self.rest = rest;
        Some(Line {
            units,
            text,
            has_escapes,
        })
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        if self.plain < LINE_BYTES && self.plain != self.rest.len() {
            return self.next_mixed();
        }
        let plain = self.plain.min(LINE_BYTES);
        self.plain -= plain;
        self.take(plain, false)
    }
}

impl Line<'_> {
    /// Calls `print` with the line as it is shown: the text itself, or a copy
    /// of it with its escapes.
    pub fn show(self, mut print: impl FnMut(&[u16])) {
        if self.has_escapes {
            self.show_escaped(&mut print);
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
            && let Some(left) = self.text.get(taken..)
            && let Some(symbol) = Symbol::first_of(left)
        {
            shown.push(symbol, left);
            taken += symbol.units();
        }
        print(shown.units.get(..shown.length).unwrap_or_default());
    }
}

/// How many units at the front of a text, of at most `most`, stand for
/// themselves and are no ASCII.
fn wide_prefix(text: &[u16], most: usize) -> usize {
    text.iter()
        .take(most)
        .take_while(|unit| is_wide(**unit))
        .count()
}

const fn is_wide(unit: u16) -> bool {
    matches!(unit, 0xa0..0x2028 | 0x202a..0xd800 | 0xe000..)
}

/// What stands for itself, or is escaped, as a whole.
#[derive(Clone, Copy)]
enum Symbol {
    Ascii,
    Wide,
    Pair,
    Escaped,
}

impl Symbol {
    #[inline(never)]
    fn first_of(text: &[u16]) -> Option<Self> {
        let (&unit, rest) = text.split_first()?;
        Some(match unit {
            BACKSLASH if looks_escaped(rest) => Self::Escaped,
            0x20..0x7f => Self::Ascii,
            0xd800..0xdc00 if matches!(rest, [0xdc00..0xe000, ..]) => Self::Pair,
            _ if is_wide(unit) => Self::Wide,
            _ => Self::Escaped,
        })
    }

    const fn units(self) -> usize {
        match self {
            Self::Pair => 2,
            _ => 1,
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Ascii => 1,
            Self::Wide => UNIT_BYTES,
            Self::Pair => 2 * UNIT_BYTES,
            Self::Escaped => ESCAPE,
        }
    }

    /// The most bytes of a line with this symbol on it.
    const fn line_bytes(self) -> usize {
        match self {
            Self::Escaped => ESCAPED_LINE_BYTES,
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
    /// Adds `symbol`, which `text` begins with.
    fn push(&mut self, symbol: Symbol, text: &[u16]) {
        match (symbol, text) {
            (Symbol::Escaped, &[unit, ..]) => self.push_escape(unit),
            _ => text
                .iter()
                .take(symbol.units())
                .for_each(|&unit| self.push_unit(unit)),
        }
    }

    fn push_escape(&mut self, unit: u16) {
        self.push_unit(BACKSLASH);
        self.push_unit(u16::from(b'u'));
        for shift in [12, 8, 4, 0] {
            let nibble = unit >> shift & 0xf;
            let zero = if nibble < 10 { b'0' } else { b'a' - 10 };
            self.push_unit(u16::from(zero) + nibble);
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
