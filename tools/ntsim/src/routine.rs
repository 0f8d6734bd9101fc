//! Kernel routines: what a driver can import, and the one point that every
//! call of a driver into the kernel passes.
//!
//! A gate, such as `ps.rs`, lists its routines in a table of [`Routine`]s. The
//! body of each has the signature `fn(&Call<'_>) -> Outcome`: it takes its
//! arguments from the [`Call`], reads and changes the tables of
//! `call.thread.kernel`, and returns the value that the driver gets, or the
//! [`CallError`] because of which the driver is not returned to:
//!
//! ```ignore
//! Routine::new("PsGetProcessSessionId", Irql::DISPATCH, session_id),
//!
//! fn session_id(call: &Call<'_>) -> Outcome {
//!     let [process, ..] = call.registers();
//!     call.thread
//!         .with_process(process, |process| process.session_id.into())
//! }
//! ```
//!
//! A driver's call of an import reaches the routine's thunk ([`crate::gate`]),
//! which changes to the host's stack and calls [`dispatch`]. That checks the
//! level, asks the interceptor, and runs the body.

use crate::arch::Control;
use crate::intercept::{DriverCall, Failure, Interception, Phase};
use crate::ke::watchdog;
use crate::mm::guest::{self, BadAddress};
use crate::nt::{Irql, NtStatus};
use crate::report::{Rule, Stopped};
use crate::thread::Thread;

/// A routine that the kernel exports to drivers.
pub struct Routine {
    /// The name that images import it by.
    pub name: &'static str,
    /// The highest level at which it may be called.
    pub max_irql: Irql,
    /// What a caller must be ready for.
    pub failure: Failure,
    /// Says why a particular call cannot fail although others can.
    certain: Option<Certainty>,
    /// What it does.
    pub body: Body,
}

