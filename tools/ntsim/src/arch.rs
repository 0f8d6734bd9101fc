//! What depends on the processor: switching between the host's stack and the
//! driver's, the code through which a driver reaches kernel routines, memory
//! accesses that may fault, and the registers of a trap.
//!
//! # The two stacks
//! Driver code runs on a kernel stack of its own ([`crate::ke::stack`]); every
//! routine that it calls runs on the host's stack, below the frame that called
//! the driver. The first page of a kernel stack's region holds a [`Control`],
//! found from any driver stack pointer by masking, which remembers where the
//! other stack was left.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
pub use aarch64::*;
#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
compile_error!(
    "ntsim runs drivers for x64 and ARM64, each on its own processor; see src/arch for what a port needs"
);

use std::cell::Cell;

use crate::nt::Irql;
use crate::routine::Routine;

/// Kernel stacks lie in regions aligned to their own size, so that the region
/// of a stack pointer is found by masking.
pub const STACK_REGION: usize = 64 * 1024;

/// The book-keeping of one kernel stack, at the start of its region.
///
/// The assembly reaches the fields by offset, hence `repr(C)`.
#[repr(C)]
#[derive(Debug)]
pub struct Control {
    /// Where the innermost call into the driver left the host's stack.
    pub host_stack: Cell<u64>,
    /// 1 while driver code runs, 0 while the host does.
    pub in_driver: Cell<u64>,
    /// Where the driver's innermost call of a routine left the driver's stack:
    /// at the return address. 0 when it has called none.
    pub driver_stack: Cell<u64>,
    /// The driver's frame pointer at that call.
    pub driver_frame: Cell<u64>,
    /// Not 0: abandon the driver instead of returning to it.
    pub abandon: Cell<u64>,
    /// The [`crate::ke::Context`] that the driver runs in.
    pub context: Cell<*const ()>,
    /// The current level.
    pub irql: Cell<Irql>,
    /// The trap that ended driver code, until it is reported.
    pub trap: Cell<Option<Trap>>,
}

impl Control {
    /// The state of a stack that nothing runs on.
    pub const fn idle() -> Self {
        Self {
            host_stack: Cell::new(0),
            in_driver: Cell::new(0),
            driver_stack: Cell::new(0),
            driver_frame: Cell::new(0),
            abandon: Cell::new(0),
            context: Cell::new(std::ptr::null()),
            irql: Cell::new(Irql::PASSIVE),
            trap: Cell::new(None),
        }
    }
}

/// A processor exception in driver code.
#[derive(Clone, Copy, Debug)]
pub struct Trap {
    /// What kind of exception.
    pub cause: TrapCause,
    /// The registers at the instruction.
    pub registers: Registers,
}

/// Kinds of processor exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrapCause {
    /// Memory that is not there, or not for this kind of access.
    Memory {
        /// The address accessed.
        address: u64,
        /// What the access was.
        access: Access,
    },
    /// A privileged instruction, or an address that no page can have.
    Protection,
    /// An instruction that does not exist.
    IllegalInstruction,
    /// A division by zero or that overflows.
    Arithmetic,
    /// A breakpoint.
    Breakpoint,
    /// No exception: the driver has run for too long.
    OutOfTime,
}

/// What a faulting access was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A load.
    Read,
    /// A store.
    Write,
    /// An instruction fetch.
    Execute,
}

/// A driver's frame, seen from what it called.
#[derive(Clone, Copy, Debug)]
pub struct CallSite {
    /// Where the callee returns to.
    pub return_address: u64,
    /// The stack pointer after that return.
    pub stack: u64,
    /// The frame pointer.
    pub frame: u64,
}

/// What came of running driver code.
#[repr(C)]
pub struct Departure {
    /// What the driver returned.
    pub value: u64,
    /// 0 where it returned, 1 where it was abandoned.
    pub abandoned: u64,
}

/// How a [`guarded_copy`] ended.
#[repr(C)]
pub struct GuardedCopy {
    /// 0 where everything was copied, 1 where an access faulted.
    pub faulted: u64,
    /// The address that faulted.
    pub address: u64,
}

/// What a kernel routine's thunk carries to [`crate::routine::dispatch`].
pub type RoutineReference = *const Routine;
