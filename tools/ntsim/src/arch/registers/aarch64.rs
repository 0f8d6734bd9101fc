//! The registers of a thread in driver code.

use crate::arch::words::CallSite;

/// The registers of a thread at a trap.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// The instruction pointer.
    pub instruction: u64,
    /// The stack pointer.
    stack: u64,
    /// `x0` to `x30`.
    general: [u64; 31],
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

/// Numbers that Windows gives to `brk`.
const FAST_FAIL: u32 = 0xf003;
const DIVISION_BY_ZERO: u32 = 0xf004;

const fn breakpoint(number: u32) -> u32 {
    0xd420_0000 | number << 5
}

/// Whether an instruction is one that reads, writes or commands the system:
/// `mrs`, `msr`, `sys` and their like.
const fn is_system(instruction: u32) -> bool {
    instruction & 0xffc0_0000 == 0xd500_0000
}

/// Whether an instruction that accesses memory writes to it.
const fn is_store(instruction: u32) -> bool {
    const LOAD: u32 = 1 << 22;
    const VECTOR: u32 = 1 << 26;
    // A load from an address relative to the instruction.
    if instruction & 0x3b00_0000 == 0x1800_0000 {
        return false;
    }
    // One register: two bits tell a store from the kinds of load, except that
    // the second of them makes a store of a whole vector.
    if instruction & 0x3a00_0000 == 0x3800_0000 {
        let atomic = instruction & 0x3b20_0c00 == 0x3820_0000;
        let kind = instruction >> 22 & 3;
        let vector = instruction & VECTOR != 0 && instruction >> 30 == 0;
        return atomic || kind == 0 || (vector && kind == 2);
    }
    // Pairs, exclusive accesses, structures of vectors.
    instruction & LOAD == 0
}
