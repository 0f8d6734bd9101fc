//! The registers of a thread in driver code.

use crate::arch::words::CallSite;

/// The registers of a thread at a trap.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// The instruction pointer.
    pub instruction: u64,
    /// The stack pointer.
    pub stack: u64,
    /// `x0` to `x30`.
    pub general: [u64; 31],
}

impl Registers {
    /// The stack pointer.
    pub const fn stack(&self) -> u64 {
        self.stack
    }

    /// The frame pointer.
    pub const fn frame(&self) -> u64 {
        self.general[29]
    }

    /// Where a function returns to that was called and has done nothing yet.
    pub fn caller<E>(&self, _read: impl FnOnce(u64) -> Result<u64, E>) -> Result<CallSite, E> {
        Ok(CallSite {
            return_address: self.general[30],
            stack: self.stack,
            frame: self.frame(),
        })
    }

    /// Where the breakpoint is that was hit.
    pub const fn breakpoint(&self) -> u64 {
        self.instruction
    }

    /// The code that `__fastfail` was called with, if this is its instruction,
    /// `brk #0xf003`.
    pub fn fast_fail<E>(&self, read: impl FnOnce(u64) -> Result<[u8; 4], E>) -> Option<u64> {
        let instruction = u32::from_le_bytes(read(self.instruction).ok()?);
        (instruction == breakpoint(FAST_FAIL)).then_some(self.general[0])
    }
}

/// The number that Windows gives to the `brk` of `__fastfail`.
const FAST_FAIL: u32 = 0xf003;

/// The instruction `brk #number`.
pub const fn breakpoint(number: u32) -> u32 {
    0xd420_0000 | number << 5
}
