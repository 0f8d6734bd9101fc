//! Writes a log, buffer by buffer, as a session of Windows does.

use std::io::{self, Seek, SeekFrom, Write};

use crate::event::Event;
use crate::record::{Marker, SYSTEM64};

/// A session whose events a log holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its name.
    pub name: String,
    /// The name of the log file, as the log has it.
    pub file_name: String,
    /// Bytes of a buffer with its header: a multiple of 1,024, from 4 KiB to
    /// 16 MiB.
    pub buffer_size: u32,
    /// When it started: a system time, in units of 100 nanoseconds since 1601.
    pub start: i64,
    /// When the machine started.
    pub boot: i64,
    /// How many processors the machine has.
    pub processors: u32,
}

impl Default for Session {
    /// A session without a name, with buffers of 64 KiB.
    fn default() -> Self {
        Self {
            name: String::new(),
            file_name: String::new(),
            buffer_size: 64 * 1024,
            start: 0,
            boot: 0,
            processors: 1,
        }
    }
}

/// Bytes of a `WMI_BUFFER_HEADER`.
pub const BUFFER_HEADER: usize = 72;

/// What fills a buffer behind its last event.
const PADDING: u8 = 0xff;

/// Where the numbers stand in the file that are known at the end.
const TRACE_HEADER: u64 = BUFFER_HEADER as u64 + 32;
const END_TIME: u64 = TRACE_HEADER + 0x10;
const BUFFERS_WRITTEN: u64 = TRACE_HEADER + 0x24;
const EVENTS_LOST: u64 = TRACE_HEADER + 0x30;

/// Writes a log.
#[derive(Debug)]
pub struct Writer<W: Write + Seek> {
    file: W,
    buffer_size: usize,
    buffer: Vec<u8>,
    /// The time of the last event.
    last: i64,
    buffers: u32,
    lost: u32,
}

#[derive(Clone, Copy)]
enum BufferKind {
    Generic = 0,
    Header = 4,
}

impl<W: Write + Seek> Writer<W> {
    /// Starts a log.
    ///
    /// # Errors
    /// Where the file cannot be written, or the buffers have a size that a
    /// session does not allow.
    pub fn new(file: W, session: &Session) -> io::Result<Self> {
        const SIZES: std::ops::RangeInclusive<u32> = 4 * 1024..=16 * 1024 * 1024;
        if !SIZES.contains(&session.buffer_size) || !session.buffer_size.is_multiple_of(1024) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "buffers have 4 KiB to 16 MiB, and a multiple of 1 KiB",
            ));
        }
        let mut writer = Self {
            file,
            buffer_size: session.buffer_size as usize,
            buffer: Vec::with_capacity(session.buffer_size as usize),
            last: session.start,
            buffers: 0,
            lost: 0,
        };
        writer.begin_buffer();
        let header = trace_header(session);
        if writer.buffer.len() + header.len() > writer.buffer_size {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the session's names do not fit a buffer",
            ));
        }
        writer.buffer.extend(header);
        writer.end_buffer(BufferKind::Header)?;
        Ok(writer)
    }

    fn begin_buffer(&mut self) {
        self.buffer.clear();
        self.buffer.resize(BUFFER_HEADER, 0);
    }

    /// Writes the buffer out and begins another.
    fn end_buffer(&mut self, kind: BufferKind) -> io::Result<()> {
        // ClockType, in the lowest three bits: the system time.
        const SYSTEM_TIME: u64 = 2;
        const FLUSHED: u32 = 3;
        const FLUSH_MARKER: u16 = 0x1;
        const HAS_PROCESSOR_INDEX: u16 = 0x20;
        let flags = match kind {
            BufferKind::Generic => HAS_PROCESSOR_INDEX,
            BufferKind::Header => HAS_PROCESSOR_INDEX | FLUSH_MARKER,
        };
        let used = self.buffer.len() as u32;
        let mut header = Vec::with_capacity(BUFFER_HEADER);
        header.extend((self.buffer_size as u32).to_le_bytes());
        // SavedOffset and CurrentOffset; nobody uses the buffer any more.
        header.extend(used.to_le_bytes());
        header.extend(used.to_le_bytes());
        header.extend(0u32.to_le_bytes());
        header.extend(self.last.to_le_bytes());
        header.extend(u64::from(self.buffers).to_le_bytes());
        header.extend(SYSTEM_TIME.to_le_bytes());
        // Processor 0, logger 1.
        header.extend([0, 0, 1, 0]);
        header.extend(FLUSHED.to_le_bytes());
        header.extend(used.to_le_bytes());
        header.extend(flags.to_le_bytes());
        header.extend((kind as u16).to_le_bytes());
        header.resize(BUFFER_HEADER, 0);
        self.buffer[..BUFFER_HEADER].copy_from_slice(&header);
        self.buffer.resize(self.buffer_size, PADDING);
        self.file.write_all(&self.buffer)?;
        self.buffers += 1;
        self.begin_buffer();
        Ok(())
    }

    /// Appends an event, and gives true; false where it is larger than a buffer,
    /// or than any event can be: then it is lost, and counted.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&mut self, event: &Event<'_>) -> io::Result<bool> {
        let before = self.buffer.len();
        if !event.append_to(&mut self.buffer) {
            self.lost += 1;
            return Ok(false);
        }
        if self.buffer.len() > self.buffer_size {
            let record = self.buffer.split_off(before);
            if BUFFER_HEADER + record.len() > self.buffer_size {
                self.lost += 1;
                return Ok(false);
            }
            self.end_buffer(BufferKind::Generic)?;
            self.buffer.extend(record);
        }
        self.last = event.time;
        Ok(true)
    }

    /// Counts events that were lost on their way here.
    pub const fn add_lost(&mut self, events: u32) {
        self.lost = self.lost.saturating_add(events);
    }

    /// Ends the log at the system time `end`, and gives the file back. A log that
    /// is not ended says that it has no buffers.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn finish(mut self, end: i64) -> io::Result<W> {
        if self.buffer.len() > BUFFER_HEADER {
            self.end_buffer(BufferKind::Generic)?;
        }
        for (place, value) in [
            (END_TIME, &end.to_le_bytes()[..]),
            (BUFFERS_WRITTEN, &self.buffers.to_le_bytes()),
            (EVENTS_LOST, &self.lost.to_le_bytes()),
        ] {
            self.file.seek(SeekFrom::Start(place))?;
            self.file.write_all(value)?;
        }
        self.file.seek(SeekFrom::End(0))?;
        self.file.flush()?;
        Ok(self.file)
    }
}

