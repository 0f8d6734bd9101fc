//! Blocks of text, on any processor.

use super::{BACKSLASH, BLOCK, LETTER_U, Marks, STRETCH};

#[expect(
    clippy::needless_bitwise_bool,
    reason = "without branches it is compiled to vector instructions"
)]
pub fn are_printable_without_backslash(stretch: &[u16; STRETCH]) -> bool {
    stretch.iter().fold(true, |holds, &unit| {
        holds & is_printable(unit) & (unit != BACKSLASH)
    })
}

pub fn marks(block: &[u16; BLOCK]) -> Marks {
    Marks {
        not_printable: bits(block, |unit| !is_printable(unit)),
        backslashes: bits(block, |unit| unit == BACKSLASH),
        letters_u: bits(block, |unit| unit == LETTER_U),
    }
}

fn bits(block: &[u16; BLOCK], holds: impl Fn(u16) -> bool) -> u32 {
    block
        .iter()
        .rev()
        .fold(0, |bits, &unit| bits << 1 | u32::from(holds(unit)))
}

const fn is_printable(unit: u16) -> bool {
    matches!(unit, 0x20..0x7f)
}
