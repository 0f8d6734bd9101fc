//! What a processor exception in driver code means.

use crate::arch::{Access, Control, Trap, TrapCause};
use crate::ke::stack;
use crate::kernel::Kernel;
use crate::mm::guest;
use crate::report::Rule;

/// The rule that the driver broke on the stack of `control`, and how.
pub fn explain(kernel: &Kernel, control: &Control, trap: &Trap) -> (Rule, String) {
    let instruction = trap.registers.instruction;
    if !matches!(trap.cause, TrapCause::Memory { .. })
        && let Some(code) = trap.registers.fast_fail(guest::read)
    {
        return (Rule::Fault, format!("__fastfail with code {code:#x}"));
    }
    match trap.cause {
        TrapCause::Memory { address, .. } if stack::is_guard(control, address) => (
            Rule::StackOverflow,
            format!(
                "the 24 KB kernel stack is used up: access to {address:#x}, {} bytes below its end",
                stack::bounds(control).start - address
            ),
        ),
        TrapCause::Memory { address, access } => {
            let verb = match access {
                Access::Read => "read of",
                Access::Write => "write to",
                Access::Execute => "call or jump to",
            };
            let what = kernel.describe_address(address);
            (Rule::Fault, format!("{verb} {address:#x}{what}"))
        }
        TrapCause::Protection => (
            Rule::Fault,
            format!(
                "privileged instruction, or an address that no page can have, at {instruction:#x}"
            ),
        ),
        TrapCause::IllegalInstruction => (
            Rule::Fault,
            format!("illegal instruction at {instruction:#x}"),
        ),
        TrapCause::Arithmetic => (
            Rule::Fault,
            format!("division by zero, or one that overflows, at {instruction:#x}"),
        ),
        TrapCause::OutOfTime => (
            Rule::Hang,
            format!(
                "driver code has not returned within {:?}",
                kernel.time_limit
            ),
        ),
        TrapCause::Breakpoint => {
            let address = trap.registers.breakpoint();
            (Rule::Fault, format!("breakpoint at {address:#x}"))
        }
    }
}
