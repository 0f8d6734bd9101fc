//! The process-notify callback: its registration, and the raw half of it.

use core::marker::PhantomData;

use wdk_sys::ntddk::PsSetCreateProcessNotifyRoutineEx;
use wdk_sys::{
    BOOLEAN, FALSE, HANDLE, NTSTATUS, PEPROCESS, PPS_CREATE_NOTIFY_INFO, PS_CREATE_NOTIFY_INFO,
    TRUE,
};

use crate::nt::failure::Failure;
use crate::nt::process::{Process, ProcessId, ThreadId};
use crate::nt::string;

/// Is told of every process that is created and every process that exits.
///
/// IRQL of both functions: `PASSIVE_LEVEL`, in a critical region with normal
/// kernel APCs disabled, on any number of processors at once.
pub trait ProcessObserver {
    /// A process has its first thread, which does not run yet. Called in the
    /// context of the thread that creates the process.
    fn created(process: &Process<'_>, creation: Creation<'_>);

    /// The last thread of a process is exiting. Called in its context.
    fn exited(process: &Process<'_>);
}

/// What the kernel says of a process that is being created.
///
/// IRQL of every function: `PASSIVE_LEVEL`.
///
/// # Invariants
///
/// The strings of the structure are null or valid for `'a`.
///
/// [PS_CREATE_NOTIFY_INFO](https://learn.microsoft.com/windows-hardware/drivers/ddi/ntddk/ns-ntddk-_ps_create_notify_info)
#[derive(Clone, Copy)]
pub struct Creation<'a>(&'a PS_CREATE_NOTIFY_INFO);

impl<'a> Creation<'a> {
    /// `FileOpenNameAvailable`, the first bit of `Flags`.
    const FILE_OPEN_NAME_AVAILABLE: u32 = 1 << 0;

    /// # Safety
    ///
    /// The strings of `info` are null or valid for `'a`.
    const unsafe fn from_raw(info: &'a PS_CREATE_NOTIFY_INFO) -> Self {
        Self(info)
    }

    /// The parent that the process inherits from.
    #[must_use]
    pub fn parent(self) -> ProcessId {
        ProcessId::from_raw(self.0.ParentProcessId)
    }

    /// The process of the thread that creates it, mostly the parent.
    #[must_use]
    pub fn creating_process(self) -> ProcessId {
        ProcessId::from_raw(self.0.CreatingThreadId.UniqueProcess)
    }

    /// The thread that creates it.
    #[must_use]
    pub fn creating_thread(self) -> ThreadId {
        ThreadId::from_raw(self.0.CreatingThreadId.UniqueThread)
    }

    /// Whether the process inherits from another process than the one that
    /// creates it.
    #[must_use]
    pub fn is_reparented(self) -> bool {
        self.creating_process() != self.parent()
    }

    /// The file that it runs.
    #[must_use]
    pub fn image_file_name(self) -> Option<&'a [u16]> {
        // SAFETY: The string is null or valid, by the type's invariant.
        unsafe { string::units(self.0.ImageFileName) }
    }

    /// Whether [`image_file_name`](Self::image_file_name) is the exact name
    /// that the file was opened by (`FileOpenNameAvailable`), and not a part of
    /// it.
    #[must_use]
    pub const fn image_file_name_is_exact(self) -> bool {
        // SAFETY: Every bit pattern of the union is a valid `Flags`.
        let flags = unsafe { self.0.__bindgen_anon_1.Flags };
        flags & Self::FILE_OPEN_NAME_AVAILABLE != 0
    }

    /// The status that another driver refused the process with before this one
    /// was called.
    #[must_use]
    pub const fn denied(self) -> Option<NTSTATUS> {
        let status = self.status();
        if wdk::nt_success(status) {
            None
        } else {
            Some(status)
        }
    }

    /// The status that the process is created with, as far as it is decided.
    #[must_use]
    pub const fn status(self) -> NTSTATUS {
        self.0.CreationStatus
    }

    /// The command that it was started with.
    #[must_use]
    pub fn command_line(self) -> Option<&'a [u16]> {
        // SAFETY: The string is null or valid, by the type's invariant.
        unsafe { string::units(self.0.CommandLine) }
    }
}

/// A process-notify callback that calls `O`.
///
/// # Invariants
///
/// While a value of this type exists, the callback is registered. It stays so
/// until [`remove`](Self::remove) removes it.
#[must_use]
pub struct Registration<O: ProcessObserver>(PhantomData<O>);

impl<O: ProcessObserver> Registration<O> {
    /// Registers the callback.
    ///
    /// IRQL: `PASSIVE_LEVEL`.
    ///
    /// # Errors
    ///
    /// `STATUS_ACCESS_DENIED` where the image is not linked `/INTEGRITYCHECK`; `STATUS_INVALID_PARAMETER` where the callback is
    /// registered already, or no slot is free for it.
    ///
    /// [PsSetCreateProcessNotifyRoutineEx](https://learn.microsoft.com/windows-hardware/drivers/ddi/ntddk/nf-ntddk-pssetcreateprocessnotifyroutineex)
    pub fn new() -> Result<Self, Failure> {
        Self::set(FALSE)?;
        Ok(Self(PhantomData))
    }

    /// Removes the callback and waits for those that still run.
    ///
    /// IRQL: `PASSIVE_LEVEL`; not from the callback itself.
    ///
    /// # Errors
    ///
    /// `STATUS_PROCEDURE_NOT_FOUND` where the callback is not registered. The
    /// kernel then may call into this image even when it is unloaded.
    pub fn remove(self) -> Result<(), Failure> {
        Self::set(TRUE)
    }

    fn set(remove: u32) -> Result<(), Failure> {
        #[expect(clippy::cast_possible_truncation, reason = "TRUE is 1")]
        let remove = remove as BOOLEAN;
        // SAFETY: `notify` has the signature and keeps the rules of such a
        // callback, and DriverUnload removes it before the image goes.
        let status = unsafe { PsSetCreateProcessNotifyRoutineEx(Some(notify::<O>), remove) };
        Failure::check(c"PsSetCreateProcessNotifyRoutineEx", status)
    }
}

/// The callback that the kernel calls.
///
/// # Safety
///
/// The arguments are those that the kernel gives to a process-notify callback.
///
/// [PCREATE_PROCESS_NOTIFY_ROUTINE_EX](https://learn.microsoft.com/windows-hardware/drivers/ddi/ntddk/nc-ntddk-pcreate_process_notify_routine_ex)
unsafe extern "C" fn notify<O: ProcessObserver>(
    process: PEPROCESS,
    process_id: HANDLE,
    create_info: PPS_CREATE_NOTIFY_INFO,
) {
    // SAFETY: The kernel keeps the process object for the time of the call.
    let process = unsafe { Process::from_raw(process, process_id) };
    // SAFETY: The kernel gives null or a structure that lives during the call,
    // and of which this driver writes nothing.
    let create_info = unsafe { create_info.as_ref() };
    match create_info {
        Some(info) => {
            // SAFETY: The strings of the structure live as long as it does.
            let creation = unsafe { Creation::from_raw(info) };
            O::created(&process, creation);
        }
        None => O::exited(&process),
    }
}
