//! System services, as kernel-mode code calls them.

use windows_sys::Win32::Foundation::{
    STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_HANDLE, STATUS_INVALID_INFO_CLASS,
    STATUS_OBJECT_TYPE_MISMATCH, STATUS_SUCCESS,
};

use crate::intercept::Failure;
use crate::mm::guest::{self, CountedString};
use crate::nt::Irql;
use crate::ps::process::Process;
use crate::report::Rule;
use crate::routine::{Call, Outcome, Routine, status};

/// The system services.
pub const ROUTINES: &[Routine] = &[
    Routine::new("ZwClose", Irql::PASSIVE, close)
        .fails_with(Failure::Status)
        .except(closes_an_open_handle),
    Routine::new(
        "ZwQueryInformationProcess",
        Irql::PASSIVE,
        query_information_process,
    )
    .fails_with(Failure::Status),
];

/// A kernel-mode caller that closes what is not open has lost track of its
/// handles; Windows stops with `INVALID_KERNEL_HANDLE` when verifying.
fn close(call: &Call<'_>) -> Outcome {
    let [handle, ..] = call.registers();
    call.thread.close_handle(handle)?;
    status(STATUS_SUCCESS)
}

fn closes_an_open_handle(call: &Call<'_>) -> Option<&'static str> {
    let [handle, ..] = call.registers();
    let open = call.thread.resolve_handle(handle).ok().flatten();
    open.map(|_| "closing an open handle does not fail")
}

/// `PROCESSINFOCLASS`.
const PROCESS_BASIC_INFORMATION: u32 = 0;
const PROCESS_TIMES: u32 = 4;
const PROCESS_SESSION_INFORMATION: u32 = 24;
const PROCESS_WOW64_INFORMATION: u32 = 26;
const PROCESS_IMAGE_FILE_NAME: u32 = 27;

/// What stands for the address of a 32-bit PEB: anything but zero says WOW64.
const WOW64_PEB: u64 = 0x7ffd_e000;

/// `BasePriority` of an ordinary process.
const NORMAL_PRIORITY: u64 = 8;

fn query_information_process(call: &Call<'_>) -> Outcome {
    let [handle, class, buffer, length] = call.registers();
    let return_length = call.argument(4)?;
    let (class, length) = (class as u32, length as u32);
    if class == PROCESS_IMAGE_FILE_NAME {
        return query_image_file_name(call, handle, buffer, length, return_length);
    }
    let size: u32 = match class {
        PROCESS_BASIC_INFORMATION => 48,
        PROCESS_TIMES => 32,
        PROCESS_SESSION_INFORMATION => 4,
        PROCESS_WOW64_INFORMATION => 8,
        _ => return status(STATUS_INVALID_INFO_CLASS),
    };
    if length != size {
        return status(STATUS_INFO_LENGTH_MISMATCH);
    }
    with_process(call, handle, |process| {
        match class {
            PROCESS_BASIC_INFORMATION => guest::write(buffer, basic_information(process))?,
            PROCESS_TIMES => guest::write(buffer, [process.create_time, 0, 0, 0])?,
            PROCESS_SESSION_INFORMATION => guest::write(buffer, process.session_id)?,
            _ => guest::write(buffer, if process.is_wow64 { WOW64_PEB } else { 0 })?,
        }
        guest::write_optional(return_length, size)?;
        status(STATUS_SUCCESS)
    })
}

/// `PROCESS_BASIC_INFORMATION`.
fn basic_information(process: &Process) -> [u64; 6] {
    [
        process.exit_status().cast_unsigned().into(),
        0,
        1,
        NORMAL_PRIORITY,
        process.id.into(),
        process.parent_id.into(),
    ]
}

/// A `UNICODE_STRING` with its text behind it.
fn query_image_file_name(
    call: &Call<'_>,
    handle: u64,
    buffer: u64,
    length: u32,
    return_length: u64,
) -> Outcome {
    with_process(call, handle, |process| {
        let text = process.image_file_name.as_deref().unwrap_or_default();
        let bytes: &[u8] = bytemuck::cast_slice(text);
        let header = size_of::<CountedString>();
        // The NUL behind the text counts too.
        let needed = u32::try_from(header + bytes.len() + 2).expect("far below 4 GiB");
        guest::write_optional(return_length, needed)?;
        if length < needed {
            return status(STATUS_INFO_LENGTH_MISMATCH);
        }
        let text_address = buffer + header as u64;
        let text_length = u16::try_from(bytes.len()).expect("a UNICODE_STRING's text");
        let mut string = CountedString::new(text_address, text_length);
        string.maximum_length = text_length.saturating_add(2);
        guest::write(buffer, string)?;
        guest::write_bytes(text_address, bytes)?;
        guest::write(text_address + bytes.len() as u64, 0u16)?;
        status(STATUS_SUCCESS)
    })
}

fn with_process(call: &Call<'_>, handle: u64, answer: impl FnOnce(&Process) -> Outcome) -> Outcome {
    let Some((object, _)) = call.thread.resolve_handle(handle)? else {
        return status(STATUS_INVALID_HANDLE);
    };
    if let Some(process) = object.process() {
        return answer(process);
    }
    call.thread.record(Rule::ObjectType, call.routine.name, || {
        format!(
            "handle {handle:#x} leads to {}, not to a process",
            object.describe()
        )
    });
    status(STATUS_OBJECT_TYPE_MISMATCH)
}