/// The record that a log begins with: a system event with a
/// `TRACE_LOGFILE_HEADER`, and the names of the session and of the file.
fn trace_header(session: &Session) -> Vec<u8> {
    /// Windows 10, build 19041.
    const VERSION: [u8; 4] = [10, 0, 1, 5];
    const BUILD: u32 = 19_041;
    const TIMER_RESOLUTION: u32 = 156_250;
    const SEQUENTIAL: u32 = 1;
    /// Readers divide by both, although the time stamps are system times.
    const MEGAHERTZ: u32 = 1_000;
    const FREQUENCY: u64 = 10_000_000;
    const SYSTEM_TIME: u32 = 2;
    const TIME_ZONE_SIZE: usize = 172 + 4;
    let mut record = Vec::new();
    record.extend(Marker::new(2, SYSTEM64).to_bytes());
    // The size, and the event: type 0 of group 0.
    record.extend([0; 4]);
    // The thread and the process that started the session, the System process's.
    record.extend([4, 0, 0, 0, 4, 0, 0, 0]);
    record.extend(session.start.to_le_bytes());
    record.extend([0; 8]);

    record.extend(session.buffer_size.to_le_bytes());
    record.extend(VERSION);
    record.extend(BUILD.to_le_bytes());
    record.extend(session.processors.to_le_bytes());
    record.extend(session.start.to_le_bytes());
    record.extend(TIMER_RESOLUTION.to_le_bytes());
    record.extend(0u32.to_le_bytes());
    record.extend(SEQUENTIAL.to_le_bytes());
    // No buffer written yet; one at the start; pointers of 8 bytes; none lost.
    for value in [0, 1, 8, 0, MEGAHERTZ] {
        record.extend(value.to_le_bytes());
    }
    // Pointers to the names, which follow; the time zone, UTC.
    record.extend([0; 16]);
    record.resize(record.len() + TIME_ZONE_SIZE, 0);
    record.extend(session.boot.to_le_bytes());
    record.extend(FREQUENCY.to_le_bytes());
    record.extend(session.start.to_le_bytes());
    record.extend(SYSTEM_TIME.to_le_bytes());
    record.extend(0u32.to_le_bytes());
    for name in [&session.name, &session.file_name] {
        for unit in name.encode_utf16().chain([0]) {
            record.extend(unit.to_le_bytes());
        }
    }
    let size = record.len() as u16;
    record[4..6].copy_from_slice(&size.to_le_bytes());
    record.resize(record.len().next_multiple_of(8), 0);
    record
}
