//! Processes and threads.

pub mod announcement;
pub mod notify;
pub mod process;
pub mod short_name;
pub mod thread;

use windows_sys::Win32::Foundation::{STATUS_INVALID_CID, STATUS_SUCCESS};

use crate::ke::Context;
use crate::mm::guest;
use crate::nt::Irql;
use crate::report::Rule;
use crate::routine::{Call, Failure, Fault, Outcome, Routine, status};
use process::Process;

/// The routines of the process manager.
pub const ROUTINES: &[Routine] = &[
    Routine::new(
        "PsSetCreateProcessNotifyRoutine",
        Irql::PASSIVE,
        notify::set_routine,
    )
    .fails_with(Failure::Status)
    .except(notify::removes_a_registered_one),
    Routine::new(
        "PsSetCreateProcessNotifyRoutineEx",
        Irql::PASSIVE,
        notify::set_routine_ex,
    )
    .fails_with(Failure::Status)
    .except(notify::removes_a_registered_one),
    Routine::new(
        "PsSetCreateProcessNotifyRoutineEx2",
        Irql::PASSIVE,
        notify::set_routine_ex2,
    )
    .fails_with(Failure::Status)
    .except(notify::removes_a_registered_one_ex2),
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
    Routine::new("PsLookupProcessByProcessId", Irql::APC, lookup_process)
        .fails_with(Failure::Status),
];

impl Context<'_> {
    /// The current process.
    pub fn current_process(&self) -> &Process {
        self.process.process().expect("a context's process is one")
    }

    /// Calls `answer` with the process at the address in the first argument.
    fn with_process<T>(
        &self,
        address: u64,
        answer: impl FnOnce(&Process) -> T,
    ) -> Result<T, Fault> {
        let object = self.object(address)?;
        object.process().map(answer).ok_or_else(|| {
            Fault::violation(
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
    Ok(call.context.process.address)
}

fn current_process_id(call: &Call<'_>) -> Outcome {
    Ok(call.context.client.process.into())
}

fn current_thread(call: &Call<'_>) -> Outcome {
    Ok(call.context.kernel.threads.get(call.context).address)
}

fn current_thread_id(call: &Call<'_>) -> Outcome {
    Ok(call.context.client.thread.into())
}

fn process_id(call: &Call<'_>) -> Outcome {
    let [process, ..] = call.registers();
    call.context
        .with_process(process, |process| process.id.into())
}

fn parent_id(call: &Call<'_>) -> Outcome {
    let [process, ..] = call.registers();
    call.context
        .with_process(process, |process| process.parent_id.into())
}

fn session_id(call: &Call<'_>) -> Outcome {
    let [process, ..] = call.registers();
    call.context
        .with_process(process, |process| process.session_id.into())
}

fn exit_status(call: &Call<'_>) -> Outcome {
    let [process, ..] = call.registers();
    call.context
        .with_process(process, Process::exit_status)
        .and_then(status)
}

/// Of the current process; 0 while it runs.
fn exit_time(call: &Call<'_>) -> Outcome {
    Ok(call.context.current_process().exit_time().cast_unsigned())
}

fn create_time(call: &Call<'_>) -> Outcome {
    let [process, ..] = call.registers();
    call.context
        .with_process(process, |process| process.create_time.cast_unsigned())
}

/// The name lies in the `EPROCESS`; here in memory that lives as long as the
/// kernel does.
fn image_file_name(call: &Call<'_>) -> Outcome {
    let [process, ..] = call.registers();
    let name = call.context.with_process(process, Process::short_name)?;
    Ok(call.context.kernel.short_names.address(name))
}

fn lookup_process(call: &Call<'_>) -> Outcome {
    let context = call.context;
    let [id, result, ..] = call.registers();
    let process = u32::try_from(id)
        .ok()
        .and_then(|id| context.kernel.processes.find(id));
    let Some(process) = process else {
        return status(STATUS_INVALID_CID);
    };
    guest::write(result, process.address)?;
    process.hold(context.acquisition());
    status(STATUS_SUCCESS)
}
