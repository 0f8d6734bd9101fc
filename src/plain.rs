//! Finds ordinary text fast: most names and command lines hold nothing else.

/// How many units at the front of a text are printable ASCII that stands for
/// itself.
///
/// A backslash does, unless a `u` behind it could make it look like an escape.
#[must_use]
#[inline(never)]
pub fn plain_prefix(text: &[u16]) -> usize {
    let mut start = 0;
    while start < text.len() {
        let mut doubtful = doubtful(text, start);
        while doubtful != 0 {
            let index = start + doubtful.trailing_zeros() as usize;
            if text.get(index) != Some(&BACKSLASH) || text.get(index + 1) == Some(&LETTER_U) {
                return index;
            }
            doubtful &= doubtful - 1;
        }
        start += BLOCK;
    }
    text.len()
}

const BACKSLASH: u16 = b'\\' as u16;
const LETTER_U: u16 = b'u' as u16;

/// Units that are looked at together.
const BLOCK: usize = 32;

/// A bit for each of [`BLOCK`] units from `start` on that is a backslash or no
/// printable ASCII.
#[expect(clippy::cast_possible_truncation, reason = "at most a block")]
fn doubtful(text: &[u16], start: usize) -> u32 {
    let rest = text.get(start..).unwrap_or_default();
    match (rest.first_chunk(), text.last_chunk()) {
        (Some(block), _) => at_once(block),
        // The end of a longer text: its last block without what came before.
        (None, Some(block)) => at_once(block).unbounded_shr((BLOCK - rest.len()) as u32),
        (None, None) => one_by_one(rest),
    }
}

#[inline(never)]
fn one_by_one(text: &[u16]) -> u32 {
    text.iter().rev().fold(0, |bits, &unit| {
        bits << 1 | u32::from(unit == BACKSLASH || !(0x20..0x7f).contains(&unit))
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn at_once(block: &[u16; BLOCK]) -> u32 {
    one_by_one(block)
}

#[cfg(target_arch = "x86_64")]
fn at_once(block: &[u16; BLOCK]) -> u32 {
    // SAFETY: Both types are 64 bytes that may hold anything.
    let halves = unsafe { core::mem::transmute::<[u16; BLOCK], [[__m128i; 2]; 2]>(*block) };
    // SAFETY: Every x64 processor has SSE2.
    let [low, high] = halves.map(|half| unsafe { half_at_once(half) });
    low | high << (BLOCK / 2)
}

#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{
    __m128i, _mm_add_epi8, _mm_cmpeq_epi8, _mm_cmpgt_epi8, _mm_movemask_epi8, _mm_or_si128,
    _mm_set1_epi8,
};

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
fn half_at_once([mut bytes, high]: [__m128i; 2]) -> u32 {
    // Units beyond a byte become 0 or 255, neither of which is plain. The
    // intrinsic of this instruction clamps first, in four more.
    // SAFETY: The instruction touches these two registers alone.
    unsafe {
        core::arch::asm!(
            "packuswb {}, {}",
            inout(xmm_reg) bytes,
            in(xmm_reg) high,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    let backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\'.cast_signed()));
    // Puts 0x20..0x7f at the low end of the signed numbers.
    let shifted = _mm_add_epi8(bytes, _mm_set1_epi8(0x60));
    let others = _mm_cmpgt_epi8(shifted, _mm_set1_epi8(0xde_u8.cast_signed()));
    _mm_movemask_epi8(_mm_or_si128(backslashes, others)).cast_unsigned()
}
