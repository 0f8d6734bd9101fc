//! The registers of a thread in driver code.

use crate::arch::words::CallSite;

/// The registers of a thread at a trap.
#[derive(Clone, Copy, Debug, Default)]
pub struct Registers {
    /// The instruction pointer.
    pub instruction: u64,
    /// The flags.
    pub flags: u64,
    /// `rax` `rcx` `rdx` `rbx` `rsp` `rbp` `rsi` `rdi` `r8`…`r15`: the order in
    /// which instructions number them.
    pub general: [u64; 16],
}

impl Registers {
    /// The stack pointer.
    pub const fn stack(&self) -> u64 {
        self.general[4]
    }

    /// The frame pointer.
    pub const fn frame(&self) -> u64 {
        self.general[5]
    }

    /// Where a function returns to that was called and has done nothing yet.
    pub fn caller<E>(&self, read: impl FnOnce(u64) -> Result<u64, E>) -> Result<CallSite, E> {
        Ok(CallSite {
            return_address: read(self.stack())?,
            stack: self.stack() + 8,
            frame: self.frame(),
        })
    }

    /// Where the breakpoint is that was hit: `int3` is one byte long, and the
    /// processor has gone past it.
    pub const fn breakpoint(&self) -> u64 {
        self.instruction.wrapping_sub(1)
    }

    /// The code that `__fastfail` was called with, if this is its instruction,
    /// `int 29h`.
    pub fn fast_fail<E>(&self, read: impl FnOnce(u64) -> Result<[u8; 2], E>) -> Option<u64> {
        let instruction = read(self.instruction).ok()?;
        (instruction == [0xcd, 0x29]).then_some(self.general[1])
    }
}
