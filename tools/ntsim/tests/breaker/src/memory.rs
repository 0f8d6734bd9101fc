//! Memory that is not there, not the driver's, or not for this.

use core::arch::asm;
use core::{hint, mem, ptr};

use wdk_sys::_PROCESSINFOCLASS::ProcessSessionInformation;
use wdk_sys::ntddk::{DbgPrint, ZwQueryInformationProcess};
use wdk_sys::{NTSTATUS, STATUS_ACCESS_DENIED, STATUS_SUCCESS, UNICODE_STRING};

use crate::misdeed::{Misdeed, Scene, When};

pub const MISDEEDS: &[Misdeed] = &[
    Misdeed::new("read-past-name", When::Create, read_past_name),
    Misdeed::new("write-to-name", When::Create, write_to_name),
    Misdeed::new("write-to-command-line", When::Create, write_to_command_line),
    Misdeed::new("rewrite-parent", When::Create, rewrite_parent),
    Misdeed::new("veto", When::Create, veto),
    Misdeed::new("null-page", When::Create, null_page),
    Misdeed::new("use-up-stack", When::Create, use_up_stack),
    Misdeed::new("large-frame", When::Create, large_frame),
    Misdeed::new("run-data", When::Create, run_data),
    Misdeed::new("write-to-constant", When::Create, write_to_constant),
    Misdeed::new("write-to-code", When::Create, write_to_code),
    Misdeed::new("pass-bad-pointer", When::Create, pass_bad_pointer),
    Misdeed::new("tell-address", When::Load, tell_address),
    Misdeed::new("call-address-in-name", When::Create, call_address_in_name),
];

fn image_file_name(scene: &Scene) -> UNICODE_STRING {
    // SAFETY: the structure is valid during the callback.
    let name = unsafe { (*scene.info).ImageFileName };
    // SAFETY: the tests create processes with a name.
    unsafe { *name }
}

fn read_past_name(scene: &Scene) -> NTSTATUS {
    let name = image_file_name(scene);
    let end = name.Buffer.wrapping_add(usize::from(name.Length) / 2);
    // SAFETY: wrong on purpose: the string has no NUL behind it.
    let _ = unsafe { end.read_volatile() }; // caught: read-past-name
    STATUS_SUCCESS
}

fn write_to_name(scene: &Scene) -> NTSTATUS {
    let name = image_file_name(scene);
    // SAFETY: wrong on purpose: the string is not the driver's.
    unsafe { name.Buffer.write_volatile(0) }; // caught: write-to-name
    STATUS_SUCCESS
}

fn write_to_command_line(scene: &Scene) -> NTSTATUS {
    // SAFETY: the structure is valid during the callback.
    let line = unsafe { (*scene.info).CommandLine }.cast_mut();
    // SAFETY: the tests create processes with a command line.
    let length = unsafe { &raw mut (*line).Length };
    // SAFETY: wrong on purpose: the string is not the driver's.
    unsafe { length.write_volatile(0) }; // caught: write-to-command-line
    STATUS_SUCCESS
}

fn rewrite_parent(scene: &Scene) -> NTSTATUS {
    // SAFETY: the structure is valid during the callback.
    let parent = unsafe { &raw mut (*scene.info).ParentProcessId };
    // SAFETY: wrong on purpose: other drivers are given the same structure.
    unsafe { parent.write_volatile(ptr::null_mut()) };
    STATUS_SUCCESS
}

/// Breaks no rule: this is how a driver refuses a process.
fn veto(scene: &Scene) -> NTSTATUS {
    // SAFETY: the structure is valid during the callback.
    let status = unsafe { &raw mut (*scene.info).CreationStatus };
    // SAFETY: the field is there to be written.
    unsafe { status.write_volatile(STATUS_ACCESS_DENIED) };
    STATUS_SUCCESS
}

fn null_page(_: &Scene) -> NTSTATUS {
    let field = hint::black_box(ptr::without_provenance_mut::<u32>(0x40));
    // SAFETY: wrong on purpose: a field of a structure at NULL.
    unsafe { field.write_volatile(1) }; // caught: null-page
    STATUS_SUCCESS
}

