//! Processes: objects, handles, and what the kernel tells of them.

use core::marker::PhantomData;
use core::ptr;

use wdk_sys::_MODE::KernelMode;
use wdk_sys::_PROCESSINFOCLASS::{ProcessSessionInformation, ProcessWow64Information};
use wdk_sys::ntddk::{
    KeQuerySystemTimePrecise, ObOpenObjectByPointer, PsGetCurrentProcessId,
    PsGetProcessCreateTimeQuadPart, PsGetProcessExitStatus, PsGetProcessExitTime, ZwClose,
};
use wdk_sys::{
    HANDLE, KPROCESSOR_MODE, LARGE_INTEGER, NTSTATUS, OBJ_KERNEL_HANDLE, PEPROCESS,
    PROCESSINFOCLASS, PULONG, PVOID, ULONG, ULONG_PTR,
};

use crate::nt::failure::Failure;
use crate::nt::string::utf16;
use crate::nt::system_routine::SystemRoutine;

/// Identifies a process among those that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessId(u64);

/// Identifies a thread among those that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadId(u64);

impl ProcessId {
    pub(super) fn from_raw(id: HANDLE) -> Self {
        Self(id.addr() as u64)
    }

    /// The process whose context the caller runs in.
    ///
    /// IRQL: any.
    ///
    /// [PsGetCurrentProcessId](https://learn.microsoft.com/windows-hardware/drivers/ddi/ntddk/nf-ntddk-psgetcurrentprocessid)
    #[must_use]
    pub fn current() -> Self {
        // SAFETY: The routine has no preconditions.
        Self::from_raw(unsafe { PsGetCurrentProcessId() })
    }

    /// The identifier as a number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl ThreadId {
    pub(super) fn from_raw(id: HANDLE) -> Self {
        Self(id.addr() as u64)
    }

    /// The identifier as a number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// A process object, kept by the kernel for `'a`.
#[derive(Debug)]
pub struct Process<'a> {
    object: PEPROCESS,
    id: ProcessId,
    kept: PhantomData<&'a ()>,
}

impl Process<'_> {
    /// # Safety
    ///
    /// `object` is the process object of `id` and stays valid for `'a`.
    pub(super) unsafe fn from_raw(object: PEPROCESS, id: HANDLE) -> Self {
        Self {
            object,
            id: ProcessId::from_raw(id),
            kept: PhantomData,
        }
    }

    /// The process's identifier.
    #[must_use]
    pub const fn id(&self) -> ProcessId {
        self.id
    }

    /// Opens a kernel handle to the process.
    ///
    /// IRQL: at most `APC_LEVEL`.
    ///
    /// # Errors
    ///
    /// What the object manager returns, such as `STATUS_INSUFFICIENT_RESOURCES`.
    ///
    /// [ObOpenObjectByPointer](https://learn.microsoft.com/windows-hardware/drivers/ddi/ntifs/nf-ntifs-obopenobjectbypointer)
    pub fn open(&self) -> Result<ProcessHandle, Failure> {
        #[expect(clippy::cast_possible_truncation, reason = "KernelMode is 0")]
        const KERNEL_MODE: KPROCESSOR_MODE = KernelMode as KPROCESSOR_MODE;
        let mut handle: HANDLE = ptr::null_mut();
        // SAFETY: The object is valid, and `handle` can be written.
        let status = unsafe {
            ObOpenObjectByPointer(
                self.object.cast(),
                OBJ_KERNEL_HANDLE,
                ptr::null_mut(),
                0,
                ptr::null_mut(),
                KERNEL_MODE,
                &raw mut handle,
            )
        };
        Failure::check(c"ObOpenObjectByPointer", status)?;
        Ok(ProcessHandle(handle))
    }

    /// The status that the process exits with; `STATUS_PENDING` while it runs.
    ///
    /// IRQL: at most `APC_LEVEL`.
    ///
    /// [PsGetProcessExitStatus](https://learn.microsoft.com/windows-hardware/drivers/ddi/ntddk/nf-ntddk-psgetprocessexitstatus)
    #[must_use]
    pub fn exit_status(&self) -> NTSTATUS {
        // SAFETY: The object is valid.
        unsafe { PsGetProcessExitStatus(self.object) }
    }

    /// Milliseconds from the process's creation to its exit, or to now where it
    /// has no exit time that can be read; 0 where the clock was set back
    /// meanwhile.
    ///
    /// IRQL: `PASSIVE_LEVEL`.
    ///
    /// [PsGetProcessCreateTimeQuadPart](https://learn.microsoft.com/windows-hardware/drivers/ddi/ntddk/nf-ntddk-psgetprocesscreatetimequadpart)
    #[must_use]
    pub fn lifetime_ms(&self) -> u64 {
        const UNITS_PER_MS: u64 = 10_000;
        // SAFETY: The object is valid.
        let created = unsafe { PsGetProcessCreateTimeQuadPart(self.object) };
        let ended = self.exit_time().unwrap_or_else(system_time);
        u64::try_from(ended.wrapping_sub(created)).unwrap_or(0) / UNITS_PER_MS
    }

    /// When the process exited, in units of 100 ns; the kernel tells it only in
    /// the process's own context, once it is set.
    ///
    /// [PsGetProcessExitTime](https://learn.microsoft.com/windows-hardware/drivers/ddi/ntifs/nf-ntifs-psgetprocessexittime)
    fn exit_time(&self) -> Option<i64> {
        if self.id != ProcessId::current() {
            return None;
        }
        // SAFETY: The routine has no preconditions.
        let time = unsafe { PsGetProcessExitTime() };
        // SAFETY: Every bit pattern of the union is a valid `QuadPart`.
        let time = unsafe { time.QuadPart };
        (time != 0).then_some(time)
    }
}

