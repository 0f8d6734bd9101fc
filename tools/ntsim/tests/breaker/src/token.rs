//! Tokens, start keys and security identifiers.

use core::ffi::c_void;
use core::ptr;

use wdk_sys::_TOKEN_INFORMATION_CLASS::{
    TokenElevation, TokenGroups, TokenImpersonationLevel, TokenIntegrityLevel, TokenSessionId,
    TokenStatistics, TokenType, TokenUser,
};
use wdk_sys::ntddk::{
    DbgPrint, ExFreePool, ObfDereferenceObject, PsDereferencePrimaryToken, PsGetProcessStartKey,
    PsReferencePrimaryToken, RtlConvertSidToUnicodeString, RtlCopySid, RtlEqualSid,
    RtlFreeUnicodeString, RtlLengthSid, RtlSubAuthorityCountSid, RtlSubAuthoritySid, RtlValidSid,
    SeQueryAuthenticationIdToken, SeQueryInformationToken, SeTokenIsAdmin, ZwOpenProcessToken,
    ZwOpenProcessTokenEx, ZwQueryInformationToken,
};
use wdk_sys::{
    BOOLEAN, HANDLE, LUID, NTSTATUS, OBJ_KERNEL_HANDLE, PACCESS_TOKEN, PSID, STATUS_SUCCESS,
    TOKEN_INFORMATION_CLASS, TOKEN_MANDATORY_LABEL, TOKEN_QUERY, TOKEN_STATISTICS, TOKEN_USER,
    ULONG, UNICODE_STRING,
};

use crate::handle::{close, open};
use crate::irql;
use crate::misdeed::{Misdeed, Scene, When};

pub const MISDEEDS: &[Misdeed] = &[
    Misdeed::new("read-token-object", When::Create, read_token_object),
    Misdeed::new("read-token-handle", When::Create, read_token_handle),
    Misdeed::new("refuse-token-query", When::Create, refuse_token_query),
    Misdeed::new("read-start-key", When::Create, read_start_key),
    Misdeed::new("read-start-key-at-exit", When::Exit, read_start_key),
    Misdeed::new("compare-sids", When::Create, compare_sids),
    Misdeed::new("print-sid", When::Create, print_sid),
    Misdeed::new("open-own-token", When::Load, open_own_token),
    Misdeed::new("leak-token-handle", When::Create, leak_token_handle),
    Misdeed::new("leak-token-reference", When::Create, leak_token_reference),
    Misdeed::new("leak-token-user", When::Create, leak_token_user),
    Misdeed::new("leak-sid-text", When::Create, leak_sid_text),
    Misdeed::new("dereference-token-twice", When::Create, dereference_twice),
    Misdeed::new("open-user-token", When::Create, open_user_token),
    Misdeed::new(
        "reference-token-at-dispatch",
        When::Create,
        reference_raised,
    ),
    Misdeed::new("process-as-token", When::Create, process_as_token),
    Misdeed::new(
        "process-handle-as-token",
        When::Create,
        process_handle_as_token,
    ),
    Misdeed::new("ask-for-groups", When::Create, ask_for_groups),
    Misdeed::new("free-own-string", When::Create, free_own_string),
];

const ALLOCATE: BOOLEAN = 1;
const FILL: BOOLEAN = 0;

/// S-1-5-32-544.
static ADMINISTRATORS: [u8; 16] = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];

const fn administrators() -> PSID {
    (&raw const ADMINISTRATORS).cast_mut().cast()
}

/// Room for any answer, aligned as the structures are.
type Buffer = [u64; 12];

fn reference(scene: &Scene) -> PACCESS_TOKEN {
    // SAFETY: the process is valid during the callback.
    unsafe { PsReferencePrimaryToken(scene.process) }
}

fn dereference(token: PACCESS_TOKEN) {
    // SAFETY: the token was referenced.
    unsafe { PsDereferencePrimaryToken(token) };
}

/// Opens the token of the process that is created.
fn open_token(scene: &Scene) -> HANDLE {
    let mut token: HANDLE = ptr::null_mut();
    let process = open(scene.process);
    // SAFETY: the handle is open.
    let _ =
        unsafe { ZwOpenProcessTokenEx(process, TOKEN_QUERY, OBJ_KERNEL_HANDLE, &raw mut token) };
    close(process);
    token
}

/// Asks `token` for `class` with so many bytes of `buffer`; prints what came back.
fn query(token: HANDLE, class: TOKEN_INFORMATION_CLASS, buffer: &mut Buffer, length: ULONG) {
    let mut needed: ULONG = 0;
    // SAFETY: the buffer has at least as many bytes.
    let status = unsafe {
        ZwQueryInformationToken(
            token,
            class,
            buffer.as_mut_ptr().cast(),
            length,
            &raw mut needed,
        )
    };
    // SAFETY: the format takes three numbers.
    unsafe {
        DbgPrint(
            c"class %d: 0x%x, %u bytes\n".as_ptr(),
            class,
            status,
            needed,
        )
    };
}

