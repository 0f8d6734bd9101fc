//! Event providers, and what they write.

#![expect(
    clippy::cast_possible_truncation,
    reason = "sizes of structures and descriptors, far below 4 GiB"
)]

use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

use wdk_sys::_EVENT_INFO_CLASS::EventProviderSetTraits;
use wdk_sys::_POOL_TYPE::PagedPool;
use wdk_sys::ntddk::{
    DbgPrint, EtwActivityIdControl, EtwEventEnabled, EtwProviderEnabled, EtwRegister,
    EtwSetInformation, EtwUnregister, EtwWrite, EtwWriteEx, EtwWriteString, EtwWriteTransfer,
};
use wdk_sys::{
    EVENT_DATA_DESCRIPTOR, EVENT_DESCRIPTOR, GUID, LPCGUID, NTSTATUS, PEVENT_FILTER_DESCRIPTOR,
    PVOID, REGHANDLE, STATUS_SUCCESS, UCHAR, ULONG, ULONGLONG,
};

use crate::misdeed::{Misdeed, Scene, When};

pub const MISDEEDS: &[Misdeed] = &[
    Misdeed::new("write-events", When::Create, write_events),
    Misdeed::new("write-much", When::Create, write_much),
    Misdeed::new("leave-provider", When::Load, leave_provider),
    Misdeed::new(
        "leave-provider-listening",
        When::Load,
        leave_provider_listening,
    ),
    Misdeed::new("write-unregistered", When::Create, write_unregistered),
    Misdeed::new("ask-unregistered", When::Create, ask_unregistered),
    Misdeed::new("write-nonsense", When::Create, write_nonsense),
    Misdeed::new("write-unhandled", When::Create, write_unhandled),
    Misdeed::new("unregister-twice", When::Create, unregister_twice),
    Misdeed::new("unregister-in-callback", When::Load, unregister_in_callback),
    Misdeed::new("register-at-dispatch", When::Create, register_at_dispatch),
    Misdeed::new("write-from-nowhere", When::Create, write_from_nowhere),
    Misdeed::new("write-paged", When::Create, write_paged),
];

const DISPATCH_LEVEL: u8 = 2;

// Both are in line on x64; the kernel exports them too. ExAllocatePoolWithTag is
// deprecated, and so has no binding.
unsafe extern "C" {
    fn KfRaiseIrql(new: u8) -> u8;
    fn KeLowerIrql(new: u8);
    fn ExAllocatePoolWithTag(kind: i32, size: usize, tag: u32) -> PVOID;
    fn ExFreePool(block: PVOID);
}

/// {0b5e1ac2-7d20-4c1c-9d0e-4d2c1f6d9a01}
static PROVIDER: GUID = GUID {
    Data1: 0x0b5e_1ac2,
    Data2: 0x7d20,
    Data3: 0x4c1c,
    Data4: [0x9d, 0x0e, 0x4d, 0x2c, 0x1f, 0x6d, 0x9a, 0x01],
};

/// Its size and its name.
static TRAITS: [u8; 10] = *b"\x0a\0Breaker\0";

/// Size, tags, the event's name, and a field: its name and its type, a `u32`.
static SCHEMA: [u8; 19] = *b"\x13\0\0Created\0Number\0\x08";

static EVENT: EVENT_DESCRIPTOR = EVENT_DESCRIPTOR {
    Id: 7,
    Version: 1,
    Channel: 11,
    Level: 4,
    Opcode: 0,
    Task: 0,
    Keyword: 1,
};

const METADATA: u8 = 1;

unsafe extern "C" fn tell(
    source: LPCGUID,
    control_code: ULONG,
    level: UCHAR,
    any: ULONGLONG,
    all: ULONGLONG,
    filter: PEVENT_FILTER_DESCRIPTOR,
    context: PVOID,
) {
    // SAFETY: the kernel passes a valid identifier.
    let source = unsafe { (*source).Data1 };
    // SAFETY: the format takes seven numbers.
    unsafe {
        DbgPrint(
            c"callback %x %u %u %I64x %I64x %p %p\n".as_ptr(),
            source,
            control_code,
            u32::from(level),
            any,
            all,
            filter,
            context,
        )
    };
}

/// Registers a provider without a callback.
fn register() -> REGHANDLE {
    let mut handle = 0;
    // SAFETY: both lie on this stack.
    let _ = unsafe { EtwRegister(&raw const PROVIDER, None, ptr::null_mut(), &raw mut handle) };
    handle
}

fn unregister(handle: REGHANDLE) {
    // SAFETY: the provider is registered.
    let _ = unsafe { EtwUnregister(handle) };
}

