//! Notify routines.

use wdk_sys::ntddk::PsSetCreateProcessNotifyRoutineEx;
use wdk_sys::{
    HANDLE, NTSTATUS, PEPROCESS, PPS_CREATE_NOTIFY_INFO, STATUS_NOT_FOUND, STATUS_SUCCESS,
};

use crate::misdeed::{Misdeed, Scene, When};
use crate::{ADD, REMOVE};

pub const MISDEEDS: &[Misdeed] = &[
    Misdeed::new("leave-registered", When::Load, leave_registered),
    Misdeed::new("register-in-unload", When::Unload, register_in_unload),
    Misdeed::new("register-twice", When::Load, register_twice),
    Misdeed::new("remove-unregistered", When::Load, remove_unregistered),
    Misdeed::new("remove-inside", When::Create, remove_inside),
];

/// Another routine than the driver's usual one.
unsafe extern "C" fn other(_: PEPROCESS, _: HANDLE, _: PPS_CREATE_NOTIFY_INFO) {}

fn leave_registered(_: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: nothing removes it.
    let _ = unsafe { PsSetCreateProcessNotifyRoutineEx(Some(other), ADD) }; // caught: leave-registered
    STATUS_SUCCESS
}

fn register_in_unload(_: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: nothing is left to remove it.
    let _ = unsafe { PsSetCreateProcessNotifyRoutineEx(Some(other), ADD) }; // caught: register-in-unload
    // Another value than above, or the linker would make one function of both.
    STATUS_NOT_FOUND
}

fn register_twice(_: &Scene) -> NTSTATUS {
    // SAFETY: the routine has the signature of one.
    let _ = unsafe { PsSetCreateProcessNotifyRoutineEx(Some(other), ADD) };
    // SAFETY: wrong on purpose: it is registered already.
    let _ = unsafe { PsSetCreateProcessNotifyRoutineEx(Some(other), ADD) }; // caught: register-twice
    // SAFETY: it is registered.
    let _ = unsafe { PsSetCreateProcessNotifyRoutineEx(Some(other), REMOVE) };
    STATUS_SUCCESS
}

fn remove_unregistered(_: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: it is not registered.
    let _ = unsafe { PsSetCreateProcessNotifyRoutineEx(Some(other), REMOVE) }; // caught: remove-unregistered
    STATUS_SUCCESS
}

fn remove_inside(_: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: the removal waits for this very call.
    let _ = unsafe { PsSetCreateProcessNotifyRoutineEx(Some(crate::notify), REMOVE) }; // caught: remove-inside
    STATUS_SUCCESS
}
