//! Process events, from the host to the notify routines that are registered.
//!
//! The host calls [`Kernel::create_process`] and [`Kernel::exit_process`]. Each
//! changes the machine's tables, makes the thread that the event happens in,
//! and calls every registered routine in it.

use std::ptr;
use std::sync::Arc;

use crate::ke::time;
use crate::kernel::Kernel;
use crate::ldr::backtrace::{Backtrace, CodeAddress};
use crate::mm::guest;
use crate::mm::strings::{GuestString, RawString};
use crate::nt::{self, ClientId, Event, Irql, NtStatus, ProcessCreation, ProcessExit, SystemTime};
use crate::ob::object::Object;
use crate::ps::announcement::Announcement;
use crate::ps::create_info::{self, CreateNotifyInfo, IS_SUBSYSTEM_PROCESS};
use crate::ps::notify::{Interface, Registration};
use crate::report::{Rule, Stopped};
use crate::thread::Thread;

/// What the notify routines made of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `STATUS_SUCCESS`, or the status with which a driver refused it.
    pub status: NtStatus,
    /// The file name of the driver that refused it.
    pub vetoed_by: Option<String>,
}

impl Kernel {
    /// Adds a process that was there before anything was watched; no notify
    /// routine hears of it.
    pub fn adopt_process(&self, process: &ProcessCreation) {
        self.processes.insert(&self.objects, process);
    }

    /// The start key that the next process would be given, for a host that is to
    /// know it before the process is created. No other process is given it.
    #[must_use]
    pub fn next_start_key(&self) -> u64 {
        self.processes.next_start_key()
    }

    /// Creates a process: every notify routine is called in the creator's
    /// thread. One that a driver refuses exits again at once, as in Windows.
    ///
    /// # Errors
    /// When the kernel has stopped.
    pub fn create_process(&self, creation: &ProcessCreation) -> Result<Verdict, Stopped> {
        self.check_running()?;
        let creator = self
            .processes
            .find_or_adopt(&self.objects, creation.creator.process);
        let process = self.processes.insert(&self.objects, creation);
        let event = Event::Create(creation.process_id);
        let thread = self.notifying_thread(creator, creation.creator, event);
        let verdict = announce_process(&thread, &process, creation)?;
        drop(thread);
        if !nt::succeeded(verdict.status) {
            self.exit_process(ProcessExit {
                process_id: creation.process_id,
                thread_id: creation.process_id.wrapping_add(4),
                exit_status: verdict.status,
            })?;
        }
        Ok(verdict)
    }

    /// Tells every notify routine of a creation in the shape that `announced`
    /// gives it, as no kernel does. The process is `announced.process_id` cut to
    /// 32 bits; [`Self::forget_process`] ends it.
    ///
    /// # Errors
    /// When the kernel has stopped.
    pub fn announce_creation(&self, announced: &Announcement) -> Result<Verdict, Stopped> {
        self.check_running()?;
        let current = announced.current;
        let creator = self.processes.find_or_adopt(&self.objects, current.process);
        let process_id = announced.process_id as u32;
        let process = ProcessCreation {
            is_wow64: announced.is_wow64,
            session_id: announced.session_id,
            token: announced.token,
            start_key: announced.start_key,
            ..ProcessCreation::new(process_id, 0)
        };
        let process = self.processes.insert(&self.objects, &process);
        let thread = self.notifying_thread(creator, current, Event::Create(process_id));
        announce_shape(&thread, &process, announced)
    }

    /// Ends a process: every notify routine is called in its last thread. A
    /// process that was never announced is taken as adopted.
    ///
    /// # Errors
    /// When the kernel has stopped.
    pub fn exit_process(&self, exit: ProcessExit) -> Result<(), Stopped> {
        let last_thread = ClientId {
            process: exit.process_id,
            thread: exit.thread_id,
        };
        self.exit_process_at(exit, last_thread, time::now())
    }

    /// Ends a process at `time`, with the notify routines called in the thread
    /// `current`, as where the process has no thread of its own to call them in.
    ///
    /// # Errors
    /// When the kernel has stopped.
    pub fn exit_process_at(
        &self,
        exit: ProcessExit,
        current: ClientId,
        time: SystemTime,
    ) -> Result<(), Stopped> {
        self.check_running()?;
        let object = self.processes.find_or_adopt(&self.objects, exit.process_id);
        if let Some(process) = object.process() {
            process.set_exited(exit.exit_status, time);
        }
        let current_process = if current.process == exit.process_id {
            Arc::clone(&object)
        } else {
            self.processes.find_or_adopt(&self.objects, current.process)
        };
        let event = Event::Exit(exit.process_id, exit.exit_status);
        let thread = self.notifying_thread(current_process, current, event);
        announce_exit(&thread, &object)?;
        self.remove_process(exit.process_id, &object);
        Ok(())
    }

