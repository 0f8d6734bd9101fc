//! System services, as kernel-mode code calls them.

use windows_sys::Win32::Foundation::{
    STATUS_BUFFER_TOO_SMALL, STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_HANDLE,
    STATUS_INVALID_INFO_CLASS, STATUS_INVALID_PARAMETER, STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_SUCCESS,
};

use crate::intercept::Failure;
use crate::mm::guest::{self, CountedString};
use crate::nt::Irql;
use crate::ob::OBJ_VALID_ATTRIBUTES;
use crate::ob::object::Object;
use crate::ps::process::Process;
use crate::report::Rule;
use crate::routine::{Call, Outcome, Routine, status};
use crate::se;

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
    Routine::new("ZwOpenProcessToken", Irql::PASSIVE, open_process_token)
        .fails_with(Failure::Status),
    Routine::new("ZwOpenProcessTokenEx", Irql::PASSIVE, open_process_token_ex)
        .fails_with(Failure::Status),
    Routine::new(
        "ZwQueryInformationToken",
        Irql::PASSIVE,
        query_information_token,
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

/// `ZwOpenProcessToken`.
fn open_process_token(call: &Call<'_>) -> Outcome {
    let [process, access, result, _] = call.registers();
    open_token(call, process, access as u32, 0, result)
}

/// `ZwOpenProcessTokenEx`.
fn open_process_token_ex(call: &Call<'_>) -> Outcome {
    let [process, access, attributes, result] = call.registers();
    open_token(call, process, access as u32, attributes as u32, result)
}

/// The access that the process handle has is not checked: the caller is in kernel
/// mode.
fn open_token(call: &Call<'_>, process: u64, access: u32, attributes: u32, result: u64) -> Outcome {
    with_process(call, process, |process| {
        if attributes & !OBJ_VALID_ATTRIBUTES != 0 {
            return status(STATUS_INVALID_PARAMETER);
        }
        let token = call.thread.primary_token(process);
        call.thread.check_kernel_handle(&token, attributes)?;
        // Nothing is left open where there is nowhere to say so.
        guest::write(result, 0u64)?;
        let handle = call.thread.open_handle(&token, attributes, access);
        guest::write(result, handle)?;
        status(STATUS_SUCCESS)
    })
}

/// The access that the handle has is not checked: the caller is in kernel mode.
fn query_information_token(call: &Call<'_>) -> Outcome {
    let [handle, class, buffer, length] = call.registers();
    let return_length = call.argument(4)?;
    let information = match se::information(class)? {
        Ok(information) => information,
        Err(refused) => return status(refused),
    };
    with_object(call, handle, "a token", Object::token, |token| {
        let bytes = information.bytes(token, buffer);
        let needed = u32::try_from(bytes.len()).expect("at most a SID and a structure");
        guest::write(return_length, needed)?;
        if (length as u32) < needed {
            return status(STATUS_BUFFER_TOO_SMALL);
        }
        guest::write_bytes(buffer, &bytes)?;
        status(STATUS_SUCCESS)
    })
}

fn with_process(call: &Call<'_>, handle: u64, answer: impl FnOnce(&Process) -> Outcome) -> Outcome {
    with_object(call, handle, "a process", Object::process, answer)
}

/// Calls `answer` with what `handle` leads to, if `of` says that it is `expected`.
fn with_object<T>(
    call: &Call<'_>,
    handle: u64,
    expected: &str,
    of: fn(&Object) -> Option<&T>,
    answer: impl FnOnce(&T) -> Outcome,
) -> Outcome {
    let Some((object, _)) = call.thread.resolve_handle(handle)? else {
        return status(STATUS_INVALID_HANDLE);
    };
    if let Some(found) = of(&object) {
        return answer(found);
    }
    call.thread.record(Rule::ObjectType, call.routine.name, || {
        format!(
            "handle {handle:#x} leads to {}, not to {expected}",
            object.describe()
        )
    });
    status(STATUS_OBJECT_TYPE_MISMATCH)
}
