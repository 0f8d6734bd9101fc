//! Processes and threads.

pub mod announcement;
pub mod create_info;
pub mod notify;
pub mod process;
pub mod short_name;
pub mod thread;

use std::sync::Arc;

use windows_sys::Win32::Foundation::{
    STATUS_ACCESS_DENIED, STATUS_INVALID_CID, STATUS_INVALID_PARAMETER, STATUS_PROCEDURE_NOT_FOUND,
    STATUS_SUCCESS,
};

use crate::intercept::Failure;
use crate::mm::guest;
use crate::nt::Irql;
use crate::ob::object::Object;
use crate::report::Rule;
use crate::routine::{Call, CallError, Outcome, Routine, status};
use crate::thread::Thread;
use notify::{Interface, Registration};
use process::Process;

/// The routines of the process manager.
pub const ROUTINES: &[Routine] = &[
    Routine::new(
        "PsSetCreateProcessNotifyRoutine",
        Irql::PASSIVE,
        set_notify_routine,
    )
    .fails_with(Failure::Status)
    .except(removes_a_registered_one),
    Routine::new(
        "PsSetCreateProcessNotifyRoutineEx",
        Irql::PASSIVE,
        set_notify_routine_ex,
    )
    .fails_with(Failure::Status)
    .except(removes_a_registered_one),
    Routine::new(
        "PsSetCreateProcessNotifyRoutineEx2",
        Irql::PASSIVE,
        set_notify_routine_ex2,
    )
    .fails_with(Failure::Status)
    .except(removes_a_registered_one_ex2),
    Routine::new("PsGetCurrentProcess", Irql::DISPATCH, current_process),
    Routine::new("IoGetCurrentProcess", Irql::DISPATCH, current_process),
    Routine::new("PsGetCurrentProcessId", Irql::DISPATCH, current_process_id),
    Routine::new("PsGetCurrentThread", Irql::DISPATCH, current_thread),
    Routine::new("KeGetCurrentThread", Irql::DISPATCH, current_thread),
    Routine::new("PsGetCurrentThreadId", Irql::DISPATCH, current_thread_id),
    Routine::new("PsGetProcessId", Irql::DISPATCH, process_id),
    Routine::new(
        "PsGetProcessInheritedFromUniqueProcessId",
        Irql::DISPATCH,
        parent_id,
    ),
    Routine::new("PsGetProcessSessionId", Irql::DISPATCH, session_id),
    Routine::new("PsGetProcessExitStatus", Irql::APC, exit_status),
    Routine::new("PsGetProcessExitTime", Irql::DISPATCH, exit_time),
    Routine::new(
        "PsGetProcessCreateTimeQuadPart",
        Irql::DISPATCH,
        create_time,
    ),
    Routine::new("PsGetProcessImageFileName", Irql::DISPATCH, image_file_name),
    Routine::new("PsGetProcessStartKey", Irql::DISPATCH, start_key),
    Routine::new(
        "PsReferencePrimaryToken",
        Irql::PASSIVE,
        reference_primary_token,
    ),
    Routine::new(
        "PsDereferencePrimaryToken",
        Irql::APC,
        dereference_primary_token,
    ),
    Routine::new("PsLookupProcessByProcessId", Irql::APC, lookup_process)
        .fails_with(Failure::Status),
];

impl Thread<'_> {
    /// The current process.
    pub fn current_process(&self) -> &Process {
        self.process.process().expect("a thread's process is one")
    }

    /// The current thread's object.
    pub fn thread_object(&self) -> Arc<Object> {
        self.kernel.threads.get(&self.kernel.objects, self.client)
    }

    /// The object of the primary token of `process`.
    pub fn primary_token(&self, process: &Process) -> Arc<Object> {
        let kernel = self.kernel;
        Arc::clone(process.primary_token(&kernel.objects, &kernel.luids))
    }

    /// Calls `answer` with the process at the address in the first argument.
    fn with_process<T>(
        &self,
        address: u64,
        answer: impl FnOnce(&Process) -> T,
    ) -> Result<T, CallError> {
        let object = self.object(address)?;
        object.process().map(answer).ok_or_else(|| {
            CallError::violation(
                Rule::Object,
                format!(
                    "{} was passed where a process is expected",
                    object.describe()
                ),
            )
        })
    }
}

fn current_process(call: &Call<'_>) -> Outcome {
    Ok(call.thread.process.address)
}

fn current_process_id(call: &Call<'_>) -> Outcome {
    Ok(call.thread.client.process.into())
}

fn current_thread(call: &Call<'_>) -> Outcome {
    Ok(call.thread.thread_object().address)
}

fn current_thread_id(call: &Call<'_>) -> Outcome {
    Ok(call.thread.client.thread.into())
}

fn process_id(call: &Call<'_>) -> Outcome {
    let [process, ..] = call.registers();
    call.thread
        .with_process(process, |process| process.id.into())
}

fn parent_id(call: &Call<'_>) -> Outcome {
    let [process, ..] = call.registers();
    call.thread
        .with_process(process, |process| process.parent_id.into())
}

fn session_id(call: &Call<'_>) -> Outcome {
    let [process, ..] = call.registers();
    call.thread
        .with_process(process, |process| process.session_id.into())
}

fn exit_status(call: &Call<'_>) -> Outcome {
    let [process, ..] = call.registers();
    call.thread
        .with_process(process, Process::exit_status)
        .and_then(status)
}

