//! A pass over the fields of a line, which reads or writes them.

use bstr::{BStr, ByteSlice};

/// Each method is given a field: a reader fills it from what is next in the
/// line, a writer adds it to the line. `None` where a reader finds something
/// else.
pub trait Pass<'a> {
    /// Something that is there, or not.
    fn flag(&mut self, text: &str, is_there: &mut bool);

    /// One of the words that a field may have.
    fn alternative(&mut self, word: &str, is_this: &mut bool) {
        self.flag(word, is_this);
    }

    /// A number without a sign or padding, in lower case.
    fn digits(&mut self, radix: u32, number: &mut u64) -> Option<()>;

    /// The name of a routine.
    fn word(&mut self, word: &mut &'a str) -> Option<()>;

    /// Any text, up to the last place where `end` stands.
    fn text_before(&mut self, end: &str, text: &mut &'a BStr) -> Option<()>;

    /// Any text, up to the end of the line.
    fn text(&mut self, text: &mut &'a BStr) -> Option<()> {
        self.text_before("", text)
    }

    /// What is always there.
    fn literal(&mut self, text: &str) -> Option<()> {
        let mut is_there = true;
        self.flag(text, &mut is_there);
        is_there.then_some(())
    }

    /// One hexadecimal digit of a number that is padded.
    fn digit(&mut self, digit: &mut u64) -> Option<()>;

    /// `0x` and a number.
    fn hex<N: Number>(&mut self, number: &mut N) -> Option<()> {
        self.literal("0x")?;
        self.number(16, number)
    }

    /// A number in decimal.
    fn decimal<N: Number>(&mut self, number: &mut N) -> Option<()> {
        self.number(10, number)
    }

    /// A number of its type's size.
    fn number<N: Number>(&mut self, radix: u32, number: &mut N) -> Option<()> {
        let mut wide = (*number).into();
        self.digits(radix, &mut wide)?;
        *number = wide.try_into().ok()?;
        Some(())
    }

    /// `before`, and `value` behind it; or nothing.
    fn optional<T: Default>(
        &mut self,
        before: &str,
        value: &mut Option<T>,
        pass: impl FnOnce(&mut Self, &mut T) -> Option<()>,
    ) -> Option<()> {
        let mut is_there = value.is_some();
        self.flag(before, &mut is_there);
        if !is_there {
            return Some(());
        }
        pass(self, value.get_or_insert_default())
    }
}

/// `u32` and `u64`.
pub trait Number: Copy + Into<u64> + TryFrom<u64> {}

impl<N: Copy + Into<u64> + TryFrom<u64>> Number for N {}

/// What of a line is not read yet.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub const fn new(line: &'a [u8]) -> Self {
        Self(line)
    }

    pub const fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> Option<&'a str> {
        let end = self.0.iter().position(|&byte| !wanted(byte));
        let (taken, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        taken.to_str().ok().filter(|taken| !taken.is_empty())
    }
}

impl<'a> Pass<'a> for Reader<'a> {
    fn flag(&mut self, text: &str, is_there: &mut bool) {
        let rest = self.0.strip_prefix(text.as_bytes());
        *is_there = rest.is_some();
        self.0 = rest.unwrap_or(self.0);
    }

    fn digits(&mut self, radix: u32, number: &mut u64) -> Option<()> {
        let is_digit = |byte: u8| !byte.is_ascii_uppercase() && char::from(byte).is_digit(radix);
        let digits = self.take_while(is_digit)?;
        if digits.len() > 1 && digits.starts_with('0') {
            return None;
        }
        *number = u64::from_str_radix(digits, radix).ok()?;
        Some(())
    }

    fn digit(&mut self, digit: &mut u64) -> Option<()> {
        let (&first, rest) = self.0.split_first()?;
        let value = char::from(first).to_digit(16)?;
        self.0 = rest;
        *digit = value.into();
        (!first.is_ascii_uppercase()).then_some(())
    }

    fn word(&mut self, word: &mut &'a str) -> Option<()> {
        *word = self.take_while(|byte| byte.is_ascii_alphanumeric())?;
        Some(())
    }

    fn text_before(&mut self, end: &str, text: &mut &'a BStr) -> Option<()> {
        let (taken, rest) = self.0.split_at(self.0.rfind(end)?);
        *text = taken.as_bstr();
        self.0 = rest;
        Some(())
    }
}

/// A line as far as it is written.
#[derive(Default)]
pub struct Writer(pub Vec<u8>);

impl<'a> Pass<'a> for Writer {
    fn flag(&mut self, text: &str, is_there: &mut bool) {
        if *is_there {
            self.0.extend_from_slice(text.as_bytes());
        }
    }

    fn digits(&mut self, radix: u32, number: &mut u64) -> Option<()> {
        let digits = match radix {
            16 => format!("{number:x}"),
            _ => number.to_string(),
        };
        self.literal(&digits)
    }

    fn digit(&mut self, digit: &mut u64) -> Option<()> {
        self.literal(&format!("{digit:x}"))
    }

    fn word(&mut self, word: &mut &'a str) -> Option<()> {
        self.literal(word)
    }

    fn text_before(&mut self, _: &str, text: &mut &'a BStr) -> Option<()> {
        self.0.extend_from_slice(text);
        Some(())
    }
}
