//! Handles and references to objects.

use core::ptr;

use wdk_sys::_MODE::{KernelMode, UserMode};
use wdk_sys::_PROCESSINFOCLASS::ProcessSessionInformation;
use wdk_sys::ntddk::{
    DbgPrint, MmGetSystemRoutineAddress, ObOpenObjectByPointer, ObfDereferenceObject,
    PsLookupProcessByProcessId, ZwClose, ZwQueryInformationProcess,
};
use wdk_sys::{
    HANDLE, KPROCESSOR_MODE, NTSTATUS, OBJ_KERNEL_HANDLE, PEPROCESS, POBJECT_TYPE, STATUS_SUCCESS,
    ULONG, UNICODE_STRING,
};

use crate::misdeed::{Misdeed, Scene, When};

pub const MISDEEDS: &[Misdeed] = &[
    Misdeed::new("leak-handle", When::Create, leak_handle),
    Misdeed::new("close-twice", When::Create, close_twice),
    Misdeed::new("close-foreign", When::Create, close_foreign),
    Misdeed::new("close-nonsense", When::Create, close_nonsense),
    Misdeed::new("use-closed", When::Create, use_closed),
    Misdeed::new("open-user-handle", When::Create, open_user_handle),
    Misdeed::new("open-as-user", When::Create, open_as_user),
    Misdeed::new("wrong-type", When::Create, wrong_type),
    Misdeed::new("leak-reference", When::Create, leak_reference),
    Misdeed::new(
        "dereference-unreferenced",
        When::Create,
        dereference_unreferenced,
    ),
    Misdeed::new("look-into-object", When::Create, look_into_object),
];

/// The kernel handle that is opened first.
const FIRST_HANDLE: usize = 0xffff_ffff_8000_0004;

#[expect(clippy::cast_possible_truncation, reason = "0 or 1")]
const fn mode(mode: i32) -> KPROCESSOR_MODE {
    mode as KPROCESSOR_MODE
}

pub fn open(process: PEPROCESS) -> HANDLE {
    let mut handle: HANDLE = ptr::null_mut();
    // SAFETY: the process is valid during the callback.
    let _ = unsafe {
        ObOpenObjectByPointer(
            process.cast(),
            OBJ_KERNEL_HANDLE,
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            mode(KernelMode),
            &raw mut handle,
        )
    };
    handle
}

pub fn close(handle: HANDLE) {
    // SAFETY: the handle is open.
    let _ = unsafe { ZwClose(handle) };
}

fn leak_handle(scene: &Scene) -> NTSTATUS {
    open(scene.process); // caught: leak-handle
    STATUS_SUCCESS
}

fn close_twice(scene: &Scene) -> NTSTATUS {
    let handle = open(scene.process);
    close(handle);
    close(handle); // caught: close-twice
    STATUS_SUCCESS
}

fn close_foreign(_: &Scene) -> NTSTATUS {
    close(ptr::without_provenance_mut(FIRST_HANDLE)); // caught: close-foreign
    STATUS_SUCCESS
}

fn close_nonsense(_: &Scene) -> NTSTATUS {
    close(ptr::without_provenance_mut(0x1234)); // caught: close-nonsense
    STATUS_SUCCESS
}

fn use_closed(scene: &Scene) -> NTSTATUS {
    let handle = open(scene.process);
    close(handle);
    let mut session: ULONG = 0;
    let (class, answer) = (ProcessSessionInformation, (&raw mut session).cast());
    let none = ptr::null_mut();
    // SAFETY: wrong on purpose: the handle is closed.
    let _ = unsafe { ZwQueryInformationProcess(handle, class, answer, 4, none) }; // caught: use-closed
    STATUS_SUCCESS
}

fn open_user_handle(scene: &Scene) -> NTSTATUS {
    let mut handle: HANDLE = ptr::null_mut();
    let object = scene.process.cast();
    let none = ptr::null_mut();
    let (kernel, result) = (mode(KernelMode), &raw mut handle);
    // SAFETY: wrong on purpose: the handle is the current process's.
    let _ = unsafe { ObOpenObjectByPointer(object, 0, none, 0, ptr::null_mut(), kernel, result) }; // caught: open-user-handle
    close(handle);
    STATUS_SUCCESS
}

/// Says what became of it: the kernel refuses it only where the current process
/// might not open the other one.
fn open_as_user(scene: &Scene) -> NTSTATUS {
    let mut handle: HANDLE = ptr::null_mut();
    let object = scene.process.cast();
    let none = ptr::null_mut();
    let object_type = object_type("PsProcessType");
    let (user, result) = (mode(UserMode), &raw mut handle);
    // SAFETY: the process is valid during the callback.
    let status = unsafe { ObOpenObjectByPointer(object, 0, none, 0, object_type, user, result) };
    // SAFETY: the format takes one number.
    unsafe { DbgPrint(c"open-as-user 0x%x\n".as_ptr(), status) };
    if status == STATUS_SUCCESS {
        close(handle);
    }
    STATUS_SUCCESS
}

fn wrong_type(scene: &Scene) -> NTSTATUS {
    let mut handle: HANDLE = ptr::null_mut();
    let (object, attributes) = (scene.process.cast(), OBJ_KERNEL_HANDLE);
    let none = ptr::null_mut();
    let thread = object_type("PsThreadType");
    let (kernel, result) = (mode(KernelMode), &raw mut handle);
    // SAFETY: wrong on purpose: the object is a process.
    let _ = unsafe { ObOpenObjectByPointer(object, attributes, none, 0, thread, kernel, result) }; // caught: wrong-type
    STATUS_SUCCESS
}

/// An object type, by the name of the variable that the kernel exports.
fn object_type(name: &str) -> POBJECT_TYPE {
    let mut units = [0u16; 16];
    let mut bytes = 0;
    for (unit, byte) in units.iter_mut().zip(name.bytes()) {
        *unit = byte.into();
        bytes += 2;
    }
    let mut string = UNICODE_STRING {
        Length: bytes,
        MaximumLength: bytes,
        Buffer: units.as_mut_ptr(),
    };
    // SAFETY: the string is valid.
    let variable = unsafe { MmGetSystemRoutineAddress(&raw mut string) };
    // SAFETY: the kernel exports a variable of this type.
    unsafe { *variable.cast() }
}

fn leak_reference(scene: &Scene) -> NTSTATUS {
    let mut process: PEPROCESS = ptr::null_mut();
    // SAFETY: wrong on purpose: the reference is never given back.
    let _ = unsafe { PsLookupProcessByProcessId(scene.process_id, &raw mut process) }; // caught: leak-reference
    STATUS_SUCCESS
}

fn dereference_unreferenced(scene: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: the reference is the kernel's.
    unsafe { ObfDereferenceObject(scene.process.cast()) }; // caught: dereference-unreferenced
    STATUS_SUCCESS
}

fn look_into_object(scene: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: an EPROCESS is opaque.
    let _ = unsafe { scene.process.cast::<u64>().read_volatile() }; // caught: look-into-object
    STATUS_SUCCESS
}
