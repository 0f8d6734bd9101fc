//! What the driver's side and the host's tell each other, whichever the
//! processor.

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
