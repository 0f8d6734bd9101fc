//! Process objects and the table that finds them by identifier.

use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use dashmap::DashMap;
use windows_sys::Win32::Foundation::STATUS_PENDING;

use crate::ex::luid::Luids;
use crate::ke::time;
use crate::nt::{NtStatus, ProcessCreation, SYSTEM_PROCESS, SystemTime, Token};
use crate::ob::handles::HandleTable;
use crate::ob::object::{Body, Directory, Object};
use crate::se::token::TokenObject;

/// An `EPROCESS`.
pub struct Process {
    /// Its identifier.
    pub id: u32,
    /// The process that it inherits from.
    pub parent_id: u32,
    /// The name of its executable in NT form.
    pub image_file_name: Option<Vec<u16>>,
    /// Whether it is a 32-bit process.
    pub is_wow64: bool,
    /// Whether it is a process of another subsystem.
    pub is_of_subsystem: bool,
    /// The session that it runs in.
    pub session_id: u32,
    /// Who it is.
    pub token: Token,
    /// Its start key.
    pub start_key: u64,
    /// When it was created.
    pub create_time: SystemTime,
    /// The handles opened in its context.
    pub handles: HandleTable,
    primary_token: OnceLock<Arc<Object>>,
    exit_status: AtomicI32,
    exit_time: AtomicI64,
}

impl Process {
    /// A process that runs.
    fn new(creation: &ProcessCreation, start_key: u64) -> Self {
        Self {
            id: creation.process_id,
            parent_id: creation.parent_process_id,
            image_file_name: creation.image_file_name.clone(),
            is_wow64: creation.is_wow64,
            is_of_subsystem: creation.is_subsystem_process,
            session_id: creation.session_id,
            token: creation.token,
            start_key,
            create_time: creation.create_time.unwrap_or_else(time::now),
            handles: HandleTable::default(),
            primary_token: OnceLock::new(),
            exit_status: AtomicI32::new(STATUS_PENDING),
            exit_time: AtomicI64::new(0),
        }
    }

    /// The object of its primary token, made when a driver first asks for it.
    /// The process has the object's first reference.
    pub fn primary_token(&self, objects: &Directory, luids: &Luids) -> &Arc<Object> {
        self.primary_token.get_or_init(|| {
            objects.insert(Body::Token(TokenObject {
                process_id: self.id,
                token: self.token,
                session_id: self.session_id,
                id: luids.next(),
            }))
        })
    }

    /// The object of its primary token, if it was made.
    pub fn known_token(&self) -> Option<&Arc<Object>> {
        self.primary_token.get()
    }

    /// Its exit status; `STATUS_PENDING` while it runs.
    pub fn exit_status(&self) -> NtStatus {
        self.exit_status.load(Ordering::Acquire)
    }

    /// When it exited; 0 while it runs.
    pub fn exit_time(&self) -> SystemTime {
        self.exit_time.load(Ordering::Acquire)
    }

    /// Records that it exits.
    pub fn set_exited(&self, status: NtStatus, time: SystemTime) {
        self.exit_status.store(status, Ordering::Release);
        self.exit_time.store(time, Ordering::Release);
    }

    /// The last component of its executable's name, cut to the 14 bytes that
    /// an `EPROCESS` keeps of it.
    pub fn short_name(&self) -> [u8; 15] {
        let mut short = [0; 15];
        if self.id == SYSTEM_PROCESS {
            short[..6].copy_from_slice(b"System");
            return short;
        }
        let name = self.image_file_name.as_deref().unwrap_or_default();
        let last = name.rsplit(|unit| *unit == u16::from(b'\\')).next();
        let bytes = String::from_utf16_lossy(last.unwrap_or_default());
        let length = bytes.len().min(short.len() - 1);
        short[..length].copy_from_slice(&bytes.as_bytes()[..length]);
        short
    }
}

/// The boot that start keys say, `BootId` of the shared user data.
const BOOT: u64 = 2;

/// The processes that run.
#[derive(Default)]
pub struct ProcessTable {
    running: DashMap<u32, Arc<Object>>,
    /// How many processes were given the next start key.
    numbered: AtomicU64,
}

impl ProcessTable {
    /// The process `id`, if it runs.
    pub fn find(&self, id: u32) -> Option<Arc<Object>> {
        self.running.get(&id).map(|process| Arc::clone(&process))
    }

    /// Adds a process. One of the same identifier whose exit was never heard
    /// of makes way for it.
    pub fn insert(&self, objects: &Directory, creation: &ProcessCreation) -> Arc<Object> {
        let start_key = creation.start_key.unwrap_or_else(|| self.next_start_key());
        let object = objects.insert(Body::Process(Process::new(creation, start_key)));
        let stale = self
            .running
            .insert(creation.process_id, Arc::clone(&object));
        if let Some(stale) = stale {
            objects.dereference(&stale);
        }
        object
    }

    /// A start key that was not given before.
    pub fn next_start_key(&self) -> u64 {
        BOOT << 48 | (self.numbered.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The process `id`, added without a trace of where it came from if it is
    /// not known.
    pub fn find_or_adopt(&self, objects: &Directory, id: u32) -> Arc<Object> {
        self.find(id)
            .unwrap_or_else(|| self.insert(objects, &ProcessCreation::new(id, 0)))
    }

    /// Calls `visit` for every process.
    pub fn for_each(&self, mut visit: impl FnMut(&Process)) {
        for entry in &self.running {
            visit(entry.value().process().expect("a table of processes"));
        }
    }

    /// Takes `process` out, unless another took its identifier meanwhile. The
    /// table's reference to it becomes the caller's.
    pub fn remove(&self, id: u32, process: &Arc<Object>) -> bool {
        self.running
            .remove_if(&id, |_, running| Arc::ptr_eq(running, process))
            .is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stays_as_long_as_its_process_or_a_reference() {
        let objects = Directory::new().unwrap();
        let (processes, luids) = (ProcessTable::default(), Luids::default());
        let of_new_process = || {
            let process = processes.insert(&objects, &ProcessCreation::new(8, 4));
            let token = Arc::clone(process.process().unwrap().primary_token(&objects, &luids));
            (process, token)
        };
        let is_there = |object: &Object| objects.find(object.address).is_some();

        let (process, token) = of_new_process();
        assert!(is_there(&token));
        processes.remove(8, &process);
        objects.dereference(&process);
        assert!(!is_there(&process) && !is_there(&token));

        // Another process takes the identifier of one whose exit was not heard of.
        let (stale, token) = of_new_process();
        token.reference();
        let (process, other) = of_new_process();
        assert!(!is_there(&stale) && is_there(&token));
        objects.dereference(&token);
        assert!(!is_there(&token) && is_there(&process));
        assert_ne!(token.token().unwrap().id, other.token().unwrap().id);
    }
}