    /// Takes a process out that is gone without an exit to announce; no notify
    /// routine hears of it.
    pub fn forget_process(&self, process_id: u32) {
        if let Some(object) = self.processes.find(process_id) {
            self.remove_process(process_id, &object);
        }
    }

    /// Closes what a process has open and lets go of it.
    fn remove_process(&self, process_id: u32, object: &Arc<Object>) {
        let process = object.process().expect("a table of processes");
        for (_, handle) in process.handles.close_all(|_| true) {
            self.objects.dereference(&handle.object);
        }
        self.threads.forget(&self.objects, process_id);
        if self.processes.remove(process_id, object) {
            self.objects.dereference(object);
        }
    }

    /// A thread as notify routines find it: at `PASSIVE_LEVEL`, inside a critical
    /// region.
    fn notifying_thread<'a>(
        &'a self,
        process: Arc<Object>,
        client: ClientId,
        event: Event<'a>,
    ) -> Thread<'a> {
        let thread = Thread::new(self, process, client, event);
        debug_assert_eq!(thread.irql(), Irql::PASSIVE);
        thread.critical_regions.set(1);
        thread
    }
}

/// Tells every routine that `process` is created, in the creator's `thread`.
///
/// # Errors
/// When a driver broke a rule.
fn announce_process(
    thread: &Thread<'_>,
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
    let info = CreateNotifyInfo {
        size: size_of::<CreateNotifyInfo>() as u64,
        flags: create_info::flags(creation),
        padding: 0,
        parent_process_id: creation.parent_process_id.into(),
        creating_process_id: creation.creator.process.into(),
        creating_thread_id: creation.creator.thread.into(),
        file_object: thread.kernel.file_object,
        image_file_name: address(image_file_name.as_ref()),
        command_line: address(command_line.as_ref()),
        creation_status: creation.creation_status,
        padding_at_end: 0,
    };
    announce(
        thread,
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
fn announce_shape(
    thread: &Thread<'_>,
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
            thread.kernel.file_object
        } else {
            0
        },
        image_file_name: address(image_file_name.as_ref()),
        command_line: address(command_line.as_ref()),
        creation_status: announced.creation_status,
        padding_at_end: 0,
    };
    announce(
        thread,
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
    thread: &Thread<'_>,
    process: &Object,
    id: u64,
    info: CreateNotifyInfo,
    _strings: &[Option<GuestString>],
) -> Result<Verdict, Stopped> {
    let place = thread.caller_frame().place(size_of::<CreateNotifyInfo>());
    guest::write(place, info).expect("the stack's own frame is writable");
    let mut expected = info;
    let creation_status = || {
        let info: CreateNotifyInfo = guest::read(place).expect("just written");
        info.creation_status
    };
    let mut vetoed_by = None;
    let is_allowed = nt::succeeded(info.creation_status);
    let is_subsystem_process = info.flags & IS_SUBSYSTEM_PROCESS != 0;
    notify(thread, is_subsystem_process, |registration| {
        let arguments = match registration.interface {
            Interface::Legacy => [info.parent_process_id, id, 1],
            Interface::Ex | Interface::Ex2 => [process.address, id, place],
        };
        thread.call(registration.function, &arguments)?;
        check_create_info(thread, registration, &mut expected, place);
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
    thread: &Thread<'_>,
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
    thread
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
            thread.describe(Rule::CreateInfo, message, None, &routine)
        });
}

/// Tells every routine, in `thread`, that the process `object` exits.
///
/// # Errors
/// When a driver broke a rule.
fn announce_exit(thread: &Thread<'_>, object: &Object) -> Result<(), Stopped> {
    let process = object.process().expect("only processes exit");
    let (id, parent) = (process.id.into(), process.parent_id.into());
    notify(thread, process.is_of_subsystem, |registration| {
        let arguments = match registration.interface {
            Interface::Legacy => [parent, id, 0],
            Interface::Ex | Interface::Ex2 => [object.address, id, 0],
        };
        thread.call(registration.function, &arguments).map(|_| ())
    })
}

/// Calls `deliver` for every routine that hears of such a process.
fn notify(
    thread: &Thread<'_>,
    is_subsystem_process: bool,
    mut deliver: impl FnMut(&Registration) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    thread.kernel.notify.for_each(|registration| {
        if !registration.interface.hears_of(is_subsystem_process) {
            return Ok(());
        }
        let outer = thread.notifying.replace(Some(ptr::from_ref(registration)));
        let delivered = deliver(registration);
        thread.notifying.set(outer);
        delivered
    })
}
