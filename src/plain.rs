//! Finds ordinary text fast: most names and command lines hold nothing else.

#[cfg(not(target_arch = "x86_64"))]
#[path = "plain/portable.rs"]
mod block;
#[cfg(target_arch = "x86_64")]
#[path = "plain/sse2.rs"]
mod block;

/// How many units at the front of a text are printable ASCII that stands for
/// itself.
///
/// A backslash does, unless a `u` behind it could make it look like an escape.
#[must_use]
#[inline(never)]
pub fn plain_prefix(text: &[u16]) -> usize {
    let (stretches, _) = text.as_chunks();
    let ordinary = stretches
        .iter()
        .take_while(|stretch| block::are_printable_without_backslash(stretch))
        .count();
    plain_prefix_after(text, ordinary * STRETCH)
}

/// Units of which it is enough to know whether all are ordinary.
const STRETCH: usize = 2 * BLOCK;

/// Units of which each has a bit in a word.
const BLOCK: usize = u32::BITS as usize;

/// What is in a block, a bit for each unit.
struct Marks {
    not_printable: u32,
    backslashes: u32,
    letters_u: u32,
}

const BACKSLASH: u16 = b'\\' as u16;
const LETTER_U: u16 = b'u' as u16;

/// As [`plain_prefix`], where `start` units are known to be plain and the last
/// of them is no backslash.
fn plain_prefix_after(text: &[u16], mut start: usize) -> usize {
    let (blocks, tail) = text.get(start..).unwrap_or_default().as_chunks();
    let mut after_backslash = 0;
    for block in blocks {
        let marks = block::marks(block);
        let escapes = (marks.backslashes << 1 | after_backslash) & marks.letters_u;
        // A bit for the unit before the block, and one for each of the block's.
        let not_plain = u64::from(marks.not_printable) << 1 | u64::from(escapes);
        if not_plain != 0 {
            return start + not_plain.trailing_zeros() as usize - 1;
        }
        after_backslash = marks.backslashes >> (BLOCK - 1);
        start += BLOCK;
    }
    if after_backslash != 0 && tail.first() == Some(&LETTER_U) {
        return start - 1;
    }
    start + one_by_one(tail)
}

fn one_by_one(text: &[u16]) -> usize {
    let mut rest = text;
    while let [0x20..0x7f, tail @ ..] = rest
        && !matches!(rest, [BACKSLASH, LETTER_U, ..])
    {
        rest = tail;
    }
    text.len() - rest.len()
}
