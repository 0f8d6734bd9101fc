//! The process notify routines that are registered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use windows_sys::Win32::Foundation::{STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use crate::ex::rundown::{Protection, Rundown};
use crate::ldr::Module;
use crate::ldr::backtrace::Acquisition;
use crate::nt::NtStatus;
use crate::report::Stopped;

/// How many routines can be registered, `PSP_MAX_CREATE_PROCESS_NOTIFY`.
pub const SLOTS: usize = 64;

/// Which of the three interfaces a routine was registered through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// `PsSetCreateProcessNotifyRoutine`.
    Legacy,
    /// `PsSetCreateProcessNotifyRoutineEx`.
    Ex,
    /// `PsSetCreateProcessNotifyRoutineEx2`.
    Ex2,
}

impl Interface {
    /// The routine's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Legacy => "PsSetCreateProcessNotifyRoutine",
            Self::Ex => "PsSetCreateProcessNotifyRoutineEx",
            Self::Ex2 => "PsSetCreateProcessNotifyRoutineEx2",
        }
    }

    /// Only the newest interface hears of processes of other subsystems.
    pub const fn hears_of(self, is_subsystem_process: bool) -> bool {
        !is_subsystem_process || matches!(self, Self::Ex2)
    }
}

/// A registered routine.
pub struct Registration {
    /// The routine's address.
    pub function: u64,
    /// How it was registered.
    pub interface: Interface,
    /// The image that it lies in.
    pub module: Option<Arc<Module>>,
    /// Where the driver registered it.
    pub registered: Acquisition,
    rundown: Rundown,
}

/// All registered routines.
pub struct NotifyTable {
    slots: RwLock<[Option<Arc<Registration>>; SLOTS]>,
    /// One bit for each slot in use, so that an event passes over the others.
    occupied: AtomicU64,
}

impl Default for NotifyTable {
    fn default() -> Self {
        Self {
            slots: RwLock::new([const { None }; SLOTS]),
            occupied: AtomicU64::new(0),
        }
    }
}

impl NotifyTable {
    /// How many routines are registered.
    pub fn len(&self) -> usize {
        self.occupied.load(Ordering::Acquire).count_ones() as usize
    }

    /// Whether `function` is registered.
    pub fn holds(&self, function: u64) -> bool {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots
            .iter()
            .flatten()
            .any(|registration| registration.function == function)
    }

    /// Registers a routine and gives the status of that.
    pub fn insert(&self, registration: Registration) -> NtStatus {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let registered_already = slots
            .iter()
            .flatten()
            .any(|other| other.function == registration.function);
        let free = slots.iter().position(Option::is_none);
        match free {
            Some(index) if !registered_already => {
                slots[index] = Some(Arc::new(registration));
                self.occupied.fetch_or(1 << index, Ordering::AcqRel);
                STATUS_SUCCESS
            }
            _ => STATUS_INVALID_PARAMETER,
        }
    }

    /// Takes out the first routine that `which` holds for.
    pub fn take(&self, which: impl Fn(&Registration) -> bool) -> Option<Arc<Registration>> {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let index = slots
            .iter()
            .position(|slot| slot.as_deref().is_some_and(&which))?;
        self.occupied.fetch_and(!(1 << index), Ordering::AcqRel);
        slots[index].take()
    }

    fn get(&self, index: usize) -> Option<Arc<Registration>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner)[index].clone()
    }

    /// Takes away the routines of `module`, once none of them runs.
    pub fn remove_all(
        &self,
        module: &Arc<Module>,
        abandon: impl Fn() -> bool,
    ) -> Vec<Arc<Registration>> {
        let mut removed = Vec::new();
        let is_its_own = |registration: &Registration| {
            let own = registration.module.as_ref();
            own.is_some_and(|own| Arc::ptr_eq(own, module)) || registration.registered.is_by(module)
        };
        while let Some(registration) = self.take(is_its_own) {
            registration.wait(&abandon);
            removed.push(registration);
        }
        removed
    }

    /// Calls `deliver` for every routine, protected from removal meanwhile.
    pub fn for_each(
        &self,
        mut deliver: impl FnMut(&Registration) -> Result<(), Stopped>,
    ) -> Result<(), Stopped> {
        let mut occupied = self.occupied.load(Ordering::Acquire);
        while occupied != 0 {
            let index = occupied.trailing_zeros() as usize;
            occupied &= occupied - 1;
            let Some(registration) = self.get(index) else {
                continue;
            };
            let Some(_protection) = registration.protect() else {
                continue;
            };
            deliver(&registration)?;
        }
        Ok(())
    }
}

impl Registration {
    /// A routine that nobody calls yet.
    pub fn new(
        function: u64,
        interface: Interface,
        module: Option<Arc<Module>>,
        registered: Acquisition,
    ) -> Self {
        Self {
            function,
            interface,
            module,
            registered,
            rundown: Rundown::default(),
        }
    }

    /// Waits until nobody calls the routine any more, or until `abandon` says
    /// that there is no point.
    pub fn wait(&self, abandon: impl Fn() -> bool) {
        self.rundown.wait(abandon);
    }

    fn protect(&self) -> Option<Protection<'_>> {
        self.rundown.acquire()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(function: u64) -> Registration {
        Registration::new(function, Interface::Ex, None, Acquisition::default())
    }

    #[test]
    fn sixty_four_routines_and_no_duplicate() {
        let table = NotifyTable::default();
        for function in 1..=SLOTS as u64 {
            assert_eq!(table.insert(registration(function)), STATUS_SUCCESS);
            assert_eq!(
                table.insert(registration(function)),
                STATUS_INVALID_PARAMETER
            );
        }
        assert_eq!(table.insert(registration(99)), STATUS_INVALID_PARAMETER);
        assert!(table.take(|other| other.function == 7).is_some());
        assert!(table.take(|other| other.function == 7).is_none());
        assert_eq!(table.insert(registration(99)), STATUS_SUCCESS);
        assert_eq!(table.len(), SLOTS);
    }
}
