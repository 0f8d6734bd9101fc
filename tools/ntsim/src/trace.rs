//! Trace sessions, which receive the events that drivers write.
//!
//! The host starts and stops them at any time, also while events arrive. The
//! enable callbacks of the providers that a session listens to run in a thread
//! of the System process.

use std::sync::Arc;

use crate::etw;
use crate::etw::provider::Provider;
use crate::etw::session::{TraceFigures, TraceHandle, TraceSettings, TraceSink};
use crate::kernel::Kernel;
use crate::load;
use crate::nt::Event;
use crate::report::Stopped;

impl Kernel {
    /// Starts a session, which receives the events of all providers that it
    /// listens to until [`Self::stop_trace`], those that are registered later
    /// included.
    ///
    /// # Errors
    /// When an enable callback broke a rule.
    pub fn start_trace(
        &self,
        settings: TraceSettings,
        sink: Arc<dyn TraceSink>,
    ) -> Result<TraceHandle, Stopped> {
        self.check_running()?;
        let (handle, providers) = self.tracing.start(settings, sink);
        self.call_back(&providers)?;
        Ok(handle)
    }

    /// Stops a session, and gives what it has received. Its sink gets no event
    /// after this. One that does not run has received nothing.
    ///
    /// # Errors
    /// When an enable callback broke a rule.
    pub fn stop_trace(&self, handle: TraceHandle) -> Result<TraceFigures, Stopped> {
        let Some((session, providers)) = self.tracing.stop(handle) else {
            return Ok(TraceFigures::default());
        };
        session.stop(|| self.stopped().is_some());
        self.call_back(&providers)?;
        Ok(session.figures())
    }

    /// Tells the providers that a session starts or stops to listen to them.
    fn call_back(&self, providers: &[Arc<Provider>]) -> Result<(), Stopped> {
        for provider in providers {
            if provider.callback.is_some() {
                let thread = load::system_thread(self, Event::Enable(provider.id));
                etw::call_back(&thread, provider)?;
            }
        }
        Ok(())
    }
}
