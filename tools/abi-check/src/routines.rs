//! Routines and callbacks: how many arguments they take, and how each of them
//! and the result is passed.
//!
//! The two sides name their types differently (`PEPROCESS` is a pointer on one,
//! an `isize` on the other; `BOOLEAN` is `u8` or `bool`; C's enumerations have a
//! sign or none, depending on the compiler), so what is compared is what the
//! calling convention sees.

use windows_sys::Wdk::Foundation as wdk_foundation;
use windows_sys::Wdk::Storage::FileSystem as file_system;
use windows_sys::Wdk::System::SystemServices as system_services;
use windows_sys::Wdk::System::Threading as threading;
use windows_sys::Win32::Security as security;
use windows_sys::Win32::System::Diagnostics::Etw as etw;
use windows_sys::Win32::System::WindowsProgramming as windows_programming;

/// How a value is passed.
#[derive(Clone, Copy)]
pub(crate) enum Passing {
    /// Not at all: the result of a routine that has none.
    Nothing,
    /// As an integer of so many bytes.
    Integer(usize),
    /// As an address.
    Pointer,
    /// As an integer as wide as an address, which is also how the metadata
    /// writes pointers to opaque structures.
    PointerOrInteger,
}

impl Passing {
    const fn agrees_with(self, other: Self) -> bool {
        use Passing::{Integer, Nothing, Pointer, PointerOrInteger};
        match (self, other) {
            (Integer(a), Integer(b)) => a == b,
            (PointerOrInteger, Integer(size)) | (Integer(size), PointerOrInteger) => {
                size == size_of::<usize>()
            }
            (Nothing, Nothing) | (Pointer | PointerOrInteger, Pointer | PointerOrInteger) => true,
            _ => false,
        }
    }
}

/// A type that routines take or return.
pub(crate) trait Passed {
    const PASSING: Passing;
}

macro_rules! passed {
    ($($type:ty => $passing:expr),+ $(,)?) => {
        $(impl Passed for $type { const PASSING: Passing = $passing; })+
    };
}

passed! {
    () => Passing::Nothing,
    bool => Passing::Integer(1),
    i8 => Passing::Integer(1),
    u8 => Passing::Integer(1),
    i16 => Passing::Integer(2),
    u16 => Passing::Integer(2),
    i32 => Passing::Integer(4),
    u32 => Passing::Integer(4),
    i64 => Passing::Integer(8),
    u64 => Passing::Integer(8),
    // A union of no more than 8 bytes is passed in one register.
    wdk_sys::LARGE_INTEGER => Passing::Integer(8),
    isize => Passing::PointerOrInteger,
    usize => Passing::PointerOrInteger,
}

impl<T> Passed for *const T {
    const PASSING: Passing = Passing::Pointer;
}

impl<T> Passed for *mut T {
    const PASSING: Passing = Passing::Pointer;
}

impl<F: Routine> Passed for Option<F> {
    const PASSING: Passing = Passing::Pointer;
}

/// What the caller and the callee of a routine have to agree on.
#[derive(Clone, Copy)]
pub(crate) struct Signature {
    arguments: &'static [Passing],
    variadic: bool,
    result: Passing,
}

impl Signature {
    /// Whether a routine of this signature can be called as one of `other`.
    pub(crate) const fn agrees_with(self, other: Self) -> bool {
        if self.arguments.len() != other.arguments.len() || self.variadic != other.variadic {
            return false;
        }
        let mut index = 0;
        while index < self.arguments.len() {
            if !self.arguments[index].agrees_with(other.arguments[index]) {
                return false;
            }
            index += 1;
        }
        self.result.agrees_with(other.result)
    }
}

/// The type of a routine.
pub(crate) trait Routine {
    const SIGNATURE: Signature;
}

impl<F: Routine> Routine for Option<F> {
    const SIGNATURE: Signature = F::SIGNATURE;
}

macro_rules! routine {
    (variadic $($argument:ident)*) => {
        routine!(@ "C" true [$($argument)*] [...]);
    };
    ($($argument:ident)*) => {
        routine!(@ "C" false [$($argument)*] []);
        routine!(@ "system" false [$($argument)*] []);
    };
    (@ $abi:literal $variadic:literal [$($argument:ident)*] [$($dots:tt)*]) => {
        impl<$($argument: Passed,)* Result: Passed> Routine
            for unsafe extern $abi fn($($argument,)* $($dots)*) -> Result
        {
            const SIGNATURE: Signature = Signature {
                arguments: &[$($argument::PASSING),*],
                variadic: $variadic,
                result: Result::PASSING,
            };
        }
    };
}

routine!();
routine!(A);
routine!(A B);
routine!(A B C);
routine!(A B C D);
routine!(A B C D E);
routine!(A B C D E F);
routine!(A B C D E F G);
routine!(A B C D E F G H);
routine!(variadic A);

