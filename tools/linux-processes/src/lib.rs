//! Where process events come from: this machine's real processes, seen as NT
//! would describe them.

pub mod connector;
pub mod demo;
mod identity;
pub mod live;
pub mod procfs;
mod program32;
pub mod status;
mod tracker;

use std::io;
use std::time::Duration;

use ntsim::{ProcessCreation, ProcessExit};

/// Something that happened to a process, in the order in which it happened.
#[derive(Clone, Debug)]
pub enum ProcessEvent {
    /// It was there before the watch began; notify routines do not hear of it.
    Adopt(ProcessCreation),
    /// It was created.
    Create(ProcessCreation),
    /// It has exited.
    Exit(ProcessExit),
    /// It is gone without an exit that could be announced: it never ran a
    /// program of its own, or its exit was among the events lost.
    Forget {
        /// The process.
        process_id: u32,
    },
    /// The source could not keep up.
    Lost {
        /// Messages lost since the last such event. Each may have been a fork,
        /// an exec or an exit, or a change that matters to no process event.
        messages: u64,
    },
}

/// The answer of [`ProcessSource::next`].
#[derive(Clone, Debug)]
pub enum Next {
    /// The next event.
    Event(ProcessEvent),
    /// Nothing happened in the time given.
    Idle,
    /// There will be no more events.
    End,
}

/// Why a source has failed for good.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Messages of the machine's processes cannot be received.
    #[error("cannot receive process events")]
    Connector(#[from] io::Error),
    /// A program that was started here cannot be controlled.
    #[error("cannot control a program of the demo")]
    Program(#[from] nix::Error),
}

/// A source of process events.
pub trait ProcessSource {
    /// Waits for the next event, at most that long.
    ///
    /// The call also says that the event given before has been dealt with: a
    /// source that holds a new process back lets it go now.
    ///
    /// # Errors
    /// Where the source has failed for good.
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError>;

    /// What else its user should know, since the last call: what was left out
    /// and why.
    fn take_notes(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Takes no new events; what has happened already can still be fetched.
    fn close(&mut self) {}
}
