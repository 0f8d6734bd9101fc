//! The trace session that listens to a driver on trial: all the time, never, or
//! now and then.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::oracle::Finding;
use ntsim::Kernel;
use ntsim::tracing::{TraceHandle, TraceSettings, TraceSink};

/// When a session listens to the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// From before it is loaded until after it is unloaded.
    Always,
    /// Not at all.
    Never,
    /// It starts and stops while events arrive.
    Sometimes,
}

/// What of a process event a session has heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It listened all the while.
    All,
    /// There was none.
    Nothing,
    /// It started or stopped meanwhile.
    Parts,
}

/// Bytes of the session's buffers: what collectors mostly have.
const BUFFER_SIZE: usize = 32 * 1024;

/// A session, and whether it listens.
pub struct Listener {
    sink: Arc<dyn TraceSink>,
    session: Mutex<Option<TraceHandle>>,
    /// Counts the changes by two, and is odd during one. Nobody listens at first.
    changes: AtomicU64,
    /// Events that fitted no buffer.
    lost: AtomicU64,
}

/// The state of a listener at some time.
#[derive(Clone, Copy, Debug)]
pub struct Moment(u64);

impl Listener {
    /// One that does not listen yet.
    pub fn new(sink: Arc<dyn TraceSink>) -> Self {
        Self {
            sink,
            session: Mutex::default(),
            changes: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// Starts or stops to listen.
    ///
    /// # Errors
    /// Why the kernel has stopped.
    pub fn toggle(&self, kernel: &Kernel) -> Finding {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::SeqCst);
        if let Some(handle) = session.take() {
            let figures = kernel
                .stop_trace(handle)
                .map_err(|stopped| stopped.to_string())?;
            self.lost.fetch_add(figures.lost, Ordering::Relaxed);
        } else {
            let settings = TraceSettings {
                buffer_size: BUFFER_SIZE,
                ..TraceSettings::default()
            };
            let started = kernel.start_trace(settings, Arc::clone(&self.sink));
            *session = Some(started.map_err(|stopped| stopped.to_string())?);
        }
        self.changes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Starts and stops at random times, until `is_over`.
    ///
    /// # Errors
    /// Why the kernel has stopped.
    pub fn come_and_go(&self, kernel: &Kernel, is_over: &AtomicBool) -> Finding {
        let mut random = 1_u64;
        while !is_over.load(Ordering::Relaxed) {
            self.toggle(kernel)?;
            // Some changes follow at once; the longest wait lets many events pass.
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            thread::sleep(Duration::from_micros((random >> 33) % 4_000));
        }
        Ok(())
    }

    /// Stops to listen, if a session does.
    ///
    /// # Errors
    /// What was lost, or why the kernel has stopped.
    pub fn end(&self, kernel: &Kernel) -> Finding {
        if self.is_listening() {
            self.toggle(kernel)?;
        }
        match self.lost.load(Ordering::Relaxed) {
            0 => Ok(()),
            lost => Err(format!(
                "{lost} events were too large for a buffer of {BUFFER_SIZE} bytes"
            )),
        }
    }

    /// Whether a session listens.
    pub fn is_listening(&self) -> bool {
        self.now().is_listening()
    }

    /// The state of the moment.
    pub fn now(&self) -> Moment {
        Moment(self.changes.load(Ordering::SeqCst))
    }

    /// What a session has heard since `before`.
    pub fn heard_since(&self, before: Moment) -> Heard {
        let changed = before.0 != self.now().0 || !before.0.is_multiple_of(2);
        if changed {
            Heard::Parts
        } else if before.is_listening() {
            Heard::All
        } else {
            Heard::Nothing
        }
    }
}

impl Moment {
    const fn is_listening(self) -> bool {
        self.0 / 2 % 2 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntsim::tracing::TraceTranscript;

    #[test]
    fn what_was_heard_is_known() {
        let kernel = Kernel::builder().build().unwrap();
        let listener = Listener::new(Arc::new(TraceTranscript::default()));
        let first = listener.now();
        assert_eq!(listener.heard_since(first), Heard::Nothing);
        listener.toggle(&kernel).unwrap();
        assert_eq!(listener.heard_since(first), Heard::Parts);
        let second = listener.now();
        assert_eq!(listener.heard_since(second), Heard::All);
        listener.toggle(&kernel).unwrap();
        listener.toggle(&kernel).unwrap();
        assert_eq!(listener.heard_since(second), Heard::Parts);
        assert!(listener.is_listening());
        listener.end(&kernel).unwrap();
        assert!(!listener.is_listening());
    }
}
