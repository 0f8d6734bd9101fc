//! Event trace logs of Windows, `.etl` files, on every system.
//!
//! - [`Writer`] writes a log that Windows' tools and other readers take.
//! - [`Log`] reads one: the events with an `EVENT_HEADER`, as all providers of
//!   today write them. Records of other kinds, of the kernel's own logger among
//!   them, are skipped and counted.
//! - [`tracelogging`] gives the names and values of the fields of a
//!   self-describing event.
//!
//! ```
//! use etl::{Descriptor, Event, Guid, Item, Log, Session, Writer, tracelogging};
//!
//! let schema = b"\x10\0\0Started\0Pid\0\x08";
//! let event = Event {
//!     provider: Guid::from_bytes_le([1; 16]),
//!     descriptor: Descriptor { level: 4, ..Descriptor::default() },
//!     time: 133_000_000_000_000_000,
//!     items: vec![Item::schema(schema)],
//!     payload: &0x1a2c_u32.to_le_bytes(),
//!     ..Event::default()
//! };
//! let mut file = std::io::Cursor::new(Vec::new());
//! let mut writer = Writer::new(&mut file, &Session::default())?;
//! writer.write(&event)?;
//! writer.finish(event.time)?;
//!
//! let file = file.into_inner();
//! let log = Log::read(&file)?;
//! let [read] = &log.events[..] else { panic!("one event") };
//! assert_eq!(*read, event);
//! let decoded = tracelogging::decode(read.item(Item::SCHEMA).unwrap(), read.payload)?;
//! assert_eq!(decoded.name, "Started");
//! assert_eq!(decoded.fields[0].to_string(), "6700");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![expect(
    clippy::cast_possible_truncation,
    reason = "sizes are checked where they come from"
)]

mod bytes;
mod event;
mod log;
mod record;
mod time;
pub mod tracelogging;
mod writer;

pub use event::{Descriptor, Event, Item};
pub use log::{Log, LogError, LogHeader, Skipped};
pub use time::{Clock, file_time, file_time_text};
pub use uuid::Uuid as Guid;
pub use writer::{Session, Writer};
