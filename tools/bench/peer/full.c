/*
 * procmon in C: the same log, byte for byte, which a test holds it to. Written
 * straightforwardly, one UTF-16 unit after the other, as a measure of what
 * procmon costs beyond its work.
 */
#include "driver.h"

/* Bytes that a text may take on one line, in any code page. */
#define LINE_BYTES 264
/* Units of a line that is not a piece of the text as it stands. */
#define BUILT_UNITS 184
/* The most that a UTF-16 unit becomes in any code page. */
#define UNIT_BYTES 3
/* Bytes of a SID with 15 sub-authorities. */
#define MAXIMUM_SID 68
/* Units, and bytes, of an escape such as \u000a. */
#define ESCAPE 6

typedef ULONGLONG NTAPI GET_PROCESS_START_KEY(PEPROCESS Process);

static QUERY_INFORMATION_PROCESS *QueryInformationProcess;
static GET_PROCESS_START_KEY *GetProcessStartKey;
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

/* Whether the units of the next line, and one more, are printed as they are. */
static BOOLEAN IsPlain(const REST *rest)
{
    ULONG count = min(rest->count, LINE_BYTES + 1);

    for (ULONG index = 0; index < count; index++) {
        WCHAR unit = rest->units[index];

        if (unit < 0x20 || unit >= 0x7f)
            return FALSE;
        if (unit == '\\' && index + 1 < count && rest->units[index + 1] == 'u')
            return FALSE;
    }
    return TRUE;
}

