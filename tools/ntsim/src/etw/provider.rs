//! Event providers that drivers have registered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::ldr::backtrace::Acquisition;
use crate::nt::Guid;

/// A provider's enable callback.
#[derive(Clone, Copy, Debug)]
pub struct EnableCallback {
    /// The routine.
    pub function: u64,
    /// What it is passed.
    pub context: u64,
}

/// A registered provider.
pub struct Provider {
    /// Its identifier.
    pub id: Guid,
    /// Its `REGHANDLE`.
    pub handle: u64,
    /// What it wants to be called for.
    pub callback: Option<EnableCallback>,
    /// Where the driver registered it.
    pub registered: Acquisition,
    traits: Mutex<Option<Arc<[u8]>>>,
    uses_types: AtomicBool,
    calling: Mutex<()>,
    caller: Mutex<Option<ThreadId>>,
}

/// The right to call a provider's enable callback, which one thread has at a
/// time.
pub struct Calling<'a> {
    provider: &'a Provider,
    _turn: MutexGuard<'a, ()>,
}

impl Provider {
    /// A provider without traits.
    pub fn new(
        id: Guid,
        handle: u64,
        callback: Option<EnableCallback>,
        registered: Acquisition,
    ) -> Self {
        Self {
            id,
            handle,
            callback,
            registered,
            traits: Mutex::default(),
            uses_types: AtomicBool::new(false),
            calling: Mutex::default(),
            caller: Mutex::default(),
        }
    }

    /// Sets its traits, which makes the types of its data descriptors count.
    pub fn set_traits(&self, traits: &[u8]) {
        *lock(&self.traits) = Some(traits.into());
        self.use_types(true);
    }

    /// Its traits.
    pub fn traits(&self) -> Option<Arc<[u8]>> {
        lock(&self.traits).clone()
    }

    /// Says whether the types of its data descriptors count.
    pub fn use_types(&self, uses_types: bool) {
        self.uses_types.store(uses_types, Ordering::Release);
    }

    /// Whether the types of its data descriptors count.
    pub fn uses_types(&self) -> bool {
        self.uses_types.load(Ordering::Acquire)
    }

    /// Waits for the turn to call its callback.
    pub fn wait_for_turn(&self) -> Calling<'_> {
        let turn = lock(&self.calling);
        *lock(&self.caller) = Some(thread::current().id());
        Calling {
            provider: self,
            _turn: turn,
        }
    }

    /// Whether this thread is in its callback.
    pub fn is_calling(&self) -> bool {
        *lock(&self.caller) == Some(thread::current().id())
    }
}

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        *lock(&self.provider.caller) = None;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
