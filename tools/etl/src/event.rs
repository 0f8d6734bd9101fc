//! An event with an `EVENT_HEADER`, and how it lies in a buffer.

use crate::Guid;
use crate::bytes::{Bytes, Truncated};
use crate::record::{EVENT_HEADER64, Marker};

/// `EVENT_DESCRIPTOR`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
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

/// An extended item: something that ETW adds to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// What it is, `EVENT_HEADER_EXT_TYPE_*`.
    pub kind: u16,
    /// Its data.
    pub data: &'a [u8],
}

impl<'a> Item<'a> {
    /// The activity that caused this one.
    pub const RELATED_ACTIVITY: u16 = 1;
    /// The names and types of the fields.
    pub const SCHEMA: u16 = 11;
    /// The provider's name and more.
    pub const TRAITS: u16 = 12;

    /// The names and types of the fields.
    #[must_use]
    pub const fn schema(data: &'a [u8]) -> Self {
        Self {
            kind: Self::SCHEMA,
            data,
        }
    }

    /// The provider's traits. They come before the schema.
    #[must_use]
    pub const fn traits(data: &'a [u8]) -> Self {
        Self {
            kind: Self::TRAITS,
            data,
        }
    }
}

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event<'a> {
    /// The provider that wrote it.
    pub provider: Guid,
    /// What kind of event it is.
    pub descriptor: Descriptor,
    /// When it was written: a system time, in units of 100 nanoseconds since
    /// 1601.
    pub time: i64,
    /// The thread that wrote it.
    pub thread_id: u32,
    /// The thread's process.
    pub process_id: u32,
    /// The activity that it belongs to; zero for none.
    pub activity: Guid,
    /// Whether the payload is a string of `EventWriteString`.
    pub is_string: bool,
    /// What ETW has added.
    pub items: Vec<Item<'a>>,
    /// The event's own data.
    pub payload: &'a [u8],
}

/// Everything in a buffer begins at a multiple of this.
pub const ALIGNMENT: usize = 8;

const HAS_ITEMS: u16 = 0x1;
const IS_STRING: u16 = 0x4;

/// In an item's header: another item follows.
const LINKED: u16 = 0x1;
const ITEM_HEADER: usize = 8;

impl<'a> Event<'a> {
    /// The data of the first item of a kind.
    #[must_use]
    pub fn item(&self, kind: u16) -> Option<&'a [u8]> {
        let item = self.items.iter().find(|item| item.kind == kind)?;
        Some(item.data)
    }

    /// The provider's name, from its traits.
    #[must_use]
    pub fn provider_name(&self) -> Option<&'a str> {
        let mut traits = Bytes(self.item(Item::TRAITS)?);
        traits.u16().ok()?;
        str::from_utf8(traits.until_nul().ok()?).ok()
    }

    /// Appends it as a record with the time stamp `time`. Gives false, and
    /// appends nothing, where it is larger than any record.
    pub(crate) fn append_to(&self, buffer: &mut Vec<u8>) -> bool {
        let start = buffer.len();
        let flags = if self.items.is_empty() { 0 } else { HAS_ITEMS }
            | if self.is_string { IS_STRING } else { 0 };
        let descriptor = self.descriptor;
        buffer.extend(Marker::new(0, EVENT_HEADER64).to_bytes());
        buffer.extend(flags.to_le_bytes());
        buffer.extend([0; 2]);
        buffer.extend(self.thread_id.to_le_bytes());
        buffer.extend(self.process_id.to_le_bytes());
        buffer.extend(self.time.to_le_bytes());
        buffer.extend(self.provider.to_bytes_le());
        buffer.extend(descriptor.id.to_le_bytes());
        buffer.extend([
            descriptor.version,
            descriptor.channel,
            descriptor.level,
            descriptor.opcode,
        ]);
        buffer.extend(descriptor.task.to_le_bytes());
        buffer.extend(descriptor.keyword.to_le_bytes());
        // No processor time.
        buffer.extend([0; 8]);
        buffer.extend(self.activity.to_bytes_le());
        for (index, item) in self.items.iter().enumerate() {
            let size = (ITEM_HEADER + item.data.len()).next_multiple_of(ALIGNMENT);
            let linked = if index + 1 < self.items.len() {
                LINKED
            } else {
                0
            };
            let end = buffer.len() + size;
            for part in [size as u16, item.kind, linked, item.data.len() as u16] {
                buffer.extend(part.to_le_bytes());
            }
            buffer.extend(item.data);
            buffer.resize(end, 0);
        }
        buffer.extend(self.payload);
        let Ok(size) = u16::try_from(buffer.len() - start) else {
            buffer.truncate(start);
            return false;
        };
        buffer[start..start + 2].copy_from_slice(&size.to_le_bytes());
        buffer.resize(buffer.len().next_multiple_of(ALIGNMENT), 0);
        true
    }

    /// Reads a record of this kind; its time is the clock's, as it stands there.
    pub(crate) fn of_record(record: &'a [u8]) -> Result<Self, Truncated> {
        let mut rest = Bytes(record);
        rest.take(4)?;
        let flags = rest.u16()?;
        rest.take(2)?;
        let thread_id = rest.u32()?;
        let process_id = rest.u32()?;
        let time = rest.i64()?;
        let provider = Guid::from_bytes_le(rest.array()?);
        let descriptor = Descriptor {
            id: rest.u16()?,
            version: rest.u8()?,
            channel: rest.u8()?,
            level: rest.u8()?,
            opcode: rest.u8()?,
            task: rest.u16()?,
            keyword: rest.u64()?,
        };
        rest.take(8)?;
        let activity = Guid::from_bytes_le(rest.array()?);
        let mut items = Vec::new();
        let mut has_next = flags & HAS_ITEMS != 0;
        while has_next {
            let size = usize::from(rest.u16()?);
            let kind = rest.u16()?;
            has_next = rest.u16()? & LINKED != 0;
            let length = usize::from(rest.u16()?);
            let data = rest.take(size.checked_sub(ITEM_HEADER).ok_or(Truncated)?)?;
            let data = data.get(..length).ok_or(Truncated)?;
            items.push(Item { kind, data });
        }
        Ok(Self {
            provider,
            descriptor,
            time,
            thread_id,
            process_id,
            activity,
            is_string: flags & IS_STRING != 0,
            items,
            payload: rest.0,
        })
    }
}
