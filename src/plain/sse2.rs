//! Blocks of text, in the registers that every x64 processor has.

use core::arch::asm;
use core::arch::x86_64::{
    __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_max_epu8, _mm_movemask_epi8, _mm_or_si128,
    _mm_set1_epi8, _mm_setzero_si128, _mm_srli_si128, _mm_sub_epi8, _mm_subs_epu8,
};

use super::{BLOCK, STRETCH};

pub fn are_printable_without_backslash(stretch: &[u16; STRETCH]) -> bool {
    let (blocks, _) = stretch.as_chunks();
    let Some(blocks) = blocks.first_chunk() else {
        return false;
    };
    // SAFETY: Every x64 processor has SSE2.
    unsafe { printable_without_backslash(blocks) }
}

#[target_feature(enable = "sse2")]
fn printable_without_backslash(blocks: &[[u16; BLOCK]; STRETCH / BLOCK]) -> bool {
    let from_space = blocks.each_ref().map(|block| from_space(block));
    let [a, b, c, d] = from_space;
    let farthest = _mm_max_epu8(_mm_max_epu8(a, b), _mm_max_epu8(c, d));
    let [a, b, c, d] = from_space.map(|bytes| equal(bytes, b'\\'));
    let backslashes = _mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d));
    is_nowhere(_mm_or_si128(beyond_printable(farthest), backslashes))
}

pub fn is_plain(block: &[u16; BLOCK]) -> bool {
    // SAFETY: Every x64 processor has SSE2.
    unsafe { plain(block) }
}

#[target_feature(enable = "sse2")]
fn plain(block: &[u16; BLOCK]) -> bool {
    let bytes = from_space(block);
    let before_letter_u = _mm_srli_si128::<1>(equal(bytes, b'u'));
    let escapes = _mm_and_si128(equal(bytes, b'\\'), before_letter_u);
    is_nowhere(_mm_or_si128(beyond_printable(bytes), escapes))
}

/// The units of a block, a byte for each: how far it is behind the first
/// printable one; far, where it is before it or is no byte.
#[target_feature(enable = "sse2")]
fn from_space(units: &[u16; BLOCK]) -> __m128i {
    _mm_sub_epi8(bytes(units), _mm_set1_epi8(b' '.cast_signed()))
}

/// The units of a block, a byte for each; 0 or 255, where one is no byte.
fn bytes(units: &[u16; BLOCK]) -> __m128i {
    const { assert!(size_of::<[u16; BLOCK]>() == size_of::<[__m128i; 2]>()) };
    // SAFETY: The block is as long as two vectors, which may hold anything and
    // lie anywhere.
    let [mut low, high] = unsafe { units.as_ptr().cast::<[__m128i; 2]>().read_unaligned() };
    // The intrinsic of this instruction clamps first, in four more.
    // SAFETY: The instruction touches these two registers alone.
    unsafe {
        asm!(
            "packuswb {}, {}",
            inout(xmm_reg) low,
            in(xmm_reg) high,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    low
}

/// How far each byte is beyond the last printable one; 0, if it is not.
#[target_feature(enable = "sse2")]
fn beyond_printable(from_space: __m128i) -> __m128i {
    _mm_subs_epu8(from_space, _mm_set1_epi8((b'~' - b' ').cast_signed()))
}

/// All ones where `byte` is.
#[target_feature(enable = "sse2")]
fn equal(from_space: __m128i, byte: u8) -> __m128i {
    _mm_cmpeq_epi8(from_space, _mm_set1_epi8((byte - b' ').cast_signed()))
}

/// Whether all bytes are 0.
#[target_feature(enable = "sse2")]
fn is_nowhere(bytes: __m128i) -> bool {
    _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_setzero_si128())) == 0xffff
}
