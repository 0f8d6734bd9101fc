//! The routines that the release image may import: those that the driver calls.
//!
//! What is not here is as telling. `KeBugCheckEx` would mean that the driver can
//! panic, `ExAllocatePool2` that it allocates, `IoCreateDevice` that user mode
//! can reach it; `ZwQueryInformationProcess` is documented as one to be looked
//! up at run time.

/// Sorted by name.
pub const EXPECTED: &[&str] = &[
    "DbgPrint",
    "EtwEventEnabled",
    "EtwRegister",
    "EtwSetInformation",
    "EtwUnregister",
    "EtwWrite",
    "KeQuerySystemTimePrecise",
    "MmGetSystemRoutineAddress",
    "ObOpenObjectByPointer",
    "PsGetCurrentProcessId",
    "PsGetProcessCreateTimeQuadPart",
    "PsGetProcessExitStatus",
    "PsGetProcessExitTime",
    "PsSetCreateProcessNotifyRoutineEx",
    "RtlCopySid",
    "ZwClose",
    "ZwOpenProcessTokenEx",
    "ZwQueryInformationToken",
];

/// What the compiler may call, for a processor or at an optimisation level.
pub const OF_THE_COMPILER: &[&str] = &["memcpy", "memset"];
