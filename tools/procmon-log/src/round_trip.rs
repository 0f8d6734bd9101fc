//! Lines with any fields are read as they are written, and written as they are
//! read.

use bstr::{BStr, ByteSlice};
use proptest::prelude::*;

use crate::Line;
use crate::pass::{Pass, Reader};

/// Fills the fields of a line from a list of choices.
struct Choices<'a> {
    choices: std::iter::Cycle<std::slice::Iter<'a, u64>>,
    text: &'a [u8],
}

impl Choices<'_> {
    fn next(&mut self) -> u64 {
        self.choices.next().copied().unwrap_or(0)
    }
}

impl<'a> Pass<'a> for Choices<'a> {
    fn flag(&mut self, _: &str, is_there: &mut bool) {
        *is_there = self.next().is_multiple_of(2);
    }

    fn literal(&mut self, _: &str) -> Option<()> {
        Some(())
    }

    fn digits(&mut self, _: u32, number: &mut u64) -> Option<()> {
        *number = self.next();
        Some(())
    }

    fn digit(&mut self, digit: &mut u64) -> Option<()> {
        *digit = self.next() & 0xf;
        Some(())
    }

    fn word(&mut self, word: &mut &'a str) -> Option<()> {
        *word = ["ZwClose", "X", "Ob1"][usize::try_from(self.next() % 3).ok()?];
        Some(())
    }

    fn text_before(&mut self, _: &str, text: &mut &'a BStr) -> Option<()> {
        *text = self.text.as_bstr();
        Some(())
    }
}

/// A line of any kind; `None` where a number does not fit its field.
fn line<'a>(kind: prop::sample::Index, choices: &'a [u64], text: &'a [u8]) -> Option<Line<'a>> {
    let mut line = *kind.get(&Line::kinds());
    let mut pass = Choices {
        choices: choices.iter().cycle(),
        text,
    };
    line.pass(&mut pass)?;
    Some(line)
}

fn any_choices() -> impl Strategy<Value = Vec<u64>> {
    let choice = prop_oneof![4 => 0..4_u64, 2 => 0..1_u64 << 32, 1 => any::<u64>()];
    prop::collection::vec(choice, 1..16)
}

fn any_text() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        8 => 0x20_u8..0x7f,
        2 => prop::sample::select(&b"] [CurentPID=0x"[..]),
        1 => 0x80_u8..,
    ];
    prop::collection::vec(byte, 0..40)
}

proptest! {
    #[test]
    fn every_line_is_read_as_it_is_written(
        kind: prop::sample::Index,
        choices in any_choices(),
        text in any_text(),
    ) {
        let line = line(kind, &choices, &text);
        prop_assume!(line.is_some());
        let message = line.unwrap().message();
        prop_assert_eq!(Line::parse(&message), Ok(line.unwrap()));
    }

    #[test]
    fn every_line_is_written_as_it_is_read(
        kind: prop::sample::Index,
        choices in any_choices(),
        text in any_text(),
        damage: Vec<(prop::sample::Index, u8)>,
    ) {
        let line = line(kind, &choices, &text);
        prop_assume!(line.is_some());
        let mut message = line.unwrap().message();
        for (index, byte) in damage {
            *index.get_mut(&mut message) = byte;
        }
        if let Ok(line) = Line::parse(&message) {
            prop_assert_eq!(line.message(), message);
        }
    }
}

/// No line can be read as two kinds.
#[test]
fn kinds_are_told_apart_by_their_beginnings() {
    for line in Line::kinds() {
        let message = line.message();
        let text = message.strip_suffix(b"\n").unwrap();
        let readers = Line::kinds().into_iter().filter(|kind| {
            let mut kind = *kind;
            let mut reader = Reader::new(text);
            kind.pass(&mut reader).is_some() && reader.is_at_end()
        });
        assert!(readers.count() <= 1, "{line:?}");
    }
}
