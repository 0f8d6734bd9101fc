//! Event tracing: providers, and the events that they write.
//!
//! The host's sessions, which receive the events, start and stop in
//! [`crate::trace`].

pub mod event;
pub mod provider;
pub mod session;
pub mod tracing;
pub mod transcript;

use std::cell::RefCell;
use std::sync::Arc;

use bytemuck::AnyBitPattern;
use windows_sys::Win32::Foundation::{
    STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};

use crate::intercept::Failure;
use crate::ke::time;
use crate::mm::guest;
use crate::nt::{Guid, Irql};
use crate::report::{Rule, Stopped};
use crate::routine::{Call, CallError, Outcome, Routine, status};
use crate::thread::Thread;
use event::{EventDescriptor, TraceEvent};
use provider::{EnableCallback, Provider};

/// The routines of event tracing.
pub const ROUTINES: &[Routine] = &[
    Routine::new("EtwRegister", Irql::PASSIVE, register).fails_with(Failure::Status),
    Routine::new("EtwUnregister", Irql::PASSIVE, unregister),
    Routine::new("EtwSetInformation", Irql::PASSIVE, set_information).fails_with(Failure::Status),
    Routine::new("EtwEventEnabled", Irql::HIGH, event_enabled),
    Routine::new("EtwProviderEnabled", Irql::HIGH, provider_enabled),
    Routine::new("EtwWrite", Irql::HIGH, write).fails_with(Failure::Status),
    Routine::new("EtwWriteTransfer", Irql::HIGH, write_transfer).fails_with(Failure::Status),
    Routine::new("EtwWriteEx", Irql::HIGH, write_ex).fails_with(Failure::Status),
    Routine::new("EtwWriteString", Irql::HIGH, write_string).fails_with(Failure::Status),
    Routine::new("EtwActivityIdControl", Irql::HIGH, activity_id_control),
];

/// What a `REGHANDLE` leads to. Windows takes all but zero for the address of a
/// registration.
enum Handle {
    /// Zero, which the routines check for.
    None,
    /// A provider.
    Of(Arc<Provider>),
}

/// The provider of `handle`.
fn handle(thread: &Thread<'_>, handle: u64) -> Result<Handle, CallError> {
    if handle == 0 {
        return Ok(Handle::None);
    }
    let tracing = &thread.kernel.tracing;
    tracing.find(handle).map(Handle::Of).ok_or_else(|| {
        let what = if tracing.was_registered(handle) {
            "is unregistered"
        } else {
            "was never registered"
        };
        CallError::violation(
            Rule::Provider,
            format!("the handle {handle:#x} is of a provider that {what}"),
        )
    })
}

/// `EtwRegister`. The handle is written once the callback has returned, if there
/// is one to call; Microsoft's documentation leaves that open.
fn register(call: &Call<'_>) -> Outcome {
    let [id, callback, context, result] = call.registers();
    if id == 0 || result == 0 {
        return status(STATUS_INVALID_PARAMETER);
    }
    let id = read_guid(id)?;
    guest::write(result, 0u64)?;
    let thread = call.thread;
    let callback = (callback != 0).then_some(EnableCallback {
        function: callback,
        context,
    });
    let tracing = &thread.kernel.tracing;
    let (provider, is_enabled) = tracing.register(id, callback, thread.acquisition());
    if is_enabled {
        call_back(thread, &provider)?;
    }
    guest::write(result, provider.handle)?;
    status(STATUS_SUCCESS)
}

/// Tells a provider's callback what all sessions together want of it, unless it
/// was unregistered meanwhile.
///
/// # Errors
/// When a driver broke a rule.
pub fn call_back(thread: &Thread<'_>, provider: &Provider) -> Result<(), Stopped> {
    let Some(callback) = provider.callback else {
        return Ok(());
    };
    let tracing = &thread.kernel.tracing;
    let _calling = provider.wait_for_turn();
    if tracing.find(provider.handle).is_none() {
        return Ok(());
    }
    let enablement = tracing.enablement(&provider.id);
    // EVENT_CONTROL_CODE_ENABLE_PROVIDER or EVENT_CONTROL_CODE_DISABLE_PROVIDER.
    let control_code = u64::from(enablement.is_enabled);
    let no_filter = 0;
    let arguments = [
        tracing.source(),
        control_code,
        enablement.level.into(),
        enablement.match_any_keyword,
        enablement.match_all_keyword,
        no_filter,
        callback.context,
    ];
    thread.call(callback.function, &arguments).map(drop)
}

