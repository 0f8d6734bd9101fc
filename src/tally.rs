//! How many events were reported, counted without a lock or a shared line.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

/// Counts of created and exited processes.
///
/// The counts of different threads are kept apart, so that processors which
/// report at the same time rarely write to the same cache line.
pub struct Tally {
    shards: [Shard; SHARDS],
}

const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 6;

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
    pub fn created(&self) {
        self.shard().created.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a process that exited.
    ///
    /// IRQL: any.
    pub fn exited(&self) {
        self.shard().exited.fetch_add(1, Ordering::Relaxed);
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

    /// The shard of the running thread, told by its stack: asking the kernel
    /// for the processor would cost a call.
    fn shard(&self) -> &Shard {
        /// 2^64 divided by the golden ratio, which scatters what is multiplied.
        const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;
        /// Addresses that differ only below are of one stack.
        const WITHIN_STACK: u32 = 14;
        let stack = stack_pointer() >> WITHIN_STACK;
        let scattered = stack.wrapping_mul(SCATTER) >> (u64::BITS - SHARD_BITS);
        &self.shards[scattered as usize]
    }
}

fn stack_pointer() -> u64 {
    let address;
    // SAFETY: The instruction writes this register alone.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!("mov {}, rsp", out(reg) address, options(pure, nomem, nostack, preserves_flags));
        #[cfg(target_arch = "aarch64")]
        asm!("mov {}, sp", out(reg) address, options(pure, nomem, nostack, preserves_flags));
    }
    address
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}
