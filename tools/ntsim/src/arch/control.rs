//! What both sides of a switch between the stacks know of each other, whichever
//! the processor.

use std::cell::Cell;

use super::registers::Registers;
use super::words::TrapCause;
use crate::nt::Irql;

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
    /// The thread, a `crate::thread::Thread`, that the driver runs in.
    pub thread: Cell<*const ()>,
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
            thread: Cell::new(std::ptr::null()),
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
