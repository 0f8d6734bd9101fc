//! Objects: what a pointer or a handle of a driver leads to.
//!
//! Objects are opaque to drivers, so their addresses lie in pages that are
//! never accessible: a driver that looks inside one faults and is reported.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;

use crate::ldr::Module;
use crate::ldr::backtrace::Acquisition;
use crate::mm::pages::Reservation;
use crate::ps::process::Process;
use crate::ps::thread::ThreadObject;
use crate::se::token::TokenObject;

/// The types that objects have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `*PsProcessType`.
    Process,
    /// `*PsThreadType`.
    Thread,
    /// `*SeTokenObjectType`.
    Token,
}

/// What an object is.
pub enum Body {
    /// `EPROCESS`.
    Process(Process),
    /// `ETHREAD`.
    Thread(ThreadObject),
    /// `TOKEN`.
    Token(TokenObject),
}

/// An object. It exists for drivers while it is in the [`Directory`].
pub struct Object {
    /// Its address, as drivers see it.
    pub address: u64,
    /// What it is.
    pub body: Body,
    /// The kernel's own references, handles among them.
    references: AtomicU64,
    /// References that drivers hold.
    held: Mutex<Vec<Acquisition>>,
}

impl Object {
    /// Its type.
    pub const fn object_type(&self) -> Type {
        match self.body {
            Body::Process(_) => Type::Process,
            Body::Thread(_) => Type::Thread,
            Body::Token(_) => Type::Token,
        }
    }

    /// The process that it is, if it is one.
    pub const fn process(&self) -> Option<&Process> {
        match &self.body {
            Body::Process(process) => Some(process),
            Body::Thread(_) | Body::Token(_) => None,
        }
    }

    /// The token that it is, if it is one.
    pub const fn token(&self) -> Option<&TokenObject> {
        match &self.body {
            Body::Token(token) => Some(token),
            Body::Process(_) | Body::Thread(_) => None,
        }
    }

    /// How many references the kernel has, handles among them.
    pub fn references(&self) -> u64 {
        self.references.load(Ordering::Relaxed)
    }

    /// Adds a reference of the kernel's.
    pub fn reference(&self) {
        self.references.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives a driver a reference of its own.
    pub fn hold(&self, acquired: Acquisition) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.push(acquired);
    }

    /// What it is, for reports.
    pub fn describe(&self) -> String {
        match &self.body {
            Body::Process(process) => format!("process {:#x}", process.id),
            Body::Thread(thread) => {
                format!(
                    "thread {:#x}.{:#x}",
                    thread.client.process, thread.client.thread
                )
            }
            Body::Token(token) => format!("the token of process {:#x}", token.process_id),
        }
    }
}

/// Bytes of address space that an object takes.
const OBJECT_SPACING: u64 = 64;

/// Address space for objects: freed addresses come back only after a full
/// round, so that a stale pointer is noticed.
const OBJECT_SPACE: usize = 4 << 30;

/// All objects.
pub struct Directory {
    space: Reservation,
    next: AtomicU64,
    objects: DashMap<u64, Arc<Object>>,
    /// The addresses of the types.
    types: [u64; 3],
}

impl Directory {
    /// A directory without objects.
    pub fn new() -> io::Result<Self> {
        let mut directory = Self {
            space: Reservation::new(OBJECT_SPACE)?,
            next: AtomicU64::new(0),
            objects: DashMap::new(),
            types: [0; 3],
        };
        directory.types = [(); 3].map(|()| directory.new_address());
        Ok(directory)
    }

    /// An address that is no other object's.
    pub fn new_address(&self) -> u64 {
        loop {
            let offset = self.next.fetch_add(OBJECT_SPACING, Ordering::Relaxed);
            let address = self.space.base() as u64 + offset % OBJECT_SPACE as u64;
            if !self.types.contains(&address) && !self.objects.contains_key(&address) {
                return address;
            }
        }
    }

    /// Makes an object, with one reference that is the caller's.
    pub fn insert(&self, body: Body) -> Arc<Object> {
        let object = Arc::new(Object {
            address: self.new_address(),
            body,
            references: AtomicU64::new(1),
            held: Mutex::new(Vec::new()),
        });
        self.objects.insert(object.address, Arc::clone(&object));
        object
    }

    /// The address of an `OBJECT_TYPE`.
    pub const fn type_address(&self, object_type: Type) -> u64 {
        self.types[object_type as usize]
    }

    /// What lies at `address`, for reports.
    pub fn describe(&self, address: u64) -> Option<String> {
        if !self.space.contains(address) {
            return None;
        }
        let object = self.objects.get(&(address & !(OBJECT_SPACING - 1)));
        Some(object.map_or_else(
            || "an object that is gone; objects are opaque to drivers anyway".into(),
            |object| {
                format!(
                    "inside {}; objects are opaque to drivers",
                    object.describe()
                )
            },
        ))
    }

    /// Takes back a reference of the kernel's.
    pub fn dereference(&self, object: &Object) {
        if object.references.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.remove_if_unused(object);
        }
    }

    fn remove_if_unused(&self, object: &Object) {
        let held = object.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.is_empty() || object.references.load(Ordering::Acquire) != 0 {
            return;
        }
        let removed = self.objects.remove(&object.address);
        drop(held);
        if removed.is_some()
            && let Some(token) = object.process().and_then(Process::known_token)
        {
            self.dereference(token);
        }
    }

    /// Takes a driver's reference back; gives false where it has none. One
    /// taken by the same driver goes first.
    pub fn release(&self, object: &Object, module: Option<&Arc<Module>>) -> bool {
        let mut held = object.held.lock().unwrap_or_else(PoisonError::into_inner);
        let own = held
            .iter()
            .rposition(|acquired| module.is_some_and(|module| acquired.is_by(module)));
        let Some(index) = own.or_else(|| held.len().checked_sub(1)) else {
            return false;
        };
        held.swap_remove(index);
        drop(held);
        self.remove_if_unused(object);
        true
    }

    /// Takes away the references that `module` still holds.
    pub fn release_all(&self, module: &Arc<Module>) -> Vec<(String, Acquisition)> {
        let mut released = Vec::new();
        // Collected first: an object without references leaves the directory.
        let objects: Vec<Arc<Object>> = self
            .objects
            .iter()
            .map(|entry| Arc::clone(entry.value()))
            .collect();
        for object in objects {
            let mut held = object.held.lock().unwrap_or_else(PoisonError::into_inner);
            let before = held.len();
            for acquired in held.extract_if(.., |acquired| acquired.is_by(module)) {
                released.push((object.describe(), acquired));
            }
            let changed = held.len() != before;
            drop(held);
            if changed {
                self.remove_if_unused(&object);
            }
        }
        released
    }

    /// The object at `address`.
    pub fn find(&self, address: u64) -> Option<Arc<Object>> {
        self.objects.get(&address).map(|object| Arc::clone(&object))
    }
}
