//! Process notify routines: registered, called, removed.

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytemuck::{AnyBitPattern, NoUninit};
use windows_sys::Win32::Foundation::{
    STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER, STATUS_PROCEDURE_NOT_FOUND, STATUS_SUCCESS,
};

use crate::ex::rundown::{Protection, Rundown};
use crate::io::driver_object;
use crate::ke::Context;
use crate::ldr::Module;
use crate::ldr::backtrace::{Acquisition, Backtrace, CodeAddress};
use crate::mm::guest;
use crate::mm::strings::{GuestString, RawString};
use crate::nt::{self, NtStatus, ProcessCreation};
use crate::ob::Object;
use crate::ps::announcement::Announcement;
use crate::report::{Rule, Stopped};
use crate::routine::{Call, Fault, Outcome, status};

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
    const fn hears_of(self, is_subsystem_process: bool) -> bool {
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

    fn insert(&self, registration: Registration) -> NtStatus {
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

    fn take(&self, which: impl Fn(&Registration) -> bool) -> Option<Arc<Registration>> {
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
            registration.rundown.wait(&abandon);
            removed.push(registration);
        }
        removed
    }

    /// Calls `deliver` for every routine, protected from removal meanwhile.
    fn for_each(
        &self,
        context: &Context<'_>,
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
            let outer = context
                .notifying
                .replace(Some(ptr::from_ref(&registration.rundown)));
            let delivered = deliver(&registration);
            context.notifying.set(outer);
            delivered?;
        }
        Ok(())
    }
}

impl Registration {
    fn protect(&self) -> Option<Protection<'_>> {
        self.rundown.acquire()
    }
}

/// `PS_CREATE_NOTIFY_INFO`.
#[derive(Clone, Copy, Debug, AnyBitPattern, NoUninit)]
#[repr(C)]
pub struct CreateNotifyInfo {
    size: u64,
    flags: u32,
    padding: u32,
    parent_process_id: u64,
    creating_process_id: u64,
    creating_thread_id: u64,
    file_object: u64,
    image_file_name: u64,
    command_line: u64,
    creation_status: NtStatus,
    padding_at_end: u32,
}

const FILE_OPEN_NAME_AVAILABLE: u32 = 1;
const IS_SUBSYSTEM_PROCESS: u32 = 2;

/// What the routines made of a creation.
pub struct Verdict {
    /// `CreationStatus` in the end.
    pub status: NtStatus,
    /// The image whose routine first made it a failure.
    pub vetoed_by: Option<String>,
}

/// Tells every routine that `process` is created, in the creator's `context`.
///
/// # Errors
/// When a driver broke a rule.
pub fn creation(
    context: &Context<'_>,
    process: &Object,
    creation: &ProcessCreation,
) -> Result<Verdict, Stopped> {
    let strings = |text: &Option<Vec<u16>>| {
        text.as_deref().map(|text| {
            GuestString::new(text).unwrap_or_else(|error| panic!("no memory for a string: {error}"))
        })
    };
    let image_file_name = strings(&creation.image_file_name);
    let command_line = strings(&creation.command_line);
    let mut flags = 0;
    if creation.file_open_name_available {
        flags |= FILE_OPEN_NAME_AVAILABLE;
    }
    if creation.is_subsystem_process {
        flags |= IS_SUBSYSTEM_PROCESS;
    }
    let info = CreateNotifyInfo {
        size: size_of::<CreateNotifyInfo>() as u64,
        flags,
        padding: 0,
        parent_process_id: creation.parent_process_id.into(),
        creating_process_id: creation.creator.process.into(),
        creating_thread_id: creation.creator.thread.into(),
        file_object: context.kernel.file_object,
        image_file_name: address(image_file_name.as_ref()),
        command_line: address(command_line.as_ref()),
        creation_status: creation.creation_status,
        padding_at_end: 0,
    };
    announce(
        context,
        process,
        u64::from(creation.process_id),
        info,
        &[image_file_name, command_line],
    )
}

