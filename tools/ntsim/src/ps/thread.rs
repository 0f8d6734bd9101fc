//! Thread objects, made when a driver first asks for one.

use std::sync::Arc;

use dashmap::DashMap;

use crate::nt::ClientId;
use crate::ob::object::{Body, Directory, Object};

/// An `ETHREAD`.
pub struct ThreadObject {
    /// Its identifier and its process's.
    pub client: ClientId,
}

/// The threads that drivers have asked for.
#[derive(Default)]
pub struct ThreadTable {
    known: DashMap<ClientId, Arc<Object>>,
}

impl ThreadTable {
    /// The object of the thread `client`.
    pub fn get(&self, objects: &Directory, client: ClientId) -> Arc<Object> {
        let thread = self
            .known
            .entry(client)
            .or_insert_with(|| objects.insert(Body::Thread(ThreadObject { client })));
        Arc::clone(&thread)
    }

    /// Forgets the threads of a process that has exited.
    pub fn forget(&self, objects: &Directory, process: u32) {
        if self.known.is_empty() {
            return;
        }
        self.known.retain(|client, thread| {
            let keep = client.process != process;
            if !keep {
                objects.dereference(thread);
            }
            keep
        });
    }
}
