//! Makes a machine: its settings, its empty tables, and its exports.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::dbg::code_page::CodePage;
use crate::dbg::output::{DebugOutput, Discard};
use crate::etw::tracing::Tracing;
use crate::ex::luid::Luids;
use crate::ex::pool::Pool;
use crate::exports;
use crate::intercept::Interceptor;
use crate::io::drivers::Drivers;
use crate::kernel::Kernel;
use crate::ldr::Modules;
use crate::mm::pages::Guarded;
use crate::nt::{ProcessCreation, SYSTEM_PROCESS, Token};
use crate::ob::object::{Directory, Type};
use crate::ps::notify::NotifyTable;
use crate::ps::process::ProcessTable;
use crate::ps::short_name::ShortNames;
use crate::ps::thread::ThreadTable;
use crate::report::Violations;

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
            token: Token::SYSTEM,
            ..ProcessCreation::new(SYSTEM_PROCESS, 0)
        };
        let system_process = processes.insert(&objects, &system);
        let data = [
            objects.type_address(Type::Process),
            objects.type_address(Type::Thread),
            objects.type_address(Type::Token),
            system_process.address,
        ];
        let data_exports = Guarded::holding(bytemuck::bytes_of(&data), 8)?.read_only()?;
        Ok(Arc::new(Kernel {
            code_page: self.code_page,
            debug_output: self.debug_output,
            interceptor: self.interceptor,
            stopped: OnceLock::new(),
            exports: exports::table(data_exports.address()),
            _data_exports: data_exports,
            drivers: Drivers::default(),
            file_object: objects.new_address(),
            luids: Luids::default(),
            modules: Modules::default(),
            notify: NotifyTable::default(),
            objects,
            pool: Pool::default(),
            processes,
            short_names: ShortNames::default(),
            system_process,
            threads: ThreadTable::default(),
            time_limit: self.time_limit,
            tracing: Tracing::new()?,
            violations: Violations::default(),
        }))
    }
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
}
