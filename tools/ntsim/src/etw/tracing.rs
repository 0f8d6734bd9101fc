//! The providers and sessions of a machine, and who listens to whom.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use dashmap::DashMap;

use crate::etw::event::EventDescriptor;
use crate::etw::provider::{EnableCallback, Provider};
use crate::etw::session::{Session, TraceHandle, TraceSettings, TraceSink};
use crate::ldr::Module;
use crate::ldr::backtrace::Acquisition;
use crate::mm::pages::Guarded;
use crate::nt::Guid;

/// The providers and sessions of a machine.
pub struct Tracing {
    providers: DashMap<u64, Arc<Provider>>,
    next_provider: AtomicU64,
    sessions: RwLock<Vec<Arc<Session>>>,
    /// How many sessions there are, so that an event that nobody wants takes no
    /// lock.
    listening: AtomicUsize,
    next_session: AtomicU64,
    /// Held while a provider or a session comes or goes, so that each pair of
    /// them meets once.
    changing: Mutex<()>,
    /// The `SourceId` that callbacks are passed: zero, as of sessions that were
    /// not given one.
    source: Guarded,
}

/// What an enable callback is told: the sum of what all sessions want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enablement {
    /// Whether any session listens.
    pub is_enabled: bool,
    /// The highest level.
    pub level: u8,
    /// All keywords of which any will do.
    pub match_any_keyword: u64,
    /// The keywords that all sessions demand.
    pub match_all_keyword: u64,
}

/// Where the handles of providers begin: addresses in system space, as those of
/// Windows are.
const FIRST_HANDLE: u64 = 0xffff_a000_0000_0000;

/// The distance between handles.
const HANDLE_STEP: u64 = 0x80;

impl Tracing {
    /// No providers and no sessions.
    ///
    /// # Errors
    /// When the system has no address space.
    pub fn new() -> io::Result<Self> {
        let source = Guarded::holding(Guid::nil().as_bytes(), 8)?.read_only()?;
        Ok(Self {
            providers: DashMap::new(),
            next_provider: AtomicU64::new(FIRST_HANDLE),
            sessions: RwLock::default(),
            listening: AtomicUsize::new(0),
            next_session: AtomicU64::new(1),
            changing: Mutex::default(),
            source,
        })
    }

    /// How many providers are registered.
    pub fn providers(&self) -> usize {
        self.providers.len()
    }

    /// The address of the `SourceId` that callbacks are passed.
    pub fn source(&self) -> u64 {
        self.source.address()
    }

    /// Registers a provider. The second value says whether a session listens
    /// already.
    pub fn register(
        &self,
        id: Guid,
        callback: Option<EnableCallback>,
        registered: Acquisition,
    ) -> (Arc<Provider>, bool) {
        let handle = self.next_provider.fetch_add(HANDLE_STEP, Ordering::Relaxed);
        let provider = Arc::new(Provider::new(id, handle, callback, registered));
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.providers.insert(handle, Arc::clone(&provider));
        let enablement = self.enablement(&id);
        (provider, enablement.is_enabled)
    }

    /// The provider of `handle`.
    pub fn find(&self, handle: u64) -> Option<Arc<Provider>> {
        self.providers.get(&handle).map(|found| Arc::clone(&found))
    }

    /// Whether `handle` was one of a provider that is gone.
    pub fn was_registered(&self, handle: u64) -> bool {
        (FIRST_HANDLE..self.next_provider.load(Ordering::Relaxed)).contains(&handle)
            && handle.is_multiple_of(HANDLE_STEP)
    }

    /// Takes the provider of `handle` out, and waits until nobody is in its
    /// callback.
    pub fn unregister(&self, handle: u64) -> Option<Arc<Provider>> {
        let changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, provider) = self.providers.remove(&handle)?;
        drop(changing);
        drop(provider.wait_for_turn());
        Some(provider)
    }

    /// Takes the providers of `module` out.
    pub fn remove_all(&self, module: &Arc<Module>) -> Vec<Arc<Provider>> {
        let own: Vec<u64> = self
            .providers
            .iter()
            .filter(|provider| provider.registered.is_by(module))
            .map(|provider| provider.handle)
            .collect();
        own.into_iter()
            .filter_map(|handle| self.unregister(handle))
            .collect()
    }

    /// Starts a session, and gives the providers that it listens to.
    pub fn start(
        &self,
        settings: TraceSettings,
        sink: Arc<dyn TraceSink>,
    ) -> (TraceHandle, Vec<Arc<Provider>>) {
        let handle = TraceHandle(self.next_session.fetch_add(1, Ordering::Relaxed));
        let session = Arc::new(Session::new(handle, settings, sink));
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.change_sessions(|sessions| sessions.push(session));
        (handle, self.providers_of(&settings))
    }

    /// Takes a session out, and gives it with the providers that it has listened
    /// to.
    pub fn stop(&self, handle: TraceHandle) -> Option<(Arc<Session>, Vec<Arc<Provider>>)> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let session = self.change_sessions(|sessions| {
            let index = sessions
                .iter()
                .position(|session| session.handle == handle)?;
            Some(sessions.remove(index))
        })?;
        let providers = self.providers_of(&session.settings);
        Some((session, providers))
    }

    fn change_sessions<T>(&self, change: impl FnOnce(&mut Vec<Arc<Session>>) -> T) -> T {
        let mut sessions = self
            .sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut sessions);
        self.listening.store(sessions.len(), Ordering::Release);
        changed
    }

    fn providers_of(&self, settings: &TraceSettings) -> Vec<Arc<Provider>> {
        let providers = self.providers.iter();
        providers
            .filter(|provider| settings.listens_to(&provider.id))
            .map(|provider| Arc::clone(&provider))
            .collect()
    }

    /// The sessions that `wanted` holds for.
    fn sessions(&self, wanted: impl Fn(&Session) -> bool) -> Vec<Arc<Session>> {
        if self.listening.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        let wanted = sessions.iter().filter(|session| wanted(session));
        wanted.map(Arc::clone).collect()
    }

    /// The sessions that take such an event of this provider.
    pub fn listeners(&self, provider: &Guid, descriptor: &EventDescriptor) -> Vec<Arc<Session>> {
        self.sessions(|session| session.wants(provider, descriptor))
    }

    /// Whether any session takes such an event of this provider.
    pub fn has_listener(&self, provider: &Guid, descriptor: &EventDescriptor) -> bool {
        if self.listening.load(Ordering::Acquire) == 0 {
            return false;
        }
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        sessions
            .iter()
            .any(|session| session.wants(provider, descriptor))
    }

    /// The sum of what all sessions want of this provider.
    pub fn enablement(&self, provider: &Guid) -> Enablement {
        let sessions = self.sessions(|session| session.settings.listens_to(provider));
        let settings = sessions.iter().map(|session| &session.settings);
        let level = |settings: &TraceSettings| match settings.level {
            0 => u8::MAX,
            level => level,
        };
        Enablement {
            is_enabled: !sessions.is_empty(),
            level: settings.clone().map(level).max().unwrap_or_default(),
            match_any_keyword: settings
                .clone()
                .fold(0, |any, settings| any | settings.any_keyword()),
            match_all_keyword: settings
                .map(|settings| settings.match_all_keyword)
                .reduce(|all, more| all & more)
                .unwrap_or_default(),
        }
    }
}
