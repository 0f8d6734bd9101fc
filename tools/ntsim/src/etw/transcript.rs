//! Events that are kept.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::etw::event::{EventDescriptor, TraceEvent};
use crate::etw::session::TraceSink;
use crate::nt::{ClientId, Guid, SystemTime};

/// An event that is kept: what [`TraceEvent`] has, on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceRecord {
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
    /// The provider's traits.
    pub traits: Option<Vec<u8>>,
    /// The names and types of the fields.
    pub schema: Option<Vec<u8>>,
    /// The fields.
    pub payload: Vec<u8>,
}

impl TraceRecord {
    /// The event that is kept.
    #[must_use]
    pub fn event(&self) -> TraceEvent<'_> {
        TraceEvent {
            provider: self.provider,
            descriptor: self.descriptor,
            time: self.time,
            thread: self.thread,
            activity: self.activity,
            related_activity: self.related_activity,
            is_string: self.is_string,
            traits: self.traits.as_deref(),
            schema: self.schema.as_deref(),
            payload: &self.payload,
        }
    }
}

impl From<&TraceEvent<'_>> for TraceRecord {
    fn from(event: &TraceEvent<'_>) -> Self {
        Self {
            provider: event.provider,
            descriptor: event.descriptor,
            time: event.time,
            thread: event.thread,
            activity: event.activity,
            related_activity: event.related_activity,
            is_string: event.is_string,
            traits: event.traits.map(Into::into),
            schema: event.schema.map(Into::into),
            payload: event.payload.into(),
        }
    }
}

/// Keeps the events of a session, in their order.
#[derive(Debug, Default)]
pub struct TraceTranscript(Mutex<Vec<TraceRecord>>);

impl TraceTranscript {
    /// The events since the last time.
    pub fn take(&self) -> Vec<TraceRecord> {
        mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<TraceRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TraceSink for TraceTranscript {
    fn event(&self, event: &TraceEvent<'_>) {
        self.lock().push(event.into());
    }
}
