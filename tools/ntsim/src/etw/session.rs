//! Trace sessions: what each listens to, where its events go, and how many it
//! has lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use windows_sys::Win32::Foundation::{
    STATUS_BUFFER_OVERFLOW, STATUS_INTEGER_OVERFLOW, STATUS_SUCCESS,
};

use crate::etw::event::{EventDescriptor, TraceEvent};
use crate::ex::rundown::Rundown;
use crate::nt::{Guid, NtStatus};

/// Receives the events of a session. Called from any number of threads at once,
/// on the thread that writes the event.
pub trait TraceSink: Send + Sync {
    /// A driver wrote an event that the session listens to.
    fn event(&self, event: &TraceEvent<'_>);
}

/// What a session listens to, and the size of its buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceSettings {
    /// Bytes of a buffer, with its header.
    pub buffer_size: usize,
    /// The highest level that it listens to; 0 for all.
    pub level: u8,
    /// Events with one of these keywords, or with none, are for it; 0 for all.
    pub match_any_keyword: u64,
    /// Events with all of these keywords, or with none, are for it.
    pub match_all_keyword: u64,
    /// The provider that it listens to; every one if none is given.
    pub provider: Option<Guid>,
}

impl Default for TraceSettings {
    /// Every event of every provider, with buffers of 64 KiB.
    fn default() -> Self {
        Self {
            buffer_size: 64 * 1024,
            level: 0,
            match_any_keyword: 0,
            match_all_keyword: 0,
            provider: None,
        }
    }
}

impl TraceSettings {
    /// Whether it listens to this provider.
    pub(crate) fn listens_to(&self, provider: &Guid) -> bool {
        self.provider.is_none_or(|listened| listened == *provider)
    }

    /// Whether it takes events of this level with these keywords.
    pub(crate) const fn takes(&self, level: u8, keyword: u64) -> bool {
        let any = self.any_keyword();
        let all = self.match_all_keyword;
        (level <= self.level || self.level == 0)
            && (keyword == 0 || keyword & any != 0 && keyword & all == all)
    }

    /// The keywords one of which an event must have, as providers are told.
    pub(crate) const fn any_keyword(&self) -> u64 {
        if self.match_any_keyword == 0 {
            u64::MAX
        } else {
            self.match_any_keyword
        }
    }
}

/// A session that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceHandle(pub(crate) u64);

/// What a session has received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceFigures {
    /// Events that it received.
    pub events: u64,
    /// Events that were too large for it, `EventsLost`.
    pub lost: u64,
}

/// A session.
pub struct Session {
    /// What the host knows it by.
    pub handle: TraceHandle,
    /// What it listens to.
    pub settings: TraceSettings,
    sink: Arc<dyn TraceSink>,
    events: AtomicU64,
    lost: AtomicU64,
    rundown: Rundown,
}

/// Bytes of a `WMI_BUFFER_HEADER`, at the start of each buffer.
const BUFFER_HEADER: usize = 72;

/// The size of an event is a `USHORT`.
const LARGEST_EVENT: usize = u16::MAX as usize;

impl Session {
    /// A session that has received nothing.
    pub fn new(handle: TraceHandle, settings: TraceSettings, sink: Arc<dyn TraceSink>) -> Self {
        Self {
            handle,
            settings,
            sink,
            events: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            rundown: Rundown::default(),
        }
    }

    /// Whether it takes such an event of this provider.
    pub fn wants(&self, provider: &Guid, descriptor: &EventDescriptor) -> bool {
        self.settings.listens_to(provider)
            && self.settings.takes(descriptor.level, descriptor.keyword)
    }

    /// Receives `event`, and gives the status of that. One that arrives while
    /// the session stops is not for it.
    pub fn receive(&self, event: &TraceEvent<'_>) -> NtStatus {
        let Some(_protection) = self.rundown.acquire() else {
            return STATUS_SUCCESS;
        };
        let status = self.status_of_size(event.size());
        let counter = if status == STATUS_SUCCESS {
            self.sink.event(event);
            &self.events
        } else {
            &self.lost
        };
        counter.fetch_add(1, Ordering::Relaxed);
        status
    }

    fn status_of_size(&self, size: usize) -> NtStatus {
        if size > LARGEST_EVENT {
            STATUS_INTEGER_OVERFLOW
        } else if size.next_multiple_of(8) > self.settings.buffer_size - BUFFER_HEADER {
            STATUS_BUFFER_OVERFLOW
        } else {
            STATUS_SUCCESS
        }
    }

    /// Waits until no event is on its way to the sink, and lets no more in.
    pub fn stop(&self, abandon: impl Fn() -> bool) {
        self.rundown.wait(abandon);
    }

    /// What it has received so far.
    pub fn figures(&self) -> TraceFigures {
        TraceFigures {
            events: self.events.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_keywords_decide() {
        let settings = |level, any, all| TraceSettings {
            level,
            match_any_keyword: any,
            match_all_keyword: all,
            ..TraceSettings::default()
        };
        assert!(settings(0, 0, 0).takes(255, 1));
        assert!(settings(4, 0, 0).takes(4, 1));
        assert!(!settings(3, 0, 0).takes(4, 1));
        assert!(!settings(4, 2, 0).takes(4, 1));
        assert!(settings(4, 2, 0).takes(4, 3));
        assert!(settings(4, 2, 6).takes(4, 6));
        assert!(!settings(4, 2, 6).takes(4, 2));
        assert!(settings(4, 2, 6).takes(4, 0), "no keyword is always right");
    }

    #[test]
    fn the_largest_event_fills_a_buffer() {
        struct Nowhere;
        impl TraceSink for Nowhere {
            fn event(&self, _: &TraceEvent<'_>) {}
        }
        let session = |buffer_size| {
            let settings = TraceSettings {
                buffer_size,
                ..TraceSettings::default()
            };
            Session::new(TraceHandle(1), settings, Arc::new(Nowhere))
        };
        let small = session(4096);
        assert_eq!(small.status_of_size(4096 - 72), STATUS_SUCCESS);
        assert_eq!(small.status_of_size(4096 - 71), STATUS_BUFFER_OVERFLOW);
        let large = session(1 << 20);
        assert_eq!(large.status_of_size(0xffff), STATUS_SUCCESS);
        assert_eq!(large.status_of_size(0x1_0000), STATUS_INTEGER_OVERFLOW);
    }
}
