//! What is known of a process that is created or exits, gathered once for all
//! that report it.

use wdk_sys::NTSTATUS;

use crate::nt::failure::Failure;
use crate::nt::notify::Creation;
use crate::nt::process::{Process, ProcessId};

/// A process that is being created.
pub struct Created<'a> {
    /// The process.
    pub pid: ProcessId,
    /// The process in whose context it is created.
    pub current: ProcessId,
    /// What the kernel says of it.
    pub creation: Creation<'a>,
    /// Whether it is a 32-bit process, or the call that failed.
    pub is_wow64: Result<bool, Failure>,
    /// Its session, where it is known.
    pub session: Option<u32>,
}

impl<'a> Created<'a> {
    /// Gathers what is known.
    ///
    /// IRQL: `PASSIVE_LEVEL`.
    #[must_use]
    #[inline(never)]
    pub fn gather(process: &Process<'_>, creation: Creation<'a>) -> Self {
        let (is_wow64, session) = match process.open() {
            Ok(handle) => (handle.is_wow64(), handle.session_id().ok()),
            Err(failure) => (Err(failure), None),
        };
        Self {
            pid: process.id(),
            current: ProcessId::current(),
            creation,
            is_wow64,
            session,
        }
    }
}

/// A process that exits.
pub struct Exited {
    /// The process.
    pub pid: ProcessId,
    /// The process in whose context the callback runs.
    pub current: ProcessId,
    /// The status that it exits with.
    pub exit_status: NTSTATUS,
    /// How long it lived.
    pub lifetime_ms: u64,
}

impl Exited {
    /// Gathers what is known.
    ///
    /// IRQL: `PASSIVE_LEVEL`.
    #[must_use]
    pub fn gather(process: &Process<'_>) -> Self {
        Self {
            pid: process.id(),
            current: ProcessId::current(),
            exit_status: process.exit_status(),
            lifetime_ms: process.lifetime_ms(),
        }
    }
}
