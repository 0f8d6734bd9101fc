//! The fields at the end of a line, of which each is there or not.

use core::num::NonZero;

use crate::nt::token::Sid;

const DECIMAL: NonZero<u64> = NonZero::new(10).unwrap();
const HEXADECIMAL: NonZero<u64> = NonZero::new(16).unwrap();

/// The most bytes of them, with a NUL behind. The longest user is a SID of 15
/// sub-authorities of ten digits each.
const SIZE: usize = 360;

/// Fields as they are printed.
///
/// # Invariants
///
/// The last byte is a NUL.
pub struct Fields {
    bytes: [u8; SIZE],
    length: usize,
}

impl Fields {
    /// No field.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: [0; SIZE],
            length: 0,
        }
    }

    /// The fields, with a NUL behind them.
    #[must_use]
    pub const fn as_bytes_with_nul(&self) -> &[u8; SIZE] {
        &self.bytes
    }

    /// Adds ASCII text, as it is.
    #[inline(never)]
    pub fn text(&mut self, text: &str) {
        let places = self.take(text.len());
        for (place, byte) in places.iter_mut().zip(text.bytes()) {
            *place = byte;
        }
    }

    /// Adds a number in decimal, between what names its field and a `]`.
    pub fn decimal(&mut self, name: &str, number: u64) {
        self.text(name);
        self.number(number, DECIMAL);
        self.text("]");
    }

    /// Adds a number in hexadecimal, between what names its field and a `]`.
    #[inline(never)]
    pub fn hex(&mut self, name: &str, number: u64) {
        self.text(name);
        self.text("0x");
        self.number(number, HEXADECIMAL);
        self.text("]");
    }

    /// Adds a SID such as S-1-5-18.
    #[inline(never)]
    pub fn sid(&mut self, sid: &Sid) {
        self.text("S-1-");
        match sid.authority() {
            authority @ 0..=0xffff_ffff => self.number(authority, DECIMAL),
            authority => self.long_authority(authority),
        }
        for number in sid.sub_authorities() {
            self.text("-");
            self.number(number.into(), DECIMAL);
        }
    }

    /// An authority of more than 32 bits has 12 hexadecimal digits.
    fn long_authority(&mut self, authority: u64) {
        self.text("0x");
        for shift in (0..48).step_by(4).rev() {
            self.number((authority >> shift) & 0xf, HEXADECIMAL);
        }
    }

    #[inline(never)]
    fn number(&mut self, mut number: u64, radix: NonZero<u64>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digits = number.checked_ilog(radix.get()).unwrap_or(0) + 1;
        for place in self.take(digits as usize).iter_mut().rev() {
            *place = DIGITS[((number % radix) & 0xf) as usize];
            number /= radix;
        }
    }

    /// The next `count` bytes; none where there is no room for them.
    fn take(&mut self, count: usize) -> &mut [u8] {
        let start = self.length;
        let end = start + count;
        if end >= SIZE {
            return &mut [];
        }
        self.length = end;
        self.bytes.get_mut(start..end).unwrap_or_default()
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self::new()
    }
}