/// `EtwUnregister`.
fn unregister(call: &Call<'_>) -> Outcome {
    let [reg_handle, ..] = call.registers();
    let Handle::Of(provider) = handle(call.thread, reg_handle)? else {
        return status(STATUS_INVALID_HANDLE);
    };
    if provider.is_calling() {
        return Err(CallError::violation(
            Rule::Provider,
            "a provider is unregistered in its enable callback: that waits for the callback to \
             return, so neither ends",
        ));
    }
    call.thread.kernel.tracing.unregister(reg_handle);
    status(STATUS_SUCCESS)
}

/// `EtwSetInformation`.
fn set_information(call: &Call<'_>) -> Outcome {
    const BINARY_TRACK_INFO: u32 = 0;
    const SET_TRAITS: u32 = 2;
    const USE_DESCRIPTOR_TYPE: u32 = 3;
    let [reg_handle, class, information, length] = call.registers();
    let (class, length) = (class as u32, length as u32);
    let Handle::Of(provider) = handle(call.thread, reg_handle)? else {
        return status(STATUS_INVALID_PARAMETER);
    };
    if information == 0 && length != 0 {
        return status(STATUS_INVALID_PARAMETER);
    }
    match class {
        // Adds the path of the image to each session, which takes none here.
        BINARY_TRACK_INFO => {}
        SET_TRAITS => {
            let Ok(length) = u16::try_from(length) else {
                return status(STATUS_INVALID_PARAMETER);
            };
            let mut traits = vec![0; usize::from(length)];
            guest::read_bytes(information, &mut traits)?;
            if !are_traits(&traits) {
                return status(STATUS_INVALID_PARAMETER);
            }
            provider.set_traits(&traits);
        }
        USE_DESCRIPTOR_TYPE => {
            if length != 1 {
                return status(STATUS_INVALID_PARAMETER);
            }
            let uses_types: u8 = guest::read(information)?;
            provider.use_types(uses_types != 0);
        }
        _ => return status(STATUS_NOT_SUPPORTED),
    }
    status(STATUS_SUCCESS)
}

/// Whether these are the traits of a provider: their own size, and a name that
/// ends.
fn are_traits(traits: &[u8]) -> bool {
    traits.split_first_chunk().is_some_and(|(size, rest)| {
        usize::from(u16::from_le_bytes(*size)) == traits.len() && rest.contains(&0)
    })
}

/// `EtwEventEnabled`.
fn event_enabled(call: &Call<'_>) -> Outcome {
    let [reg_handle, descriptor, ..] = call.registers();
    let Handle::Of(provider) = handle(call.thread, reg_handle)? else {
        return Ok(0);
    };
    let descriptor: EventDescriptor = guest::read(descriptor)?;
    let tracing = &call.thread.kernel.tracing;
    Ok(tracing.has_listener(&provider.id, &descriptor).into())
}

/// `EtwProviderEnabled`.
fn provider_enabled(call: &Call<'_>) -> Outcome {
    let [reg_handle, level, keyword, _] = call.registers();
    let Handle::Of(provider) = handle(call.thread, reg_handle)? else {
        return Ok(0);
    };
    let descriptor = EventDescriptor {
        level: level as u8,
        keyword,
        ..EventDescriptor::default()
    };
    let tracing = &call.thread.kernel.tracing;
    Ok(tracing.has_listener(&provider.id, &descriptor).into())
}

/// The arguments that say what an event is, and where its data lie.
struct Writing {
    handle: u64,
    descriptor: u64,
    activity: u64,
    related_activity: u64,
    data_count: u32,
    data: u64,
}

/// `EtwWrite`.
fn write(call: &Call<'_>) -> Outcome {
    let [handle, descriptor, activity, data_count] = call.registers();
    let writing = Writing {
        handle,
        descriptor,
        activity,
        related_activity: 0,
        data_count: data_count as u32,
        data: call.argument(4)?,
    };
    write_event(call.thread, &writing)
}

/// `EtwWriteTransfer`.
fn write_transfer(call: &Call<'_>) -> Outcome {
    let [handle, descriptor, activity, related_activity] = call.registers();
    let writing = Writing {
        handle,
        descriptor,
        activity,
        related_activity,
        data_count: call.argument(4)? as u32,
        data: call.argument(5)?,
    };
    write_event(call.thread, &writing)
}

