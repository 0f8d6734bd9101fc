//! Who stands between a driver and the kernel: sees each call of a routine
//! before it is carried out, may hold it up, and may have it fail.

use std::fmt;

use crate::nt::{Event, NtStatus};

/// Sees the calls of drivers. Called from any number of threads at once, on
/// the thread that makes the call.
pub trait Interceptor: Send + Sync {
    /// A driver imports or looks up `routine`.
    fn bound(&self, routine: &str, failure: Failure) {
        let _ = (routine, failure);
    }

    /// A driver calls a routine with arguments that break no rule so far.
    fn called(&self, call: &DriverCall) -> Interception;
}

/// How a routine fails, seen from a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It cannot.
    Never,
    /// It returns a failing `NTSTATUS`.
    Status,
    /// It returns NULL.
    Null,
}

/// A call of a routine by a driver.
#[derive(Clone, Copy, Debug)]
pub struct DriverCall {
    /// The routine's name.
    pub routine: &'static str,
    /// How it can fail.
    pub failure: Failure,
    /// Why this call of it cannot.
    pub certain: Option<&'static str>,
    /// What the driver is called for.
    pub phase: Phase,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interception {
    /// It is carried out.
    Proceed,
    /// It fails with this status, or with NULL if that is how the routine
    /// fails. A routine that cannot fail is carried out.
    Fail(NtStatus),
}

/// What a driver is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// `DriverEntry`.
    Load,
    /// A process that is created.
    Create,
    /// A process that exits.
    Exit,
    /// `DriverUnload`.
    Unload,
    /// The enable callback of an event provider.
    Enable,
}

impl Phase {
    pub(crate) const fn of(event: &Event<'_>) -> Self {
        match event {
            Event::Load(_) => Self::Load,
            Event::Create(_) => Self::Create,
            Event::Exit(..) => Self::Exit,
            Event::Unload(_) => Self::Unload,
            Event::Enable(_) => Self::Enable,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Load => "load",
            Self::Create => "create",
            Self::Exit => "exit",
            Self::Unload => "unload",
            Self::Enable => "enable",
        })
    }
}
