/*
 * procmon in C: the same log, byte for byte, which a test holds it to. Written
 * straightforwardly, one UTF-16 unit after the other, as a measure of what
 * procmon costs beyond its work.
 */
#include "driver.h"

/* Bytes that a text may take on one line, in any code page. */
#define LINE_BYTES 264
/* The most that a UTF-16 unit becomes in any code page. */
#define UNIT_BYTES 3
/* Units, and bytes, of an escape such as \u000a. */
#define ESCAPE 6

static QUERY_INFORMATION_PROCESS *QueryInformationProcess;
static volatile LONG64 Created, Exited;

/* What is not on a line yet. */
typedef struct {
    const WCHAR *units;
    ULONG count;
} REST;

/* A line as it is printed: each unit takes a byte at least. */
typedef struct {
    WCHAR units[LINE_BYTES];
    ULONG count;
} LINE;

/* Whether a unit is shown as an escape wherever it stands. */
static BOOLEAN NeedsEscape(WCHAR unit)
{
    switch (unit) {
    case 0x200e: case 0x200f: case 0x203c: case 0x21a8: case 0x221f: case 0x2302:
    case 0x25ac: case 0x25b2: case 0x25ba: case 0x25bc: case 0x25c4: case 0x25cb:
    case 0x25d8: case 0x25d9: case 0x2640: case 0x2642: case 0x2660: case 0x2663:
    case 0x2665: case 0x2666: case 0x266a: case 0x266b:
        return TRUE;
    default:
        return unit < 0x20 || (unit >= 0x7f && unit < 0xa0) || (unit >= 0x2028 && unit <= 0x202e) ||
               (unit >= 0x2066 && unit <= 0x2069) || (unit >= 0x2190 && unit <= 0x2195) ||
               (unit >= 0x263a && unit <= 0x263c) || (unit >= 0xd800 && unit < 0xe000);
    }
}

static BOOLEAN IsHexDigit(WCHAR unit)
{
    return (unit >= '0' && unit <= '9') || (unit >= 'a' && unit <= 'f') ||
           (unit >= 'A' && unit <= 'F');
}

/* Whether the backslash at units[0] reads as the beginning of an escape. */
static BOOLEAN LooksEscaped(const WCHAR *units, ULONG count)
{
    return count >= ESCAPE && units[1] == 'u' && IsHexDigit(units[2]) && IsHexDigit(units[3]) &&
           IsHexDigit(units[4]) && IsHexDigit(units[5]);
}

/*
 * How many units the first symbol of a text has, how many bytes it may take,
 * and whether it is shown as an escape.
 */
static ULONG FirstSymbol(const WCHAR *units, ULONG count, ULONG *bytes, BOOLEAN *escaped)
{
    WCHAR unit = units[0];

    *escaped = FALSE;
    if (unit >= 0x20 && unit < 0x7f) {
        *bytes = 1;
        if (unit == '\\' && LooksEscaped(units, count)) {
            *escaped = TRUE;
            *bytes = ESCAPE;
        }
        return 1;
    }
    if (unit >= 0xd800 && unit < 0xdc00 && count > 1 && units[1] >= 0xdc00 && units[1] < 0xe000) {
        *bytes = 2 * UNIT_BYTES;
        return 2;
    }
    *escaped = NeedsEscape(unit);
    *bytes = *escaped ? ESCAPE : UNIT_BYTES;
    return 1;
}

/* Takes the next line off a text, with its escapes written out. */
static VOID NextLine(REST *rest, LINE *line)
{
    static const CHAR digits[] = "0123456789abcdef";
    ULONG used = 0;

    line->count = 0;
    while (rest->count != 0) {
        ULONG bytes;
        BOOLEAN escaped;
        ULONG units;
        WCHAR unit = rest->units[0];

        if (unit >= 0x20 && unit < 0x7f && unit != '\\') {
            if (used == LINE_BYTES)
                break;
            used++;
            line->units[line->count++] = unit;
            rest->units++;
            rest->count--;
            continue;
        }
        units = FirstSymbol(rest->units, rest->count, &bytes, &escaped);
        if (used + bytes > LINE_BYTES)
            break;
        used += bytes;
        if (escaped) {
            line->units[line->count++] = '\\';
            line->units[line->count++] = 'u';
            for (LONG shift = 12; shift >= 0; shift -= 4)
                line->units[line->count++] = digits[unit >> shift & 0xf];
        } else {
            for (ULONG index = 0; index < units; index++)
                line->units[line->count++] = rest->units[index];
        }
        rest->units += units;
        rest->count -= units;
    }
}