/// `EtwWriteEx`. Its filter excludes sessions by the identifiers that they give
/// their filters; the sessions here have none.
fn write_ex(call: &Call<'_>) -> Outcome {
    const NO_FAULTING: u32 = 1;
    const IN_PRIVATE: u32 = 2;
    let [handle, descriptor, _filter, flags] = call.registers();
    if flags as u32 & !(NO_FAULTING | IN_PRIVATE) != 0 {
        return status(STATUS_INVALID_PARAMETER);
    }
    let writing = Writing {
        handle,
        descriptor,
        activity: call.argument(4)?,
        related_activity: call.argument(5)?,
        data_count: call.argument(6)? as u32,
        data: call.argument(7)?,
    };
    write_event(call.thread, &writing)
}

/// `EVENT_DATA_DESCRIPTOR`.
#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct DataDescriptor {
    pointer: u64,
    size: u32,
    /// What the data are, where the provider says that it fills this in.
    kind: u8,
    _reserved: [u8; 3],
}

/// The data of an event, each kind in one piece.
#[derive(Default)]
struct Data {
    payload: Vec<u8>,
    schema: Vec<u8>,
    traits: Vec<u8>,
    time: Vec<u8>,
}

fn write_event(thread: &Thread<'_>, writing: &Writing) -> Outcome {
    const MOST_DESCRIPTORS: u32 = 128;
    thread_local! {
        /// Reused from call to call.
        static DATA: RefCell<Data> = RefCell::default();
    }
    let Handle::Of(provider) = handle(thread, writing.handle)? else {
        return status(STATUS_INVALID_HANDLE);
    };
    if writing.descriptor == 0
        || writing.data_count > MOST_DESCRIPTORS
        || writing.data_count != 0 && writing.data == 0
    {
        return status(STATUS_INVALID_PARAMETER);
    }
    let descriptor: EventDescriptor = guest::read(writing.descriptor)?;
    let activity = optional_guid(writing.activity)?.unwrap_or(thread.activity.get());
    let related_activity = optional_guid(writing.related_activity)?;
    DATA.with_borrow_mut(|data| {
        if !data.read(thread, &provider, writing)? {
            return status(STATUS_INVALID_PARAMETER);
        }
        let registered_traits = provider.traits();
        let traits = if data.traits.is_empty() {
            registered_traits.as_deref()
        } else {
            Some(&data.traits[..])
        };
        let schema = Some(&data.schema[..]).filter(|schema| !schema.is_empty());
        let time =
            <[u8; 8]>::try_from(&data.time[..]).map_or_else(|_| time::now(), i64::from_le_bytes);
        let event = TraceEvent {
            provider: provider.id,
            descriptor,
            time,
            thread: thread.client,
            activity,
            related_activity,
            is_string: false,
            traits,
            schema,
            payload: &data.payload,
        };
        publish(thread, &event)
    })
}

impl Data {
    /// Reads all data, whether or not a session listens: Windows reads them for
    /// a session only, so that a bad pointer is found by chance. Gives false
    /// where a descriptor is of a type that there is not.
    fn read(
        &mut self,
        thread: &Thread<'_>,
        provider: &Provider,
        writing: &Writing,
    ) -> Result<bool, CallError> {
        const DATA: u8 = 0;
        const SCHEMA: u8 = 1;
        const TRAITS: u8 = 2;
        const TIME: u8 = 3;
        for part in [
            &mut self.payload,
            &mut self.schema,
            &mut self.traits,
            &mut self.time,
        ] {
            part.clear();
        }
        let uses_types = provider.uses_types();
        for index in 0..u64::from(writing.data_count) {
            let offset = index * size_of::<DataDescriptor>() as u64;
            let address = writing.data.wrapping_add(offset);
            let descriptor: DataDescriptor = read(thread, address)?;
            let part = match descriptor.kind {
                kind if kind == DATA || !uses_types => &mut self.payload,
                SCHEMA => &mut self.schema,
                TRAITS => &mut self.traits,
                TIME => &mut self.time,
                _ => return Ok(false),
            };
            append(thread, part, descriptor)?;
        }
        Ok(true)
    }
}

