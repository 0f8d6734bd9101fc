//! The driver's call stack, walked by the unwind data of its image.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64};
use framehop::{FrameAddress, Unwinder as _};

use crate::arch::{self, Control, Trap};
use crate::ke::{Context, stack};
use crate::ldr::Module;

/// No driver of 24 KB stacks calls deeper than is worth reading.
const DEPTH: usize = 32;

/// Addresses in driver code, innermost first. Those after the first are return
/// addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backtrace(pub Vec<CodeAddress>);

/// An address in driver code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeAddress {
    /// The address itself.
    pub address: u64,
    /// Whether it is where a call returns to, one past the call.
    pub is_return: bool,
}

impl CodeAddress {
    /// An address inside the instruction meant.
    pub const fn lookup(self) -> u64 {
        self.address - self.is_return as u64
    }
}

/// The call stack of the routine that the driver has called in `context`;
/// empty outside of one.
pub fn capture(context: &Context<'_>) -> Backtrace {
    let control = context.control();
    let Some(site) = arch::call_site(control) else {
        return Backtrace::default();
    };
    let registers = UnwindRegsX86_64::new(site.return_address, site.stack, site.frame);
    walk(
        context,
        control,
        CodeAddress {
            address: site.return_address,
            is_return: true,
        },
        registers,
    )
}

/// The call stack at an exception in driver code.
pub fn of_trap(context: &Context<'_>, trap: &Trap) -> Backtrace {
    let control = context.control();
    let registers = &trap.registers;
    let mut unwind =
        UnwindRegsX86_64::new(registers.instruction, registers.stack(), registers.frame());
    let here = CodeAddress {
        address: registers.instruction,
        is_return: false,
    };
    if context.kernel.modules.find(registers.instruction).is_some() {
        return walk(context, control, here, unwind);
    }
    // A jump or call to nowhere, or a stack probe, which pushes nothing: the
    // caller's address is on the stack.
    let mut backtrace = Backtrace::default();
    if !arch::in_stack_probe(registers.instruction) {
        backtrace.0.push(here);
    }
    if let Ok(caller) = read(control, registers.stack()) {
        unwind.set_sp(registers.stack() + 8);
        unwind.set_ip(caller);
        let caller = CodeAddress {
            address: caller,
            is_return: true,
        };
        backtrace.0.extend(walk(context, control, caller, unwind).0);
    }
    backtrace
}

fn walk(
    context: &Context<'_>,
    control: &Control,
    first: CodeAddress,
    registers: UnwindRegsX86_64,
) -> Backtrace {
    thread_local! {
        static CACHE: RefCell<CacheX86_64> = RefCell::new(CacheX86_64::new());
    }
    let modules = context.kernel.modules.unwinder();
    let mut frames = vec![first];
    let mut read_stack = |address| read(control, address);
    // The walker computes with registers as it finds them, and a driver that
    // faulted may have left anything in them: arithmetic that overflows ends
    // the walk, not the program.
    let mut walk = |cache: &mut CacheX86_64| {
        let mut walker =
            modules
                .unwinder()
                .iter_frames(first.address, registers, cache, &mut read_stack);
        // The first frame is `first` itself; a walk that fails ends there.
        let _ = walker.next();
        while let Ok(Some(FrameAddress::ReturnAddress(address))) = walker.next() {
            let address = address.get();
            if frames.len() == DEPTH || !modules.is_code(address) {
                break;
            }
            frames.push(CodeAddress {
                address,
                is_return: true,
            });
        }
    };
    CACHE.with_borrow_mut(|cache| {
        let _ = panic::catch_unwind(AssertUnwindSafe(|| walk(cache)));
    });
    Backtrace(frames)
}

fn read(control: &Control, address: u64) -> Result<u64, ()> {
    let bounds = stack::bounds(control);
    if !address.is_multiple_of(8) || !bounds.contains(&address) || bounds.end - address < 8 {
        return Err(());
    }
    // SAFETY: inside the stack's accessible pages, which stay mapped.
    Ok(unsafe { std::ptr::with_exposed_provenance::<u64>(address as usize).read() })
}

/// Where a driver acquired something that it has to give back.
#[derive(Clone, Default)]
pub struct Acquisition {
    module: Option<Arc<Module>>,
    /// The call stack at that moment.
    pub backtrace: Backtrace,
}

impl Acquisition {
    /// The routine call that `context` is in.
    pub fn here(context: &Context<'_>) -> Self {
        Self {
            module: Self::caller(context),
            backtrace: capture(context),
        }
    }

    /// The image whose code made the routine call that `context` is in.
    pub fn caller(context: &Context<'_>) -> Option<Arc<Module>> {
        let site = arch::call_site(context.control())?;
        context.kernel.modules.find(site.return_address)
    }

    /// The image whose code did it, if any.
    pub const fn module(&self) -> Option<&Arc<Module>> {
        self.module.as_ref()
    }

    /// Whether code of `module` did it.
    pub fn is_by(&self, module: &Arc<Module>) -> bool {
        self.module
            .as_ref()
            .is_some_and(|own| Arc::ptr_eq(own, module))
    }
}