/// Tells every routine what `announced` says, whether or not it makes sense.
///
/// # Errors
/// When a driver broke a rule.
pub fn announcement(
    context: &Context<'_>,
    process: &Object,
    announced: &Announcement,
) -> Result<Verdict, Stopped> {
    let strings = |string: &Option<RawString>| {
        string.as_ref().map(|string| {
            GuestString::raw(string)
                .unwrap_or_else(|error| panic!("no memory for a string: {error}"))
        })
    };
    let image_file_name = strings(&announced.image_file_name);
    let command_line = strings(&announced.command_line);
    let info = CreateNotifyInfo {
        size: announced.size,
        flags: announced.flags,
        padding: 0,
        parent_process_id: announced.parent_process_id,
        creating_process_id: announced.creating_process_id,
        creating_thread_id: announced.creating_thread_id,
        file_object: if announced.has_file_object {
            context.kernel.file_object
        } else {
            0
        },
        image_file_name: address(image_file_name.as_ref()),
        command_line: address(command_line.as_ref()),
        creation_status: announced.creation_status,
        padding_at_end: 0,
    };
    announce(
        context,
        process,
        announced.process_id,
        info,
        &[image_file_name, command_line],
    )
}

fn address(string: Option<&GuestString>) -> u64 {
    string.map_or(0, GuestString::address)
}

/// Calls every routine with `info`, whose strings are `_strings`.
fn announce(
    context: &Context<'_>,
    process: &Object,
    id: u64,
    info: CreateNotifyInfo,
    _strings: &[Option<GuestString>],
) -> Result<Verdict, Stopped> {
    let place = context.caller_frame().place(size_of::<CreateNotifyInfo>());
    guest::write(place, info).expect("the stack's own frame is writable");
    let mut expected = info;
    let creation_status = || {
        let info: CreateNotifyInfo = guest::read(place).expect("just written");
        info.creation_status
    };
    let mut vetoed_by = None;
    let is_allowed = nt::succeeded(info.creation_status);
    let is_subsystem_process = info.flags & IS_SUBSYSTEM_PROCESS != 0;
    context.kernel.notify.for_each(context, |registration| {
        if !registration.interface.hears_of(is_subsystem_process) {
            return Ok(());
        }
        let arguments = match registration.interface {
            Interface::Legacy => [info.parent_process_id, id, 1, 0],
            Interface::Ex | Interface::Ex2 => [process.address, id, place, 0],
        };
        context.call(registration.function, arguments)?;
        check_create_info(context, registration, &mut expected, place);
        if vetoed_by.is_none() && is_allowed && !nt::succeeded(creation_status()) {
            let module = registration.module.as_ref();
            vetoed_by = module.map(|module| module.name.clone());
        }
        Ok(())
    })?;
    Ok(Verdict {
        status: creation_status(),
        vetoed_by,
    })
}

/// Only `CreationStatus` is the routine's to change; the next one is given the
/// same structure.
fn check_create_info(
    context: &Context<'_>,
    registration: &Registration,
    expected: &mut CreateNotifyInfo,
    place: u64,
) {
    let found: CreateNotifyInfo = guest::read(place).expect("the stack's own frame is readable");
    expected.creation_status = found.creation_status;
    if bytemuck::bytes_of(&found) == bytemuck::bytes_of(expected) {
        return;
    }
    let offset = bytemuck::bytes_of(&found)
        .iter()
        .zip(bytemuck::bytes_of(expected))
        .position(|(found, expected)| found != expected);
    *expected = found;
    let function = registration.function;
    context
        .kernel
        .violations
        .record(Rule::CreateInfo, function, || {
            let message = format!(
                "the notify routine wrote to PS_CREATE_NOTIFY_INFO at offset {:#x}; only \
                 CreationStatus is its to change",
                offset.unwrap_or_default()
            );
            let routine = Backtrace(vec![CodeAddress {
                address: function,
                is_return: false,
            }]);
            context.describe(Rule::CreateInfo, message, None, &routine)
        });
}

/// Tells every routine, in `context`, that the process `object` exits.
///
/// # Errors
/// When a driver broke a rule.
pub fn exit(context: &Context<'_>, object: &Object) -> Result<(), Stopped> {
    let process = object.process().expect("only processes exit");
    let (id, parent) = (process.id.into(), process.parent_id.into());
    context.kernel.notify.for_each(context, |registration| {
        if !registration.interface.hears_of(process.is_of_subsystem) {
            return Ok(());
        }
        let arguments = match registration.interface {
            Interface::Legacy => [parent, id, 0, 0],
            Interface::Ex | Interface::Ex2 => [object.address, id, 0, 0],
        };
        context.call(registration.function, arguments).map(|_| ())
    })
}