/// The signature of the routine itself, rather than of a type.
pub(crate) const fn signature_of<F: Routine + Copy>(_: F) -> Signature {
    F::SIGNATURE
}

/// Compares a routine of `wdk-sys` with the metadata's. Its arguments are given
/// as so many `_`, for want of a way to turn any function into a pointer.
macro_rules! same_routine {
    ($name:ident, $wdk:path, $metadata:path, $abi:literal fn($($arguments:tt)*)) => {
        const _: () = assert!(
            $crate::routines::signature_of($wdk as unsafe extern "C" fn($($arguments)*) -> _)
                .agrees_with($crate::routines::signature_of(
                    $metadata as unsafe extern $abi fn($($arguments)*) -> _
                )),
            concat!("the signature of ", stringify!($name), " differs")
        );
    };
}

/// Compares the types of a routine, such as a callback's.
macro_rules! same_routine_type {
    ($wdk:ty, $metadata:ty) => {
        const _: () = assert!(
            <$wdk as $crate::routines::Routine>::SIGNATURE
                .agrees_with(<$metadata as $crate::routines::Routine>::SIGNATURE),
            concat!("the signature of ", stringify!($wdk), " differs")
        );
    };
}

#[cfg(feature = "differences")]
pub(crate) use {same_routine, same_routine_type};

