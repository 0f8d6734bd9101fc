//! The thread that driver code runs in, as the driver sees it.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use super::stack::{self, KernelStack};
use crate::arch::{self, Control};
use crate::ex::rundown::Rundown;
use crate::kernel::Kernel;
use crate::ldr::backtrace;
use crate::nt::{ClientId, Irql, NtStatus};
use crate::ob::Object;
use crate::report::{Report, Rule, Stopped};

/// What the driver is called for.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Its `DriverEntry`.
    Load(&'a str),
    /// Its `DriverUnload`.
    Unload(&'a str),
    /// A process is created.
    Create(u32),
    /// A process exits.
    Exit(u32, NtStatus),
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(service) => write!(f, "DriverEntry of {service}"),
            Self::Unload(service) => write!(f, "DriverUnload of {service}"),
            Self::Create(process) => write!(f, "create of process {process:#x}"),
            Self::Exit(process, status) => {
                write!(f, "exit of process {process:#x} with status {status:#x}")
            }
        }
    }
}

/// A thread of the machine while it runs driver code.
pub struct Context<'a> {
    /// The machine.
    pub kernel: &'a Kernel,
    /// The current process.
    pub process: Arc<Object>,
    /// The current thread.
    pub client: ClientId,
    /// What the driver is called for.
    pub event: Event<'a>,
    /// The current level.
    pub irql: Cell<Irql>,
    /// How many critical regions the thread is in.
    pub critical_regions: Cell<u32>,
    /// The rundown protection of the notify routine that is being called.
    pub notifying: Cell<Option<*const Rundown>>,
    stack: stack::CurrentStack,
}

impl<'a> Context<'a> {
    /// A thread at `PASSIVE_LEVEL`, outside any critical region, on a kernel
    /// stack of its own.
    pub fn new(
        kernel: &'a Kernel,
        process: Arc<Object>,
        client: ClientId,
        event: Event<'a>,
    ) -> Self {
        super::trap::install();
        let stack = KernelStack::take()
            .unwrap_or_else(|error| panic!("no address space for a kernel stack: {error}"));
        Self {
            kernel,
            process,
            client,
            event,
            irql: Cell::new(Irql::PASSIVE),
            critical_regions: Cell::new(0),
            notifying: Cell::new(None),
            stack,
        }
    }

    /// Where the kernel's own frames lie on this thread's stack.
    pub fn caller_frame(&self) -> stack::CallerFrame {
        self.stack.caller_frame()
    }

    /// The control block of this thread's kernel stack.
    pub fn control(&self) -> &Control {
        self.stack.control()
    }

    /// Calls driver code at `entry`, at the level and in the critical regions
    /// that the thread is in, which must be the same afterwards.
    ///
    /// # Errors
    /// When the driver did not return.
    pub fn call(&self, entry: u64, arguments: [u64; 4]) -> Result<u64, Stopped> {
        self.kernel.check_running()?;
        let before = (self.irql.get(), self.critical_regions.get());
        let control = self.control();
        let nested = control.driver_stack.get();
        let stack = if nested == 0 {
            self.caller_frame().stack()
        } else {
            nested & !15
        };
        let outer = control.context.replace((&raw const *self).cast());
        // SAFETY: the control block is that of this thread's current stack;
        // `stack` lies in it, below everything that is in use.
        let departure = unsafe { arch::enter(control, entry, &raw const arguments, stack) };
        control.context.set(outer);
        if nested == 0 {
            control.abandon.set(0);
        }
        if departure.abandoned != 0 {
            if let Some(trap) = control.trap.take() {
                super::fault::report(self, &trap);
            }
            return Err(self.kernel.stopped().expect("abandoned for a reason"));
        }
        let after = (self.irql.get(), self.critical_regions.get());
        if before != after {
            self.report(
                Rule::Irql,
                format!(
                    "driver code was called at {} in {} critical regions and returned at {} in {}",
                    before.0, before.1, after.0, after.1
                ),
                None,
            );
        }
        self.kernel.check_running()?;
        Ok(departure.value)
    }

    /// Stops the kernel: the driver broke `rule`.
    pub fn report(&self, rule: Rule, message: String, routine: Option<&'static str>) {
        let backtrace = backtrace::capture(self);
        self.kernel.stop(Report {
            rule,
            message,
            routine,
            backtrace: self.kernel.modules.symbolize(&backtrace),
            event: Some(self.event.to_string()),
        });
    }
}
