//! `TraceLogging`'s encoding of an event that describes itself: its name, and the
//! name and type of each field, in a block of bytes beside the data.
//!
//! All of it is made at compile time.

/// A field of an event.
pub struct Field {
    name: &'static str,
    in_type: InType,
    out_type: OutType,
}

/// How the data of a field lies in memory (`TlgIn_t`).
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum InType {
    /// 8 bits, unsigned.
    UInt8 = 4,
    /// 32 bits, signed.
    Int32 = 7,
    /// 32 bits, unsigned.
    UInt32 = 8,
    /// 64 bits, unsigned.
    UInt64 = 10,
    /// A system time.
    FileTime = 17,
    /// A SID, which counts its bytes itself.
    Sid = 19,
    /// 32 bits, displayed in hexadecimal.
    HexInt32 = 20,
    /// 64 bits, displayed in hexadecimal.
    HexInt64 = 21,
    /// UTF-16 behind a 16-bit count of its bytes.
    CountedString = 22,
}

/// How a field is displayed (`TlgOut_t`).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum OutType {
    /// As fields of its type are.
    Default = 0,
    /// As the identifier of a process.
    Pid = 5,
    /// As the identifier of a thread.
    Tid = 6,
    /// As the name of an `NTSTATUS`.
    NtStatus = 14,
}

impl Field {
    /// A field that is displayed as fields of its type are.
    #[must_use]
    pub const fn new(name: &'static str, in_type: InType) -> Self {
        Self::shown_as(name, in_type, OutType::Default)
    }

    /// A field that is displayed in a way of its own.
    #[must_use]
    pub const fn shown_as(name: &'static str, in_type: InType, out_type: OutType) -> Self {
        Self {
            name,
            in_type,
            out_type,
        }
    }
}

/// The bytes of [`provider_traits`].
#[must_use]
pub const fn provider_traits_size(name: &str) -> usize {
    size_of::<u16>() + name.len() + 1
}

/// The traits of a provider that has a name and nothing else.
///
/// # Panics
///
/// Where `SIZE` is not [`provider_traits_size`]; a use in a constant then does
/// not compile.
#[must_use]
pub const fn provider_traits<const SIZE: usize>(name: &str) -> [u8; SIZE] {
    let mut block = Block::new();
    block.name(name);
    block.finish()
}

/// The bytes of [`event_metadata`].
#[must_use]
pub const fn event_metadata_size(name: &str, fields: &[Field]) -> usize {
    const TAG: usize = 1;
    let mut size = size_of::<u16>() + TAG + name.len() + 1;
    let mut fields = fields;
    while let [field, rest @ ..] = fields {
        size += field.name.len() + 1 + 1 + (field.out_type as usize != 0) as usize;
        fields = rest;
    }
    size
}

/// The name of an event, and the names and types of its fields.
///
/// # Panics
///
/// Where `SIZE` is not [`event_metadata_size`]; a use in a constant then does
/// not compile.
#[must_use]
pub const fn event_metadata<const SIZE: usize>(name: &str, fields: &[Field]) -> [u8; SIZE] {
    const NO_TAG: u8 = 0;
    const HAS_OUT_TYPE: u8 = 0x80;
    let mut block = Block::new();
    block.byte(NO_TAG);
    block.name(name);
    let mut fields = fields;
    while let [field, rest @ ..] = fields {
        block.name(field.name);
        if field.out_type as u8 == OutType::Default as u8 {
            block.byte(field.in_type as u8);
        } else {
            block.byte(field.in_type as u8 | HAS_OUT_TYPE);
            block.byte(field.out_type as u8);
        }
        fields = rest;
    }
    block.finish()
}

/// A block of bytes that begins with its size.
struct Block<const SIZE: usize> {
    bytes: [u8; SIZE],
    length: usize,
}

impl<const SIZE: usize> Block<SIZE> {
    const fn new() -> Self {
        let mut block = Self {
            bytes: [0; SIZE],
            length: 0,
        };
        assert!(SIZE <= u16::MAX as usize, "too long");
        #[expect(clippy::cast_possible_truncation, reason = "checked just now")]
        let [low, high] = (SIZE as u16).to_le_bytes();
        block.byte(low);
        block.byte(high);
        block
    }

    const fn byte(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    /// A name, with a NUL behind it.
    const fn name(&mut self, name: &str) {
        let mut bytes = name.as_bytes();
        while let [byte, rest @ ..] = bytes {
            self.byte(*byte);
            bytes = rest;
        }
        self.byte(0);
    }

    const fn finish(self) -> [u8; SIZE] {
        assert!(self.length == SIZE, "the size does not fit");
        self.bytes
    }
}