same_routine!(
    DbgPrint,
    wdk_sys::ntddk::DbgPrint,
    system_services::DbgPrint,
    "C" fn(_, ...)
);
same_routine!(
    EtwActivityIdControl,
    wdk_sys::ntddk::EtwActivityIdControl,
    system_services::EtwActivityIdControl,
    "system" fn(_, _)
);
same_routine!(
    EtwEventEnabled,
    wdk_sys::ntddk::EtwEventEnabled,
    system_services::EtwEventEnabled,
    "system" fn(_, _)
);
same_routine!(
    EtwProviderEnabled,
    wdk_sys::ntddk::EtwProviderEnabled,
    system_services::EtwProviderEnabled,
    "system" fn(_, _, _)
);
same_routine!(
    EtwRegister,
    wdk_sys::ntddk::EtwRegister,
    system_services::EtwRegister,
    "system" fn(_, _, _, _)
);
same_routine!(
    EtwSetInformation,
    wdk_sys::ntddk::EtwSetInformation,
    system_services::EtwSetInformation,
    "system" fn(_, _, _, _)
);
same_routine!(
    EtwUnregister,
    wdk_sys::ntddk::EtwUnregister,
    system_services::EtwUnregister,
    "system" fn(_)
);
same_routine!(
    EtwWrite,
    wdk_sys::ntddk::EtwWrite,
    system_services::EtwWrite,
    "system" fn(_, _, _, _, _)
);
same_routine!(
    EtwWriteEx,
    wdk_sys::ntddk::EtwWriteEx,
    system_services::EtwWriteEx,
    "system" fn(_, _, _, _, _, _, _, _)
);
same_routine!(
    EtwWriteString,
    wdk_sys::ntddk::EtwWriteString,
    system_services::EtwWriteString,
    "system" fn(_, _, _, _, _)
);
same_routine!(
    EtwWriteTransfer,
    wdk_sys::ntddk::EtwWriteTransfer,
    system_services::EtwWriteTransfer,
    "system" fn(_, _, _, _, _, _)
);
same_routine!(
    KeQuerySystemTimePrecise,
    wdk_sys::ntddk::KeQuerySystemTimePrecise,
    system_services::KeQuerySystemTimePrecise,
    "system" fn(_)
);
same_routine!(
    MmGetSystemRoutineAddress,
    wdk_sys::ntddk::MmGetSystemRoutineAddress,
    system_services::MmGetSystemRoutineAddress,
    "system" fn(_)
);
same_routine!(
    ObOpenObjectByPointer,
    wdk_sys::ntddk::ObOpenObjectByPointer,
    file_system::ObOpenObjectByPointer,
    "system" fn(_, _, _, _, _, _, _)
);
same_routine!(
    PsDereferencePrimaryToken,
    wdk_sys::ntddk::PsDereferencePrimaryToken,
    file_system::PsDereferencePrimaryToken,
    "system" fn(_)
);
same_routine!(
    PsGetCurrentProcessId,
    wdk_sys::ntddk::PsGetCurrentProcessId,
    system_services::PsGetCurrentProcessId,
    "system" fn()
);
same_routine!(
    PsGetProcessCreateTimeQuadPart,
    wdk_sys::ntddk::PsGetProcessCreateTimeQuadPart,
    system_services::PsGetProcessCreateTimeQuadPart,
    "system" fn(_)
);
same_routine!(
    PsGetProcessExitStatus,
    wdk_sys::ntddk::PsGetProcessExitStatus,
    system_services::PsGetProcessExitStatus,
    "system" fn(_)
);
same_routine!(
    PsGetProcessExitTime,
    wdk_sys::ntddk::PsGetProcessExitTime,
    file_system::PsGetProcessExitTime,
    "system" fn()
);
same_routine!(
    PsGetProcessStartKey,
    wdk_sys::ntddk::PsGetProcessStartKey,
    system_services::PsGetProcessStartKey,
    "system" fn(_)
);
same_routine!(
    PsReferencePrimaryToken,
    wdk_sys::ntddk::PsReferencePrimaryToken,
    file_system::PsReferencePrimaryToken,
    "system" fn(_)
);
same_routine!(
    PsSetCreateProcessNotifyRoutineEx,
    wdk_sys::ntddk::PsSetCreateProcessNotifyRoutineEx,
    system_services::PsSetCreateProcessNotifyRoutineEx,
    "system" fn(_, _)
);
same_routine!(
    RtlConvertSidToUnicodeString,
    wdk_sys::ntddk::RtlConvertSidToUnicodeString,
    security::RtlConvertSidToUnicodeString,
    "system" fn(_, _, _)
);
same_routine!(
    RtlCopySid,
    wdk_sys::ntddk::RtlCopySid,
    file_system::RtlCopySid,
    "system" fn(_, _, _)
);
same_routine!(
    RtlEqualSid,
    wdk_sys::ntddk::RtlEqualSid,
    file_system::RtlEqualSid,
    "system" fn(_, _)
);
same_routine!(
    RtlFreeUnicodeString,
    wdk_sys::ntddk::RtlFreeUnicodeString,
    windows_programming::RtlFreeUnicodeString,
    "system" fn(_)
);
same_routine!(
    RtlLengthSid,
    wdk_sys::ntddk::RtlLengthSid,
    file_system::RtlLengthSid,
    "system" fn(_)
);
same_routine!(
    RtlSubAuthorityCountSid,
    wdk_sys::ntddk::RtlSubAuthorityCountSid,
    file_system::RtlSubAuthorityCountSid,
    "system" fn(_)
);
same_routine!(
    RtlSubAuthoritySid,
    wdk_sys::ntddk::RtlSubAuthoritySid,
    file_system::RtlSubAuthoritySid,
    "system" fn(_, _)
);
same_routine!(
    RtlValidSid,
    wdk_sys::ntddk::RtlValidSid,
    file_system::RtlValidSid,
    "system" fn(_)
);
same_routine!(
    SeQueryAuthenticationIdToken,
    wdk_sys::ntddk::SeQueryAuthenticationIdToken,
    file_system::SeQueryAuthenticationIdToken,
    "system" fn(_, _)
);
same_routine!(
    SeQueryInformationToken,
    wdk_sys::ntddk::SeQueryInformationToken,
    file_system::SeQueryInformationToken,
    "system" fn(_, _, _)
);
same_routine!(
    SeTokenIsAdmin,
    wdk_sys::ntddk::SeTokenIsAdmin,
    file_system::SeTokenIsAdmin,
    "system" fn(_)
);
same_routine!(
    ZwClose,
    wdk_sys::ntddk::ZwClose,
    system_services::ZwClose,
    "system" fn(_)
);
same_routine!(
    ZwOpenProcessToken,
    wdk_sys::ntddk::ZwOpenProcessToken,
    file_system::ZwOpenProcessToken,
    "system" fn(_, _, _)
);
same_routine!(
    ZwOpenProcessTokenEx,
    wdk_sys::ntddk::ZwOpenProcessTokenEx,
    file_system::ZwOpenProcessTokenEx,
    "system" fn(_, _, _, _)
);
same_routine!(
    ZwQueryInformationProcess,
    wdk_sys::ntddk::ZwQueryInformationProcess,
    threading::ZwQueryInformationProcess,
    "system" fn(_, _, _, _, _)
);
same_routine!(
    ZwQueryInformationToken,
    wdk_sys::ntddk::ZwQueryInformationToken,
    file_system::ZwQueryInformationToken,
    "system" fn(_, _, _, _, _)
);

same_routine_type!(
    wdk_sys::PCREATE_PROCESS_NOTIFY_ROUTINE_EX,
    system_services::PCREATE_PROCESS_NOTIFY_ROUTINE_EX
);
// The metadata has no arguments of the kernel's callback, which is the same.
same_routine_type!(wdk_sys::PETWENABLECALLBACK, etw::PENABLECALLBACK);
same_routine_type!(wdk_sys::PDRIVER_UNLOAD, wdk_foundation::DRIVER_UNLOAD);
same_routine_type!(
    wdk_sys::PDRIVER_INITIALIZE,
    wdk_foundation::DRIVER_INITIALIZE
);
