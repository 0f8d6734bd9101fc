//! Names and command lines, cut into lines and made safe to print.
//!
//! A process chooses its own name and command line. Nothing in them may begin a
//! new line of the log, and none of it may be lost. So a UTF-16 unit that could
//! break a line, or that no code page can show, is printed as `\u` and four hex
//! digits, and so is a backslash that would look like the start of such an
//! escape. Joining the lines and undoing the escapes restores the text exactly.

/// The most bytes that the text on one line takes, in whatever code page the
/// kernel prints it.
///
/// The longest line around it, `[Create]` with three 64-bit numbers, leaves 406
/// of the 511 bytes of a `DbgPrint`, and a path of `MAX_PATH` fits.
pub const LINE_BYTES: usize = 264;

/// The most units of a line that is not a piece of the text as it stands. Such a
/// line is built on the stack, of which the whole callback uses at most 1 KiB.
pub const BUILT_UNITS: usize = 184;

/// The most bytes that a UTF-16 unit becomes in any code page.
const UNIT_BYTES: usize = 3;

/// The length of an escape, in units and in bytes.
const ESCAPE: usize = r"\u0000".len();

/// A text, one line after the other.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    rest: &'a [u16],
    line: Line,
}

impl<'a> Lines<'a> {
    /// The lines of a text; none for an empty one.
    #[must_use]
    pub const fn of(text: &'a [u16]) -> Self {
        Self {
            rest: text,
            line: Line::new(),
        }
    }

    /// The next line, as it is printed.
    pub fn next_line(&mut self) -> Option<&[u16]> {
        if self.rest.is_empty() {
            return None;
        }
        if is_plain(self.rest.get(..=LINE_BYTES).unwrap_or(self.rest)) {
            let end = self.rest.len().min(LINE_BYTES);
            let (line, rest) = self.rest.split_at_checked(end)?;
            self.rest = rest;
            return Some(line);
        }
        self.line.clear();
        while let Some((piece, rest)) = Piece::first_of(self.rest)
            && self.line.push(&piece)
        {
            self.rest = rest;
        }
        Some(self.line.units())
    }

    /// The number of lines that are left.
    #[must_use]
    pub fn count_left(&mut self) -> usize {
        let rest = self.rest;
        let mut count = 0;
        while self.next_line().is_some() {
            count += 1;
        }
        self.rest = rest;
        count
    }
}

/// Whether a text is one line, printed as it is.
#[must_use]
pub fn is_plain_line(text: &[u16]) -> bool {
    text.len() <= LINE_BYTES && is_plain(text)
}

/// Whether a text is printable ASCII in which no backslash needs an escape, as
/// most texts are.
#[inline(never)]
fn is_plain(text: &[u16]) -> bool {
    let is_printable = |unit: &u16| matches!(unit, 0x20..0x7f);
    text.iter().all(is_printable) && !text.windows(2).any(|pair| pair == [BACKSLASH, LETTER_U])
}

/// The smallest part of a text that is printed as a whole: a character, or the
/// escape of one.
struct Piece {
    units: [u16; ESCAPE],
    count: usize,
    bytes: usize,
}

impl Piece {
    /// The piece that a text begins with, and what follows it.
    fn first_of(text: &[u16]) -> Option<(Self, &[u16])> {
        match *text {
            [] => None,
            [BACKSLASH, ref rest @ ..] if completes_escape(rest) => {
                Some((Self::escape(BACKSLASH), rest))
            }
            [high @ 0xd800..0xdc00, low @ 0xdc00..0xe000, ref rest @ ..] => {
                Some((Self::pair(high, low), rest))
            }
            [unit, ref rest @ ..] if needs_escape(unit) => Some((Self::escape(unit), rest)),
            [unit, ref rest @ ..] => Some((Self::unit(unit), rest)),
        }
    }

