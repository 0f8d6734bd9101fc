//! # procmon
//!
//! A WDM driver that reports every process that is created and every process
//! that exits: as lines for people, and as ETW events for collectors.
//!
//! The three functions of such a driver are easy to find: [`driver_entry`] and
//! [`driver_unload`] here, and the process-notify callback, whose raw half is
//! [`nt::notify`]. Its safe half gathers an [`event`], which [`report`] prints and
//! [`trace`] writes to ETW. All unsafe code that meets the kernel is in [`nt`].

#![no_std]

pub mod event;
pub mod fields;
pub mod nt;
pub mod report;
pub mod text;
pub mod trace;
pub mod trace_logging;

extern crate wdk_panic;

use core::sync::atomic::{AtomicU64, Ordering};

use wdk_alloc::WdkAllocator;
use wdk_sys::{DRIVER_OBJECT, NTSTATUS, PCUNICODE_STRING, STATUS_SUCCESS};

use crate::event::{Created, Exited};
use crate::nt::failure::Failure;
use crate::nt::notify::{Creation, ProcessObserver, Registration};
use crate::nt::process::{self, Process};
use crate::nt::provider::ProviderRegistration;
use crate::nt::slot::Slot;

#[global_allocator]
static GLOBAL_ALLOCATOR: WdkAllocator = WdkAllocator;

static CREATED: AtomicU64 = AtomicU64::new(0);
static EXITED: AtomicU64 = AtomicU64::new(0);
static PROCMON: Slot<Procmon> = Slot::empty();

/// The driver while it is loaded.
struct Procmon {
    notify: Registration<Self>,
    provider: ProviderRegistration,
}

impl Procmon {
    fn load() -> Result<Self, Failure> {
        process::resolve_system_routines()?;
        // Before the callback, which writes events, and after it at unload.
        let provider = trace::PROVIDER.register()?;
        let notify = Registration::new()?;
        Ok(Self { notify, provider })
    }

    fn unload(self) {
        if let Err(failure) = self.notify.remove() {
            report::not_removed(failure);
        }
        drop(self.provider);
        // No callback runs any more: both are final.
        report::unloaded(
            CREATED.load(Ordering::Relaxed),
            EXITED.load(Ordering::Relaxed),
        );
    }
}

impl ProcessObserver for Procmon {
    fn created(process: &Process<'_>, creation: Creation<'_>) {
        CREATED.fetch_add(1, Ordering::Relaxed);
        let event = Created::gather(process, creation);
        report::created(&event);
        trace::created(&event);
    }

    fn exited(process: &Process<'_>) {
        EXITED.fetch_add(1, Ordering::Relaxed);
        let event = Exited::gather(process);
        report::exited(&event);
        trace::exited(&event);
    }
}

/// Starts the driver: finds the routines that it does not import, and registers
/// its ETW provider and its process-notify callback.
///
/// IRQL: `PASSIVE_LEVEL`.
///
/// # Errors
///
/// Returns the status of the call that failed, after one line that names it.
/// Nothing is left registered then.
///
/// # Safety
///
/// Only the I/O manager may call this, once, with the driver's own driver
/// object.
///
/// [DRIVER_INITIALIZE](https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nc-wdm-driver_initialize)
// SAFETY: "DriverEntry" is the name that the linker is told to start at, and
// nothing else in the image exports it.
#[unsafe(export_name = "DriverEntry")]
// SAFETY: The section holds code; the kernel discards it once DriverEntry has
// returned, and nothing calls DriverEntry again.
#[unsafe(link_section = "INIT")]
pub unsafe extern "system" fn driver_entry(
    driver: &mut DRIVER_OBJECT,
    _registry_path: PCUNICODE_STRING,
) -> NTSTATUS {
    driver.DriverUnload = Some(driver_unload);
    match Procmon::load() {
        Ok(procmon) => {
            // SAFETY: DriverEntry runs once and before DriverUnload, so nothing
            // else reaches the slot now.
            unsafe { PROCMON.put(procmon) };
            report::loaded();
            STATUS_SUCCESS
        }
        Err(failure) => {
            report::not_loaded(failure);
            failure.status
        }
    }
}

/// Stops the driver: removes the callback, waits for those in flight, and says
/// what was counted.
///
/// IRQL: `PASSIVE_LEVEL`.
///
/// # Safety
///
/// Only the I/O manager may call this, once, after a [`driver_entry`] that
/// succeeded.
///
/// [DRIVER_UNLOAD](https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nc-wdm-driver_unload)
pub unsafe extern "C" fn driver_unload(_driver: *mut DRIVER_OBJECT) {
    // SAFETY: DriverUnload runs once and after DriverEntry, so nothing else
    // reaches the slot now.
    let loaded = unsafe { PROCMON.take() };
    if let Some(procmon) = loaded {
        procmon.unload();
    }
}
