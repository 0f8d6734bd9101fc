/*
 * What both C peers need of the driver kit.
 */
#pragma once

#include <ntifs.h>
#include <missing_from_mingw.h>

typedef NTSTATUS NTAPI QUERY_INFORMATION_PROCESS(
    HANDLE Process, PROCESSINFOCLASS Class, PVOID Information, ULONG Length, PULONG ReturnLength);

/* A routine that is looked up, not imported. NULL where the kernel lacks it. */
static inline PVOID FindRoutine(UNICODE_STRING name)
{
    return MmGetSystemRoutineAddress(&name);
}

/* Documented as one to be looked up. */
static inline QUERY_INFORMATION_PROCESS *FindQueryInformationProcess(VOID)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"ZwQueryInformationProcess");

    return (QUERY_INFORMATION_PROCESS *)(ULONG_PTR)FindRoutine(name);
}
