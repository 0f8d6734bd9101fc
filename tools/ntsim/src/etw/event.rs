//! An event that a driver has written, and how much room it takes in a session's
//! buffer.

use bytemuck::{AnyBitPattern, NoUninit};

use crate::nt::{ClientId, Guid, SystemTime};

/// `EVENT_DESCRIPTOR`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, AnyBitPattern, NoUninit)]
#[repr(C)]
pub struct EventDescriptor {
    /// `Id`.
    pub id: u16,
    /// `Version`.
    pub version: u8,
    /// `Channel`.
    pub channel: u8,
    /// `Level`.
    pub level: u8,
    /// `Opcode`.
    pub opcode: u8,
    /// `Task`.
    pub task: u16,
    /// `Keyword`.
    pub keyword: u64,
}

/// An event, as a session receives it.
#[derive(Clone, Copy, Debug)]
pub struct TraceEvent<'a> {
    /// The provider that wrote it.
    pub provider: Guid,
    /// What kind of event it is.
    pub descriptor: EventDescriptor,
    /// When it was written.
    pub time: SystemTime,
    /// The thread that it was written in.
    pub thread: ClientId,
    /// The activity that it belongs to; zero for none.
    pub activity: Guid,
    /// The activity that caused it.
    pub related_activity: Option<Guid>,
    /// Whether the payload is a string of `EtwWriteString`.
    pub is_string: bool,
    /// The provider's traits: their size, its name, and more.
    pub traits: Option<&'a [u8]>,
    /// The names and types of the fields, in `TraceLogging`'s encoding.
    pub schema: Option<&'a [u8]>,
    /// The fields.
    pub payload: &'a [u8],
}

/// Bytes of an `EVENT_HEADER`.
const HEADER: usize = 80;

/// Bytes before the data of an extended item in a buffer.
const ITEM_HEADER: usize = 8;

/// Everything in a buffer begins at a multiple of this.
const ALIGNMENT: usize = 8;

impl TraceEvent<'_> {
    /// The bytes that it takes in a buffer.
    #[must_use]
    pub fn size(&self) -> usize {
        let item = |data: usize| (ITEM_HEADER + data).next_multiple_of(ALIGNMENT);
        let items = [
            self.related_activity.map(|_| size_of::<Guid>()),
            self.traits.map(<[u8]>::len),
            self.schema.map(<[u8]>::len),
        ];
        let items: usize = items.into_iter().flatten().map(item).sum();
        HEADER + items + self.payload.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_begin_at_a_multiple_of_eight() {
        let event = TraceEvent {
            provider: Guid::default(),
            descriptor: EventDescriptor::default(),
            time: 0,
            thread: ClientId {
                process: 4,
                thread: 8,
            },
            activity: Guid::default(),
            related_activity: None,
            is_string: false,
            traits: None,
            schema: None,
            payload: &[0; 5],
        };
        assert_eq!(event.size(), 85);
        let with_items = TraceEvent {
            traits: Some(&[0; 9]),
            schema: Some(&[0; 16]),
            ..event
        };
        assert_eq!(with_items.size(), 80 + 24 + 24 + 5);
    }
}
