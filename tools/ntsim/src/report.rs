//! What the kernel says when a driver broke a rule or left something behind.

use std::fmt;
use std::sync::Arc;

/// The rule that a driver broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// Driver code faulted: a bad address, a guard page, an instruction that
    /// is not there or not allowed.
    Fault,
    /// The driver ran off the end of its 24 KB kernel stack.
    StackOverflow,
    /// A routine was given a pointer to memory that is not there.
    BadPointer,
    /// The driver stopped the system itself (`KeBugCheckEx`).
    BugCheck,
    /// A routine was called at an IRQL that it does not allow, or the level
    /// was not restored.
    Irql,
    /// A pool block was freed twice, with a wrong tag, or never allocated.
    Pool,
    /// A handle was closed twice, or was never open.
    Handle,
    /// A notify routine was removed from inside itself.
    NotifyRoutine,
    /// A reference count went below zero or an object was used after it died.
    Object,
    /// A routine that this kernel does not model that way was asked for.
    Unsupported,
    /// A pool block was still allocated after `DriverUnload`.
    PoolLeft,
    /// A handle was still open after `DriverUnload`.
    HandleLeft,
    /// A notify routine was still registered after `DriverUnload`.
    NotifyRoutineLeft,
    /// An object reference was still held after `DriverUnload`.
    ReferenceLeft,
}

impl Rule {
    /// A short stable name for logs and tests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::StackOverflow => "stack-overflow",
            Self::BadPointer => "bad-pointer",
            Self::BugCheck => "bug-check",
            Self::Irql => "irql",
            Self::Pool => "pool",
            Self::Handle => "handle",
            Self::NotifyRoutine => "notify-routine",
            Self::Object => "object",
            Self::Unsupported => "unsupported",
            Self::PoolLeft => "pool-left",
            Self::HandleLeft => "handle-left",
            Self::NotifyRoutineLeft => "notify-routine-left",
            Self::ReferenceLeft => "reference-left",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One place in driver code, innermost inlined function first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The address as mapped.
    pub address: u64,
    /// `driver.sys+0x1234`, or the bare address outside every image.
    pub location: String,
    /// The function's name, where the PDB has it.
    pub function: Option<String>,
    /// `file:line`, where the PDB has it.
    pub line: Option<String>,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.location)?;
        if let Some(function) = &self.function {
            write!(f, " {function}")?;
        }
        if let Some(line) = &self.line {
            write!(f, " ({line})")?;
        }
        Ok(())
    }
}

/// Why the kernel stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The rule that was broken.
    pub rule: Rule,
    /// What happened, in one line.
    pub message: String,
    /// The kernel routine that the driver was in, if any.
    pub routine: Option<&'static str>,
    /// The driver's call stack, innermost first.
    pub backtrace: Vec<Frame>,
    /// What the driver was called for, such as `create of process 0x1a2c`.
    pub event: Option<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.message)?;
        if let Some(routine) = self.routine {
            write!(f, "\n  in {routine}")?;
        }
        if let Some(event) = &self.event {
            write!(f, "\n  during {event}")?;
        }
        for frame in &self.backtrace {
            write!(f, "\n  at {frame}")?;
        }
        Ok(())
    }
}

/// The kernel has stopped: a driver broke a rule. Every later call into the
/// same kernel gives the same report.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Stopped(pub Arc<Report>);

/// One thing that a driver left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The rule that was broken.
    pub rule: Rule,
    /// What was left, in one line.
    pub message: String,
    /// Where the driver acquired it, innermost first.
    pub acquired: Vec<Frame>,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.message)?;
        for frame in &self.acquired {
            write!(f, "\n  at {frame}")?;
        }
        Ok(())
    }
}

/// What a driver left behind, all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers(pub Vec<Leftover>);

impl Leftovers {
    /// Whether the driver cleaned up after itself.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many of them break `rule`.
    #[must_use]
    pub fn count(&self, rule: Rule) -> usize {
        self.0
            .iter()
            .filter(|leftover| leftover.rule == rule)
            .count()
    }
}
