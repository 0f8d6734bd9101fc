//! The log: every line that the driver prints.
//!
//! IRQL of every function here: `PASSIVE_LEVEL`.

use core::ffi::CStr;

use wdk_sys::{NTSTATUS, STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER};

use crate::nt::failure::Failure;
use crate::nt::notify::Creation;
use crate::nt::process::{Process, ProcessId};
use crate::nt::string::{UnicodeString, utf16};
use crate::print_line;
use crate::text::Lines;

/// Reports a process that is being created.
#[inline(never)]
pub fn created(process: &Process<'_>, creation: Creation<'_>) {
    create(process.id(), creation);
    detail(process, creation);
    if let Some(text) = creation.command_line() {
        command_line(process.id(), text);
    }
}

/// Reports a process that is exiting.
#[inline(never)]
pub fn exited(process: &Process<'_>) {
    print_line!(
        "[Destroy] [PID = 0x%I64x] [CurrentPID = 0x%I64x] [ExitStatus = 0x%x] [Lifetime = %I64u ms]",
        pid: u64 = process.id().as_u64(),
        current: u64 = ProcessId::current().as_u64(),
        status: u32 = process.exit_status().cast_unsigned(),
        lifetime: u64 = process.lifetime_ms(),
    );
}

#[inline(never)]
fn create(pid: ProcessId, creation: Creation<'_>) {
    const NULL: &[u16] = &utf16::<6>("(null)");
    let mut name = Lines::of(creation.image_file_name().unwrap_or(NULL));
    print_line!(
        "[Create] [PID = 0x%I64x, Name=%wZ] [CurrentPID = 0x%I64x] [PPID = 0x%I64x]",
        pid: u64 = pid.as_u64(),
        name: &UnicodeString<'_> = &UnicodeString::new(name.next_line().unwrap_or_default()),
        current: u64 = ProcessId::current().as_u64(),
        parent: u64 = creation.parent().as_u64(),
    );
    let more = name.count_left();
    numbered(c"Name", pid, more, &mut name);
}

fn detail(process: &Process<'_>, creation: Creation<'_>) {
    let (is_wow64, session) = match process.open() {
        Ok(handle) => (handle.is_wow64(), handle.session_id().ok()),
        Err(failure) => (Err(failure), None),
    };
    let pid = process.id().as_u64();
    let creating_process = creation.creating_process().as_u64();
    let creating_thread = creation.creating_thread().as_u64();
    let reparented = said(creation.is_reparented(), c" [Reparented]");
    let partial = said(!creation.image_file_name_is_exact(), c" [Name is partial]");

    match (is_wow64.map(bits), session) {
        (Ok(bits), Some(session)) => print_line!(
            "[Detail 0x%I64x] %s [Creator = 0x%I64x.0x%I64x] [Session = %u]%s%s",
            pid: u64 = pid,
            bits: &CStr = bits,
            creating_process: u64 = creating_process,
            creating_thread: u64 = creating_thread,
            session: u32 = session,
            reparented: &CStr = reparented,
            partial: &CStr = partial,
        ),
        (Ok(bits), None) => print_line!(
            "[Detail 0x%I64x] %s [Creator = 0x%I64x.0x%I64x]%s%s",
            pid: u64 = pid,
            bits: &CStr = bits,
            creating_process: u64 = creating_process,
            creating_thread: u64 = creating_thread,
            reparented: &CStr = reparented,
            partial: &CStr = partial,
        ),
        (Err(Failure { call, status }), Some(session)) => print_line!(
            "[Detail 0x%I64x] unknown (%s 0x%x) [Creator = 0x%I64x.0x%I64x] [Session = %u]%s%s",
            pid: u64 = pid,
            call: &CStr = call,
            status: u32 = status.cast_unsigned(),
            creating_process: u64 = creating_process,
            creating_thread: u64 = creating_thread,
            session: u32 = session,
            reparented: &CStr = reparented,
            partial: &CStr = partial,
        ),
        (Err(Failure { call, status }), None) => print_line!(
            "[Detail 0x%I64x] unknown (%s 0x%x) [Creator = 0x%I64x.0x%I64x]%s%s",
            pid: u64 = pid,
            call: &CStr = call,
            status: u32 = status.cast_unsigned(),
            creating_process: u64 = creating_process,
            creating_thread: u64 = creating_thread,
            reparented: &CStr = reparented,
            partial: &CStr = partial,
        ),
    }
}

#[inline(never)]
fn command_line(pid: ProcessId, text: &[u16]) {
    let mut text = Lines::of(text);
    let total = text.count_left();
    if total > 1 {
        return numbered(c"CommandLine", pid, total, &mut text);
    }
    print_line!(
        "[CommandLine 0x%I64x] %wZ",
        pid: u64 = pid.as_u64(),
        text: &UnicodeString<'_> = &UnicodeString::new(text.next_line().unwrap_or_default()),
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
        cause: &CStr = likely_cause(failure.status),
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

const fn bits(is_wow64: bool) -> &'static CStr {
    if is_wow64 { c"32bit" } else { c"64bit" }
}

const fn said(holds: bool, text: &'static CStr) -> &'static CStr {
    if holds { text } else { c"" }
}

const fn likely_cause(status: NTSTATUS) -> &'static CStr {
    match status {
        STATUS_ACCESS_DENIED => c" (image not signed, or not linked /INTEGRITYCHECK)",
        STATUS_INVALID_PARAMETER => c" (already registered, or no slot is free)",
        wdk_sys::STATUS_PROCEDURE_NOT_FOUND => c" (no ZwQueryInformationProcess in this kernel)",
        _ => c"",
    }
}
