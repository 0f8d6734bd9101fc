//! `PsGetProcessImageFileName` points into the `EPROCESS`. Objects are opaque
//! here, so the names lie apart, one copy of each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::mm::pages::Guarded;

/// The short names that drivers have asked for.
#[derive(Default)]
pub struct ShortNames {
    names: Mutex<HashMap<[u8; 15], Guarded>>,
}

impl ShortNames {
    /// Where `name` can be read.
    pub fn address(&self, name: [u8; 15]) -> u64 {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names
            .entry(name)
            .or_insert_with(|| {
                Guarded::holding(&name, 1)
                    .and_then(Guarded::read_only)
                    .unwrap_or_else(|error| panic!("no memory for a short name: {error}"))
            })
            .address()
    }
}
