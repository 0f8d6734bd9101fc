//! procmon's lines, the way that most drivers in Rust print: `wdk::println!`
//! and `Display`. Short and safe to read, and what procmon is measured against:
//! text is formatted character by character before the kernel sees it, and a
//! line longer than 511 bytes is split wherever it happens to be.

#![no_std]

extern crate wdk_panic;

use core::fmt::{self, Display, Formatter, Write as _};
use core::ptr;
use core::slice;
use core::sync::atomic::{AtomicPtr, Ordering};

use wdk::{nt_success, println};
use wdk_alloc::WdkAllocator;
use wdk_sys::_PROCESSINFOCLASS::{ProcessSessionInformation, ProcessWow64Information};
use wdk_sys::ntddk::{
    KeQuerySystemTimePrecise, MmGetSystemRoutineAddress, ObOpenObjectByPointer,
    PsGetCurrentProcessId, PsGetProcessCreateTimeQuadPart, PsGetProcessExitStatus,
    PsSetCreateProcessNotifyRoutineEx, ZwClose,
};
use wdk_sys::{
    DRIVER_OBJECT, HANDLE, LARGE_INTEGER, NTSTATUS, OBJ_KERNEL_HANDLE, PCUNICODE_STRING, PEPROCESS,
    PPS_CREATE_NOTIFY_INFO, PROCESSINFOCLASS, PS_CREATE_NOTIFY_INFO, PULONG, PVOID,
    STATUS_PROCEDURE_NOT_FOUND, ULONG, UNICODE_STRING,
};

#[global_allocator]
static GLOBAL_ALLOCATOR: WdkAllocator = WdkAllocator;

type QueryInformationProcess =
    unsafe extern "C" fn(HANDLE, PROCESSINFOCLASS, PVOID, ULONG, PULONG) -> NTSTATUS;

static QUERY_INFORMATION_PROCESS: AtomicPtr<core::ffi::c_void> = AtomicPtr::new(ptr::null_mut());

/// A string of the kernel's, with what could break a line escaped.
struct Text(PCUNICODE_STRING);

impl Display for Text {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // SAFETY: the kernel gives null or a valid string.
        let Some(string) = (unsafe { self.0.as_ref() }) else {
            return f.write_str("(null)");
        };
        if string.Buffer.is_null() {
            return Ok(());
        }
        // SAFETY: the kernel's string holds the bytes that it counts.
        let units = unsafe { slice::from_raw_parts(string.Buffer, usize::from(string.Length / 2)) };
        for character in char::decode_utf16(units.iter().copied()) {
            match character {
                Ok(character) if character.is_control() => {
                    write!(f, "\\u{:04x}", u32::from(character))?;
                }
                Ok(character) => f.write_char(character)?,
                Err(half) => write!(f, "\\u{:04x}", half.unpaired_surrogate())?,
            }
        }
        Ok(())
    }
}

fn query<T: Default>(handle: HANDLE, class: PROCESSINFOCLASS) -> Result<T, NTSTATUS> {
    let routine = QUERY_INFORMATION_PROCESS.load(Ordering::Acquire);
    // SAFETY: DriverEntry stored the routine of this name, whose type this is.
    let routine: QueryInformationProcess = unsafe { core::mem::transmute(routine) };
    let mut information = T::default();
    let size = ULONG::try_from(size_of::<T>()).unwrap_or(0);
    // SAFETY: the handle is open and the structure is as long as is said.
    let status = unsafe {
        routine(
            handle,
            class,
            (&raw mut information).cast(),
            size,
            ptr::null_mut(),
        )
    };
    if nt_success(status) {
        Ok(information)
    } else {
        Err(status)
    }
}

/// What is asked through a handle: whether the process is a 32-bit one, and its
/// session.
fn ask(process: PEPROCESS) -> Result<(bool, u32), NTSTATUS> {
    let mut handle: HANDLE = ptr::null_mut();
    // SAFETY: the kernel keeps the process during the callback.
    let status = unsafe {
        ObOpenObjectByPointer(
            process.cast(),
            OBJ_KERNEL_HANDLE,
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            0,
            &raw mut handle,
        )
    };
    if !nt_success(status) {
        return Err(status);
    }
    let peb = query::<usize>(handle, ProcessWow64Information);
    let session = query::<u32>(handle, ProcessSessionInformation);
    // SAFETY: the handle is open and not used again.
    let _ = unsafe { ZwClose(handle) };
    Ok((peb? != 0, session?))
}

