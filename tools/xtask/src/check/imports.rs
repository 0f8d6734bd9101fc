//! The routines that the release image may import: those that the driver calls.
//!
//! What is not here is as telling. `KeBugCheckEx` would mean that the driver can
//! panic, `ExAllocatePool2` that it allocates, `IoCreateDevice` that user mode
//! can reach it; `ZwQueryInformationProcess` is documented as one to be looked
//! up at run time.

/// Sorted by name.
pub const EXPECTED: &[&str] = &[
    "DbgPrint",
    "KeQuerySystemTimePrecise",
    "MmGetSystemRoutineAddress",
    "ObOpenObjectByPointer",
    "PsGetCurrentProcessId",
    "PsGetProcessCreateTimeQuadPart",
    "PsGetProcessExitStatus",
    "PsGetProcessExitTime",
    "PsSetCreateProcessNotifyRoutineEx",
    "ZwClose",
    "memset",
];
