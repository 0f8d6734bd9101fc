//! One simulated machine: the tables that its routines read and write.
//!
//! `builder` makes it, `load` and `deliver` run
//! drivers in it. Nothing here calls a driver.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::dbg::code_page::CodePage;
use crate::dbg::output::DebugOutput;
use crate::etw::tracing::Tracing;
use crate::ex::luid::Luids;
use crate::ex::pool::Pool;
use crate::intercept::{Failure, Interceptor};
use crate::io::drivers::Drivers;
use crate::ldr::Modules;
use crate::mm::pages::Guarded;
use crate::mm::strings;
use crate::ob::handles::HandleTable;
use crate::ob::object::{Directory, Object};
use crate::ps::notify::NotifyTable;
use crate::ps::process::ProcessTable;
use crate::ps::short_name::ShortNames;
use crate::ps::thread::ThreadTable;
use crate::report::{Report, Stopped, Violation, Violations};

/// One simulated machine. Any number of threads may call it at once; each call
/// of the host stands for a thread of the machine.
pub struct Kernel {
    pub(crate) code_page: CodePage,
    pub(crate) debug_output: Arc<dyn DebugOutput>,
    pub(crate) interceptor: Option<Arc<dyn Interceptor>>,
    pub(crate) stopped: OnceLock<Stopped>,
    /// What drivers find under each name.
    pub(crate) exports: HashMap<&'static str, Export>,
    /// The data among the exports.
    pub(crate) _data_exports: Guarded,
    pub(crate) drivers: Drivers,
    pub(crate) file_object: u64,
    pub(crate) luids: Luids,
    pub(crate) modules: Modules,
    pub(crate) notify: NotifyTable,
    pub(crate) objects: Directory,
    pub(crate) pool: Pool,
    pub(crate) processes: ProcessTable,
    pub(crate) short_names: ShortNames,
    pub(crate) system_process: Arc<Object>,
    pub(crate) threads: ThreadTable,
    pub(crate) time_limit: Duration,
    pub(crate) tracing: Tracing,
    pub(crate) violations: Violations,
}

/// What a name that drivers import or look up leads to.
#[derive(Clone, Copy, Debug)]
pub struct Export {
    /// Where it is.
    pub address: u64,
    /// How it can fail, if it is a routine.
    pub failure: Option<Failure>,
}

/// What drivers hold of a machine's resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Registered notify routines.
    pub notify_routines: usize,
    /// Open kernel handles.
    pub kernel_handles: usize,
    /// Pool blocks in use.
    pub pool_blocks: usize,
    /// Registered event providers.
    pub event_providers: usize,
}

impl Kernel {
    /// How much the drivers hold at the moment.
    #[must_use]
    pub fn held(&self) -> Held {
        Held {
            notify_routines: self.notify.len(),
            kernel_handles: self.kernel_handles().len(),
            pool_blocks: self.pool.len(),
            event_providers: self.tracing.providers(),
        }
    }

    /// The rules that drivers broke and went on, one entry for each place.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.violations.list()
    }

    /// The report that stopped this kernel, if it has stopped.
    #[must_use]
    pub fn stopped(&self) -> Option<Stopped> {
        self.stopped.get().cloned()
    }

    /// Stops this kernel. The first report counts.
    pub(crate) fn stop(&self, report: Report) {
        let _ = self.stopped.set(Stopped(Arc::new(report)));
    }

    pub(crate) fn check_running(&self) -> Result<(), Stopped> {
        self.stopped
            .get()
            .map_or(Ok(()), |stopped| Err(stopped.clone()))
    }

    /// The address that a driver gets for the name of a routine or of data.
    pub(crate) fn export(&self, name: &str) -> Option<u64> {
        let export = self.exports.get(name)?;
        if let Some(interceptor) = self.interceptor()
            && let Some(failure) = export.failure
        {
            interceptor.bound(name, failure);
        }
        Some(export.address)
    }

    /// The table of the handles that every process's threads can use in kernel
    /// mode: the System process's.
    pub(crate) fn kernel_handles(&self) -> &HandleTable {
        &self
            .system_process
            .process()
            .expect("the System process is one")
            .handles
    }

    /// What lies at an address that faulted, as the end of a sentence.
    pub(crate) fn describe_address(&self, address: u64) -> String {
        const NULL_PAGE: u64 = 0x1_0000;
        if address < NULL_PAGE {
            return ", through a NULL pointer".into();
        }
        let description = self
            .pool
            .describe(address)
            .or_else(|| self.objects.describe(address))
            .or_else(|| strings::describe(address).map(str::to_owned))
            .or_else(|| {
                let module = self.modules.find(address)?;
                let offset = address - module.range().start;
                Some(format!(
                    "{}+{offset:#x}, whose section does not allow it",
                    module.name
                ))
            })
            .or_else(|| {
                let module = self.modules.find_unloaded(address)?;
                let offset = address - module.range().start;
                Some(format!("{}+{offset:#x}, which is unloaded", module.name))
            });
        description.map_or_else(String::new, |description| format!(": {description}"))
    }

    pub(crate) fn interceptor(&self) -> Option<&dyn Interceptor> {
        self.interceptor.as_deref()
    }

    /// The system's ANSI code page.
    #[must_use]
    pub const fn code_page(&self) -> CodePage {
        self.code_page
    }

    /// Where `DbgPrint` goes.
    #[must_use]
    pub fn debug_output(&self) -> &Arc<dyn DebugOutput> {
        &self.debug_output
    }
}
