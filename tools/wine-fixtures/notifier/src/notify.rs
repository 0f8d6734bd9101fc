//! The process-notify callback of the driver under test.

use core::hint;
use core::mem;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering::SeqCst};

use windows_sys::Wdk::Foundation::PEPROCESS;
use windows_sys::Wdk::System::SystemServices::{
    PCREATE_PROCESS_NOTIFY_ROUTINE_EX, PS_CREATE_NOTIFY_INFO,
};
use windows_sys::Win32::Foundation::{
    HANDLE, NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_PROCEDURE_NOT_FOUND, STATUS_SUCCESS,
};

static CALLBACK: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
static IN_FLIGHT: AtomicU32 = AtomicU32::new(0);

/// In the place of `PsSetCreateProcessNotifyRoutineEx`, with its statuses; there
/// is one slot.
pub extern "system" fn set(callback: PCREATE_PROCESS_NOTIFY_ROUTINE_EX, remove: bool) -> NTSTATUS {
    let callback = callback.map_or(ptr::null_mut(), |callback| callback as *mut ());
    let none = ptr::null_mut();
    if !remove {
        return match CALLBACK.compare_exchange(none, callback, SeqCst, SeqCst) {
            Ok(_) => STATUS_SUCCESS,
            Err(_) => STATUS_INVALID_PARAMETER,
        };
    }
    if CALLBACK
        .compare_exchange(callback, none, SeqCst, SeqCst)
        .is_err()
    {
        return STATUS_PROCEDURE_NOT_FOUND;
    }
    while IN_FLIGHT.load(SeqCst) != 0 {
        hint::spin_loop();
    }
    STATUS_SUCCESS
}

/// Calls the callback, and says whether one is registered.
pub fn deliver(process: PEPROCESS, id: HANDLE, creation: *mut PS_CREATE_NOTIFY_INFO) -> bool {
    IN_FLIGHT.fetch_add(1, SeqCst);
    let callback = CALLBACK.load(SeqCst);
    if !callback.is_null() {
        // SAFETY: Only `set` stores here, and it stores such functions.
        let callback =
            unsafe { mem::transmute::<*mut (), PCREATE_PROCESS_NOTIFY_ROUTINE_EX>(callback) };
        if let Some(callback) = callback {
            // SAFETY: The object and the structure live during the call, and
            // `set` waits for it before the driver can go.
            unsafe { callback(process, id, creation) };
        }
    }
    IN_FLIGHT.fetch_sub(1, SeqCst);
    !callback.is_null()
}