/// The system time, which a process's times are of, too, in units of 100 ns.
///
/// [KeQuerySystemTimePrecise](https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-kequerysystemtimeprecise)
fn system_time() -> i64 {
    let mut now = LARGE_INTEGER { QuadPart: 0 };
    // SAFETY: `now` can be written.
    unsafe { KeQuerySystemTimePrecise(&raw mut now) };
    // SAFETY: Every bit pattern of the union is a valid `QuadPart`.
    unsafe { now.QuadPart }
}

/// A kernel handle to a process, closed when it is dropped.
///
/// # Invariants
///
/// The handle is open.
#[derive(Debug)]
pub struct ProcessHandle(HANDLE);

impl ProcessHandle {
    /// Whether the process is a 32-bit one on a 64-bit system.
    ///
    /// IRQL: `PASSIVE_LEVEL`.
    ///
    /// # Errors
    ///
    /// What `ZwQueryInformationProcess` returns.
    pub fn is_wow64(&self) -> Result<bool, Failure> {
        let mut peb: ULONG_PTR = 0;
        self.query(ProcessWow64Information, &mut peb)?;
        Ok(peb != 0)
    }

    /// The session that the process belongs to.
    ///
    /// IRQL: `PASSIVE_LEVEL`.
    ///
    /// # Errors
    ///
    /// What `ZwQueryInformationProcess` returns.
    pub fn session_id(&self) -> Result<u32, Failure> {
        let mut session: ULONG = 0;
        self.query(ProcessSessionInformation, &mut session)?;
        Ok(session)
    }

    /// Asks for the information of a class whose structure is a `T`.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the structures are of a few bytes"
    )]
    fn query<T>(&self, class: PROCESSINFOCLASS, information: &mut T) -> Result<(), Failure> {
        const CALL: &core::ffi::CStr = c"ZwQueryInformationProcess";
        let Some(query) = ZW_QUERY_INFORMATION_PROCESS.get() else {
            return Failure::check(CALL, wdk_sys::STATUS_PROCEDURE_NOT_FOUND);
        };
        // SAFETY: The handle is open, and `information` can be written and is
        // as long as is said.
        let status = unsafe {
            query(
                self.0,
                class,
                ptr::from_mut(information).cast(),
                size_of::<T>() as ULONG,
                ptr::null_mut(),
            )
        };
        Failure::check(CALL, status)
    }
}

impl Drop for ProcessHandle {
    fn drop(&mut self) {
        // SAFETY: The handle is open, and nothing uses it afterwards.
        let status = unsafe { ZwClose(self.0) };
        debug_assert!(wdk::nt_success(status));
    }
}

/// [ZwQueryInformationProcess](https://learn.microsoft.com/windows/win32/procthread/zwqueryinformationprocess)
type ZwQueryInformationProcess =
    unsafe extern "C" fn(HANDLE, PROCESSINFOCLASS, PVOID, ULONG, PULONG) -> NTSTATUS;

/// Microsoft documents this routine as one to be looked up, not imported.
static ZW_QUERY_INFORMATION_PROCESS: SystemRoutine<ZwQueryInformationProcess> = {
    const NAME: &[u16] = &utf16::<25>("ZwQueryInformationProcess");
    // SAFETY: The type is the one that the documentation gives for the name.
    unsafe { SystemRoutine::named(NAME) }
};

/// Finds the routines that this module calls without importing them.
///
/// IRQL: `PASSIVE_LEVEL`.
///
/// # Errors
///
/// `STATUS_PROCEDURE_NOT_FOUND` where this kernel lacks one.
pub fn resolve_system_routines() -> Result<(), Failure> {
    ZW_QUERY_INFORMATION_PROCESS.resolve()
}