    const fn unit(unit: u16) -> Self {
        Self {
            units: [unit, 0, 0, 0, 0, 0],
            count: 1,
            bytes: if unit < 0x80 { 1 } else { UNIT_BYTES },
        }
    }

    const fn pair(high: u16, low: u16) -> Self {
        Self {
            units: [high, low, 0, 0, 0, 0],
            count: 2,
            bytes: 2 * UNIT_BYTES,
        }
    }

    /// `\u` and the four hex digits of `unit`.
    fn escape(unit: u16) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |shift: u32| u16::from(DIGITS[usize::from(unit >> shift & 0xf)]);
        Self {
            units: [BACKSLASH, LETTER_U, digit(12), digit(8), digit(4), digit(0)],
            count: ESCAPE,
            bytes: ESCAPE,
        }
    }
}

const BACKSLASH: u16 = b'\\' as u16;
const LETTER_U: u16 = b'u' as u16;

/// Whether `unit` is printed as an escape wherever it stands.
const fn needs_escape(unit: u16) -> bool {
    is_control(unit) || is_bidi_control(unit) || is_control_by_best_fit(unit) || is_surrogate(unit)
}

/// C0, DEL, C1; line and paragraph separator.
const fn is_control(unit: u16) -> bool {
    matches!(unit, 0..0x20 | 0x7f..0xa0 | 0x2028 | 0x2029)
}

/// What changes the order in which a line is displayed.
const fn is_bidi_control(unit: u16) -> bool {
    matches!(unit, 0x200e | 0x200f | 0x202a..=0x202e | 0x2066..=0x2069)
}

/// What Windows prints as a control byte on a system with ANSI code page 874.
/// U+00A7 and U+00B6 become bytes there that no reader acts on, and stay.
const fn is_control_by_best_fit(unit: u16) -> bool {
    matches!(
        unit,
        0x203c | 0x2190..=0x2195 | 0x21a8 | 0x221f | 0x2302
            | 0x25ac | 0x25b2 | 0x25ba | 0x25bc | 0x25c4 | 0x25cb | 0x25d8 | 0x25d9
            | 0x263a..=0x263c | 0x2640 | 0x2642
            | 0x2660 | 0x2663 | 0x2665 | 0x2666 | 0x266a | 0x266b
    )
}

/// A half of a pair that stands alone.
const fn is_surrogate(unit: u16) -> bool {
    matches!(unit, 0xd800..0xe000)
}

/// Whether a backslash in front of `text` would read as an escape.
#[inline(never)]
fn completes_escape(text: &[u16]) -> bool {
    let is_hex_digit = |&unit: &u16| u8::try_from(unit).is_ok_and(|byte| byte.is_ascii_hexdigit());
    match text {
        [letter, digits @ ..] if *letter == u16::from(b'u') => digits
            .first_chunk::<4>()
            .is_some_and(|digits| digits.iter().all(is_hex_digit)),
        _ => false,
    }
}

/// A line as it is printed.
#[derive(Debug, Clone)]
struct Line {
    units: [u16; BUILT_UNITS],
    length: usize,
    bytes: usize,
}

impl Line {
    const fn new() -> Self {
        Self {
            units: [0; BUILT_UNITS],
            length: 0,
            bytes: 0,
        }
    }

    const fn clear(&mut self) {
        self.length = 0;
        self.bytes = 0;
    }

    fn units(&self) -> &[u16] {
        self.units.get(..self.length).unwrap_or_default()
    }

    /// Adds a piece where it fits, and says whether it did.
    fn push(&mut self, piece: &Piece) -> bool {
        let end = self.length + piece.count;
        let bytes = self.bytes + piece.bytes;
        let Some(places) = self.units.get_mut(self.length..end) else {
            return false;
        };
        if bytes > LINE_BYTES {
            return false;
        }
        for (place, &unit) in places.iter_mut().zip(&piece.units) {
            *place = unit;
        }
        self.length = end;
        self.bytes = bytes;
        true
    }
}