static ULONG CountLines(REST rest, LINE *line)
{
    ULONG lines = 0;

    while (rest.count != 0) {
        NextLine(&rest, line);
        lines++;
    }
    return lines;
}

static UNICODE_STRING StringOf(LINE *line)
{
    UNICODE_STRING string;

    string.Buffer = line->units;
    string.Length = string.MaximumLength = (USHORT)(line->count * sizeof(WCHAR));
    return string;
}

/* The text that a string of the kernel's holds; FALSE where it holds none. */
static BOOLEAN TextOf(const UNICODE_STRING *string, REST *text)
{
    if (string == NULL)
        return FALSE;
    text->count = min(string->Length, string->MaximumLength) / sizeof(WCHAR);
    text->units = string->Buffer;
    return string->Buffer != NULL;
}

static VOID PrintNumbered(
    const char *what, HANDLE ProcessId, REST rest, ULONG total, LINE *line)
{
    ULONG number = 0;

    while (rest.count != 0) {
        UNICODE_STRING text;

        NextLine(&rest, line);
        text = StringOf(line);
        DbgPrint("[%s 0x%I64x %u/%u] %wZ\n", what, ProcessId, ++number, total, &text);
    }
}

static __attribute__((noinline)) VOID ReportName(
    HANDLE ProcessId, const PS_CREATE_NOTIFY_INFO *Info)
{
    static const WCHAR null[] = L"(null)";
    REST rest;
    LINE line;
    UNICODE_STRING name;

    if (!TextOf(Info->ImageFileName, &rest)) {
        rest.units = null;
        rest.count = RTL_NUMBER_OF(null) - 1;
    }
    NextLine(&rest, &line);
    name = StringOf(&line);
    DbgPrint("[Create] [PID = 0x%I64x, Name=%wZ] [CurrentPID = 0x%I64x] [PPID = 0x%I64x]\n",
             ProcessId, &name, PsGetCurrentProcessId(), Info->ParentProcessId);
    if (rest.count != 0)
        PrintNumbered("Name", ProcessId, rest, CountLines(rest, &line), &line);
}

static __attribute__((noinline)) VOID ReportCommandLine(
    HANDLE ProcessId, const PS_CREATE_NOTIFY_INFO *Info)
{
    REST rest;
    REST all;
    LINE line;
    UNICODE_STRING text;

    if (!TextOf(Info->CommandLine, &all))
        return;
    rest = all;
    NextLine(&rest, &line);
    if (rest.count != 0) {
        PrintNumbered("CommandLine", ProcessId, all, CountLines(all, &line), &line);
        return;
    }
    text = StringOf(&line);
    DbgPrint("[CommandLine 0x%I64x] %wZ\n", ProcessId, &text);
}

/* What could be learnt through a handle to the process. */
typedef struct {
    /* The call that failed, or NULL, and its status. */
    const char *failed;
    NTSTATUS status;
    BOOLEAN is_wow64;
    BOOLEAN has_session;
    ULONG session;
} DETAIL;

static DETAIL AskForDetail(PEPROCESS Process)
{
    DETAIL detail = { NULL, STATUS_SUCCESS, FALSE, FALSE, 0 };
    ULONG_PTR peb = 0;
    HANDLE handle;

    detail.status = ObOpenObjectByPointer(
        Process, OBJ_KERNEL_HANDLE, NULL, 0, NULL, KernelMode, &handle);
    if (!NT_SUCCESS(detail.status)) {
        detail.failed = "ObOpenObjectByPointer";
        return detail;
    }
    detail.status =
        QueryInformationProcess(handle, ProcessWow64Information, &peb, sizeof(peb), NULL);
    if (!NT_SUCCESS(detail.status))
        detail.failed = "ZwQueryInformationProcess";
    detail.is_wow64 = peb != 0;
    detail.has_session = NT_SUCCESS(QueryInformationProcess(
        handle, ProcessSessionInformation, &detail.session, sizeof(detail.session), NULL));
    ZwClose(handle);
    return detail;
}

/* Adds text to the fields at the end of a line. */
static VOID Append(CHAR *fields, ULONG *length, const char *text)
{
    while (*text != '\0')
        fields[(*length)++] = *text++;
    fields[*length] = '\0';
}

