//! Reads a log.

use crate::bytes::{Bytes, Truncated};
use crate::event::Event;
use crate::record::{self, Record, SYSTEM32, SYSTEM64};
use crate::time::Clock;
use crate::writer::BUFFER_HEADER;

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// It is too short to be a log.
    #[error("not an event trace log: {0}")]
    Truncated(#[from] Truncated),
    /// It does not begin with the header that every log has.
    #[error("not an event trace log: it does not begin with a trace header")]
    NoTraceHeader,
}

/// What a log says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHeader {
    /// Bytes of a buffer.
    pub buffer_size: u32,
    /// The version of Windows: major, minor, and more.
    pub version: [u8; 4],
    /// How many processors the machine has.
    pub processors: u32,
    /// The clock of the time stamps.
    pub clock: Clock,
    /// When the session started, a system time.
    pub start: i64,
    /// When the last buffer was written, a system time.
    pub end: i64,
    /// How many buffers were written.
    pub buffers_written: u32,
    /// How many events were lost.
    pub events_lost: u32,
    /// How many buffers were lost.
    pub buffers_lost: u32,
    /// The session's name.
    pub session: String,
}

/// What was not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Records of other kinds.
    pub records: usize,
    /// Buffers that are compressed, damaged or cut, of which the rest was not
    /// read.
    pub buffers: usize,
}

/// A log that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log<'a> {
    /// What it says of itself.
    pub header: LogHeader,
    /// Its events, in the order in which they stand there.
    pub events: Vec<Event<'a>>,
    /// What was not read.
    pub skipped: Skipped,
}

impl<'a> Log<'a> {
    /// Reads a log. Damage in it costs the rest of a buffer.
    ///
    /// # Errors
    /// Where the file is not a log.
    pub fn read(file: &'a [u8]) -> Result<Self, LogError> {
        let (header, zero) = trace_header(file)?;
        let mut log = Self {
            header,
            events: Vec::new(),
            skipped: Skipped::default(),
        };
        let mut rest = Bytes(file);
        while !rest.0.is_empty() {
            match buffer(&mut rest) {
                Ok(Some(mut records)) => {
                    while let Some(record) = log.next_record(&mut records) {
                        log.add(record, zero);
                    }
                }
                Ok(None) => log.skipped.buffers += 1,
                Err(Truncated) => {
                    log.skipped.buffers += 1;
                    break;
                }
            }
        }
        // The trace header.
        log.skipped.records = log.skipped.records.saturating_sub(1);
        Ok(log)
    }

    /// The next record of a buffer. What follows a damaged one is not found.
    fn next_record(&mut self, records: &mut Bytes<'a>) -> Option<Record<'a>> {
        record::next(records).unwrap_or_else(|Truncated| {
            self.skipped.buffers += 1;
            None
        })
    }

    fn add(&mut self, record: Record<'a>, zero: i64) {
        let event = match record {
            Record::Event(record) => Event::of_record(record),
            Record::Other => Err(Truncated),
        };
        match event {
            Ok(mut event) => {
                let LogHeader { clock, start, .. } = self.header;
                event.time = clock.system_time(event.time, zero, start);
                self.events.push(event);
            }
            Err(Truncated) => self.skipped.records += 1,
        }
    }
}

/// Takes the first buffer of a file and gives its records; none where they are
/// compressed.
fn buffer<'a>(file: &mut Bytes<'a>) -> Result<Option<Bytes<'a>>, Truncated> {
    const COMPRESSED: u16 = 0x40;
    let mut header = *file;
    let size = header.u32()? as usize;
    let mut header = Bytes(header.0.get(0x2c..).ok_or(Truncated)?);
    let used = header.u32()? as usize;
    let flags = header.u16()?;
    if size < BUFFER_HEADER {
        return Err(Truncated);
    }
    // A file that was cut has a part of its last buffer.
    let whole = file.take(size.min(file.0.len()))?;
    if flags & COMPRESSED != 0 {
        return Ok(None);
    }
    let used = used.min(whole.len());
    let records = whole.get(BUFFER_HEADER..used).ok_or(Truncated)?;
    Ok(Some(Bytes(records)))
}

/// Reads the record that every log begins with, and its time stamp.
fn trace_header(file: &[u8]) -> Result<(LogHeader, i64), LogError> {
    let mut rest = Bytes(file);
    rest.take(BUFFER_HEADER)?;
    let [_, _, kind, _] = rest.array()?;
    if kind != SYSTEM32 && kind != SYSTEM64 {
        return Err(LogError::NoTraceHeader);
    }
    let size = usize::from(rest.u16()?);
    if rest.u16()? != 0 {
        return Err(LogError::NoTraceHeader);
    }
    rest.take(8)?;
    let zero = rest.i64()?;
    rest.take(8)?;
    let mut rest = Bytes(rest.take(size.checked_sub(32).ok_or(Truncated)?)?);
    let buffer_size = rest.u32()?;
    let version = rest.array()?;
    rest.take(4)?;
    let processors = rest.u32()?;
    let end = rest.i64()?;
    rest.take(12)?;
    let buffers_written = rest.u32()?;
    rest.take(8)?;
    let events_lost = rest.u32()?;
    let megahertz = rest.u32()?;
    // Pointers to names; the time zone, which 64-bit sessions pad.
    rest.take(if kind == SYSTEM64 { 16 + 176 } else { 8 + 172 })?;
    // The time when the machine started, aligned.
    rest.take(if kind == SYSTEM64 { 8 } else { 4 + 8 })?;
    let frequency = rest.u64()?;
    let start = rest.i64()?;
    let clock = match rest.u32()? {
        1 => Clock::PerformanceCounter(frequency),
        3 => Clock::ProcessorCycles(megahertz),
        _ => Clock::SystemTime,
    };
    let buffers_lost = rest.u32()?;
    let (units, _) = rest.0.as_chunks();
    let name = units.iter().map(|unit| u16::from_le_bytes(*unit));
    let name: Vec<u16> = name.take_while(|unit| *unit != 0).collect();
    let header = LogHeader {
        buffer_size,
        version,
        processors,
        clock,
        start,
        end,
        buffers_written,
        events_lost,
        buffers_lost,
        session: String::from_utf16_lossy(&name),
    };
    Ok((header, zero))
}
