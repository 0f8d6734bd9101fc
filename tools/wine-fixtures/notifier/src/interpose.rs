//! The import table of the driver under test.

use core::ffi::{CStr, c_char, c_void};
use core::ptr;
use core::slice;

use windows_sys::Wdk::System::SystemServices::IMAGE_INFO;
use windows_sys::Win32::Foundation::{HANDLE, STATUS_SUCCESS, UNICODE_STRING};
use windows_sys::Win32::System::Diagnostics::Debug::IMAGE_DIRECTORY_ENTRY_IMPORT;
use windows_sys::Win32::System::Memory::PAGE_READWRITE;
use windows_sys::Win32::System::SystemServices::IMAGE_IMPORT_DESCRIPTOR;

use crate::{notify, nt, print, process};

/// The file whose imports are changed.
const DRIVER_UNDER_TEST: &[u8] = b"procmon.sys";

/// What takes the place of the kernel's routine of that name.
fn substitute(routine: &CStr) -> Option<*const c_void> {
    Some(match routine.to_bytes() {
        b"DbgPrint" => print::dbg_print as *const c_void,
        b"KeQuerySystemTimePrecise" => nt::KeQuerySystemTime as *const c_void,
        b"ObOpenObjectByPointer" => process::open_by_pointer as *const c_void,
        b"PsGetProcessCreateTimeQuadPart" => process::create_time as *const c_void,
        b"PsGetProcessExitStatus" => process::exit_status as *const c_void,
        b"PsSetCreateProcessNotifyRoutineEx" => notify::set as *const c_void,
        _ => return None,
    })
}

/// The load-image routine: called when an image is mapped and its imports are
/// bound, before its entry point runs.
pub unsafe extern "system" fn image_loaded(
    name: *const UNICODE_STRING,
    _process: HANDLE,
    image: *const IMAGE_INFO,
) {
    // SAFETY: The name is valid during the call.
    let name = unsafe { &*name };
    // SAFETY: So is its buffer.
    let name = unsafe { slice::from_raw_parts(name.Buffer, usize::from(name.Length / 2)) };
    if !ends_with_ignoring_case(name, DRIVER_UNDER_TEST) {
        return;
    }
    // SAFETY: The structure is valid during the call.
    let base = unsafe { (*image).ImageBase };
    // SAFETY: The image is mapped there, and its imports are not in use yet.
    unsafe { replace_imports(base) };
}

fn ends_with_ignoring_case(name: &[u16], end: &[u8]) -> bool {
    name.len() >= end.len()
        && name[name.len() - end.len()..]
            .iter()
            .zip(end)
            .all(|(unit, byte)| {
                u8::try_from(*unit).is_ok_and(|unit| unit.eq_ignore_ascii_case(byte))
            })
}

/// # Safety
///
/// A driver's image is mapped at `base`, and nothing calls its imports now.
unsafe fn replace_imports(base: *mut c_void) {
    let base = base.cast::<u8>();
    let mut size = 0;
    // SAFETY: An image is mapped at `base`.
    let mut descriptor = unsafe {
        nt::RtlImageDirectoryEntryToData(
            base.cast(),
            true,
            IMAGE_DIRECTORY_ENTRY_IMPORT,
            &raw mut size,
        )
    }
    .cast::<IMAGE_IMPORT_DESCRIPTOR>();
    if descriptor.is_null() {
        return;
    }
    loop {
        // SAFETY: The table ends with a descriptor of zeros.
        let module = unsafe { &*descriptor };
        if module.FirstThunk == 0 {
            return;
        }
        // SAFETY: Every bit pattern of the union is an offset.
        let names = unsafe { module.Anonymous.OriginalFirstThunk };
        // SAFETY: Both offsets are of tables in the image.
        unsafe {
            replace_in_module(
                base,
                base.add(names as usize).cast(),
                base.add(module.FirstThunk as usize).cast(),
            );
        };
        // SAFETY: This was not the last descriptor.
        descriptor = unsafe { descriptor.add(1) };
    }
}

/// # Safety
///
/// `names` and `addresses` are the tables of one imported module, in the image
/// at `base`.
unsafe fn replace_in_module(base: *const u8, names: *const u64, addresses: *mut u64) {
    /// What is imported by its number has no name.
    const BY_ORDINAL: u64 = 1 << 63;
    /// A number, `Hint`, precedes the name.
    const HINT_BYTES: usize = 2;
    for index in 0.. {
        // SAFETY: The table ends with a zero.
        let name = unsafe { *names.add(index) };
        if name == 0 {
            return;
        }
        if name & BY_ORDINAL != 0 {
            continue;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an offset in an image has 31 bits"
        )]
        // SAFETY: The image holds a name that ends with a NUL there.
        let name = unsafe { CStr::from_ptr(base.add(name as usize + HINT_BYTES).cast::<c_char>()) };
        if let Some(routine) = substitute(name) {
            // SAFETY: The entry belongs to this name.
            unsafe { write_protected(addresses.add(index), routine as u64) };
        }
    }
}

/// Writes to memory that the linker meant to be read only.
///
/// # Safety
///
/// `place` can be read, and nothing reads it at the same time.
unsafe fn write_protected(place: *mut u64, value: u64) {
    const THIS_PROCESS: HANDLE = ptr::without_provenance_mut(usize::MAX);
    let protect = |protection| {
        let mut start = place.cast::<c_void>();
        let mut size = size_of::<u64>();
        let mut old = 0;
        // SAFETY: The caller has the page to itself.
        let status = unsafe {
            nt::ZwProtectVirtualMemory(
                THIS_PROCESS,
                &raw mut start,
                &raw mut size,
                protection,
                &raw mut old,
            )
        };
        (status == STATUS_SUCCESS).then_some(old)
    };
    let Some(old) = protect(PAGE_READWRITE) else {
        return;
    };
    // SAFETY: The page can be written now.
    unsafe { place.write(value) };
    protect(old);
}