static VOID AppendNumber(CHAR *fields, ULONG *length, ULONG number, ULONG radix)
{
    CHAR digits[12];
    ULONG first = sizeof(digits) - 1;

    digits[first] = '\0';
    do {
        digits[--first] = "0123456789abcdef"[number % radix];
        number /= radix;
    } while (number != 0);
    Append(fields, length, digits + first);
}

static VOID ReportDetail(PEPROCESS Process, HANDLE ProcessId, const PS_CREATE_NOTIFY_INFO *Info)
{
    DETAIL detail = AskForDetail(Process);
    HANDLE creator = Info->CreatingThreadId.UniqueProcess;
    HANDLE thread = Info->CreatingThreadId.UniqueThread;
    const char *bitness = detail.is_wow64 ? "32bit" : "64bit";
    CHAR fields[96];
    ULONG length = 0;

    fields[0] = '\0';
    if (detail.has_session) {
        Append(fields, &length, " [Session = ");
        AppendNumber(fields, &length, detail.session, 10);
        Append(fields, &length, "]");
    }
    if (creator != Info->ParentProcessId)
        Append(fields, &length, " [Reparented]");
    if (!Info->FileOpenNameAvailable)
        Append(fields, &length, " [Name is partial]");
    if (!NT_SUCCESS(Info->CreationStatus)) {
        Append(fields, &length, " [Denied = 0x");
        AppendNumber(fields, &length, (ULONG)Info->CreationStatus, 16);
        Append(fields, &length, "]");
    }
    if (detail.failed == NULL)
        DbgPrint("[Detail 0x%I64x] %s [Creator = 0x%I64x.0x%I64x]%s\n", ProcessId, bitness, creator,
                 thread, fields);
    else
        DbgPrint("[Detail 0x%I64x] unknown (%s 0x%x) [Creator = 0x%I64x.0x%I64x]%s\n", ProcessId,
                 detail.failed, detail.status, creator, thread, fields);
}

static VOID ReportExit(PEPROCESS Process, HANDLE ProcessId)
{
    HANDLE current = PsGetCurrentProcessId();
    LARGE_INTEGER ended;
    LONGLONG lifetime;

    ended.QuadPart = current == ProcessId ? PsGetProcessExitTime().QuadPart : 0;
    if (ended.QuadPart == 0)
        KeQuerySystemTimePrecise(&ended);
    lifetime = ended.QuadPart - PsGetProcessCreateTimeQuadPart(Process);
    DbgPrint("[Destroy] [PID = 0x%I64x] [CurrentPID = 0x%I64x] [ExitStatus = 0x%x] "
             "[Lifetime = %I64u ms]\n",
             ProcessId, current, PsGetProcessExitStatus(Process),
             lifetime > 0 ? lifetime / 10000 : 0);
}

static VOID NTAPI Notify(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO Info)
{
    if (Info == NULL) {
        InterlockedIncrement64(&Exited);
        ReportExit(Process, ProcessId);
        return;
    }
    InterlockedIncrement64(&Created);
    ReportName(ProcessId, Info);
    ReportDetail(Process, ProcessId, Info);
    ReportCommandLine(ProcessId, Info);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    NTSTATUS status = PsSetCreateProcessNotifyRoutineEx(Notify, TRUE);

    UNREFERENCED_PARAMETER(Driver);
    if (!NT_SUCCESS(status))
        DbgPrint("[procmon] callback not removed: PsSetCreateProcessNotifyRoutineEx 0x%x"
                 " (the next process brings the system down)\n", status);
    DbgPrint("[procmon] unloaded: %I64u created, %I64u exited\n", Created, Exited);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    NTSTATUS status;

    UNREFERENCED_PARAMETER(RegistryPath);
    QueryInformationProcess = FindQueryInformationProcess();
    if (QueryInformationProcess == NULL) {
        DbgPrint("[procmon] not loaded: MmGetSystemRoutineAddress 0x%x"
                 " (no ZwQueryInformationProcess in this kernel)\n",
                 STATUS_PROCEDURE_NOT_FOUND);
        return STATUS_PROCEDURE_NOT_FOUND;
    }
    Driver->DriverUnload = Unload;
    status = PsSetCreateProcessNotifyRoutineEx(Notify, FALSE);
    if (!NT_SUCCESS(status)) {
        DbgPrint("[procmon] not loaded: PsSetCreateProcessNotifyRoutineEx 0x%x\n", status);
        return status;
    }
    DbgPrint("[procmon] loaded\n");
    return STATUS_SUCCESS;
}
