//! A block of text, in the registers that every x64 processor has.

use core::arch::asm;
use core::arch::x86_64::{
    __m128i, _mm_cmpeq_epi8, _mm_max_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
    _mm_sub_epi8, _mm_subs_epu8,
};

use super::{BLOCK, Marks, STRETCH};

pub fn are_printable_without_backslash(stretch: &[u16; STRETCH]) -> bool {
    // SAFETY: Every x64 processor has SSE2.
    unsafe { printable_without_backslash(bytes(stretch)) }
}

#[target_feature(enable = "sse2")]
fn printable_without_backslash(stretch: [__m128i; STRETCH / 16]) -> bool {
    const BACKSLASH: u8 = b'\\' - b' ';
    let from_space = stretch.map(|bytes| from_space(bytes));
    let [a, b, c, d] = from_space;
    let farthest = _mm_max_epu8(_mm_max_epu8(a, b), _mm_max_epu8(c, d));
    let [a, b, c, d] = from_space.map(|bytes| equal(bytes, BACKSLASH));
    let backslashes = _mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d));
    let neither = equal(_mm_or_si128(beyond_printable(farthest), backslashes), 0);
    _mm_movemask_epi8(neither) == 0xffff
}

pub fn marks(block: &[u16; BLOCK]) -> Marks {
    // SAFETY: Every x64 processor has SSE2.
    unsafe { marks_of(bytes(block)) }
}

#[target_feature(enable = "sse2")]
fn marks_of(block: [__m128i; BLOCK / 16]) -> Marks {
    let printable = block.map(|bytes| equal(beyond_printable(from_space(bytes)), 0));
    Marks {
        not_printable: !bits(printable),
        backslashes: bits(block.map(|bytes| equal(bytes, b'\\'))),
        letters_u: bits(block.map(|bytes| equal(bytes, b'u'))),
    }
}

/// The units of a text, a byte for each.
///
/// A unit beyond a byte is 0 or 255 here, neither of which is printable.
fn bytes<const UNITS: usize, const VECTORS: usize>(units: &[u16; UNITS]) -> [__m128i; VECTORS] {
    const { assert!(UNITS == VECTORS * 16) };
    // SAFETY: The array is of as many vectors, each of two halves, which may
    // hold anything and lie anywhere.
    let halves = unsafe {
        units
            .as_ptr()
            .cast::<[[__m128i; 2]; VECTORS]>()
            .read_unaligned()
    };
    halves.map(packed)
}

/// The bytes of 16 units, each held to the range of a byte.
///
/// The intrinsic of this instruction clamps first, in four more.
fn packed([mut low, high]: [__m128i; 2]) -> __m128i {
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

/// How far each byte is behind the first printable one; far, where it is
/// before it.
#[target_feature(enable = "sse2")]
fn from_space(bytes: __m128i) -> __m128i {
    _mm_sub_epi8(bytes, _mm_set1_epi8(b' '.cast_signed()))
}

/// How far each byte is beyond the last printable one; 0, if it is not.
#[target_feature(enable = "sse2")]
fn beyond_printable(from_space: __m128i) -> __m128i {
    _mm_subs_epu8(from_space, _mm_set1_epi8((b'~' - b' ').cast_signed()))
}

#[target_feature(enable = "sse2")]
fn equal(bytes: __m128i, byte: u8) -> __m128i {
    _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte.cast_signed()))
}

/// The top bit of each byte.
#[target_feature(enable = "sse2")]
fn bits([low, high]: [__m128i; 2]) -> u32 {
    let low = _mm_movemask_epi8(low).cast_unsigned();
    let high = _mm_movemask_epi8(high).cast_unsigned();
    low | high << (BLOCK / 2)
}