fn created(process: PEPROCESS, process_id: HANDLE, info: &PS_CREATE_NOTIFY_INFO) {
    let pid = process_id.addr();
    // SAFETY: no preconditions.
    let current = unsafe { PsGetCurrentProcessId() }.addr();
    let parent = info.ParentProcessId.addr();
    let creator = info.CreatingThreadId.UniqueProcess.addr();
    let thread = info.CreatingThreadId.UniqueThread.addr();
    println!(
        "[Create] [PID = {pid:#x}, Name={}] [CurrentPID = {current:#x}] [PPID = {parent:#x}]",
        Text(info.ImageFileName),
    );
    // SAFETY: every bit pattern of the union is a valid `Flags`.
    let flags = unsafe { info.__bindgen_anon_1.Flags };
    let partial = if flags & 1 == 0 {
        " [Name is partial]"
    } else {
        ""
    };
    let reparented = if creator == parent {
        ""
    } else {
        " [Reparented]"
    };
    match ask(process) {
        Ok((is_wow64, session)) => println!(
            "[Detail {pid:#x}] {}bit [Creator = {creator:#x}.{thread:#x}] \
             [Session = {session}]{reparented}{partial}",
            if is_wow64 { 32 } else { 64 },
        ),
        Err(status) => println!(
            "[Detail {pid:#x}] unknown ({status:#x}) [Creator = {creator:#x}.{thread:#x}]\
             {reparented}{partial}",
        ),
    }
    if !info.CommandLine.is_null() {
        println!("[CommandLine {pid:#x}] {}", Text(info.CommandLine));
    }
}

fn exited(process: PEPROCESS, process_id: HANDLE) {
    let pid = process_id.addr();
    let mut now = LARGE_INTEGER { QuadPart: 0 };
    // SAFETY: `now` can be written.
    unsafe { KeQuerySystemTimePrecise(&raw mut now) };
    // SAFETY: every bit pattern of the union is a valid `QuadPart`.
    let now = unsafe { now.QuadPart };
    // SAFETY: the kernel keeps the process during the callback.
    let lifetime = (now - unsafe { PsGetProcessCreateTimeQuadPart(process) }) / 10_000;
    // SAFETY: as above.
    let status = unsafe { PsGetProcessExitStatus(process) };
    // SAFETY: no preconditions.
    let current = unsafe { PsGetCurrentProcessId() }.addr();
    println!(
        "[Destroy] [PID = {pid:#x}] [CurrentPID = {current:#x}] [ExitStatus = {status:#x}] \
         [Lifetime = {lifetime} ms]",
    );
}

unsafe extern "C" fn notify(process: PEPROCESS, process_id: HANDLE, info: PPS_CREATE_NOTIFY_INFO) {
    // SAFETY: the kernel gives null or a structure that lives during the call.
    match unsafe { info.as_ref() } {
        Some(info) => created(process, process_id, info),
        None => exited(process, process_id),
    }
}

unsafe extern "C" fn unload(_driver: *mut DRIVER_OBJECT) {
    // SAFETY: `notify` was registered by DriverEntry.
    let _ = unsafe { PsSetCreateProcessNotifyRoutineEx(Some(notify), 1) };
}

/// Starts the driver.
///
/// # Safety
///
/// Only the I/O manager may call this, once, with the driver's own object.
// SAFETY: nothing else exports the name that the linker is told to start at.
#[unsafe(export_name = "DriverEntry")]
pub unsafe extern "system" fn driver_entry(
    driver: &mut DRIVER_OBJECT,
    _registry_path: PCUNICODE_STRING,
) -> NTSTATUS {
    const NAME: &[u8] = b"ZwQueryInformationProcess";
    let mut units = [0; NAME.len()];
    for (unit, byte) in units.iter_mut().zip(NAME) {
        *unit = u16::from(*byte);
    }
    let length = u16::try_from(size_of_val(&units)).unwrap_or(0);
    let mut name = UNICODE_STRING {
        Length: length,
        MaximumLength: length,
        Buffer: units.as_mut_ptr(),
    };
    // SAFETY: the name is valid during the call.
    let routine = unsafe { MmGetSystemRoutineAddress(&raw mut name) };
    if routine.is_null() {
        return STATUS_PROCEDURE_NOT_FOUND;
    }
    QUERY_INFORMATION_PROCESS.store(routine, Ordering::Release);
    driver.DriverUnload = Some(unload);
    // SAFETY: `notify` keeps the rules of such a callback, and `unload` removes
    // it before the image goes.
    unsafe { PsSetCreateProcessNotifyRoutineEx(Some(notify), 0) }
}
