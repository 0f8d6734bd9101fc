//! Identifiers of providers, activities and more.

use std::fmt;

/// A `GUID`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guid {
    data1: u32,
    data2: u16,
    data3: u16,
    data4: [u8; 8],
}

impl Guid {
    /// The identifier of these parts.
    #[must_use]
    pub const fn from_parts(data1: u32, data2: u16, data3: u16, data4: [u8; 8]) -> Self {
        Self {
            data1,
            data2,
            data3,
            data4,
        }
    }

    /// The identifier that lies in memory like this.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        let all = u128::from_le_bytes(bytes);
        Self {
            data1: all as u32,
            data2: (all >> 32) as u16,
            data3: (all >> 48) as u16,
            data4: ((all >> 64) as u64).to_le_bytes(),
        }
    }

    /// How it lies in memory.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        let all = self.data1 as u128
            | (self.data2 as u128) << 32
            | (self.data3 as u128) << 48
            | (u64::from_le_bytes(self.data4) as u128) << 64;
        all.to_le_bytes()
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            data1,
            data2,
            data3,
            data4: [first, second, rest @ ..],
        } = self;
        write!(
            f,
            "{{{data1:08x}-{data2:04x}-{data3:04x}-{first:02x}{second:02x}-"
        )?;
        rest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("}")
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_as_registry_keys_have_it() {
        let guid = Guid::from_parts(
            0x9548_7dfb,
            0xe18a,
            0x5672,
            [0x3d, 0x3d, 0xe7, 0xb3, 0xa4, 0x90, 0x1f, 0x38],
        );
        assert_eq!(guid.to_string(), "{95487dfb-e18a-5672-3d3d-e7b3a4901f38}");
        assert_eq!(Guid::from_bytes(guid.to_bytes()), guid);
    }
}
