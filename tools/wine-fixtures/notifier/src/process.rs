//! What Wine knows of a process but does not export, or not as the kernel does.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;

use windows_sys::Wdk::Foundation::{ACCESS_STATE, PEPROCESS, POBJECT_TYPE};
use windows_sys::Wdk::Storage::FileSystem::{ObOpenObjectByPointer, PsLookupProcessByProcessId};
use windows_sys::Wdk::System::SystemServices::{KERNEL_USER_TIMES, ObfDereferenceObject};
use windows_sys::Wdk::System::Threading::{
    PROCESSINFOCLASS, ProcessBasicInformation, ProcessTimes,
};
use windows_sys::Win32::Foundation::{HANDLE, NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use windows_sys::Win32::System::Threading::{PROCESS_ALL_ACCESS, PROCESS_BASIC_INFORMATION};

use crate::nt;

/// A reference to a process object.
pub struct Process(PEPROCESS);

impl Process {
    /// Finds a process.
    pub fn find(id: u32) -> Result<Self, NTSTATUS> {
        let mut object = 0;
        // SAFETY: The object can be written.
        let status = unsafe {
            PsLookupProcessByProcessId(ptr::without_provenance_mut(id as usize), &raw mut object)
        };
        if status != STATUS_SUCCESS {
            return Err(status);
        }
        Ok(Self(object))
    }

    /// The object itself.
    pub const fn object(&self) -> PEPROCESS {
        self.0
    }

    /// The process that this one inherits from.
    pub fn parent(&self) -> HANDLE {
        // SAFETY: The object is valid.
        unsafe { nt::PsGetProcessInheritedFromUniqueProcessId(self.0) }
    }

    /// Fills `buffer` with what is asked for, and says whether it could.
    pub fn query(&self, class: PROCESSINFOCLASS, buffer: &mut [u64]) -> bool {
        let bytes = size_of_val(buffer);
        // SAFETY: The buffer has that size and alignment enough for any class.
        unsafe { query(self.0, class, buffer.as_mut_ptr().cast(), bytes) == STATUS_SUCCESS }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SAFETY: The reference is this value's own.
        unsafe { ObfDereferenceObject(ptr::without_provenance(self.0.cast_unsigned())) };
    }
}

/// In the place of `ObOpenObjectByPointer`: the kernel does not check the access
/// of a handle that a driver uses, Wine's server does. So the handle gets the
/// access that the kernel would not ask for.
pub unsafe extern "system" fn open_by_pointer(
    object: *const c_void,
    attributes: u32,
    state: *const ACCESS_STATE,
    access: u32,
    object_type: POBJECT_TYPE,
    mode: i8,
    handle: *mut HANDLE,
) -> NTSTATUS {
    let access = if access == 0 {
        PROCESS_ALL_ACCESS
    } else {
        access
    };
    // SAFETY: The arguments are the caller's.
    unsafe { ObOpenObjectByPointer(object, attributes, state, access, object_type, mode, handle) }
}

/// In the place of `PsGetProcessExitStatus`.
pub unsafe extern "system" fn exit_status(process: PEPROCESS) -> NTSTATUS {
    let mut basic = MaybeUninit::<PROCESS_BASIC_INFORMATION>::zeroed();
    // SAFETY: The structure is the one of this class.
    let status = unsafe {
        query(
            process,
            ProcessBasicInformation,
            basic.as_mut_ptr().cast(),
            size_of_val(&basic),
        )
    };
    if status != STATUS_SUCCESS {
        return status;
    }
    // SAFETY: It was filled in, and zeros are valid as well.
    unsafe { basic.assume_init() }.ExitStatus
}

/// In the place of `PsGetProcessCreateTimeQuadPart`.
pub unsafe extern "system" fn create_time(process: PEPROCESS) -> i64 {
    let mut times = KERNEL_USER_TIMES::default();
    // SAFETY: The structure is the one of this class. Where the query fails it
    // stays zero: the lifetime that follows is then absurd, and seen.
    unsafe {
        query(
            process,
            ProcessTimes,
            (&raw mut times).cast(),
            size_of_val(&times),
        )
    };
    times.CreateTime
}

/// # Safety
///
/// `process` is a process object, and `buffer` holds `bytes` bytes.
unsafe fn query(
    process: PEPROCESS,
    class: PROCESSINFOCLASS,
    buffer: *mut c_void,
    bytes: usize,
) -> NTSTATUS {
    const KERNEL_MODE: i8 = 0;
    let Ok(bytes) = u32::try_from(bytes) else {
        return STATUS_INVALID_PARAMETER;
    };
    let mut handle = ptr::null_mut();
    // SAFETY: The caller has a process object.
    let status = unsafe {
        ObOpenObjectByPointer(
            ptr::without_provenance(process.cast_unsigned()),
            0,
            ptr::null(),
            PROCESS_ALL_ACCESS,
            POBJECT_TYPE::default(),
            KERNEL_MODE,
            &raw mut handle,
        )
    };
    if status != STATUS_SUCCESS {
        return status;
    }
    // SAFETY: The handle is open, and the buffer is the caller's.
    let status =
        unsafe { nt::query_information_process(handle, class, buffer, bytes, ptr::null_mut()) };
    // SAFETY: The handle is open, and not used any more.
    unsafe { nt::close(handle) };
    status
}
