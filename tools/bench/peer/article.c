/*
 * The driver that procmon descends from, as a C programmer writes it: two lines
 * for a process that is created and one for a process that exits, with the
 * fewest calls that they take.
 */
#include "driver.h"

static QUERY_INFORMATION_PROCESS *QueryInformationProcess;

static const char *Bitness(PEPROCESS Process)
{
    const char *bitness = "unknown";
    ULONG_PTR wow64 = 0;
    HANDLE handle;

    if (!NT_SUCCESS(ObOpenObjectByPointer(
            Process, OBJ_KERNEL_HANDLE, NULL, 0, NULL, KernelMode, &handle)))
        return bitness;
    if (NT_SUCCESS(QueryInformationProcess(
            handle, ProcessWow64Information, &wow64, sizeof(wow64), NULL)))
        bitness = wow64 ? "32bit" : "64bit";
    ZwClose(handle);
    return bitness;
}

static VOID NTAPI Notify(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO Info)
{
    if (Info == NULL) {
        DbgPrint("[Destroy] [PID = 0x%Ix] [CurrentPID = 0x%Ix]\n",
                 ProcessId, PsGetCurrentProcessId());
        return;
    }
    DbgPrint("[Create] [PID = 0x%Ix, Name=%wZ] [CurrentPID = 0x%Ix] [PPID = 0x%Ix]\n",
             ProcessId, Info->ImageFileName, PsGetCurrentProcessId(), Info->ParentProcessId);
    DbgPrint("[Detail 0x%Ix] %s\n", ProcessId, Bitness(Process));
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    (VOID)PsSetCreateProcessNotifyRoutineEx(Notify, TRUE);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    QueryInformationProcess = FindQueryInformationProcess();
    if (QueryInformationProcess == NULL)
        return STATUS_PROCEDURE_NOT_FOUND;
    Driver->DriverUnload = Unload;
    return PsSetCreateProcessNotifyRoutineEx(Notify, FALSE);
}
