//! How many events were reported, counted without a lock or a shared line.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::nt::process::ProcessId;

/// Counts of created and exited processes.
///
/// The counts of different processes are kept apart, so that processors which
/// report at the same time rarely write to the same cache line.
pub struct Tally {
    shards: [Shard; SHARDS],
}

const SHARDS: usize = 64;

#[repr(align(64))]
struct Shard {
    created: AtomicU64,
    exited: AtomicU64,
}

impl Tally {
    /// A tally of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            shards: [const {
                Shard {
                    created: AtomicU64::new(0),
                    exited: AtomicU64::new(0),
                }
            }; SHARDS],
        }
    }

    /// Counts a process that was created.
    ///
    /// IRQL: any.
    pub fn created(&self, process: ProcessId) {
        self.shard(process).created.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a process that exited.
    ///
    /// IRQL: any.
    pub fn exited(&self, process: ProcessId) {
        self.shard(process).exited.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of processes created and of those exited. Both are exact
    /// once no callback runs any more.
    ///
    /// IRQL: any.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        self.shards.iter().fold((0, 0), |(created, exited), shard| {
            (
                created + shard.created.load(Ordering::Relaxed),
                exited + shard.exited.load(Ordering::Relaxed),
            )
        })
    }

    /// Process identifiers are multiples of four.
    const fn shard(&self, process: ProcessId) -> &Shard {
        &self.shards[(process.as_u64() / 4 % SHARDS as u64) as usize]
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}
