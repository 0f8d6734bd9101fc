//! Loading a driver, unloading it, and collecting what it leaked.
//!
//! The host calls [`Kernel::load_driver`] and [`Kernel::unload_driver`]. They
//! map the image, bind its imports, and run `DriverEntry` and `DriverUnload` in
//! a thread of the System process.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::io::INVALID_DEVICE_REQUEST;
use crate::io::driver_object::DriverObjectMemory;
use crate::io::drivers::Driver;
use crate::kernel::Kernel;
use crate::ldr::Module;
use crate::ldr::backtrace::{Acquisition, Backtrace, CodeAddress};
use crate::mm::strings::GuestString;
use crate::nt::{self, ClientId, DriverId, Event, NtStatus, SYSTEM_PROCESS};
use crate::ob::handles::{Handle, KERNEL_HANDLE_BITS};
use crate::report::{Leftover, Leftovers, Report, Rule, Stopped};
use crate::thread::Thread;

/// The thread of the System process that loads and unloads drivers, and calls
/// the enable callbacks of their event providers.
const SYSTEM_WORKER: ClientId = ClientId {
    process: SYSTEM_PROCESS,
    thread: 0x1c,
};

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

/// Loads the driver at `path` as `service`.
fn load(kernel: &Kernel, path: &Path, service: &str) -> Result<DriverId, LoadError> {
    kernel.check_running()?;
    let data = fs::read(path).map_err(|source| LoadError::Read {
        file: path.display().to_string(),
        source,
    })?;
    let refused = |cause: String| LoadError::Image {
        file: path.display().to_string(),
        cause,
    };
    let module = kernel
        .modules
        .load(path, &data, &|name| kernel.export(name))
        .map_err(|error| refused(error.to_string()))?;
    let invalid_request = kernel.exports[INVALID_DEVICE_REQUEST].address;
    let object = DriverObjectMemory::new(&module, service, invalid_request)
        .map_err(|error| refused(format!("no memory for its driver object: {error}")));
    let added = object.and_then(|object| {
        let driver = Driver {
            service: service.to_owned(),
            module: Arc::clone(&module),
            object,
            unload_invoked: AtomicBool::new(false),
        };
        let added = kernel.drivers.add(driver);
        added.ok_or_else(|| LoadError::AlreadyLoaded(service.to_owned()))
    });
    let (id, driver) = match added {
        Ok(added) => added,
        Err(error) => {
            kernel.modules.unload(&module);
            return Err(error);
        }
    };
    judge_code(kernel, &driver);
    let entered = enter(kernel, &driver)?;
    if nt::succeeded(entered) {
        // Losing these pages is the system's gain only; keeping them harms
        // nobody.
        let _ = driver.module.mapped.discard_initialization();
        return Ok(id);
    }
    kernel.drivers.remove(id);
    Err(LoadError::DriverEntry {
        status: entered,
        leftovers: collect_leaks(kernel, &driver.module),
    })
}

/// Records the instructions that the image should not have.
fn judge_code(kernel: &Kernel, driver: &Driver) {
    for forbidden in &driver.module.forbidden {
        let address = driver.module.range().start + u64::from(forbidden.address);
        kernel.violations.record(Rule::Code, address, || Report {
            rule: Rule::Code,
            message: format!(
                "the image has a {} instruction, {}",
                forbidden.kind, forbidden.mnemonic
            ),
            routine: None,
            backtrace: kernel.modules.symbolize(&Backtrace(vec![CodeAddress {
                address,
                is_return: false,
            }])),
            event: Some(format!("the loading of {}", driver.service)),
        });
    }
}

/// Runs `DriverEntry`.
fn enter(kernel: &Kernel, driver: &Driver) -> Result<NtStatus, Stopped> {
    let path = format!(
        r"\Registry\Machine\System\CurrentControlSet\Services\{}",
        driver.service
    );
    let path: Vec<u16> = path.encode_utf16().collect();
    // Gone once `DriverEntry` has returned: drivers keep a copy.
    let registry_path =
        GuestString::new(&path).unwrap_or_else(|error| panic!("no memory for a string: {error}"));
    let thread = system_thread(kernel, Event::Load(&driver.service));
    let arguments = [driver.object.address(), registry_path.address()];
    let status = thread.call(driver.module.entry, &arguments)?;
    Ok((status as u32).cast_signed())
}

