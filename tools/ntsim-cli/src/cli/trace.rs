//! The session that listens to the drivers of a run: it writes their events to
//! an event trace log, and decoded to the JSON log.

use std::fs::{self, File};
use std::io::BufWriter;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use etl::{Descriptor, Event, Item, Session, Writer};
use ntsim::nt;
use ntsim::tracing::{TraceEvent, TraceSink};

use super::event_object;
use super::log::Log;

/// Bytes of the session's buffers.
pub const BUFFER_SIZE: u32 = 64 * 1024;

/// Where events go.
pub struct Trace {
    log: Arc<Log>,
    file: Option<TraceFile>,
}

struct TraceFile {
    path: PathBuf,
    /// None once it is ended, or where it cannot be written.
    writer: Mutex<Result<Option<Writer<BufWriter<File>>>>>,
}

impl Trace {
    /// Starts to write to `file`, if one is given.
    pub fn start(file: Option<&Path>, log: Arc<Log>) -> Result<Self> {
        let file = file.map(TraceFile::create).transpose()?;
        Ok(Self { log, file })
    }

    /// Ends the file; `lost` events did not get here.
    ///
    /// # Errors
    /// Where the file could not be written.
    pub fn finish(&self, lost: u64) -> Result<()> {
        self.file.as_ref().map_or(Ok(()), |file| file.finish(lost))
    }
}

impl TraceFile {
    fn create(path: &Path) -> Result<Self> {
        let cannot = || format!("cannot write {}", path.display());
        let file = File::create(path).with_context(cannot)?;
        let now = SystemTime::now();
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let session = Session {
            name: "ntsim".into(),
            file_name: path.display().to_string(),
            buffer_size: BUFFER_SIZE,
            start: etl::file_time(now),
            boot: etl::file_time(now.checked_sub(uptime()).unwrap_or(now)),
            processors: u32::try_from(processors).unwrap_or(u32::MAX),
        };
        let writer = Writer::new(BufWriter::new(file), &session).with_context(cannot)?;
        Ok(Self {
            path: path.to_owned(),
            writer: Mutex::new(Ok(Some(writer))),
        })
    }

    fn write(&self, event: &Event<'_>) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(Some(open)) = &mut *writer
            && let Err(error) = open.write(event)
        {
            *writer = Err(error.into());
        }
    }

    fn finish(&self, lost: u64) -> Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = std::mem::replace(&mut *writer, Ok(None)).and_then(|open| {
            if let Some(mut open) = open {
                open.add_lost(u32::try_from(lost).unwrap_or(u32::MAX));
                open.finish(etl::file_time(SystemTime::now()))?;
            }
            Ok(())
        });
        ended.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// How long this machine runs.
fn uptime() -> Duration {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = text
        .split(' ')
        .next()
        .and_then(|seconds| seconds.parse().ok());
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or_default()
}

impl TraceSink for Trace {
    fn event(&self, event: &TraceEvent<'_>) {
        let related = event.related_activity.map(|id| id.to_bytes_le());
        let related = related.as_ref().map(|data| Item {
            kind: Item::RELATED_ACTIVITY,
            data,
        });
        let traits = event.traits.map(Item::traits);
        let schema = event.schema.map(Item::schema);
        let nt::ClientId { process, thread } = event.thread;
        let descriptor = &event.descriptor;
        let event = Event {
            provider: event.provider,
            descriptor: Descriptor {
                id: descriptor.id,
                version: descriptor.version,
                channel: descriptor.channel,
                level: descriptor.level,
                opcode: descriptor.opcode,
                task: descriptor.task,
                keyword: descriptor.keyword,
            },
            time: event.time,
            thread_id: thread,
            process_id: process,
            activity: event.activity,
            is_string: event.is_string,
            items: [related, traits, schema].into_iter().flatten().collect(),
            payload: event.payload,
        };
        if let Some(file) = &self.file {
            file.write(&event);
        }
        self.log.object(|| event_object::of(&event));
    }
}
