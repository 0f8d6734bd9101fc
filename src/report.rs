//! The log: every line that the driver prints.
//!
//! IRQL of every function here: `PASSIVE_LEVEL`.

use core::ffi::CStr;

use wdk_sys::{STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER};

use crate::event::{Created, Exited};
use crate::fields::Fields;
use crate::nt::failure::Failure;
use crate::nt::process::ProcessId;
use crate::nt::string::{UnicodeString, utf16};
use crate::print_line;
use crate::text::{Lines, is_plain_line};

/// Reports a process that is being created.
pub fn created(event: &Created<'_>) {
    create(event);
    detail(event);
    if let Some(text) = event.creation.command_line() {
        command_line(event.pid, text);
    }
}

/// Reports a process that is exiting.
pub fn exited(event: &Exited) {
    if let Some(key) = event.start_key {
        print_line!(
            "[Destroy] [PID = 0x%I64x] [CurrentPID = 0x%I64x] [ExitStatus = 0x%x] [Lifetime = %I64u ms] [StartKey = 0x%I64x]",
            pid: u64 = event.pid.as_u64(),
            current: u64 = event.current.as_u64(),
            status: u32 = event.exit_status.cast_unsigned(),
            lifetime: u64 = event.lifetime_ms,
            key: u64 = key,
        );
    } else {
        print_line!(
            "[Destroy] [PID = 0x%I64x] [CurrentPID = 0x%I64x] [ExitStatus = 0x%x] [Lifetime = %I64u ms]",
            pid: u64 = event.pid.as_u64(),
            current: u64 = event.current.as_u64(),
            status: u32 = event.exit_status.cast_unsigned(),
            lifetime: u64 = event.lifetime_ms,
        );
    }
}

#[inline(never)]
fn create(event: &Created<'_>) {
    const NULL: &[u16] = &utf16::<6>("(null)");
    let mut name = Lines::of(event.creation.image_file_name().unwrap_or(NULL));
    print_line!(
        "[Create] [PID = 0x%I64x, Name=%wZ] [CurrentPID = 0x%I64x] [PPID = 0x%I64x]",
        pid: u64 = event.pid.as_u64(),
        name: &UnicodeString<'_> = &UnicodeString::new(name.next_line().unwrap_or_default()),
        current: u64 = event.current.as_u64(),
        parent: u64 = event.creation.parent().as_u64(),
    );
    let more = name.count_left();
    numbered(c"Name", event.pid, more, &mut name);
}

#[inline(never)]
fn detail(event: &Created<'_>) {
    let pid = event.pid.as_u64();
    let process = event.creation.creating_process().as_u64();
    let thread = event.creation.creating_thread().as_u64();
    let mut fields = Fields::new();
    add_detail(&mut fields, event);
    match event.is_wow64 {
        Ok(is_wow64) => print_line!(
            "[Detail 0x%I64x] %s [Creator = 0x%I64x.0x%I64x]%s",
            pid: u64 = pid,
            bits: &CStr = if is_wow64 { c"32bit" } else { c"64bit" },
            process: u64 = process,
            thread: u64 = thread,
            fields: &Fields = &fields,
        ),
        Err(Failure { call, status }) => print_line!(
            "[Detail 0x%I64x] unknown (%s 0x%x) [Creator = 0x%I64x.0x%I64x]%s",
            pid: u64 = pid,
            call: &CStr = call,
            status: u32 = status.cast_unsigned(),
            process: u64 = process,
            thread: u64 = thread,
            fields: &Fields = &fields,
        ),
    }
}

fn add_detail(fields: &mut Fields, event: &Created<'_>) {
    if let Some(session) = event.session {
        fields.decimal(" [Session = ", session.into());
    }
    if event.creation.is_reparented() {
        fields.text(" [Reparented]");
    }
    if !event.creation.image_file_name_is_exact() {
        fields.text(" [Name is partial]");
    }
    if let Some(user) = &event.identity.user {
        fields.text(" [User = ");
        fields.sid(user);
        fields.text("]");
    }
    match event.identity.integrity_level.map(integrity_level) {
        Some(Ok(name)) => {
            fields.text(" [Integrity = ");
            fields.text(name);
            fields.text("]");
        }
        Some(Err(level)) => fields.hex(" [Integrity = ", level.into()),
        None => {}
    }
    if let Some(id) = event.identity.logon_id {
        fields.hex(" [Logon = ", id);
    }
    if let Some(key) = event.start_key {
        fields.hex(" [StartKey = ", key);
    }
    if let Some(status) = event.creation.denied() {
        fields.hex(" [Denied = ", status.cast_unsigned().into());
    }
}

