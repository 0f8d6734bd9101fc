//! The processors that this process may use.

use std::mem;

/// A processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu(usize);

impl Cpu {
    /// All that this thread may run on.
    pub fn all() -> Vec<Self> {
        // SAFETY: all zeroes is the empty set.
        let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
        // SAFETY: the call writes a set of the size that it is told.
        let result = unsafe { libc::sched_getaffinity(0, mem::size_of_val(&set), &raw mut set) };
        if result != 0 {
            return vec![Self(0)];
        }
        (0..libc::CPU_SETSIZE as usize)
            // SAFETY: the number is below the size of the set.
            .filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) })
            .map(Self)
            .collect()
    }

    /// Has this thread run there and nowhere else. Where that is refused, it
    /// runs where the system puts it.
    pub fn pin(self) {
        // SAFETY: all zeroes is the empty set.
        let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
        // SAFETY: the number is below the size of the set.
        unsafe { libc::CPU_SET(self.0, &mut set) };
        // SAFETY: the call reads a set of the size that it is told.
        unsafe { libc::sched_setaffinity(0, mem::size_of_val(&set), &raw const set) };
    }
}