/* Takes the next line off a text, with its escapes written out. */
static VOID NextLine(REST *rest, LINE *line)
{
    static const CHAR digits[] = "0123456789abcdef";
    ULONG most = IsPlain(rest) ? LINE_BYTES : BUILT_UNITS;
    ULONG used = 0;

    line->count = 0;
    while (rest->count != 0) {
        ULONG bytes;
        BOOLEAN escaped;
        ULONG units;
        WCHAR unit = rest->units[0];

        if (unit >= 0x20 && unit < 0x7f && unit != '\\') {
            if (used == LINE_BYTES || line->count == most)
                break;
            used++;
            line->units[line->count++] = unit;
            rest->units++;
            rest->count--;
            continue;
        }
        units = FirstSymbol(rest->units, rest->count, &bytes, &escaped);
        if (used + bytes > LINE_BYTES || line->count + (escaped ? ESCAPE : units) > most)
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
    BOOLEAN has_user;
    BOOLEAN has_integrity;
    BOOLEAN has_logon;
    /* The user, and the last sub-authority of the mandatory label. */
    ULONG user[MAXIMUM_SID / sizeof(ULONG)];
    ULONG integrity;
    LUID logon;
} DETAIL;

/* The SID that a token has for a class. */
static BOOLEAN AskForSid(HANDLE token, TOKEN_INFORMATION_CLASS class, PVOID sid)
{
    struct {
        SID_AND_ATTRIBUTES pointer;
        ULONG pointee[MAXIMUM_SID / sizeof(ULONG)];
    } information;
    ULONG length;

    return NT_SUCCESS(ZwQueryInformationToken(
               token, class, &information, sizeof(information), &length)) &&
           NT_SUCCESS(RtlCopySid(MAXIMUM_SID, sid, information.pointer.Sid));
}

static VOID AskForIdentity(HANDLE process, DETAIL *detail)
{
    ULONG label[MAXIMUM_SID / sizeof(ULONG)] = { 0 };
    TOKEN_STATISTICS statistics;
    ULONG length;
    HANDLE token;

    if (!NT_SUCCESS(ZwOpenProcessTokenEx(process, TOKEN_QUERY, OBJ_KERNEL_HANDLE, &token)))
        return;
    detail->has_user = AskForSid(token, TokenUser, detail->user);
    detail->has_integrity = AskForSid(token, TokenIntegrityLevel, label);
    if (((PISID)label)->SubAuthorityCount != 0)
        detail->integrity = ((PISID)label)->SubAuthority[((PISID)label)->SubAuthorityCount - 1];
    detail->has_logon = NT_SUCCESS(ZwQueryInformationToken(
        token, TokenStatistics, &statistics, sizeof(statistics), &length));
    detail->logon = statistics.AuthenticationId;
    ZwClose(token);
}

static DETAIL AskForDetail(PEPROCESS Process)
{
    DETAIL detail = { 0 };
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
    AskForIdentity(handle, &detail);
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

static VOID AppendNumber(CHAR *fields, ULONG *length, ULONGLONG number, ULONG radix)
{
    CHAR digits[24];
    ULONG first = sizeof(digits) - 1;

    digits[first] = '\0';
    do {
        digits[--first] = "0123456789abcdef"[number % radix];
        number /= radix;
    } while (number != 0);
    Append(fields, length, digits + first);
}

static VOID AppendSid(CHAR *fields, ULONG *length, PISID sid)
{
    ULONGLONG authority = 0;

    for (ULONG index = 0; index < sizeof(sid->IdentifierAuthority); index++)
        authority = authority << 8 | sid->IdentifierAuthority.Value[index];
    Append(fields, length, "S-1-");
    if (authority <= MAXULONG) {
        AppendNumber(fields, length, authority, 10);
    } else {
        Append(fields, length, "0x");
        for (LONG shift = 44; shift >= 0; shift -= 4)
            AppendNumber(fields, length, authority >> shift & 0xf, 16);
    }
    for (ULONG index = 0; index < sid->SubAuthorityCount; index++) {
        Append(fields, length, "-");
        AppendNumber(fields, length, sid->SubAuthority[index], 10);
    }
}

static VOID AppendIntegrity(CHAR *fields, ULONG *length, ULONG level)
{
    switch (level) {
    case 0x0000: Append(fields, length, "untrusted"); break;
    case 0x1000: Append(fields, length, "low"); break;
    case 0x2000: Append(fields, length, "medium"); break;
    case 0x2100: Append(fields, length, "medium-plus"); break;
    case 0x3000: Append(fields, length, "high"); break;
    case 0x4000: Append(fields, length, "system"); break;
    case 0x5000: Append(fields, length, "protected"); break;
    default:
        Append(fields, length, "0x");
        AppendNumber(fields, length, level, 16);
    }
}

static VOID AppendStartKey(CHAR *fields, ULONG *length, PEPROCESS Process)
{
    if (GetProcessStartKey == NULL)
        return;
    Append(fields, length, " [StartKey = 0x");
    AppendNumber(fields, length, GetProcessStartKey(Process), 16);
    Append(fields, length, "]");
}

static VOID ReportDetail(PEPROCESS Process, HANDLE ProcessId, const PS_CREATE_NOTIFY_INFO *Info)
{
    DETAIL detail = AskForDetail(Process);
    HANDLE creator = Info->CreatingThreadId.UniqueProcess;
    HANDLE thread = Info->CreatingThreadId.UniqueThread;
    const char *bitness = detail.is_wow64 ? "32bit" : "64bit";
    CHAR fields[360];
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
    if (detail.has_user) {
        Append(fields, &length, " [User = ");
        AppendSid(fields, &length, (PISID)detail.user);
        Append(fields, &length, "]");
    }
    if (detail.has_integrity) {
        Append(fields, &length, " [Integrity = ");
        AppendIntegrity(fields, &length, detail.integrity);
        Append(fields, &length, "]");
    }
    if (detail.has_logon) {
        Append(fields, &length, " [Logon = 0x");
        AppendNumber(fields, &length,
                     (ULONGLONG)(ULONG)detail.logon.HighPart << 32 | detail.logon.LowPart, 16);
        Append(fields, &length, "]");
    }
    AppendStartKey(fields, &length, Process);
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
    CHAR fields[40];
    ULONG length = 0;

    ended.QuadPart = current == ProcessId ? PsGetProcessExitTime().QuadPart : 0;
    if (ended.QuadPart == 0)
        KeQuerySystemTimePrecise(&ended);
    lifetime = ended.QuadPart - PsGetProcessCreateTimeQuadPart(Process);
    fields[0] = '\0';
    AppendStartKey(fields, &length, Process);
    DbgPrint("[Destroy] [PID = 0x%I64x] [CurrentPID = 0x%I64x] [ExitStatus = 0x%x] "
             "[Lifetime = %I64u ms]%s\n",
             ProcessId, current, PsGetProcessExitStatus(Process),
             lifetime > 0 ? lifetime / 10000 : 0, fields);
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
    UNICODE_STRING start_key = RTL_CONSTANT_STRING(L"PsGetProcessStartKey");
    NTSTATUS status;

    UNREFERENCED_PARAMETER(RegistryPath);
    QueryInformationProcess = FindQueryInformationProcess();
    if (QueryInformationProcess == NULL) {
        DbgPrint("[procmon] not loaded: MmGetSystemRoutineAddress 0x%x"
                 " (no ZwQueryInformationProcess in this kernel)\n",
                 STATUS_PROCEDURE_NOT_FOUND);
        return STATUS_PROCEDURE_NOT_FOUND;
    }
    GetProcessStartKey = (GET_PROCESS_START_KEY *)(ULONG_PTR)FindRoutine(start_key);
    Driver->DriverUnload = Unload;
    status = PsSetCreateProcessNotifyRoutineEx(Notify, FALSE);
    if (!NT_SUCCESS(status)) {
        DbgPrint("[procmon] not loaded: PsSetCreateProcessNotifyRoutineEx 0x%x\n", status);
        return status;
    }
    DbgPrint("[procmon] loaded\n");
    return STATUS_SUCCESS;
}