/// Of the current process; 0 while it runs.
fn exit_time(call: &Call<'_>) -> Outcome {
    Ok(call.thread.current_process().exit_time().cast_unsigned())
}

fn create_time(call: &Call<'_>) -> Outcome {
    let [process, ..] = call.registers();
    call.thread
        .with_process(process, |process| process.create_time.cast_unsigned())
}

fn start_key(call: &Call<'_>) -> Outcome {
    let [process, ..] = call.registers();
    call.thread
        .with_process(process, |process| process.start_key)
}

fn reference_primary_token(call: &Call<'_>) -> Outcome {
    let [process, ..] = call.registers();
    let token = call
        .thread
        .with_process(process, |process| call.thread.primary_token(process))?;
    token.hold(call.thread.acquisition());
    Ok(token.address)
}

fn dereference_primary_token(call: &Call<'_>) -> Outcome {
    let object = call.thread.token(call.registers()[0])?;
    call.thread.dereference(&object)?;
    Ok(0)
}

/// The name lies in the `EPROCESS`; here in memory that lives as long as the
/// kernel does.
fn image_file_name(call: &Call<'_>) -> Outcome {
    let [process, ..] = call.registers();
    let name = call.thread.with_process(process, Process::short_name)?;
    Ok(call.thread.kernel.short_names.address(name))
}

fn lookup_process(call: &Call<'_>) -> Outcome {
    let thread = call.thread;
    let [id, result, ..] = call.registers();
    let process = u32::try_from(id)
        .ok()
        .and_then(|id| thread.kernel.processes.find(id));
    let Some(process) = process else {
        return status(STATUS_INVALID_CID);
    };
    guest::write(result, process.address)?;
    process.hold(thread.acquisition());
    status(STATUS_SUCCESS)
}

/// `PsSetCreateProcessNotifyRoutine`.
fn set_notify_routine(call: &Call<'_>) -> Outcome {
    let [function, remove, ..] = call.registers();
    set_notify(call, Interface::Legacy, function, remove)
}

/// `PsSetCreateProcessNotifyRoutineEx`.
fn set_notify_routine_ex(call: &Call<'_>) -> Outcome {
    let [function, remove, ..] = call.registers();
    set_notify(call, Interface::Ex, function, remove)
}

/// `PsSetCreateProcessNotifyRoutineEx2`.
fn set_notify_routine_ex2(call: &Call<'_>) -> Outcome {
    // PsCreateProcessNotifySubsystems, the only type there is.
    const SUBSYSTEMS: u32 = 0;
    let [notify_type, function, remove, _] = call.registers();
    if notify_type as u32 != SUBSYSTEMS {
        return status(STATUS_INVALID_PARAMETER);
    }
    set_notify(call, Interface::Ex2, function, remove)
}

/// Whether a call of the older two interfaces removes what is registered.
fn removes_a_registered_one(call: &Call<'_>) -> Option<&'static str> {
    let [function, remove, ..] = call.registers();
    removal_is_certain(call, function, remove)
}

/// Whether a call of the newest interface removes what is registered.
fn removes_a_registered_one_ex2(call: &Call<'_>) -> Option<&'static str> {
    let [_, function, remove, _] = call.registers();
    removal_is_certain(call, function, remove)
}

fn removal_is_certain(call: &Call<'_>, function: u64, remove: u64) -> Option<&'static str> {
    (remove as u8 != 0 && call.thread.kernel.notify.holds(function))
        .then_some("removing a registered callback does not fail")
}

/// `remove` is a `BOOLEAN`: only the low byte counts.
fn set_notify(call: &Call<'_>, interface: Interface, function: u64, remove: u64) -> Outcome {
    if remove as u8 == 0 {
        register(call.thread, interface, function)
    } else {
        unregister(call.thread, interface, function)
    }
}

fn register(thread: &Thread<'_>, interface: Interface, function: u64) -> Outcome {
    let module = thread.kernel.modules.find(function);
    if interface != Interface::Legacy {
        // The kernel looks at the image that holds the routine.
        let allowed = module
            .as_ref()
            .is_some_and(|module| thread.kernel.drivers.integrity_forced(module));
        if !allowed {
            return status(STATUS_ACCESS_DENIED);
        }
    }
    if thread.kernel.notify.holds(function) {
        thread.record(Rule::Registration, interface.name(), || {
            format!("the notify routine at {function:#x} is registered already")
        });
    }
    let registration = Registration::new(function, interface, module, thread.acquisition());
    status(thread.kernel.notify.insert(registration))
}

fn unregister(thread: &Thread<'_>, interface: Interface, function: u64) -> Outcome {
    let notify = &thread.kernel.notify;
    let removed = notify.take(|other| other.function == function && other.interface == interface);
    let Some(registration) = removed else {
        thread.record(Rule::Registration, interface.name(), || {
            format!("the notify routine at {function:#x} is removed, which is not registered")
        });
        return status(STATUS_PROCEDURE_NOT_FOUND);
    };
    if thread.notifying.get() == Some(Arc::as_ptr(&registration)) {
        return Err(CallError::violation(
            Rule::NotifyRoutine,
            "a notify routine removes itself: the removal waits for it to return, so neither ends",
        ));
    }
    let kernel = thread.kernel;
    registration.wait(|| kernel.stopped().is_some());
    status(STATUS_SUCCESS)
}
