//! The driver's call stack.

use std::sync::Arc;

use crate::arch::{self, Access, CallSite, Control, Trap, TrapCause};
use crate::ke::stack;
use crate::ldr::{Module, Modules};

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
    const fn of_return(site: CallSite) -> Self {
        Self {
            address: site.return_address,
            is_return: true,
        }
    }

    /// An address inside the instruction meant.
    pub const fn lookup(self) -> u64 {
        self.address - self.is_return as u64
    }
}

/// The call stack of the routine that the driver has called on the stack of
/// `control`; empty outside of one.
pub fn capture(control: &Control, modules: &Modules) -> Backtrace {
    arch::call_site(control).map_or_else(Backtrace::default, |site| {
        walk(control, modules, CodeAddress::of_return(site), site)
    })
}

/// The image whose code made the routine call that the driver on the stack of
/// `control` is in.
pub fn caller(control: &Control, modules: &Modules) -> Option<Arc<Module>> {
    let site = arch::call_site(control)?;
    modules.find(site.return_address)
}

/// The call stack at an exception in driver code.
pub fn of_trap(control: &Control, modules: &Modules, trap: &Trap) -> Backtrace {
    let registers = &trap.registers;
    let here = CodeAddress {
        address: registers.instruction,
        is_return: false,
    };
    let fetching = matches!(
        trap.cause,
        TrapCause::Memory {
            access: Access::Execute,
            ..
        }
    );
    if !fetching && modules.unwinder().has_frame(here.address) {
        let site = CallSite {
            return_address: registers.instruction,
            stack: registers.stack(),
            frame: registers.frame(),
        };
        return walk(control, modules, here, site);
    }
    // A jump or call to nowhere, code of the kernel that a driver runs, or a
    // function without a frame: the caller is where its call left it.
    let mut backtrace = Backtrace::default();
    if !arch::in_stack_probe(here.address) {
        backtrace.0.push(here);
    }
    if let Ok(site) = registers.caller(|address| read(control, address)) {
        let caller = walk(control, modules, CodeAddress::of_return(site), site);
        backtrace.0.extend(caller.0);
    }
    backtrace
}

fn walk(control: &Control, modules: &Modules, first: CodeAddress, site: CallSite) -> Backtrace {
    let modules = modules.unwinder();
    let mut frames = vec![first];
    modules.unwinder().walk(
        site,
        &mut |address| read(control, address),
        &mut |address| {
            let goes_on = frames.len() < DEPTH && modules.is_code(address);
            if goes_on {
                frames.push(CodeAddress {
                    address,
                    is_return: true,
                });
            }
            goes_on
        },
    );
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
    /// The routine call that the driver on the stack of `control` is in.
    pub fn here(control: &Control, modules: &Modules) -> Self {
        Self {
            module: caller(control, modules),
            backtrace: capture(control, modules),
        }
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
