//! Comparisons that must fail, one of each kind.

use crate::constants::same_constant;
use crate::routines::{same_routine, same_routine_type};
use crate::structures::same_structure;

use windows_sys::Wdk::System::SystemServices as system_services;
use windows_sys::Win32::System::WindowsProgramming as windows_programming;

/// `CLIENT_ID` with its fields the wrong way round.
#[repr(C)]
struct Swapped {
    #[expect(non_snake_case, reason = "the kernel's name")]
    UniqueThread: wdk_sys::HANDLE,
    #[expect(non_snake_case, reason = "the kernel's name")]
    UniqueProcess: wdk_sys::HANDLE,
}

/// `CLIENT_ID` with a field too many.
#[repr(C)]
struct Longer {
    #[expect(non_snake_case, reason = "the kernel's name")]
    UniqueProcess: wdk_sys::HANDLE,
    #[expect(non_snake_case, reason = "the kernel's name")]
    UniqueThread: wdk_sys::HANDLE,
    more: u64,
}

same_structure!(
    Swapped,
    windows_programming::CLIENT_ID {
        UniqueProcess,
        UniqueThread,
    }
);
same_structure!(
    Longer,
    windows_programming::CLIENT_ID {
        UniqueProcess,
        UniqueThread,
    }
);

same_constant!(wdk_sys::TRUE, system_services::KernelMode);

same_routine!(
    ZwClose,
    wdk_sys::ntddk::ZwClose,
    system_services::PsGetProcessCreateTimeQuadPart,
    "system" fn(_)
);
same_routine_type!(
    wdk_sys::PDRIVER_UNLOAD,
    Option<unsafe extern "C" fn(*mut u8, u32)>
);