/// The name of an integrity level, or its RID where it has none.
///
/// [Mandatory integrity control](https://learn.microsoft.com/windows/win32/secauthz/mandatory-integrity-control)
const fn integrity_level(rid: u32) -> Result<&'static str, u32> {
    match rid {
        0x0000 => Ok("untrusted"),
        0x1000 => Ok("low"),
        0x2000 => Ok("medium"),
        0x2100 => Ok("medium-plus"),
        0x3000 => Ok("high"),
        0x4000 => Ok("system"),
        0x5000 => Ok("protected"),
        _ => Err(rid),
    }
}

fn command_line(pid: ProcessId, text: &[u16]) {
    if is_plain_line(text) {
        whole_command_line(pid, text);
    } else {
        command_lines(pid, text);
    }
}

#[inline(never)]
fn command_lines(pid: ProcessId, text: &[u16]) {
    let mut text = Lines::of(text);
    let total = text.count_left();
    if total > 1 {
        numbered(c"CommandLine", pid, total, &mut text);
    } else {
        whole_command_line(pid, text.next_line().unwrap_or_default());
    }
}

#[inline(never)]
fn whole_command_line(pid: ProcessId, text: &[u16]) {
    print_line!(
        "[CommandLine 0x%I64x] %wZ",
        pid: u64 = pid.as_u64(),
        text: &UnicodeString<'_> = &UnicodeString::new(text),
    );
}

/// Prints the lines of a text that takes more than one.
fn numbered(what: &CStr, pid: ProcessId, total: usize, lines: &mut Lines<'_>) {
    let mut number = 0;
    while let Some(line) = lines.next_line() {
        number += 1;
        print_line!(
            "[%s 0x%I64x %I64u/%I64u] %wZ",
            what: &CStr = what,
            pid: u64 = pid.as_u64(),
            number: u64 = number,
            total: u64 = total as u64,
            text: &UnicodeString<'_> = &UnicodeString::new(line),
        );
    }
}

/// Reports that the driver is loaded.
pub fn loaded() {
    print_line!("[procmon] loaded");
}

/// Reports why the driver could not be loaded.
pub fn not_loaded(failure: Failure) {
    print_line!(
        "[procmon] not loaded: %s 0x%x%s",
        call: &CStr = failure.call,
        status: u32 = failure.status.cast_unsigned(),
        cause: &CStr = likely_cause(failure),
    );
}

/// Reports that the callback could not be removed.
pub fn not_removed(failure: Failure) {
    print_line!(
        "[procmon] callback not removed: %s 0x%x (the next process brings the system down)",
        call: &CStr = failure.call,
        status: u32 = failure.status.cast_unsigned(),
    );
}

/// Reports that the driver is unloaded, and what it saw.
pub fn unloaded(created: u64, exited: u64) {
    print_line!(
        "[procmon] unloaded: %I64u created, %I64u exited",
        created: u64 = created,
        exited: u64 = exited,
    );
}

fn likely_cause(failure: Failure) -> &'static CStr {
    match (failure.call.to_bytes(), failure.status) {
        (b"PsSetCreateProcessNotifyRoutineEx", STATUS_ACCESS_DENIED) => {
            c" (image not linked /INTEGRITYCHECK)"
        }
        (b"PsSetCreateProcessNotifyRoutineEx", STATUS_INVALID_PARAMETER) => {
            c" (already registered, or no slot is free)"
        }
        (b"MmGetSystemRoutineAddress", _) => c" (no ZwQueryInformationProcess in this kernel)",
        _ => c"",
    }
}