/// Prints `sid` with a buffer of its own.
fn print(what: &core::ffi::CStr, sid: PSID) {
    let mut units = [0u16; 184];
    let mut text = UNICODE_STRING {
        Length: 0,
        MaximumLength: 368,
        Buffer: units.as_mut_ptr(),
    };
    // SAFETY: the SID is one, and the text has room for all.
    let _ = unsafe { RtlConvertSidToUnicodeString(&raw mut text, sid, FILL) };
    // SAFETY: the format takes a string and a counted one.
    unsafe { DbgPrint(c"%s %wZ\n".as_ptr(), what.as_ptr(), &raw const text) };
}

fn read_token_object(scene: &Scene) -> NTSTATUS {
    let token = reference(scene);
    let information = |class: TOKEN_INFORMATION_CLASS| {
        let mut information: *mut c_void = ptr::null_mut();
        // SAFETY: the token is referenced.
        let _ = unsafe { SeQueryInformationToken(token, class, &raw mut information) };
        information
    };
    let user: *mut TOKEN_USER = information(TokenUser).cast();
    // SAFETY: the structure is valid until it is freed.
    print(c"user", unsafe { (*user).User.Sid });
    let statistics: *mut TOKEN_STATISTICS = information(TokenStatistics).cast();
    // SAFETY: as before.
    let logon = unsafe { (*statistics).AuthenticationId.LowPart };
    let elevation: *mut ULONG = information(TokenElevation).cast();
    // SAFETY: as before.
    let is_elevated = unsafe { *elevation };
    let token_type: *mut ULONG = information(TokenType).cast();
    // SAFETY: as before.
    let is_primary = unsafe { *token_type };
    for block in [
        user.cast(),
        statistics.cast(),
        elevation.cast(),
        token_type.cast(),
    ] {
        // SAFETY: the routine allocated it for its caller.
        unsafe { ExFreePool(block) };
    }
    // These two take the pointer's place.
    let session = information(TokenSessionId).addr();
    let integrity = information(TokenIntegrityLevel).addr();
    let mut id = LUID::default();
    // SAFETY: the token is referenced.
    let _ = unsafe { SeQueryAuthenticationIdToken(token, &raw mut id) };
    // SAFETY: as before.
    let is_admin = unsafe { SeTokenIsAdmin(token) };
    // SAFETY: the format takes numbers.
    unsafe {
        DbgPrint(
            c"logon 0x%x 0x%x session %u integrity 0x%x elevated %u admin %u primary %u\n".as_ptr(),
            logon,
            id.LowPart,
            session,
            integrity,
            is_elevated,
            u32::from(is_admin),
            is_primary,
        )
    };
    dereference(token);
    // An object like others, too.
    let token = reference(scene);
    // SAFETY: it was referenced.
    unsafe { ObfDereferenceObject(token) };
    STATUS_SUCCESS
}

fn read_token_handle(scene: &Scene) -> NTSTATUS {
    let token = open_token(scene);
    let mut buffer = Buffer::default();
    query(token, TokenUser, &mut buffer, 96);
    let user: *const TOKEN_USER = buffer.as_ptr().cast();
    // SAFETY: the query filled it.
    print(c"user", unsafe { (*user).User.Sid });
    query(token, TokenIntegrityLevel, &mut buffer, 28);
    let label: *const TOKEN_MANDATORY_LABEL = buffer.as_ptr().cast();
    // SAFETY: the query filled it.
    print(c"label", unsafe { (*label).Label.Sid });
    query(token, TokenStatistics, &mut buffer, 56);
    let statistics: *const TOKEN_STATISTICS = buffer.as_ptr().cast();
    // SAFETY: the query filled it.
    let id = unsafe { (*statistics).AuthenticationId };
    // SAFETY: the format takes two numbers.
    unsafe { DbgPrint(c"logon 0x%x 0x%x\n".as_ptr(), id.HighPart, id.LowPart) };
    query(token, TokenSessionId, &mut buffer, 4);
    query(token, TokenElevation, &mut buffer, 96);
    close(token);
    STATUS_SUCCESS
}

