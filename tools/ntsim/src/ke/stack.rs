//! Kernel stacks: 24 KB, as on x64 Windows, with guard pages around.
//!
//! A region of [`STACK_REGION`] bytes:
//!
//! ```text
//! +0x0000  Control, the host's book-keeping
//! +0x1000  guard: running off the end of the stack faults here
//! +0x9000  the stack
//! +0xf000  guard
//! ```

use std::cell::{Cell, RefCell};
use std::io;
use std::ptr;

use crate::arch::{Control, STACK_REGION};
use crate::mm::pages::{PAGE, Protection, Reservation};

/// Bytes of a kernel stack.
pub const STACK_SIZE: usize = 24 * 1024;

const STACK_TOP: usize = STACK_REGION - PAGE;
const STACK_LIMIT: usize = STACK_TOP - STACK_SIZE;

/// Bytes at the top of the stack that belong to the kernel's own frames: what
/// it passes to the driver by reference lies here, up against the guard page.
const CALLER_FRAME: usize = 256;

/// One kernel stack.
#[derive(Debug)]
pub struct KernelStack {
    region: Reservation,
}

thread_local! {
    /// Stacks that this thread has used and will use again.
    static SPARE: RefCell<Vec<KernelStack>> = const { RefCell::new(Vec::new()) };
    /// The stack that this thread runs a driver on; the trap handler reads it.
    static CURRENT: Cell<*const Control> = const { Cell::new(ptr::null()) };
}

/// The control block of the stack that this thread runs a driver on.
pub fn current() -> Option<&'static Control> {
    // SAFETY: `CURRENT` is set only while its stack is in use by this thread,
    // and cleared before the stack is given back.
    unsafe { CURRENT.get().as_ref() }
}

impl KernelStack {
    /// Takes a stack and makes it this thread's current one.
    pub fn take() -> io::Result<CurrentStack> {
        let spare = SPARE.with_borrow_mut(Vec::pop);
        let stack = spare.map_or_else(Self::new, Ok)?;
        let outer = CURRENT.replace(stack.control());
        Ok(CurrentStack {
            stack: Some(stack),
            outer,
        })
    }

    fn new() -> io::Result<Self> {
        let region = Reservation::aligned(STACK_REGION, STACK_REGION)?;
        region.protect(0, PAGE, Protection::ReadWrite)?;
        region.protect(STACK_LIMIT, STACK_SIZE, Protection::ReadWrite)?;
        let stack = Self { region };
        // SAFETY: the page is writable, new, and large and aligned enough.
        unsafe { stack.control().cast_mut().write(Control::idle()) };
        Ok(stack)
    }

    fn control(&self) -> *const Control {
        const { assert!(size_of::<Control>() <= PAGE) };
        ptr::with_exposed_provenance(self.region.base())
    }
}

/// The kernel stack that this thread runs a driver on, until dropped.
#[derive(Debug)]
pub struct CurrentStack {
    stack: Option<KernelStack>,
    outer: *const Control,
}

impl CurrentStack {
    fn stack(&self) -> &KernelStack {
        self.stack.as_ref().expect("given back only when dropped")
    }

    /// Its control block.
    pub fn control(&self) -> &Control {
        // SAFETY: initialised by `KernelStack::new`, and changed only through
        // its cells.
        unsafe { &*self.stack().control() }
    }

    /// The part that belongs to the kernel's own frames.
    pub fn caller_frame(&self) -> CallerFrame {
        let end = self.stack().region.base() + STACK_TOP;
        CallerFrame { end: end as u64 }
    }
}

impl Drop for CurrentStack {
    fn drop(&mut self) {
        CURRENT.set(self.outer);
        if let Some(stack) = self.stack.take() {
            SPARE.with_borrow_mut(|spare| spare.push(stack));
        }
    }
}

/// Where the kernel's own frames lie on a kernel stack.
#[derive(Clone, Copy, Debug)]
pub struct CallerFrame {
    end: u64,
}

impl CallerFrame {
    /// Where to put a structure of `size` bytes so that it ends at the guard
    /// page behind the stack.
    pub const fn place(self, size: usize) -> u64 {
        assert!(size <= CALLER_FRAME);
        (self.end - size as u64) & !15
    }

    /// Where the driver's part of the stack begins.
    pub const fn stack(self) -> u64 {
        self.end - CALLER_FRAME as u64
    }
}

/// The bounds of the stack whose control block is `control`: the addresses
/// that a driver may use of it.
pub fn bounds(control: &Control) -> std::ops::Range<u64> {
    let base = ptr::from_ref(control).addr() as u64;
    base + STACK_LIMIT as u64..base + STACK_TOP as u64
}

/// Whether `address` is in the guard below the stack of `control`.
pub fn is_guard(control: &Control, address: u64) -> bool {
    let base = ptr::from_ref(control).addr() as u64;
    (base + PAGE as u64..base + STACK_LIMIT as u64).contains(&address)
}