/// `PsSetCreateProcessNotifyRoutine`.
pub fn set_routine(call: &Call<'_>) -> Outcome {
    let [function, remove, ..] = call.registers();
    set(call, Interface::Legacy, function, remove)
}

/// `PsSetCreateProcessNotifyRoutineEx`.
pub fn set_routine_ex(call: &Call<'_>) -> Outcome {
    let [function, remove, ..] = call.registers();
    set(call, Interface::Ex, function, remove)
}

/// `PsSetCreateProcessNotifyRoutineEx2`.
pub fn set_routine_ex2(call: &Call<'_>) -> Outcome {
    // PsCreateProcessNotifySubsystems, the only type there is.
    const SUBSYSTEMS: u32 = 0;
    let [notify_type, function, remove, _] = call.registers();
    if notify_type as u32 != SUBSYSTEMS {
        return status(STATUS_INVALID_PARAMETER);
    }
    set(call, Interface::Ex2, function, remove)
}

/// Whether a call of the older two interfaces removes what is registered.
pub fn removes_a_registered_one(call: &Call<'_>) -> Option<&'static str> {
    let [function, remove, ..] = call.registers();
    removal_is_certain(call, function, remove)
}

/// Whether a call of the newest interface removes what is registered.
pub fn removes_a_registered_one_ex2(call: &Call<'_>) -> Option<&'static str> {
    let [_, function, remove, _] = call.registers();
    removal_is_certain(call, function, remove)
}

fn removal_is_certain(call: &Call<'_>, function: u64, remove: u64) -> Option<&'static str> {
    (remove as u8 != 0 && call.context.kernel.notify.holds(function))
        .then_some("removing a registered callback does not fail")
}

/// `remove` is a `BOOLEAN`: only the low byte counts.
fn set(call: &Call<'_>, interface: Interface, function: u64, remove: u64) -> Outcome {
    if remove as u8 == 0 {
        add(call.context, interface, function)
    } else {
        remove_one(call.context, interface, function)
    }
}

fn add(context: &Context<'_>, interface: Interface, function: u64) -> Outcome {
    let module = context.kernel.modules.find(function);
    if interface != Interface::Legacy {
        // The kernel looks at the image that holds the routine.
        let allowed = module
            .as_ref()
            .is_some_and(|module| driver_object::integrity_forced(context.kernel, module));
        if !allowed {
            return status(STATUS_ACCESS_DENIED);
        }
    }
    if context.kernel.notify.holds(function) {
        context.record(Rule::Registration, interface.name(), || {
            format!("the notify routine at {function:#x} is registered already")
        });
    }
    status(context.kernel.notify.insert(Registration {
        function,
        interface,
        module,
        registered: context.acquisition(),
        rundown: Rundown::default(),
    }))
}

fn remove_one(context: &Context<'_>, interface: Interface, function: u64) -> Outcome {
    let notify = &context.kernel.notify;
    let removed = notify.take(|other| other.function == function && other.interface == interface);
    let Some(registration) = removed else {
        context.record(Rule::Registration, interface.name(), || {
            format!("the notify routine at {function:#x} is removed, which is not registered")
        });
        return status(STATUS_PROCEDURE_NOT_FOUND);
    };
    if context.notifying.get() == Some(ptr::from_ref(&registration.rundown)) {
        return Err(Fault::violation(
            Rule::NotifyRoutine,
            "a notify routine removes itself: the removal waits for it to return, so neither ends",
        ));
    }
    let kernel = context.kernel;
    registration.rundown.wait(|| kernel.stopped().is_some());
    status(STATUS_SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn create_info_is_laid_out_as_documented() {
        assert_eq!(size_of::<CreateNotifyInfo>(), 0x48);
        assert_eq!(offset_of!(CreateNotifyInfo, parent_process_id), 0x10);
        assert_eq!(offset_of!(CreateNotifyInfo, creating_process_id), 0x18);
        assert_eq!(offset_of!(CreateNotifyInfo, file_object), 0x28);
        assert_eq!(offset_of!(CreateNotifyInfo, image_file_name), 0x30);
        assert_eq!(offset_of!(CreateNotifyInfo, command_line), 0x38);
        assert_eq!(offset_of!(CreateNotifyInfo, creation_status), 0x40);
    }

    fn registration(function: u64) -> Registration {
        Registration {
            function,
            interface: Interface::Ex,
            module: None,
            registered: Acquisition::default(),
            rundown: Rundown::default(),
        }
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