fn refuse_token_query(scene: &Scene) -> NTSTATUS {
    let token = open_token(scene);
    let mut buffer = Buffer::default();
    query(token, TokenUser, &mut buffer, 43);
    query(token, TokenIntegrityLevel, &mut buffer, 0);
    query(token, TokenImpersonationLevel, &mut buffer, 96);
    query(token, 0, &mut buffer, 96);
    query(token, 1000, &mut buffer, 96);
    query(
        ptr::without_provenance_mut(0x1234),
        TokenUser,
        &mut buffer,
        96,
    );
    close(token);
    let process = open(scene.process);
    let mut none: HANDLE = ptr::null_mut();
    // SAFETY: the handle is open; the attributes are none.
    let status = unsafe { ZwOpenProcessTokenEx(process, TOKEN_QUERY, 1, &raw mut none) };
    // SAFETY: the format takes a number.
    unsafe { DbgPrint(c"attributes: 0x%x\n".as_ptr(), status) };
    close(process);
    // SAFETY: nothing is open under this value.
    let status = unsafe {
        let process = ptr::without_provenance_mut(0x1234);
        ZwOpenProcessTokenEx(process, TOKEN_QUERY, OBJ_KERNEL_HANDLE, &raw mut none)
    };
    // SAFETY: the format takes a number.
    unsafe { DbgPrint(c"process: 0x%x\n".as_ptr(), status) };
    STATUS_SUCCESS
}

fn read_start_key(scene: &Scene) -> NTSTATUS {
    // SAFETY: the process is valid during the callback.
    let key = unsafe { PsGetProcessStartKey(scene.process) };
    // SAFETY: the format takes a number.
    unsafe { DbgPrint(c"start key 0x%I64x\n".as_ptr(), key) };
    STATUS_SUCCESS
}

fn compare_sids(_: &Scene) -> NTSTATUS {
    let (sid, mut copy) = (administrators(), [0u32; 4]);
    let target: PSID = copy.as_mut_ptr().cast();
    // SAFETY: the SID is valid.
    let length = unsafe { RtlLengthSid(sid) };
    // SAFETY: nothing is written.
    let short = unsafe { RtlCopySid(length - 1, target, sid) };
    // SAFETY: the target has so many bytes.
    let copied = unsafe { RtlCopySid(length, target, sid) };
    // SAFETY: both are valid.
    let same = unsafe { RtlEqualSid(target, sid) };
    // SAFETY: the SID has a second one.
    let rid = unsafe { RtlSubAuthoritySid(target, 1) };
    // SAFETY: as before.
    unsafe { *rid += 1 };
    // SAFETY: both are valid.
    let other = unsafe { RtlEqualSid(target, sid) };
    // SAFETY: the SID is valid.
    let count = unsafe { RtlSubAuthorityCountSid(target) };
    // SAFETY: as before.
    let valid = unsafe { RtlValidSid(target) };
    // SAFETY: as before; now it says that it has too many.
    unsafe { *count = 16 };
    // SAFETY: only its start is read.
    let invalid = unsafe { RtlValidSid(target) };
    // SAFETY: NULL is asked about.
    let null = unsafe { RtlValidSid(ptr::null_mut()) };
    let mut text = UNICODE_STRING::default();
    // SAFETY: only its start is read.
    let refused = unsafe { RtlConvertSidToUnicodeString(&raw mut text, target, ALLOCATE) };
    // SAFETY: the format takes numbers.
    unsafe {
        DbgPrint(
            c"length %u copy 0x%x 0x%x equal %u %u valid %u %u %u convert 0x%x\n".as_ptr(),
            length,
            short,
            copied,
            u32::from(same),
            u32::from(other),
            u32::from(valid),
            u32::from(invalid),
            u32::from(null),
            refused,
        )
    };
    STATUS_SUCCESS
}

/// Into buffers of several sizes, and into one that the routine allocates.
fn print_sid(_: &Scene) -> NTSTATUS {
    for length in [22, 24, 26] {
        let mut units = [u16::from(b'?'); 13];
        let mut text = UNICODE_STRING {
            Length: 2,
            MaximumLength: length,
            Buffer: units.as_mut_ptr(),
        };
        // SAFETY: the SID is valid, and the text has as much room as it says.
        let status = unsafe { RtlConvertSidToUnicodeString(&raw mut text, administrators(), FILL) };
        let (string, behind) = (&raw const text, u32::from(units[12]));
        // SAFETY: the format takes numbers and a counted string.
        unsafe { DbgPrint(c"0x%x %wZ then %x\n".as_ptr(), status, string, behind) };
    }
    let mut text = UNICODE_STRING::default();
    // SAFETY: the SID is valid.
    let status = unsafe { RtlConvertSidToUnicodeString(&raw mut text, administrators(), ALLOCATE) };
    let (string, most) = (&raw const text, u32::from(text.MaximumLength));
    // SAFETY: the format takes numbers and a counted string.
    unsafe { DbgPrint(c"0x%x %wZ of %u\n".as_ptr(), status, string, most) };
    // SAFETY: the routine allocated it.
    unsafe { RtlFreeUnicodeString(&raw mut text) };
    // SAFETY: there is nothing left to free.
    unsafe { RtlFreeUnicodeString(&raw mut text) };
    STATUS_SUCCESS
}

