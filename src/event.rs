//! What is known of a process that is created or exits, gathered once for all
//! that report it.

use wdk_sys::NTSTATUS;

use crate::nt::failure::Failure;
use crate::nt::notify::Creation;
use crate::nt::process::{Process, ProcessHandle, ProcessId};
use crate::nt::token::Sid;

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
    /// Whom it acts for.
    pub identity: Identity,
    /// When it was created: a system time.
    pub create_time: i64,
    /// What tells it from every other process until the next boot, where the
    /// system has such a number.
    pub start_key: Option<u64>,
}

impl<'a> Created<'a> {
    /// Gathers what is known.
    ///
    /// IRQL: `PASSIVE_LEVEL`.
    #[must_use]
    #[inline(never)]
    pub fn gather(process: &Process<'_>, creation: Creation<'a>) -> Self {
        let handle = process.open();
        let handle = handle.as_ref();
        Self {
            pid: process.id(),
            current: ProcessId::current(),
            creation,
            is_wow64: handle
                .map_err(|&failure| failure)
                .and_then(ProcessHandle::is_wow64),
            session: handle.ok().and_then(|handle| handle.session_id().ok()),
            identity: handle.map_or(Identity::UNKNOWN, Identity::gather),
            create_time: process.create_time(),
            start_key: process.start_key(),
        }
    }
}

/// Whom a process acts for, as its primary token says; each part where it is
/// known.
pub struct Identity {
    /// The user.
    pub user: Option<Sid>,
    /// The RID of the integrity level.
    pub integrity_level: Option<u32>,
    /// The logon session's LUID.
    pub logon_id: Option<u64>,
}

impl Identity {
    const UNKNOWN: Self = Self {
        user: None,
        integrity_level: None,
        logon_id: None,
    };

    fn gather(process: &ProcessHandle) -> Self {
        process.open_token().map_or(Self::UNKNOWN, |token| Self {
            user: token.user(),
            integrity_level: token.integrity_level(),
            logon_id: token.logon_id(),
        })
    }

    /// Whether all of it is known.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.user.is_some() && self.integrity_level.is_some() && self.logon_id.is_some()
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
    /// When it was created: a system time.
    pub create_time: i64,
    /// As at its creation.
    pub start_key: Option<u64>,
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
            create_time: process.create_time(),
            start_key: process.start_key(),
        }
    }
}