fn data<T: ?Sized>(of: &T, kind: u8) -> EVENT_DATA_DESCRIPTOR {
    let mut descriptor = EVENT_DATA_DESCRIPTOR {
        Ptr: ptr::from_ref(of).cast::<u8>().addr() as u64,
        Size: size_of_val(of) as ULONG,
        ..EVENT_DATA_DESCRIPTOR::default()
    };
    descriptor.__bindgen_anon_1.Reserved = kind.into();
    descriptor
}

fn write(handle: REGHANDLE, data: &mut [EVENT_DATA_DESCRIPTOR]) -> NTSTATUS {
    let (count, data) = (data.len() as ULONG, data.as_mut_ptr());
    // SAFETY: what the descriptors lead to is the caller's to know.
    unsafe { EtwWrite(handle, &raw const EVENT, ptr::null(), count, data) }
}

fn say(what: &core::ffi::CStr, value: NTSTATUS) {
    // SAFETY: the format takes a string and a number.
    unsafe { DbgPrint(c"%s %x\n".as_ptr(), what.as_ptr(), value) };
}

/// Breaks no rule: all routines, used as they are meant to be.
fn write_events(_: &Scene) -> NTSTATUS {
    let mut handle = 0;
    let context = ptr::without_provenance_mut(0x77);
    // SAFETY: the callback has the signature of one.
    let status = unsafe { EtwRegister(&raw const PROVIDER, Some(tell), context, &raw mut handle) };
    say(c"register", status);
    let number = 0x1234_5678_u32;
    say(c"untyped", write(handle, &mut [data(&number, METADATA)]));
    let traits = (&raw const TRAITS).cast_mut().cast();
    // SAFETY: the traits are read only.
    let status = unsafe { EtwSetInformation(handle, EventProviderSetTraits, traits, 10) };
    say(c"traits", status);
    // SAFETY: as above; no such class.
    let status = unsafe { EtwSetInformation(handle, 9, traits, 10) };
    say(c"class", status);
    // SAFETY: the provider is registered.
    let is_enabled = unsafe { EtwEventEnabled(handle, &raw const EVENT) };
    say(c"event", is_enabled.into());
    // SAFETY: as above.
    let is_enabled = unsafe { EtwProviderEnabled(handle, 5, 1) };
    say(c"provider", is_enabled.into());
    let mut event = [data(&SCHEMA, METADATA), data(&number, 0)];
    say(c"write", write(handle, &mut event));
    let related = PROVIDER;
    let (count, event) = (event.len() as ULONG, event.as_mut_ptr());
    let none = ptr::null();
    let mut activity = PROVIDER;
    // SAFETY: the identifier is valid.
    let status = unsafe { EtwActivityIdControl(2, &raw mut activity) };
    say(c"activity", status);
    let descriptor = &raw const EVENT;
    let related = &raw const related;
    // SAFETY: the descriptors lead to this stack and to constants.
    let status = unsafe { EtwWriteTransfer(handle, descriptor, none, related, count, event) };
    say(c"transfer", status);
    // SAFETY: as above.
    let status = unsafe { EtwWriteEx(handle, descriptor, 0, 0, none, none, count, event) };
    say(c"ex", status);
    let string = [u16::from(b'h'), u16::from(b'i'), 0];
    // SAFETY: the string ends in a NUL.
    let status = unsafe { EtwWriteString(handle, 4, 1, none, string.as_ptr()) };
    say(c"string", status);
    // SAFETY: as above; too many descriptors.
    let status = unsafe { EtwWrite(handle, descriptor, none, 129, event) };
    say(c"129", status);
    unregister(handle);
    STATUS_SUCCESS
}

/// Breaks no rule: events of 4,000 bytes and of 65,600.
fn write_much(_: &Scene) -> NTSTATUS {
    static ZEROS: [u8; 32_800] = [0; 32_800];
    let handle = register();
    say(c"4000", write(handle, &mut [data(&ZEROS[..4_000], 0)]));
    let mut twice = [data(&ZEROS, 0), data(&ZEROS, 0)];
    say(c"65600", write(handle, &mut twice));
    unregister(handle);
    STATUS_SUCCESS
}

fn leave_provider(_: &Scene) -> NTSTATUS {
    let mut handle = 0;
    let none = ptr::null_mut();
    // SAFETY: wrong on purpose: nothing unregisters it.
    let _ = unsafe { EtwRegister(&raw const PROVIDER, None, none, &raw mut handle) }; // caught: leave-provider
    STATUS_SUCCESS
}

/// Leaves a provider whose callback prints what it is told.
fn leave_provider_listening(_: &Scene) -> NTSTATUS {
    let mut handle = 0;
    let context = ptr::without_provenance_mut(5);
    let (id, handle) = (&raw const PROVIDER, &raw mut handle);
    // SAFETY: wrong on purpose: nothing unregisters it.
    let _ = unsafe { EtwRegister(id, Some(tell), context, handle) };
    STATUS_SUCCESS
}

