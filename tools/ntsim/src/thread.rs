//! The thread that driver code runs in, as the driver sees it.
//!
//! [`crate::load`] and [`crate::deliver`] make one for each call of a driver;
//! routines find it in their [`crate::routine::Call`].

mod exception;

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::arch::{self, Control};
use crate::ke::stack::{self, KernelStack};
use crate::ke::trap;
use crate::ke::watchdog::Watch;
use crate::kernel::Kernel;
use crate::ldr::Module;
use crate::ldr::backtrace::{self, Acquisition, Backtrace};
use crate::nt::{ClientId, Event, Guid, Irql};
use crate::ob::object::Object;
use crate::ps::notify::Registration;
use crate::report::{Report, Rule, Stopped};

/// A thread of the machine while it runs driver code.
pub struct Thread<'a> {
    /// The machine.
    pub kernel: &'a Kernel,
    /// The current process.
    pub process: Arc<Object>,
    /// The current thread.
    pub client: ClientId,
    /// What the driver is called for.
    pub event: Event<'a>,
    /// Its activity identifier, which the events that it writes carry.
    pub activity: Cell<Guid>,
    /// How many critical regions the thread is in.
    pub critical_regions: Cell<u32>,
    /// The notify routine that is being called.
    pub notifying: Cell<Option<*const Registration>>,
    /// Where the driver changed the level last.
    irql_changed: RefCell<Backtrace>,
    /// Where the driver changed `critical_regions` last.
    region_changed: RefCell<Backtrace>,
    stack: stack::CurrentStack,
}

impl<'a> Thread<'a> {
    /// A thread at `PASSIVE_LEVEL`, outside any critical region, on a kernel
    /// stack of its own.
    pub fn new(
        kernel: &'a Kernel,
        process: Arc<Object>,
        client: ClientId,
        event: Event<'a>,
    ) -> Self {
        trap::install();
        let stack = KernelStack::take()
            .unwrap_or_else(|error| panic!("no address space for a kernel stack: {error}"));
        stack.control().irql.set(Irql::PASSIVE);
        Self {
            kernel,
            process,
            client,
            event,
            activity: Cell::default(),
            critical_regions: Cell::new(0),
            notifying: Cell::new(None),
            irql_changed: RefCell::default(),
            region_changed: RefCell::default(),
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

    /// The current level.
    pub fn irql(&self) -> Irql {
        self.control().irql.get()
    }

    /// Calls driver code at `entry`, with eight arguments at most, at the level
    /// and in the critical regions that the thread is in, which must be the same
    /// afterwards.
    ///
    /// # Errors
    /// When the driver did not return.
    pub fn call(&self, entry: u64, arguments: &[u64]) -> Result<u64, Stopped> {
        self.kernel.check_running()?;
        let mut all = [0; 8];
        all[..arguments.len()].copy_from_slice(arguments);
        let before = (self.irql(), self.critical_regions.get());
        let control = self.control();
        let nested = control.driver_stack.get();
        let stack = if nested == 0 {
            self.caller_frame().stack()
        } else {
            nested & !15
        };
        let watch = Watch::start(self.kernel.time_limit);
        let outer = control.thread.replace((&raw const *self).cast());
        // SAFETY: the control block is that of this thread's current stack;
        // `stack` lies in it, below everything that is in use.
        let departure = unsafe { arch::enter(control, entry, &raw const all, stack) };
        drop(watch);
        control.thread.set(outer);
        if nested == 0 {
            control.abandon.set(0);
        }
        if departure.abandoned != 0 {
            if let Some(trap) = control.trap.take() {
                let (rule, message) = exception::explain(self.kernel, control, &trap);
                let backtrace = backtrace::of_trap(control, &self.kernel.modules, &trap);
                self.kernel
                    .stop(self.describe(rule, message, None, &backtrace));
            }
            return Err(self.kernel.stopped().expect("abandoned for a reason"));
        }
        self.check_balance(before);
        self.kernel.check_running()?;
        Ok(departure.value)
    }

    /// Driver code returns at the level, and in the critical regions, that it
    /// was called in. The line at fault is the one that changed them last.
    fn check_balance(&self, before: (Irql, u32)) {
        let after = (self.irql(), self.critical_regions.get());
        if before == after {
            return;
        }
        let (changed, message) = if before.0 == after.0 {
            let message = format!(
                "driver code was called in {} critical regions and returned in {}",
                before.1, after.1
            );
            (&self.region_changed, message)
        } else {
            let message = format!(
                "driver code was called at {} and returned at {}",
                before.0, after.0
            );
            (&self.irql_changed, message)
        };
        let report = self.describe(Rule::Irql, message, None, &changed.borrow());
        self.kernel.stop(report);
    }

    /// Moves to another level, at the driver's call.
    pub fn change_irql(&self, irql: Irql) {
        self.control().irql.set(irql);
        self.irql_changed.replace(self.backtrace());
    }

    /// Enters or leaves critical regions, at the driver's call.
    pub fn change_critical_regions(&self, regions: u32) {
        self.critical_regions.set(regions);
        self.region_changed.replace(self.backtrace());
    }

    /// Stops the kernel: the driver broke `rule`.
    pub fn report(&self, rule: Rule, message: String, routine: Option<&'static str>) {
        let backtrace = self.backtrace();
        self.kernel
            .stop(self.describe(rule, message, routine, &backtrace));
    }

    /// Records that the driver broke `rule`, and lets it go on.
    pub fn record(&self, rule: Rule, routine: &'static str, message: impl FnOnce() -> String) {
        let place = arch::call_site(self.control()).map_or(0, |site| site.return_address);
        self.kernel.violations.record(rule, place, || {
            let backtrace = self.backtrace();
            self.describe(rule, message(), Some(routine), &backtrace)
        });
    }

    /// The driver's call stack; empty outside of a routine call.
    fn backtrace(&self) -> Backtrace {
        backtrace::capture(self.control(), &self.kernel.modules)
    }

    /// What the driver acquires in the routine call that the thread is in.
    pub fn acquisition(&self) -> Acquisition {
        Acquisition::here(self.control(), &self.kernel.modules)
    }

    /// The image whose code made the routine call that the thread is in.
    pub fn caller(&self) -> Option<Arc<Module>> {
        backtrace::caller(self.control(), &self.kernel.modules)
    }

    /// What there is to say of `rule` being broken at `backtrace`.
    pub fn describe(
        &self,
        rule: Rule,
        message: String,
        routine: Option<&'static str>,
        backtrace: &Backtrace,
    ) -> Report {
        Report {
            rule,
            message,
            routine,
            backtrace: self.kernel.modules.symbolize(backtrace),
            event: Some(self.event.to_string()),
        }
    }
}
