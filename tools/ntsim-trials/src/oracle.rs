//! What knows what a driver has to print, and which events it has to write.

use crate::listener::Heard;
use ntsim::Announcement;
use ntsim::nt::NtStatus;
use ntsim::tracing::{TraceEvent, TraceRecord};
use ntsim::{ProcessCreation, ProcessExit};

/// A call that was made to fail while the driver was called once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedCall {
    /// The routine.
    pub routine: &'static str,
    /// Which of its calls, from 1.
    pub nth: u32,
    /// With what; `None` for NULL.
    pub status: Option<NtStatus>,
}

/// The calls that were made to fail.
#[derive(Clone, Copy, Debug, Default)]
pub struct FailedCalls<'a> {
    /// While the driver was loaded.
    pub loading: &'a [FailedCall],
    /// While it was called for what is judged.
    pub now: &'a [FailedCall],
}

impl<'a> FailedCalls<'a> {
    /// These, while the driver was loaded, which is what is judged.
    #[must_use]
    pub const fn at_load(now: &'a [FailedCall]) -> Self {
        Self { loading: &[], now }
    }

    /// Every call did what it can.
    pub const NONE: Self = Self::at_load(&[]);
}

/// One `DbgPrint` each.
pub type Lines<'a> = &'a [Vec<u8>];

/// What a driver was called for.
#[derive(Clone, Copy, Debug)]
pub enum Cause<'a> {
    /// `DriverEntry`.
    Load,
    /// A process was created.
    Create(&'a Announcement),
    /// A process exited that had been announced so.
    Exit(&'a Announcement, ProcessExit),
    /// `DriverUnload`.
    Unload,
}

/// What is wrong, in one line.
pub type Finding = Result<(), String>;

/// Holds what a driver prints, one call of it at a time, against what it had
/// been told. By default everything is right.
pub trait Oracle: Send + Sync {
    /// `DriverEntry` returned `status`.
    ///
    /// # Errors
    /// What is wrong.
    fn loaded(&self, status: NtStatus, failed: &[FailedCall], lines: Lines<'_>) -> Finding {
        let _ = (status, failed, lines);
        Ok(())
    }

    /// A process was created.
    ///
    /// # Errors
    /// What is wrong.
    fn created(
        &self,
        announced: &Announcement,
        failed: FailedCalls<'_>,
        lines: Lines<'_>,
    ) -> Finding {
        let _ = (announced, failed, lines);
        Ok(())
    }

    /// A process exited that had been announced so.
    ///
    /// # Errors
    /// What is wrong.
    fn exited(
        &self,
        announced: &Announcement,
        exit: ProcessExit,
        failed: FailedCalls<'_>,
        lines: Lines<'_>,
    ) -> Finding {
        let _ = (announced, exit, failed, lines);
        Ok(())
    }

    /// `DriverUnload` returned; the driver had been told of so many creates and
    /// exits.
    ///
    /// # Errors
    /// What is wrong.
    fn unloaded(&self, told: (u64, u64), lines: Lines<'_>) -> Finding {
        let _ = (told, lines);
        Ok(())
    }

    /// A session listened while the driver was called for `cause`, and heard these
    /// events.
    ///
    /// # Errors
    /// What is wrong.
    fn traced(&self, cause: Cause<'_>, failed: FailedCalls<'_>, events: &[TraceRecord]) -> Finding {
        let _ = (cause, failed, events);
        Ok(())
    }

    /// Which text of a load that fails for want of a notify slot it expects.
    ///
    /// # Errors
    /// What is wrong.
    fn refused_a_slot(&self, lines: Lines<'_>) -> Finding {
        let _ = lines;
        Ok(())
    }

    /// What follows the log while processors deliver events at the same time;
    /// `None` where that is not possible. `is_complete` says that the driver is
    /// loaded throughout, so that it has to report each event.
    fn monitor(&self, is_complete: bool) -> Option<Box<dyn Monitor>> {
        let _ = is_complete;
        None
    }
}

/// Follows the log of a driver while processors deliver events at the same time.
pub trait Monitor: Send + Sync {
    /// The driver is about to be loaded.
    fn loading(&self);

    /// The driver was unloaded.
    ///
    /// # Errors
    /// What is wrong.
    fn unloaded(&self) -> Finding;

    /// A process is about to be created.
    fn creating(&self, process: &ProcessCreation);

    /// A process was created.
    ///
    /// # Errors
    /// What is wrong.
    fn created(&self, process_id: u32) -> Finding;

    /// A process is about to exit.
    fn exiting(&self, exit: ProcessExit);

    /// A process has exited.
    ///
    /// # Errors
    /// What is wrong.
    fn exited(&self, process_id: u32) -> Finding;

    /// The driver printed a line.
    ///
    /// # Errors
    /// What is wrong.
    fn printed(&self, message: &[u8]) -> Finding;

    /// The driver wrote an event, which a session heard. It is written in the
    /// thread that the driver is called in.
    ///
    /// # Errors
    /// What is wrong.
    fn wrote(&self, event: &TraceEvent<'_>) -> Finding {
        let _ = event;
        Ok(())
    }

    /// A session heard so much of the last event of a process. Told right before
    /// [`Self::created`] or [`Self::exited`].
    ///
    /// # Errors
    /// What is wrong.
    fn traced(&self, process_id: u32, heard: Heard) -> Finding {
        let _ = (process_id, heard);
        Ok(())
    }

    /// How many events were reported so far.
    fn reported(&self) -> u64;
}

/// Finds nothing wrong in what a driver prints.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anything;

impl Oracle for Anything {}