fn use_up_stack(_: &Scene) -> NTSTATUS {
    NTSTATUS::from(sink(1) == 0)
}

/// Calls itself until the stack ends.
#[expect(unconditional_recursion, reason = "it is to end the stack")]
#[inline(never)]
fn sink(depth: u64) -> u64 {
    let frame = hint::black_box([depth; 16]);
    sink(frame[3]) + hint::black_box(frame)[0] // caught: use-up-stack
}

fn large_frame(scene: &Scene) -> NTSTATUS {
    NTSTATUS::from(thirty_kilobytes(scene.process_id.addr())) // caught: large-frame
}

#[expect(clippy::large_stack_arrays, reason = "it is to end the stack")]
#[inline(never)]
fn thirty_kilobytes(seed: usize) -> u8 {
    let buffer = hint::black_box([0u8; 30 * 1024]);
    buffer[seed % buffer.len()]
}

fn run_data(_: &Scene) -> NTSTATUS {
    // ret
    static mut DATA: [u8; 16] = [0xc3; 16];
    let data = &raw mut DATA;
    // SAFETY: wrong on purpose: data is no function.
    let code: fn() = unsafe { mem::transmute(data) };
    call(code.cast_address()); // caught: run-data
    STATUS_SUCCESS
}

fn write_to_constant(_: &Scene) -> NTSTATUS {
    static CONSTANT: [u32; 4] = [1, 2, 3, 4];
    let constant = hint::black_box(&raw const CONSTANT)
        .cast::<u32>()
        .cast_mut();
    // SAFETY: wrong on purpose: the constant is in a read-only section.
    unsafe { constant.write_volatile(5) }; // caught: write-to-constant
    STATUS_SUCCESS
}

fn write_to_code(_: &Scene) -> NTSTATUS {
    let code: *mut u8 = hint::black_box(veto as fn(&Scene) -> NTSTATUS as *mut u8);
    // SAFETY: wrong on purpose: code is not writable.
    unsafe { code.write_volatile(0xcc) }; // caught: write-to-code
    STATUS_SUCCESS
}

fn pass_bad_pointer(_: &Scene) -> NTSTATUS {
    let (this, class) = (
        ptr::without_provenance_mut(usize::MAX),
        ProcessSessionInformation,
    );
    let nowhere = ptr::without_provenance_mut(0x6666_0000_0000);
    let none = ptr::null_mut();
    // SAFETY: wrong on purpose: the answer has no place.
    let _ = unsafe { ZwQueryInformationProcess(this, class, nowhere, 4, none) }; // caught: pass-bad-pointer
    STATUS_SUCCESS
}

extern "C" fn here() {}

/// Says where a function of this driver is, for [`call_address_in_name`] of
/// another one.
fn tell_address(_: &Scene) -> NTSTATUS {
    let here = here as extern "C" fn();
    // SAFETY: the format takes one pointer.
    unsafe { DbgPrint(c"%p\n".as_ptr(), here) };
    STATUS_SUCCESS
}

/// Calls the address that is the process's name.
fn call_address_in_name(scene: &Scene) -> NTSTATUS {
    let name = image_file_name(scene).Buffer.cast::<[u8; 8]>();
    // SAFETY: the test creates a process whose name is eight bytes long.
    let address = unsafe { name.read() };
    call(usize::from_le_bytes(address)); // caught: call-address-in-name
    STATUS_SUCCESS
}

#[cfg(target_arch = "aarch64")]
macro_rules! call_register {
    () => {
        "blr {}"
    };
}
#[cfg(target_arch = "x86_64")]
macro_rules! call_register {
    () => {
        "call {}"
    };
}

/// Calls an address without the checks of control-flow guard, which would end
/// the driver where it is built with them.
#[inline]
fn call(address: usize) {
    // SAFETY: wrong on purpose: there may be nothing to call.
    unsafe { asm!(call_register!(), in(reg) address, clobber_abi("C")) };
}

/// The address of a function.
trait CastAddress {
    fn cast_address(self) -> usize;
}

impl CastAddress for fn() {
    fn cast_address(self) -> usize {
        (self as *const ()).addr()
    }
}