fn write_unregistered(_: &Scene) -> NTSTATUS {
    let handle = register();
    unregister(handle);
    let (event, none) = (&raw const EVENT, ptr::null());
    // SAFETY: wrong on purpose: the handle leads nowhere any more.
    let _ = unsafe { EtwWrite(handle, event, none, 0, ptr::null_mut()) }; // caught: write-unregistered
    STATUS_SUCCESS
}

fn ask_unregistered(_: &Scene) -> NTSTATUS {
    let handle = register();
    unregister(handle);
    // SAFETY: wrong on purpose: the handle leads nowhere any more.
    let is_enabled = unsafe { EtwEventEnabled(handle, &raw const EVENT) }; // caught: ask-unregistered
    is_enabled.into()
}

fn write_nonsense(_: &Scene) -> NTSTATUS {
    let (event, none) = (&raw const EVENT, ptr::null());
    // SAFETY: wrong on purpose: no registration gave this handle.
    let _ = unsafe { EtwWrite(0x1234, event, none, 0, ptr::null_mut()) }; // caught: write-nonsense
    STATUS_SUCCESS
}

/// Breaks no rule: zero is no handle, and all routines check for it.
fn write_unhandled(_: &Scene) -> NTSTATUS {
    say(c"write", write(0, &mut []));
    // SAFETY: zero is allowed.
    let is_enabled = unsafe { EtwEventEnabled(0, &raw const EVENT) };
    say(c"enabled", is_enabled.into());
    // SAFETY: as above.
    let status = unsafe { EtwUnregister(0) };
    say(c"unregister", status);
    STATUS_SUCCESS
}

fn unregister_twice(_: &Scene) -> NTSTATUS {
    let handle = register();
    unregister(handle);
    // SAFETY: wrong on purpose: the provider is unregistered.
    let _ = unsafe { EtwUnregister(handle) }; // caught: unregister-twice
    STATUS_SUCCESS
}

/// The provider that [`unregister_itself`] is the callback of.
static OWN: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" fn unregister_itself(
    _: LPCGUID,
    _: ULONG,
    _: UCHAR,
    _: ULONGLONG,
    _: ULONGLONG,
    _: PEVENT_FILTER_DESCRIPTOR,
    _: PVOID,
) {
    // SAFETY: wrong on purpose: this waits for the callback to return.
    let status = unsafe { EtwUnregister(OWN.load(Ordering::Relaxed)) }; // caught: unregister-in-callback
    say(c"unregister", status);
}

fn unregister_in_callback(_: &Scene) -> NTSTATUS {
    let (callback, none) = (unregister_itself, ptr::null_mut());
    let mut handle = 0;
    // SAFETY: the callback has the signature of one.
    let status = unsafe { EtwRegister(&raw const PROVIDER, Some(callback), none, &raw mut handle) };
    OWN.store(handle, Ordering::Relaxed);
    status
}

fn register_at_dispatch(_: &Scene) -> NTSTATUS {
    let mut handle = 0;
    let none = ptr::null_mut();
    // SAFETY: the level is raised.
    let old = unsafe { KfRaiseIrql(DISPATCH_LEVEL) };
    // SAFETY: wrong on purpose: the routine allocates paged memory.
    let status = unsafe { EtwRegister(&raw const PROVIDER, None, none, &raw mut handle) }; // caught: register-at-dispatch
    // SAFETY: the level that was.
    unsafe { KeLowerIrql(old) };
    status
}

fn write_from_nowhere(_: &Scene) -> NTSTATUS {
    let handle = register();
    let mut nowhere = data(&0u32, 0);
    nowhere.Ptr = 0x6666_0000_0000;
    let (event, none) = (&raw const EVENT, ptr::null());
    // SAFETY: wrong on purpose: the data are not there.
    let status = unsafe { EtwWrite(handle, event, none, 1, &raw mut nowhere) }; // caught: write-from-nowhere
    unregister(handle);
    status
}

fn write_paged(_: &Scene) -> NTSTATUS {
    let handle = register();
    // SAFETY: the level is low enough.
    let block = unsafe { ExAllocatePoolWithTag(PagedPool, 4, 0x6b61_6572) };
    let mut paged = data(&0u32, 0);
    paged.Ptr = block.addr() as u64;
    let (event, none) = (&raw const EVENT, ptr::null());
    // SAFETY: the level is raised.
    let old = unsafe { KfRaiseIrql(DISPATCH_LEVEL) };
    // SAFETY: wrong on purpose: the data may be paged out.
    let status = unsafe { EtwWrite(handle, event, none, 1, &raw mut paged) }; // caught: write-paged
    // SAFETY: the level that was.
    unsafe { KeLowerIrql(old) };
    // SAFETY: the block is this function's.
    unsafe { ExFreePool(block) };
    unregister(handle);
    status
}
