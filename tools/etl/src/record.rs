//! What all records of a buffer begin with: their size and their kind.

use crate::bytes::{Bytes, Truncated};

/// The header of an event of a 64-bit provider.
pub const EVENT_HEADER64: u8 = 0x13;
/// The header of an event of a 32-bit provider.
const EVENT_HEADER32: u8 = 0x12;
/// The header of a system event in a 64-bit session.
pub const SYSTEM64: u8 = 0x02;
/// The header of a system event in a 32-bit session.
pub const SYSTEM32: u8 = 0x01;

const COMPACT32: u8 = 0x03;
const COMPACT64: u8 = 0x04;
const PERFINFO32: u8 = 0x10;
const PERFINFO64: u8 = 0x11;

/// `TRACE_HEADER_FLAG` and `TRACE_HEADER_EVENT_TRACE`.
const TRACE_HEADER: u8 = 0xc0;
/// `TRACE_HEADER_FLAG` and `TRACE_MESSAGE`.
const TRACE_MESSAGE: u8 = 0x90;

/// The first four bytes of a record: two whose meaning the kind says, the kind,
/// and flags.
#[derive(Clone, Copy, Debug)]
pub struct Marker {
    low: u16,
    kind: u8,
    flags: u8,
}

impl Marker {
    pub const fn new(low: u16, kind: u8) -> Self {
        Self {
            low,
            kind,
            flags: TRACE_HEADER,
        }
    }

    pub const fn to_bytes(self) -> [u8; 4] {
        let [low, high] = self.low.to_le_bytes();
        [low, high, self.kind, self.flags]
    }

    const fn of(bytes: [u8; 4]) -> Self {
        let [low, high, kind, flags] = bytes;
        Self {
            low: u16::from_le_bytes([low, high]),
            kind,
            flags,
        }
    }
}

/// What is known of a record.
#[derive(Clone, Copy)]
pub enum Record<'a> {
    /// It has an `EVENT_HEADER`.
    Event(&'a [u8]),
    /// Something that is not read here.
    Other,
}

/// Takes the first record of a buffer. None where the rest of it holds none.
pub fn next<'a>(rest: &mut Bytes<'a>) -> Result<Option<Record<'a>>, Truncated> {
    let mut head = *rest;
    let Ok(marker) = head.array() else {
        return Ok(None);
    };
    // What Windows fills the end of a buffer with.
    if marker == [0xff; 4] || marker == [0; 4] {
        return Ok(None);
    }
    let marker = Marker::of(marker);
    let size = match (marker.flags, marker.kind) {
        (TRACE_HEADER, SYSTEM32 | SYSTEM64 | COMPACT32 | COMPACT64 | PERFINFO32 | PERFINFO64) => {
            head.u16()?
        }
        (TRACE_HEADER | TRACE_MESSAGE, _) => marker.low,
        _ => return Err(Truncated),
    };
    let size = usize::from(size);
    if size < 4 {
        return Err(Truncated);
    }
    let record = rest.take(size)?;
    let padding = size.next_multiple_of(crate::event::ALIGNMENT) - size;
    // The last one may end the file.
    let _ = rest.take(padding.min(rest.0.len()));
    Ok(Some(match (marker.flags, marker.kind) {
        (TRACE_HEADER, EVENT_HEADER32 | EVENT_HEADER64) => Record::Event(record),
        _ => Record::Other,
    }))
}