/// Says why a call cannot fail, if it cannot.
pub type Certainty = fn(&Call<'_>) -> Option<&'static str>;

/// What a routine does.
pub enum Body {
    /// Ordinary routines: Rust code on the host's stack.
    Call(fn(&Call<'_>) -> Outcome),
    /// Code with a calling convention of its own, bound to directly.
    Code(unsafe extern "C" fn()),
}

/// What a routine returns to the driver, or why the driver is not returned to.
pub type Outcome = Result<u64, CallError>;

/// Why a routine does not return to the driver.
#[derive(Debug)]
pub enum CallError {
    /// The driver broke a rule in this call.
    Violation {
        /// Which.
        rule: Rule,
        /// What happened, in one line.
        message: String,
    },
    /// The kernel stopped for another reason.
    Stopped,
}

impl CallError {
    /// The driver broke `rule`.
    pub fn violation(rule: Rule, message: impl Into<String>) -> Self {
        Self::Violation {
            rule,
            message: message.into(),
        }
    }
}

impl From<BadAddress> for CallError {
    fn from(bad: BadAddress) -> Self {
        Self::violation(
            Rule::BadPointer,
            format!(
                "a pointer argument leads to {:#x}, which is not there",
                bad.0
            ),
        )
    }
}

impl From<Stopped> for CallError {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

/// Gives `status` as a routine returns it.
pub const fn status(status: NtStatus) -> Outcome {
    Ok(status.cast_unsigned() as u64)
}

impl Routine {
    /// A routine that returns nothing or that cannot fail.
    pub const fn new(name: &'static str, max_irql: Irql, body: fn(&Call<'_>) -> Outcome) -> Self {
        Self {
            name,
            max_irql,
            failure: Failure::Never,
            certain: None,
            body: Body::Call(body),
        }
    }

    /// The same routine with another way to fail.
    #[must_use]
    pub const fn fails_with(mut self, failure: Failure) -> Self {
        self.failure = failure;
        self
    }

    /// The same routine, some of whose calls cannot fail.
    #[must_use]
    pub const fn except(mut self, certain: Certainty) -> Self {
        self.certain = Some(certain);
        self
    }

    /// A routine whose code the driver runs as it is.
    pub const fn code(name: &'static str, code: unsafe extern "C" fn()) -> Self {
        Self {
            name,
            max_irql: Irql::HIGH,
            failure: Failure::Never,
            certain: None,
            body: Body::Code(code),
        }
    }
}

/// One call of a routine by a driver.
pub struct Call<'a> {
    /// The thread that the driver runs in.
    pub thread: &'a Thread<'a>,
    /// The routine that was called.
    pub routine: &'static Routine,
    arguments: u64,
}

impl Call<'_> {
    /// The `index`th argument, eight bytes whatever its type.
    ///
    /// # Errors
    /// Where the driver's stack ends before it.
    pub fn argument(&self, index: usize) -> Result<u64, BadAddress> {
        guest::read(self.argument_address(index))
    }

    /// Where the `index`th argument lies.
    pub const fn argument_address(&self, index: usize) -> u64 {
        self.arguments + 8 * index as u64
    }

    /// The first four arguments, which are always there.
    pub fn registers(&self) -> [u64; 4] {
        // SAFETY: the thunk stored the register arguments here, on the kernel
        // stack that the driver called from.
        unsafe { *(self.arguments as *const [u64; 4]) }
    }
}

/// What a routine's thunk carries to [`dispatch`].
pub type RoutineReference = *const Routine;

/// Runs `routine` for the driver and gives what it returns.
///
/// # Safety
/// Called by a thunk only: `control` is the control block of the stack that
/// the driver runs on, `routine` what the thunk was made for, and `arguments`
/// the address of the driver's arguments.
pub unsafe extern "C" fn dispatch(
    control: *const Control,
    routine: RoutineReference,
    arguments: u64,
) -> u64 {
    // SAFETY: the control block of a running stack is valid, and only this
    // thread uses it.
    let control = unsafe { &*control };
    // SAFETY: thunks are made from 'static routines only.
    let routine: &'static Routine = unsafe { &*routine };
    // SAFETY: `Thread::call` keeps the thread alive while the driver runs.
    let thread = unsafe { &*control.thread.get().cast::<Thread<'_>>() };
    let call = Call {
        thread,
        routine,
        arguments,
    };
    let error = match check(&call).and_then(|()| intercepted(&call)) {
        Ok(value) => return value,
        Err(error) => error,
    };
    if let CallError::Violation { rule, message } = error {
        thread.report(rule, message, Some(routine.name));
    }
    control.abandon.set(1);
    0
}

/// What holds for every routine, before it runs.
fn check(call: &Call<'_>) -> Result<(), CallError> {
    if call.thread.kernel.stopped().is_some() {
        return Err(CallError::Stopped);
    }
    if watchdog::is_overdue() {
        return Err(CallError::violation(
            Rule::Hang,
            "driver code has not returned in time, and still calls routines",
        ));
    }
    let irql = call.thread.irql();
    if irql > call.routine.max_irql {
        return Err(CallError::violation(
            Rule::Irql,
            format!(
                "{} was called at {irql}; it allows {} at most",
                call.routine.name, call.routine.max_irql
            ),
        ));
    }
    Ok(())
}

/// Runs the routine, unless the machine's interceptor has it fail.
fn intercepted(call: &Call<'_>) -> Outcome {
    let Some(interceptor) = call.thread.kernel.interceptor() else {
        return run(call);
    };
    let routine = call.routine;
    let interception = interceptor.called(&DriverCall {
        routine: routine.name,
        failure: routine.failure,
        certain: routine.certain.and_then(|certain| certain(call)),
        phase: Phase::of(&call.thread.event),
    });
    match (interception, routine.failure) {
        (Interception::Fail(failing), Failure::Status) => status(failing),
        (Interception::Fail(_), Failure::Null) => Ok(0),
        (Interception::Fail(_), Failure::Never) | (Interception::Proceed, _) => run(call),
    }
}

fn run(call: &Call<'_>) -> Outcome {
    match call.routine.body {
        Body::Call(body) => body(call),
        Body::Code(_) => unreachable!("{} has no thunk", call.routine.name),
    }
}
