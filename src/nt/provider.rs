//! Event Tracing for Windows: a provider, and the events that it writes.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

use wdk_sys::_EVENT_INFO_CLASS::EventProviderSetTraits;
use wdk_sys::ntddk::{EtwEventEnabled, EtwRegister, EtwSetInformation, EtwUnregister, EtwWrite};
use wdk_sys::{EVENT_DATA_DESCRIPTOR, EVENT_DESCRIPTOR, GUID, REGHANDLE, ULONG};

use crate::nt::failure::Failure;

/// An ETW provider.
///
/// # Invariants
///
/// `handle` is that of the registration, or 0 while there is none.
pub struct Provider {
    id: GUID,
    traits: &'static [u8],
    handle: AtomicU64,
}

/// A [`Provider`] is registered while a value of this type exists.
#[must_use]
pub struct ProviderRegistration(&'static Provider);

impl Provider {
    /// A provider that is not registered. `traits` are its name and more, as
    /// `TraceLogging` encodes them.
    #[must_use]
    pub const fn new(id: GUID, traits: &'static [u8]) -> Self {
        Self {
            id,
            traits,
            handle: AtomicU64::new(0),
        }
    }

    /// Registers it. A provider is registered once at a time.
    ///
    /// IRQL: `PASSIVE_LEVEL`.
    ///
    /// # Errors
    ///
    /// What `EtwRegister` or `EtwSetInformation` returns, such as
    /// `STATUS_NO_MEMORY`.
    ///
    /// [EtwRegister](https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-etwregister)
    pub fn register(&'static self) -> Result<ProviderRegistration, Failure> {
        let mut handle: REGHANDLE = 0;
        // SAFETY: The identifier can be read, and `handle` be written; there is
        // no callback.
        let status =
            unsafe { EtwRegister(&raw const self.id, None, ptr::null_mut(), &raw mut handle) };
        Failure::check(c"EtwRegister", status)?;
        self.handle.store(handle, Ordering::Release);
        // Dropped, it is unregistered again.
        let registration = ProviderRegistration(self);
        self.set_traits(handle)?;
        Ok(registration)
    }

    /// Tells the provider's name to the sessions that record it, and that its
    /// events describe themselves.
    ///
    /// [EventProviderSetTraits](https://learn.microsoft.com/windows/win32/api/evntprov/ne-evntprov-event_info_class)
    fn set_traits(&self, handle: REGHANDLE) -> Result<(), Failure> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "traits count their bytes by 16 bits"
        )]
        let length = self.traits.len() as ULONG;
        let traits: *const c_void = self.traits.as_ptr().cast();
        // SAFETY: The handle is registered, and the traits are read only and as
        // long as is said.
        let status =
            unsafe { EtwSetInformation(handle, EventProviderSetTraits, traits.cast_mut(), length) };
        Failure::check(c"EtwSetInformation", status)
    }

    /// Whether a session records such an event.
    ///
    /// IRQL: any.
    ///
    /// [EtwEventEnabled](https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-etweventenabled)
    #[must_use]
    pub fn is_enabled(&self, event: &EVENT_DESCRIPTOR) -> bool {
        let handle = self.handle.load(Ordering::Acquire);
        // SAFETY: The handle is the provider's, and the descriptor can be read.
        unsafe { EtwEventEnabled(handle, event) != 0 }
    }

    /// Writes an event, of these pieces in their order. A session that has no
    /// room for it counts it as lost.
    ///
    /// IRQL: any.
    ///
    /// [EtwWrite](https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-etwwrite)
    pub fn write(&self, event: &EVENT_DESCRIPTOR, data: &mut [DataDescriptor<'_>]) {
        #[expect(clippy::cast_possible_truncation, reason = "a handful")]
        let count = data.len() as ULONG;
        let handle = self.handle.load(Ordering::Acquire);
        let data: *mut EVENT_DATA_DESCRIPTOR = data.as_mut_ptr().cast();
        // SAFETY: The handle is the provider's, and each of the descriptors
        // leads to memory of the kernel's that lives during the call.
        let _ = unsafe { EtwWrite(handle, event, ptr::null(), count, data) };
    }
}

impl Drop for ProviderRegistration {
    /// IRQL: `PASSIVE_LEVEL`.
    ///
    /// [EtwUnregister](https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-etwunregister)
    fn drop(&mut self) {
        let handle = self.0.handle.swap(0, Ordering::AcqRel);
        // SAFETY: The handle is registered, and nothing uses it afterwards.
        let status = unsafe { EtwUnregister(handle) };
        debug_assert!(wdk::nt_success(status));
    }
}

/// A piece of an event's data.
///
/// It has the layout of the newer `EVENT_DATA_DESCRIPTOR`, whose last field
/// began as a reserved one.
///
/// # Invariants
///
/// `address` leads to `size` bytes that live as long as `'a`.
///
/// [EVENT_DATA_DESCRIPTOR](https://learn.microsoft.com/windows/win32/api/evntprov/ns-evntprov-event_data_descriptor)
#[repr(C)]
pub struct DataDescriptor<'a> {
    address: u64,
    size: u32,
    kind: Kind,
    data: PhantomData<&'a [u8]>,
}

const _: () = assert!(size_of::<DataDescriptor<'_>>() == size_of::<EVENT_DATA_DESCRIPTOR>());

/// What a piece of data is (`EVENT_DATA_DESCRIPTOR_TYPE_…`).
#[derive(Clone, Copy)]
#[repr(u32)]
enum Kind {
    /// A part of the payload.
    Data = 0,
    /// The names and types of the fields.
    EventMetadata = 1,
    /// The provider's traits.
    ProviderMetadata = 2,
}

impl<'a> DataDescriptor<'a> {
    /// The bytes of a value. A `T` with padding would have it written, too.
    #[must_use]
    pub fn of<T: Copy>(value: &'a T) -> Self {
        Self::new(Kind::Data, ptr::from_ref(value).cast(), size_of::<T>())
    }

    /// The bytes of several values.
    #[must_use]
    pub fn of_slice<T: Copy>(values: &'a [T]) -> Self {
        Self::new(Kind::Data, values.as_ptr().cast(), size_of_val(values))
    }

    /// The provider's traits, as `TraceLogging` encodes them.
    #[must_use]
    pub fn provider_traits(traits: &'a [u8]) -> Self {
        Self::new(Kind::ProviderMetadata, traits.as_ptr(), traits.len())
    }

    /// What the fields are, as `TraceLogging` encodes it.
    #[must_use]
    pub fn event_metadata(metadata: &'a [u8]) -> Self {
        Self::new(Kind::EventMetadata, metadata.as_ptr(), metadata.len())
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "an event is at most 64 KiB"
    )]
    fn new(kind: Kind, address: *const u8, size: usize) -> Self {
        Self {
            address: address.addr() as u64,
            size: size as u32,
            kind,
            data: PhantomData,
        }
    }
}
