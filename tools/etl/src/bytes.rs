//! Little-endian values from bytes that may end at any point.

/// There are fewer bytes than are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the data end too early")]
pub struct Truncated;

/// Bytes that are taken from the front.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

macro_rules! integers {
    ($($name:ident: $type:ty,)*) => {
        $(
            pub fn $name(&mut self) -> Result<$type, Truncated> {
                self.array().map(<$type>::from_le_bytes)
            }
        )*
    };
}

impl<'a> Bytes<'a> {
    integers! {
        u8: u8,
        u16: u16,
        u32: u32,
        u64: u64,
        i64: i64,
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Truncated)?;
        self.0 = rest;
        Ok(*array)
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Truncated> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The bytes before the first zero, which is taken as well.
    pub fn until_nul(&mut self) -> Result<&'a [u8], Truncated> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(Truncated)?;
        let taken = self.take(end)?;
        self.u8()?;
        Ok(taken)
    }
}
