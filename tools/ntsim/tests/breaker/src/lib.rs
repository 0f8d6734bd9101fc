//! A driver that breaks one rule of the kernel.
//!
//! Which one, its service's name says: the last component of the registry path.
//! So one image serves all tests. The line that breaks the rule ends in a
//! comment `caught:` with the misdeed's name; the tests hold the kernel's report
//! to exactly that line.

#![no_std]

mod etw;
mod handle;
mod hang;
mod irql;
mod memory;
mod misdeed;
mod notify;
mod output;
mod pool;
mod stop;
mod token;

extern crate wdk_panic;

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use wdk_sys::ntddk::PsSetCreateProcessNotifyRoutineEx;
use wdk_sys::{
    BOOLEAN, DRIVER_OBJECT, HANDLE, NTSTATUS, PCUNICODE_STRING, PEPROCESS, PPS_CREATE_NOTIFY_INFO,
    STATUS_NOT_FOUND,
};

use crate::misdeed::{Misdeed, Scene, When};

/// Every misdeed there is.
const MISDEEDS: &[&[Misdeed]] = &[
    etw::MISDEEDS,
    handle::MISDEEDS,
    hang::MISDEEDS,
    irql::MISDEEDS,
    memory::MISDEEDS,
    notify::MISDEEDS,
    output::MISDEEDS,
    pool::MISDEEDS,
    stop::MISDEEDS,
    token::MISDEEDS,
];

const ADD: BOOLEAN = 0;
const REMOVE: BOOLEAN = 1;

/// The misdeed that this service is for.
static CHOSEN: AtomicPtr<Misdeed> = AtomicPtr::new(ptr::null_mut());

/// Starts the driver.
///
/// # Safety
/// Called by the I/O manager.
// SAFETY: nothing else in the image exports the name.
#[unsafe(export_name = "DriverEntry")]
pub unsafe extern "system" fn driver_entry(
    driver: &mut DRIVER_OBJECT,
    registry_path: PCUNICODE_STRING,
) -> NTSTATUS {
    driver.DriverUnload = Some(unload);
    // SAFETY: the I/O manager passes a valid string.
    let Some(chosen) = (unsafe { choose(registry_path) }) else {
        return STATUS_NOT_FOUND;
    };
    CHOSEN.store(ptr::from_ref(chosen).cast_mut(), Ordering::Relaxed);
    act(When::Load, &Scene::default());
    // SAFETY: `notify` has the signature of such a routine.
    let status = unsafe { PsSetCreateProcessNotifyRoutineEx(Some(notify), ADD) };
    act(When::Loaded, &Scene::default());
    status
}

/// The misdeed that is named like the service.
///
/// # Safety
/// `registry_path` is valid.
unsafe fn choose(registry_path: PCUNICODE_STRING) -> Option<&'static Misdeed> {
    // SAFETY: as for this function.
    let path = unsafe { &*registry_path };
    // SAFETY: the string holds the bytes that it counts.
    let path = unsafe { core::slice::from_raw_parts(path.Buffer, usize::from(path.Length) / 2) };
    let mut all = MISDEEDS.iter().copied().flatten();
    all.find(|misdeed| {
        let name = misdeed.name.bytes().map(u16::from).rev();
        let end = path.iter().rev().copied();
        end.clone().take(misdeed.name.len()).eq(name)
            && end.clone().nth(misdeed.name.len()) == Some(u16::from(b'\\'))
    })
}

fn act(when: When, scene: &Scene) {
    // SAFETY: null or a misdeed of the table.
    let chosen = unsafe { CHOSEN.load(Ordering::Relaxed).as_ref() };
    if let Some(misdeed) = chosen
        && misdeed.when == when
    {
        (misdeed.commit)(scene);
    }
}

unsafe extern "C" fn notify(process: PEPROCESS, process_id: HANDLE, info: PPS_CREATE_NOTIFY_INFO) {
    let when = if info.is_null() {
        When::Exit
    } else {
        When::Create
    };
    let scene = Scene {
        process,
        process_id,
        info,
    };
    act(when, &scene);
}

unsafe extern "C" fn unload(_driver: *mut DRIVER_OBJECT) {
    act(When::Unload, &Scene::default());
    // SAFETY: the routine is registered.
    let _ = unsafe { PsSetCreateProcessNotifyRoutineEx(Some(notify), REMOVE) };
}
