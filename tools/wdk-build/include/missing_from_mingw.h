/*
 * What the kernel offers and mingw-w64's DDK headers do not declare, in the
 * form of Microsoft's documentation. Each declaration names its page there.
 */
#pragma once

/* https://learn.microsoft.com/windows-hardware/drivers/kernel/pool_flags */
typedef ULONG64 POOL_FLAGS;

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-exallocatepool2 */
PVOID NTAPI ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag);

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-kequerysystemtimeprecise */
VOID NTAPI KeQuerySystemTimePrecise(PLARGE_INTEGER CurrentTime);

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/ntifs/nf-ntifs-psgetprocessexitstatus */
NTSTATUS NTAPI PsGetProcessExitStatus(PEPROCESS Process);

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-etwsetinformation */
NTSTATUS NTAPI EtwSetInformation(REGHANDLE RegHandle, EVENT_INFO_CLASS InformationClass, PVOID EventInformation, ULONG InformationLength);

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/ntddk/nf-ntddk-psgetprocessstartkey */
ULONGLONG NTAPI PsGetProcessStartKey(PEPROCESS Process);
