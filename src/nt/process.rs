//! Processes: objects, handles, and what the kernel tells of them.

use core::marker::PhantomData;
use core::ptr;

use wdk_sys::_MODE::KernelMode;
use wdk_sys::_PROCESSINFOCLASS::{ProcessSessionInformation, ProcessWow64Information};
use wdk_sys::ntddk::{
    KeQuerySystemTimePrecise, ObOpenObjectByPointer, PsGetCurrentProcessId,
    PsGetProcessCreateTimeQuadPart, PsGetProcessExitStatus, PsGetProcessExitTime,
    ZwOpenProcessTokenEx,
};
use wdk_sys::{
    HANDLE, KPROCESSOR_MODE, LARGE_INTEGER, NTSTATUS, OBJ_KERNEL_HANDLE, PEPROCESS,
    PROCESSINFOCLASS, PULONG, PVOID, TOKEN_QUERY, ULONG, ULONG_PTR, ULONGLONG,
};

use crate::nt::failure::Failure;
use crate::nt::handle::Handle;
use crate::nt::string::utf16;
use crate::nt::system_routine::SystemRoutine;
use crate::nt::token::Token;

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
        // SAFETY: The handle was just opened, for this value alone.
        Ok(ProcessHandle(unsafe { Handle::from_raw(handle) }))
    }

    /// A number that no other process gets before the next boot, unlike
    /// [`id`](Self::id); `None` on a Windows before 10 1703.
    ///
    /// IRQL: at most `DISPATCH_LEVEL`.
    ///
    /// [PsGetProcessStartKey](https://learn.microsoft.com/windows-hardware/drivers/ddi/ntddk/nf-ntddk-psgetprocessstartkey)
    #[must_use]
    pub fn start_key(&self) -> Option<u64> {
        let get = PS_GET_PROCESS_START_KEY.get()?;
        // SAFETY: The object is valid.
        Some(unsafe { get(self.object) })
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

    /// When the process was created: a system time, in units of 100 ns.
    ///
    /// IRQL: any.
    ///
    /// [PsGetProcessCreateTimeQuadPart](https://learn.microsoft.com/windows-hardware/drivers/ddi/ntddk/nf-ntddk-psgetprocesscreatetimequadpart)
    #[must_use]
    pub fn create_time(&self) -> i64 {
        // SAFETY: The object is valid.
        unsafe { PsGetProcessCreateTimeQuadPart(self.object) }
    }

    /// Milliseconds from the process's creation to its exit, or to now where it
    /// has no exit time that can be read; 0 where the clock was set back
    /// meanwhile.
    ///
    /// IRQL: `PASSIVE_LEVEL`.
    #[must_use]
    pub fn lifetime_ms(&self) -> u64 {
        const UNITS_PER_MS: u64 = 10_000;
        let created = self.create_time();
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

/// A kernel handle to a process.
#[derive(Debug)]
pub struct ProcessHandle(Handle);

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

    /// Opens the primary token of the process; `None` where that fails.
    ///
    /// IRQL: `PASSIVE_LEVEL`.
    ///
    /// [ZwOpenProcessTokenEx](https://learn.microsoft.com/windows-hardware/drivers/ddi/ntifs/nf-ntifs-zwopenprocesstokenex)
    #[must_use]
    pub fn open_token(&self) -> Option<Token> {
        let mut handle: HANDLE = ptr::null_mut();
        // SAFETY: The process's handle is open, and `handle` can be written.
        let status = unsafe {
            ZwOpenProcessTokenEx(
                self.0.as_raw(),
                TOKEN_QUERY,
                OBJ_KERNEL_HANDLE,
                &raw mut handle,
            )
        };
        if !wdk::nt_success(status) {
            return None;
        }
        // SAFETY: The handle was just opened, for this value alone.
        Some(Token::new(unsafe { Handle::from_raw(handle) }))
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
                self.0.as_raw(),
                class,
                ptr::from_mut(information).cast(),
                size_of::<T>() as ULONG,
                ptr::null_mut(),
            )
        };
        Failure::check(CALL, status)
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

/// Windows has it since 10 1703.
static PS_GET_PROCESS_START_KEY: SystemRoutine<unsafe extern "C" fn(PEPROCESS) -> ULONGLONG> = {
    const NAME: &[u16] = &utf16::<20>("PsGetProcessStartKey");
    // SAFETY: The type is the one that the documentation gives for the name.
    unsafe { SystemRoutine::named(NAME) }
};

/// Finds the routines that this module calls without importing them.
///
/// IRQL: `PASSIVE_LEVEL`.
///
/// # Errors
///
/// `STATUS_PROCEDURE_NOT_FOUND` where this kernel lacks one that the driver
/// cannot do without.
pub fn resolve_system_routines() -> Result<(), Failure> {
    ZW_QUERY_INFORMATION_PROCESS.resolve()?;
    // Without it processes are reported without their start key.
    let _ = PS_GET_PROCESS_START_KEY.resolve();
    Ok(())
}