/// In the System process a handle needs no `OBJ_KERNEL_HANDLE`.
fn open_own_token(_: &Scene) -> NTSTATUS {
    let current: HANDLE = ptr::without_provenance_mut(usize::MAX);
    let mut token: HANDLE = ptr::null_mut();
    // SAFETY: the handle is that of the current process.
    let _ = unsafe { ZwOpenProcessToken(current, TOKEN_QUERY, &raw mut token) };
    let mut buffer = Buffer::default();
    query(token, TokenIntegrityLevel, &mut buffer, 96);
    let label: *const TOKEN_MANDATORY_LABEL = buffer.as_ptr().cast();
    // SAFETY: the query filled it.
    print(c"label", unsafe { (*label).Label.Sid });
    close(token);
    STATUS_SUCCESS
}

fn leak_token_handle(scene: &Scene) -> NTSTATUS {
    let process = open(scene.process);
    let mut token: HANDLE = ptr::null_mut();
    let result = &raw mut token;
    // SAFETY: wrong on purpose: the handle is never closed.
    let _ = unsafe { ZwOpenProcessTokenEx(process, TOKEN_QUERY, OBJ_KERNEL_HANDLE, result) }; // caught: leak-token-handle
    close(process);
    STATUS_SUCCESS
}

fn leak_token_reference(scene: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: the reference is never given back.
    let _ = unsafe { PsReferencePrimaryToken(scene.process) }; // caught: leak-token-reference
    STATUS_SUCCESS
}

fn leak_token_user(scene: &Scene) -> NTSTATUS {
    let token = reference(scene);
    let mut user: *mut c_void = ptr::null_mut();
    // SAFETY: wrong on purpose: what is allocated is never freed.
    let _ = unsafe { SeQueryInformationToken(token, TokenUser, &raw mut user) }; // caught: leak-token-user
    dereference(token);
    STATUS_SUCCESS
}

fn leak_sid_text(_: &Scene) -> NTSTATUS {
    let (mut text, sid) = (UNICODE_STRING::default(), administrators());
    // SAFETY: wrong on purpose: the text is never freed.
    let _ = unsafe { RtlConvertSidToUnicodeString(&raw mut text, sid, ALLOCATE) }; // caught: leak-sid-text
    STATUS_SUCCESS
}

fn dereference_twice(scene: &Scene) -> NTSTATUS {
    let token = reference(scene);
    dereference(token);
    // SAFETY: wrong on purpose: the reference is given back already.
    unsafe { PsDereferencePrimaryToken(token) }; // caught: dereference-token-twice
    STATUS_SUCCESS
}

fn open_user_token(scene: &Scene) -> NTSTATUS {
    let process = open(scene.process);
    let mut token: HANDLE = ptr::null_mut();
    // SAFETY: wrong on purpose: the handle is the current process's.
    let _ = unsafe { ZwOpenProcessToken(process, TOKEN_QUERY, &raw mut token) }; // caught: open-user-token
    close(token);
    close(process);
    STATUS_SUCCESS
}

fn reference_raised(scene: &Scene) -> NTSTATUS {
    let old = irql::raise();
    // SAFETY: wrong on purpose: the routine may wait.
    let token = unsafe { PsReferencePrimaryToken(scene.process) }; // caught: reference-token-at-dispatch
    irql::lower(old);
    dereference(token);
    STATUS_SUCCESS
}

fn process_as_token(scene: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: a process is not a token.
    let is_admin = unsafe { SeTokenIsAdmin(scene.process.cast()) }; // caught: process-as-token
    NTSTATUS::from(is_admin)
}

fn process_handle_as_token(scene: &Scene) -> NTSTATUS {
    let process = open(scene.process);
    let (mut buffer, mut needed) = (Buffer::default(), 0);
    let (answer, needed) = (buffer.as_mut_ptr().cast(), &raw mut needed);
    // SAFETY: wrong on purpose: the handle leads to a process.
    let status = unsafe { ZwQueryInformationToken(process, TokenUser, answer, 96, needed) }; // caught: process-handle-as-token
    close(process);
    status
}

fn ask_for_groups(scene: &Scene) -> NTSTATUS {
    let token = reference(scene);
    let mut groups: *mut c_void = ptr::null_mut();
    // SAFETY: allowed, and not modelled.
    let status = unsafe { SeQueryInformationToken(token, TokenGroups, &raw mut groups) }; // caught: ask-for-groups
    dereference(token);
    status
}

fn free_own_string(_: &Scene) -> NTSTATUS {
    let mut units = [0u16; 4];
    let mut string = UNICODE_STRING {
        Length: 0,
        MaximumLength: 8,
        Buffer: units.as_mut_ptr(),
    };
    // SAFETY: wrong on purpose: the buffer is on the stack.
    unsafe { RtlFreeUnicodeString(&raw mut string) }; // caught: free-own-string
    STATUS_SUCCESS
}
