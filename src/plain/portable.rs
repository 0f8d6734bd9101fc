//! Blocks of text, on any processor.

use super::{BACKSLASH, BLOCK, LETTER_U, STRETCH};

#[expect(
    clippy::needless_bitwise_bool,
    reason = "without branches it is compiled to vector instructions"
)]
pub fn are_printable_without_backslash(stretch: &[u16; STRETCH]) -> bool {
    stretch.iter().fold(true, |holds, &unit| {
        holds & is_printable(unit) & (unit != BACKSLASH)
    })
}

#[expect(
    clippy::needless_bitwise_bool,
    reason = "without branches it is compiled to vector instructions"
)]
pub fn is_plain(block: &[u16; BLOCK]) -> bool {
    let printable = block
        .iter()
        .fold(true, |holds, &unit| holds & is_printable(unit));
    block
        .iter()
        .zip(block.iter().skip(1))
        .fold(printable, |holds, (&unit, &next)| {
            holds & ((unit != BACKSLASH) | (next != LETTER_U))
        })
}

const fn is_printable(unit: u16) -> bool {
    matches!(unit, 0x20..0x7f)
}
