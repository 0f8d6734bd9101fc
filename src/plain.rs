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
    let mut rest = text;
    while let Some((stretch, after)) = rest.split_first_chunk()
        && block::are_printable_without_backslash(stretch)
    {
        rest = after;
    }
    while let Some(block) = rest.first_chunk()
        && block::is_plain(block)
    {
        rest = rest.get(BLOCK - 1..).unwrap_or_default();
    }
    if rest.len() < BLOCK
        && let Some(block) = text.last_chunk()
        && block::is_plain(block)
    {
        return text.len();
    }
    while let [0x20..0x7f, after @ ..] = rest
        && !matches!(rest, [BACKSLASH, LETTER_U, ..])
    {
        rest = after;
    }
    text.len() - rest.len()
}

/// Units that are looked at together. A block begins with the last unit of the
/// one before, so that every backslash is seen beside what follows it.
const BLOCK: usize = 16;

/// Units of which it is enough to know that none is out of the ordinary.
const STRETCH: usize = 4 * BLOCK;

const BACKSLASH: u16 = b'\\' as u16;
const LETTER_U: u16 = b'u' as u16;
