//! What a driver prints and writes while it is called once, of trials that call it
//! one thing after the other.

use std::sync::Arc;

use crate::listener::Listener;
use crate::oracle::{Cause, FailedCalls, Finding, Oracle};
use crate::{Listen, Target};
use ntsim::Kernel;
use ntsim::dbg::Transcript;
use ntsim::tracing::TraceTranscript;

/// The lines and the events of a driver.
pub struct Transcripts {
    pub lines: Arc<Transcript>,
    events: Arc<TraceTranscript>,
    listener: Listener,
    listen: Listen,
}

impl Transcripts {
    pub fn new(target: &Target<'_>) -> Self {
        let events = Arc::new(TraceTranscript::default());
        Self {
            lines: Arc::default(),
            listener: Listener::new(Arc::clone(&events) as _),
            events,
            listen: target.listen,
        }
    }

    /// Starts to listen before the driver is loaded, if the session always does.
    pub fn begin(&self, kernel: &Kernel) {
        if self.listen == Listen::Always {
            let started = self.listener.toggle(kernel);
            started.expect("no driver has stopped the kernel yet");
        }
    }

    /// Starts or stops to listen between two calls of the driver, if the session
    /// does that.
    ///
    /// # Errors
    /// Why the kernel has stopped.
    pub fn come_or_go(&self, kernel: &Kernel) -> Finding {
        match self.listen {
            Listen::Sometimes => self.listener.toggle(kernel),
            Listen::Always | Listen::Never => Ok(()),
        }
    }

    /// Has the events of a call judged, if a session listened to it.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn judge(&self, oracle: &dyn Oracle, cause: Cause<'_>, failed: FailedCalls<'_>) -> Finding {
        let events = self.events.take();
        if self.listener.is_listening() {
            oracle.traced(cause, failed, &events)
        } else {
            Ok(())
        }
    }

    /// Forgets what the driver has printed and written so far.
    pub fn forget(&self) {
        self.lines.take();
        self.events.take();
    }

    /// Stops to listen, once the driver is unloaded.
    ///
    /// # Errors
    /// What was lost, or why the kernel has stopped.
    pub fn end(&self, kernel: &Kernel) -> Finding {
        self.listener.end(kernel)
    }
}
