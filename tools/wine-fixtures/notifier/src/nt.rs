//! Routines of the kernel that the metadata lacks, or gives to `ntdll.dll`,
//! from which no driver can import. The latter are looked up by name.

use core::ffi::c_void;
use core::mem;

use announcement::wide;
use windows_link::link;
use windows_sys::Wdk::Foundation::PEPROCESS;
use windows_sys::Wdk::System::SystemServices::MmGetSystemRoutineAddress;
use windows_sys::Wdk::System::Threading::PROCESSINFOCLASS;
use windows_sys::Win32::Foundation::{HANDLE, NTSTATUS, UNICODE_STRING};

link!("ntoskrnl.exe" "system" fn KeQuerySystemTime(time: *mut i64));
link!("ntoskrnl.exe" "system" fn PsGetProcessInheritedFromUniqueProcessId(process: PEPROCESS) -> HANDLE);
link!("ntoskrnl.exe" "system" fn RtlImageDirectoryEntryToData(base: *const c_void, mapped_as_image: bool, directory: u16, size: *mut u32) -> *const c_void);
link!("ntoskrnl.exe" "system" fn ZwProtectVirtualMemory(process: HANDLE, address: *mut *mut c_void, size: *mut usize, protection: u32, old: *mut u32) -> NTSTATUS);

macro_rules! look_up {
    ($(#[$doc:meta])* $vis:vis unsafe fn $name:ident = $routine:literal ($($argument:ident: $type:ty),*) -> $result:ty) => {
        $(#[$doc])*
        $vis unsafe fn $name($($argument: $type),*) -> $result {
            static NAME: [u16; $routine.len() + 1] = wide($routine);
            // SAFETY: The routine of this name has this signature.
            let routine = unsafe {
                mem::transmute::<*const c_void, unsafe extern "system" fn($($type),*) -> $result>(
                    address_of(&NAME),
                )
            };
            // SAFETY: The caller keeps the routine's rules.
            unsafe { routine($($argument),*) }
        }
    };
}

look_up! {
    /// `DbgPrint` with a format that has one conversion, `%s`.
    pub unsafe fn print_text = "DbgPrint"(format: *const u8, text: *const u8) -> u32
}
look_up! {
    /// `ZwClose`.
    pub unsafe fn close = "ZwClose"(handle: HANDLE) -> NTSTATUS
}
look_up! {
    /// `ZwQueryInformationProcess`.
    pub unsafe fn query_information_process = "ZwQueryInformationProcess"(process: HANDLE, class: PROCESSINFOCLASS, information: *mut c_void, length: u32, needed: *mut u32) -> NTSTATUS
}

/// # Panics
///
/// Where the kernel has no such routine.
fn address_of(name: &'static [u16]) -> *const c_void {
    // SAFETY: The name is only read, during the call.
    let address = unsafe { MmGetSystemRoutineAddress(&string(name)) };
    assert!(!address.is_null());
    address
}

/// A string of units that end with a NUL.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the names of routines and devices are short"
)]
pub const fn string(units: &'static [u16]) -> UNICODE_STRING {
    let bytes = size_of_val(units) as u16;
    UNICODE_STRING {
        Length: bytes - 2,
        MaximumLength: bytes,
        Buffer: units.as_ptr().cast_mut(),
    }
}