/// Unloads the driver `id`.
fn unload(kernel: &Kernel, id: DriverId) -> Result<Leftovers, UnloadError> {
    kernel.check_running()?;
    let driver = kernel.drivers.find(id).ok_or(UnloadError::NotLoaded)?;
    let routine = driver
        .object
        .unload_routine()
        .ok_or(UnloadError::NoUnloadRoutine)?;
    if driver.unload_invoked.swap(true, Ordering::AcqRel) {
        return Err(UnloadError::NotLoaded);
    }
    let thread = system_thread(kernel, Event::Unload(&driver.service));
    // The driver object lives until the routine has returned.
    let returned = thread.call(routine, &[driver.object.address()]);
    drop(thread);
    kernel.drivers.remove(id);
    returned?;
    Ok(collect_leaks(kernel, &driver.module))
}

/// A thread of the System process.
pub fn system_thread<'a>(kernel: &'a Kernel, event: Event<'a>) -> Thread<'a> {
    let system = Arc::clone(&kernel.system_process);
    Thread::new(kernel, system, SYSTEM_WORKER, event)
}

/// Takes away and lists what `module` left behind, and then its code.
fn collect_leaks(kernel: &Kernel, module: &Arc<Module>) -> Leftovers {
    let mut leftovers = Vec::new();
    let mut left = |rule, message, acquired: &Acquisition| {
        leftovers.push(Leftover {
            rule,
            message,
            acquired: kernel.modules.symbolize(&acquired.backtrace),
        });
    };
    let stopped = || kernel.stopped().is_some();
    for registration in kernel.notify.remove_all(module, stopped) {
        left(
            Rule::NotifyRoutineLeft,
            format!(
                "the notify routine at {:#x} is still registered with {}: Windows would stop \
                 with DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS (0xCE)",
                registration.function,
                registration.interface.name()
            ),
            &registration.registered,
        );
    }
    for provider in kernel.tracing.remove_all(module) {
        left(
            Rule::ProviderLeft,
            format!(
                "the event provider {} is still registered",
                provider.id.braced()
            ),
            &provider.registered,
        );
    }
    for table in kernel.close_handles_of(module) {
        for (value, handle) in table.handles {
            left(
                Rule::HandleLeft,
                format!(
                    "handle {:#x} of {} is still open; it leads to {}",
                    value | table.bits,
                    table.owner,
                    handle.object.describe()
                ),
                &handle.opened,
            );
        }
    }
    for (object, acquired) in kernel.objects.release_all(module) {
        left(
            Rule::ReferenceLeft,
            format!("{object} is still referenced"),
            &acquired,
        );
    }
    for block in kernel.pool.free_all(module) {
        left(
            Rule::PoolLeft,
            format!(
                "a pool block of {} bytes, tag {}, is still allocated",
                block.size, block.tag
            ),
            &block.allocated,
        );
    }
    kernel.modules.unload(module);
    Leftovers(leftovers)
}

/// Handles of one table that a driver left open.
struct LeftHandles {
    owner: String,
    /// What its values are shown with.
    bits: u64,
    handles: Vec<(u64, Handle)>,
}

impl Kernel {
    /// Loads the driver image at `path` as service `service` and runs its
    /// `DriverEntry`. Symbols come from the PDB beside it.
    ///
    /// # Errors
    /// Where the image is refused, `DriverEntry` fails, or a rule is broken.
    pub fn load_driver(&self, path: &Path, service: &str) -> Result<DriverId, LoadError> {
        load(self, path, service)
    }

    /// Calls `DriverUnload`, unmaps the image and says what is left of it.
    ///
    /// # Errors
    /// Where the driver cannot be unloaded or breaks a rule.
    pub fn unload_driver(&self, driver: DriverId) -> Result<Leftovers, UnloadError> {
        unload(self, driver)
    }

    /// Closes the handles that `module` opened.
    fn close_handles_of(&self, module: &Arc<Module>) -> Vec<LeftHandles> {
        let is_its_own = |handle: &Handle| handle.opened.is_by(module);
        let kernel_handles = self.kernel_handles().close_all(is_its_own);
        let mut closed = vec![LeftHandles {
            owner: "the kernel".into(),
            bits: KERNEL_HANDLE_BITS,
            handles: kernel_handles,
        }];
        self.processes.for_each(|process| {
            let handles = process.handles.close_all(is_its_own);
            closed.push(LeftHandles {
                owner: format!("process {:#x}", process.id),
                bits: 0,
                handles,
            });
        });
        for (_, handle) in closed.iter().flat_map(|left| &left.handles) {
            self.objects.dereference(&handle.object);
        }
        closed
    }
}
