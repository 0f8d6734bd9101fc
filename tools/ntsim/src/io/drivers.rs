//! The drivers that are loaded.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::driver_object::DriverObjectMemory;
use crate::ldr::Module;
use crate::nt::DriverId;

/// A driver.
pub struct Driver {
    /// The name of its service.
    pub service: String,
    /// Its image.
    pub module: Arc<Module>,
    /// Its driver object.
    pub object: DriverObjectMemory,
    /// What `DRVO_UNLOAD_INVOKED` says of a driver object.
    pub unload_invoked: AtomicBool,
}

/// The drivers that are loaded.
#[derive(Default)]
pub struct Drivers {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    loaded: HashMap<DriverId, Arc<Driver>>,
    next: u32,
}

impl Drivers {
    /// Whether the loader's entry of `module` says that its integrity was
    /// checked: what `PsSetCreateProcessNotifyRoutineEx` goes by.
    pub fn integrity_forced(&self, module: &Arc<Module>) -> bool {
        let table = self.lock();
        let driver = table
            .loaded
            .values()
            .find(|driver| Arc::ptr_eq(&driver.module, module));
        driver.is_some_and(|driver| driver.object.integrity_forced())
    }

    /// Adds a driver, unless one of its service name is there: then `None`.
    pub fn add(&self, driver: Driver) -> Option<(DriverId, Arc<Driver>)> {
        let mut table = self.lock();
        let same_service =
            |other: &Arc<Driver>| other.service.eq_ignore_ascii_case(&driver.service);
        if table.loaded.values().any(same_service) {
            return None;
        }
        table.next += 1;
        let id = DriverId(table.next);
        let driver = Arc::new(driver);
        table.loaded.insert(id, Arc::clone(&driver));
        Some((id, driver))
    }

    /// The driver `id`.
    pub fn find(&self, id: DriverId) -> Option<Arc<Driver>> {
        self.lock().loaded.get(&id).cloned()
    }

    /// Takes the driver `id` out.
    pub fn remove(&self, id: DriverId) -> Option<Arc<Driver>> {
        self.lock().loaded.remove(&id)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
