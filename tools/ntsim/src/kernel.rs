//! One simulated machine: the part of the kernel that its host sees.

use std::path::Path;
use std::sync::Arc;

use crate::dbg::code_page::CodePage;
use crate::dbg::{DebugOutput, Discard};
use crate::nt::{ClientId, NtStatus, SystemTime};
use crate::report::{Leftovers, Stopped};

/// One simulated machine. Any number of threads may call it at once; each call
/// of the host stands for a thread of the machine.
pub struct Kernel {
    code_page: CodePage,
    debug_output: Arc<dyn DebugOutput>,
}

/// Settings of a machine before it starts.
pub struct KernelBuilder {
    code_page: CodePage,
    debug_output: Arc<dyn DebugOutput>,
}

impl KernelBuilder {
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

    /// Starts the machine.
    #[must_use]
    pub fn build(self) -> Arc<Kernel> {
        Arc::new(Kernel {
            code_page: self.code_page,
            debug_output: self.debug_output,
        })
    }
}

/// A driver that is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DriverId(pub(crate) u32);

/// Why a driver could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The image is not one that this kernel runs.
    #[error("{file}: {cause}")]
    Image {
        /// The file.
        file: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A driver with this service name is loaded already.
    #[error("service {0} is loaded already")]
    AlreadyLoaded(String),
    /// `DriverEntry` failed. What it left behind is listed.
    #[error("DriverEntry returned {status:#010x}")]
    DriverEntry {
        /// What it returned.
        status: NtStatus,
        /// What it left behind although it failed.
        leftovers: Leftovers,
    },
    /// The driver broke a rule on the way.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why a driver could not be unloaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnloadError {
    /// No such driver is loaded.
    #[error("no such driver is loaded")]
    NotLoaded,
    /// `DriverEntry` set no `DriverUnload`; Windows keeps such a driver until
    /// it shuts down (error 1052 of `sc stop`).
    #[error("the driver has no DriverUnload routine, so it cannot be stopped")]
    NoUnloadRoutine,
    /// The driver broke a rule on the way.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// A process that is about to be created.
#[derive(Clone, Debug)]
pub struct ProcessCreation {
    /// The new process's identifier.
    pub process_id: u32,
    /// The process that it inherits from.
    pub parent_process_id: u32,
    /// The thread that creates it; callbacks run in its context.
    pub creator: ClientId,
    /// The executable's name in NT form, or NULL.
    pub image_file_name: Option<Vec<u16>>,
    /// The command line, or NULL.
    pub command_line: Option<Vec<u16>>,
    /// Whether `image_file_name` is the name that the file was opened by.
    pub file_open_name_available: bool,
    /// Whether it is a process of another subsystem, such as WSL's.
    pub is_subsystem_process: bool,
    /// Whether it is a 32-bit process.
    pub is_wow64: bool,
    /// The session that it runs in.
    pub session_id: u32,
    /// When it was created; now unless told otherwise.
    pub create_time: Option<SystemTime>,
}

impl ProcessCreation {
    /// A plain 64-bit process of session 1, created by its parent's first
    /// thread, with no name and no command line.
    #[must_use]
    pub const fn new(process_id: u32, parent_process_id: u32) -> Self {
        Self {
            process_id,
            parent_process_id,
            creator: ClientId {
                process: parent_process_id,
                thread: parent_process_id + 4,
            },
            image_file_name: None,
            command_line: None,
            file_open_name_available: true,
            is_subsystem_process: false,
            is_wow64: false,
            session_id: 1,
            create_time: None,
        }
    }
}

/// What became of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// `STATUS_SUCCESS`, or the status with which a driver refused it.
    pub status: NtStatus,
    /// The service name of the driver that refused it.
    pub vetoed_by: Option<String>,
}

/// A process that exits.
#[derive(Clone, Copy, Debug)]
pub struct ProcessExit {
    /// The process.
    pub process_id: u32,
    /// Its last thread, in whose context callbacks run.
    pub thread_id: u32,
    /// Its exit status.
    pub exit_status: NtStatus,
}

impl Kernel {
    /// A machine with everything at its default.
    #[must_use]
    pub fn builder() -> KernelBuilder {
        KernelBuilder {
            code_page: CodePage::UTF_8,
            debug_output: Arc::new(Discard),
        }
    }

    /// Loads the driver image at `path` as service `service` and runs its
    /// `DriverEntry`. Symbols come from the PDB beside it.
    ///
    /// # Errors
    /// Where the image is refused, `DriverEntry` fails, or a rule is broken.
    pub fn load_driver(&self, path: &Path, service: &str) -> Result<DriverId, LoadError> {
        unimplemented!("load {} as {service}", path.display())
    }

    /// Calls `DriverUnload`, unmaps the image and says what is left of it.
    ///
    /// # Errors
    /// Where the driver cannot be unloaded or breaks a rule.
    pub fn unload_driver(&self, driver: DriverId) -> Result<Leftovers, UnloadError> {
        unimplemented!("unload {driver:?}")
    }

    /// Adds a process that was there before anything was watched; no notify
    /// routine hears of it.
    pub fn adopt_process(&self, process: &ProcessCreation) {
        unimplemented!("adopt {process:?}")
    }

    /// Creates a process: every notify routine is called in the creator's
    /// context. One that a driver refuses exits again at once, as in Windows.
    ///
    /// # Errors
    /// When the kernel has stopped.
    pub fn create_process(&self, process: &ProcessCreation) -> Result<Creation, Stopped> {
        unimplemented!("create {process:?}")
    }

    /// Ends a process: every notify routine is called in its last thread. A
    /// process that was never announced is taken as adopted.
    ///
    /// # Errors
    /// When the kernel has stopped.
    pub fn exit_process(&self, exit: ProcessExit) -> Result<(), Stopped> {
        unimplemented!("exit {exit:?}")
    }

    /// The report that stopped this kernel, if it has stopped.
    #[must_use]
    pub fn stopped(&self) -> Option<Stopped> {
        None
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