/// Appends the data that `descriptor` leads to.
fn append(
    thread: &Thread<'_>,
    part: &mut Vec<u8>,
    descriptor: DataDescriptor,
) -> Result<(), CallError> {
    /// More than any event holds: of what is lost in any case, this much is read.
    const LIMIT: usize = 0x1_0000;
    let start = part.len();
    part.resize(start + LIMIT.min(descriptor.size as usize), 0);
    guest::read_bytes(descriptor.pointer, &mut part[start..]).map_err(|bad| {
        CallError::violation(
            Rule::BadPointer,
            format!(
                "the {} bytes of data at {:#x} lead to {:#x}, which is not there",
                descriptor.size, descriptor.pointer, bad.0
            ),
        )
    })?;
    check_paged(thread, descriptor.pointer)
}

/// Reads a structure that belongs to an event.
fn read<T: AnyBitPattern>(thread: &Thread<'_>, address: u64) -> Result<T, CallError> {
    let value = guest::read(address)?;
    check_paged(thread, address)?;
    Ok(value)
}

/// Above `APC_LEVEL`, an event's data must not be pageable.
fn check_paged(thread: &Thread<'_>, address: u64) -> Result<(), CallError> {
    let irql = thread.irql();
    if irql > Irql::APC && thread.kernel.pool.is_paged(address) {
        return Err(CallError::violation(
            Rule::Irql,
            format!("data of an event lie in paged pool, at {irql}"),
        ));
    }
    Ok(())
}

/// A GUID in a driver's memory.
fn read_guid(address: u64) -> Result<Guid, CallError> {
    Ok(Guid::from_bytes_le(guest::read(address)?))
}

fn write_guid(address: u64, guid: Guid) -> Result<(), CallError> {
    Ok(guest::write(address, guid.to_bytes_le())?)
}

fn optional_guid(address: u64) -> Result<Option<Guid>, CallError> {
    if address == 0 {
        return Ok(None);
    }
    read_guid(address).map(Some)
}

/// Gives `event` to all sessions that want it, and gives the status of the last
/// that could not take it.
fn publish(thread: &Thread<'_>, event: &TraceEvent<'_>) -> Outcome {
    let tracing = &thread.kernel.tracing;
    let mut outcome = STATUS_SUCCESS;
    for session in tracing.listeners(&event.provider, &event.descriptor) {
        let received = session.receive(event);
        if received != STATUS_SUCCESS {
            outcome = received;
        }
    }
    status(outcome)
}

/// `EtwWriteString`.
fn write_string(call: &Call<'_>) -> Outcome {
    /// More than any event holds.
    const LIMIT: usize = 0x8000;
    let thread = call.thread;
    let [reg_handle, level, keyword, activity] = call.registers();
    let string = call.argument(4)?;
    let Handle::Of(provider) = handle(thread, reg_handle)? else {
        return status(STATUS_INVALID_HANDLE);
    };
    if string == 0 {
        return status(STATUS_INVALID_PARAMETER);
    }
    let mut text: Vec<u16> = guest::read_c_string(string, LIMIT)?;
    check_paged(thread, string)?;
    text.push(0);
    let traits = provider.traits();
    let event = TraceEvent {
        provider: provider.id,
        descriptor: EventDescriptor {
            level: level as u8,
            keyword,
            ..EventDescriptor::default()
        },
        time: time::now(),
        thread: thread.client,
        activity: optional_guid(activity)?.unwrap_or(thread.activity.get()),
        related_activity: None,
        is_string: true,
        traits: traits.as_deref(),
        schema: None,
        payload: bytemuck::cast_slice(&text),
    };
    publish(thread, &event)
}

/// `EtwActivityIdControl`.
fn activity_id_control(call: &Call<'_>) -> Outcome {
    const GET: u32 = 1;
    const SET: u32 = 2;
    const CREATE: u32 = 3;
    const GET_SET: u32 = 4;
    const CREATE_SET: u32 = 5;
    let [code, id, ..] = call.registers();
    let current = &call.thread.activity;
    match code as u32 {
        GET => write_guid(id, current.get())?,
        SET => current.set(read_guid(id)?),
        CREATE => write_guid(id, new_activity())?,
        GET_SET => {
            let before = current.replace(read_guid(id)?);
            write_guid(id, before)?;
        }
        CREATE_SET => {
            let before = current.replace(new_activity());
            write_guid(id, before)?;
        }
        _ => return status(STATUS_INVALID_PARAMETER),
    }
    status(STATUS_SUCCESS)
}

/// An identifier that no other activity has.
fn new_activity() -> Guid {
    use std::sync::atomic::{AtomicU32, Ordering};
    static LAST: AtomicU32 = AtomicU32::new(0);
    Guid::from_fields(LAST.fetch_add(1, Ordering::Relaxed) + 1, 0, 0, &[0; 8])
}
