//! The fields at the end of a line, of which each is there or not.

/// The most bytes of them, with a NUL behind.
const SIZE: usize = 96;

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

    /// Adds ASCII text.
    #[inline(never)]
    pub fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.push(byte));
    }

    /// Adds `0x` and a number in hexadecimal.
    pub fn hex(&mut self, number: u64) {
        self.text("0x");
        self.number::<16>(number);
    }

    /// Adds a number in decimal.
    pub fn decimal(&mut self, number: u64) {
        self.number::<10>(number);
    }

    #[inline(never)]
    fn number<const RADIX: u64>(&mut self, mut number: u64) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 20];
        for place in digits.iter_mut().rev() {
            *place = DIGITS[((number % RADIX) & 0xf) as usize];
            number /= RADIX;
            if number == 0 {
                break;
            }
        }
        digits
            .into_iter()
            .filter(|&digit| digit != 0)
            .for_each(|digit| self.push(digit));
    }

    fn push(&mut self, byte: u8) {
        if let Some((_nul, free)) = self.bytes.split_last_mut()
            && let Some(place) = free.get_mut(self.length)
        {
            *place = byte;
            self.length += 1;
        }
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self::new()
    }
}
