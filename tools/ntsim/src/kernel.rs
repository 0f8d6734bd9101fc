//! One simulated machine: the part of the kernel that its host sees.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::dbg::code_page::CodePage;
use crate::dbg::{DebugOutput, Discard};
use crate::ex::pool::Pool;
use crate::intercept::Interceptor;
use crate::io::drivers::Drivers;
use crate::ldr::Modules;
use crate::mm::pages::Guarded;
use crate::mm::strings;
use crate::nt::ProcessCreation;
use crate::ob::handles::HandleTable;
use crate::ob::object::{Directory, Object, Type};
use crate::ps::notify::NotifyTable;
use crate::ps::process::{ProcessTable, SYSTEM_PROCESS};
use crate::ps::short_name::ShortNames;
use crate::ps::thread::ThreadTable;
use crate::report::{Report, Stopped, Violation, Violations};
use crate::routine;

/// One simulated machine. Any number of threads may call it at once; each call
/// of the host stands for a thread of the machine.
pub struct Kernel {
    code_page: CodePage,
    debug_output: Arc<dyn DebugOutput>,
    interceptor: Option<Arc<dyn Interceptor>>,
    stopped: OnceLock<Stopped>,
    data_exports: Guarded,
    pub(crate) drivers: Drivers,
    pub(crate) file_object: u64,
    pub(crate) modules: Modules,
    pub(crate) notify: NotifyTable,
    pub(crate) objects: Directory,
    pub(crate) pool: Pool,
    pub(crate) processes: ProcessTable,
    pub(crate) short_names: ShortNames,
    pub(crate) system_process: Arc<Object>,
    pub(crate) threads: ThreadTable,
    pub(crate) time_limit: Duration,
    pub(crate) violations: Violations,
}

/// Data that the kernel exports to drivers, one pointer each.
const DATA_EXPORTS: [&str; 3] = ["PsProcessType", "PsThreadType", "PsInitialSystemProcess"];

/// Settings of a machine before it starts.
pub struct KernelBuilder {
    code_page: CodePage,
    debug_output: Arc<dyn DebugOutput>,
    interceptor: Option<Arc<dyn Interceptor>>,
    time_limit: Duration,
}

/// How long driver code may take to return, unless told otherwise: far longer
/// than any callback needs on a machine that is busy.
const TIME_LIMIT: Duration = Duration::from_secs(20);

impl KernelBuilder {
    /// How long driver code may take to return before it counts as hanging.
    #[must_use]
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// The system's ANSI code page; UTF-8 unless told otherwise.
    #[must_use]
    pub fn code_page(mut self, code_page: CodePage) -> Self {
        self.code_page = code_page;
        self
    }

    /// Where `DbgPrint` goes; nowhere unless told otherwise.
    #[must_use]
    pub fn debug_output(mut self, output: Arc<dyn DebugOutput>) -> Self {
        self.debug_output = output;
        self
    }

    /// Who sees every call of a driver before it is carried out; nobody unless
    /// told otherwise.
    #[must_use]
    pub fn interceptor(mut self, interceptor: Arc<dyn Interceptor>) -> Self {
        self.interceptor = Some(interceptor);
        self
    }

    /// Starts the machine.
    ///
    /// # Errors
    /// When the system has no address space for it.
    pub fn build(self) -> io::Result<Arc<Kernel>> {
        let objects = Directory::new()?;
        let processes = ProcessTable::default();
        let system = ProcessCreation {
            session_id: 0,
            ..ProcessCreation::new(SYSTEM_PROCESS, 0)
        };
        let system_process = processes.insert(&objects, &system);
        let exports = [
            objects.type_address(Type::Process),
            objects.type_address(Type::Thread),
            system_process.address,
        ];
        let data_exports = Guarded::holding(bytemuck::bytes_of(&exports), 8)?.read_only()?;
        Ok(Arc::new(Kernel {
            code_page: self.code_page,
            debug_output: self.debug_output,
            interceptor: self.interceptor,
            stopped: OnceLock::new(),
            data_exports,
            drivers: Drivers::default(),
            file_object: objects.new_address(),
            modules: Modules::default(),
            notify: NotifyTable::default(),
            objects,
            pool: Pool::default(),
            processes,
            short_names: ShortNames::default(),
            system_process,
            threads: ThreadTable::default(),
            time_limit: self.time_limit,
            violations: Violations::default(),
        }))
    }
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
}

impl Kernel {
    /// A machine with everything at its default.
    #[must_use]
    pub fn builder() -> KernelBuilder {
        KernelBuilder {
            code_page: CodePage::UTF_8,
            debug_output: Arc::new(Discard),
            interceptor: None,
            time_limit: TIME_LIMIT,
        }
    }

    /// How much the drivers hold at the moment.
    #[must_use]
    pub fn held(&self) -> Held {
        Held {
            notify_routines: self.notify.len(),
            kernel_handles: self.kernel_handles().len(),
            pool_blocks: self.pool.len(),
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
        if let Some(interceptor) = self.interceptor()
            && let Some(failure) = routine::failure(name)
        {
            interceptor.bound(name, failure);
        }
        let data = DATA_EXPORTS.iter().position(|export| *export == name);
        data.map(|index| self.data_exports.address() + 8 * index as u64)
            .or_else(|| routine::address(name))
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
