//! What the kernel says when a driver broke a rule or left something behind.
//!
//! What follows depends on the rule ([`Rule::consequence`]):
//!
//! - Where a real kernel would bug-check, hang, or work on with damaged memory,
//!   this one stops: the call that broke the rule does not return to the
//!   driver, and every later one into the same kernel gives the same report.
//! - Where a real kernel would answer with a status or do what it was asked,
//!   and the driver is at fault all the same, the violation is recorded
//!   ([`crate::Kernel::violations`]) and the driver gets the real answer. So one
//!   run finds all of them.
//! - What a driver still has once it is unloaded is listed as [`Leftovers`].
//!
//! A driver that broke any rule is at fault, whichever of these it was.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Declares the rules: each with what breaks it, its name, and what follows.
macro_rules! rules {
    ($($(#[$docs:meta])* $rule:ident = $name:literal => $consequence:ident,)*) => {
        /// The rule that a driver broke.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[$docs])* $rule,)*
        }

        impl Rule {
            /// All rules.
            pub const ALL: &[Self] = &[$(Self::$rule),*];

            /// What follows where this rule is broken.
            #[must_use]
            pub const fn consequence(self) -> Consequence {
                match self {
                    $(Self::$rule => Consequence::$consequence,)*
                }
            }

            /// A short stable name for logs and tests.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)*
                }
            }
        }
    };
}

rules! {
    /// Driver code faulted: a bad address, a guard page, an instruction that
    /// is not there or not allowed.
    Fault = "fault" => Stop,
    /// The driver ran off the end of its 24 KB kernel stack.
    StackOverflow = "stack-overflow" => Stop,
    /// A routine was given a pointer to memory that is not there.
    BadPointer = "bad-pointer" => Stop,
    /// The driver stopped the system itself (`KeBugCheckEx`).
    BugCheck = "bug-check" => Stop,
    /// A routine was called at an IRQL that it does not allow, or the level
    /// was not restored.
    Irql = "irql" => Stop,
    /// A pool block was freed twice, with a wrong tag, or never allocated.
    Pool = "pool" => Stop,
    /// A handle was closed twice, was never open, was opened by someone else,
    /// or was opened where the process of the moment can reach it.
    Handle = "handle" => Stop,
    /// A handle or an object was taken for one of another type.
    ObjectType = "object-type" => Record,
    /// A notify routine was removed from inside itself.
    NotifyRoutine = "notify-routine" => Stop,
    /// A notify routine was registered a second time, or removed when it was
    /// not registered.
    Registration = "registration" => Record,
    /// Something of `PS_CREATE_NOTIFY_INFO` other than `CreationStatus` was
    /// written to.
    CreateInfo = "create-info" => Record,
    /// One call of `DbgPrint` with more than 511 bytes, or not of whole lines.
    Output = "output" => Record,
    /// The image has an instruction that kernel code must not use.
    Code = "code" => Record,
    /// Driver code did not return in time.
    Hang = "hang" => Stop,
    /// A reference count went below zero or an object was used after it died.
    Object = "object" => Stop,
    /// The handle of an event provider that is not registered was used, or a
    /// provider was unregistered from inside its enable callback.
    Provider = "provider" => Stop,
    /// A routine that this kernel does not model that way was asked for.
    Unsupported = "unsupported" => Stop,
    /// A pool block was still allocated after `DriverUnload`.
    PoolLeft = "pool-left" => List,
    /// A handle was still open after `DriverUnload`.
    HandleLeft = "handle-left" => List,
    /// A notify routine was still registered after `DriverUnload`.
    NotifyRoutineLeft = "notify-routine-left" => List,
    /// An event provider was still registered after `DriverUnload`.
    ProviderLeft = "provider-left" => List,
    /// An object reference was still held after `DriverUnload`.
    ReferenceLeft = "reference-left" => List,
}

/// What follows where a rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// The kernel stops, as Windows would with a bug check.
    Stop,
    /// The violation is recorded and the driver goes on.
    Record,
    /// It is found, and listed, once the driver is unloaded.
    List,
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

/// A rule that was broken, and where.
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

/// A violation after which the driver went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The first one at this place.
    pub report: Report,
    /// How often it was seen there.
    pub count: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report.fmt(f)?;
        if self.count > 1 {
            write!(f, "\n  {} times at this place", self.count)?;
        }
        Ok(())
    }
}

/// Violations after which the driver went on: one entry for each rule and
/// place, so that a driver that breaks a rule at every event does not fill the
/// memory.
#[derive(Default)]
pub(crate) struct Violations(Mutex<HashMap<(Rule, u64), Violation>>);

impl Violations {
    /// Counts a violation of `rule` at the address `place`; only the first one
    /// there is worth the `report`.
    pub fn record(&self, rule: Rule, place: u64, report: impl FnOnce() -> Report) {
        debug_assert_eq!(rule.consequence(), Consequence::Record);
        let mut violations = self.lock();
        let violation = violations
            .entry((rule, place))
            .or_insert_with(|| Violation {
                report: report(),
                count: 0,
            });
        violation.count += 1;
    }

    /// All of them, in the order of their places.
    pub fn list(&self) -> Vec<Violation> {
        let violations = self.lock();
        let mut places: Vec<_> = violations.iter().collect();
        places.sort_by_key(|((_, place), _)| *place);
        places
            .into_iter()
            .map(|(_, violation)| violation.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Rule, u64), Violation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
