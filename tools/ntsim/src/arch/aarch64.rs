//! ARM64: AAPCS64 on both sides. Windows differs from Linux in three ways that
//! matter here: `x18` belongs to the system, variable arguments are passed like
//! others, and the stack probe has a calling convention of its own.
//!
//! # `x18`
//! In Windows it points to the processor's control region, and compilers leave
//! it alone; on Linux it is a register like others, so host code changes it. A
//! driver finds zero in it: using it is a NULL access, which is reported.

use std::arch::naked_asm;
use std::cell::Cell;
use std::mem::offset_of;

use super::control::{Control, STACK_REGION};
use super::registers::{Registers, breakpoint};
use super::words::{Access, CallSite, Departure, GuardedCopy, TrapCause};
use crate::nt::Irql;

/// `IMAGE_FILE_MACHINE_ARM64`: the images that run here.
pub const IMAGE_MACHINE: u16 = 0xaa64;

/// What such an image is called.
pub const IMAGE_KIND: &str = "ARM64";

/// Masks a stack pointer to the start of its region.
pub const REGION_MASK: u64 = !(STACK_REGION as u64 - 1);

/// Calls driver code on its own stack.
///
/// Eight arguments, all in registers, are more than a kernel passes to any entry
/// point modelled here.
///
/// # Safety
/// `control` is the control block of the kernel stack that `stack` points
/// into, with room below it, and belongs to this thread. `stack` is a multiple
/// of 16.
#[unsafe(naked)]
pub unsafe extern "C" fn enter(
    control: *const Control,
    entry: u64,
    arguments: *const [u64; 8],
    stack: u64,
) -> Departure {
    naked_asm!(
        "stp x29, x30, [sp, #-176]!",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "ldr x9, [x0, #{host_stack}]",
        "stp x9, x0, [sp, #160]",
        "mov x9, sp",
        "str x9, [x0, #{host_stack}]",
        "mov sp, x3",
        "mov x10, x0",
        "mov x11, x1",
        "mov x12, x2",
        "ldp x0, x1, [x12]",
        "ldp x2, x3, [x12, #16]",
        "ldp x4, x5, [x12, #32]",
        "ldp x6, x7, [x12, #48]",
        // No frame record above the driver's first; no control region.
        "mov x29, xzr",
        "mov x18, xzr",
        "mov w9, #1",
        "str x9, [x10, #{in_driver}]",
        "blr x11",
        "mov x9, sp",
        "and x9, x9, #{region_mask}",
        "ldr x9, [x9, #{host_stack}]",
        "mov sp, x9",
        "mov x1, xzr",
        "b {leave}",
        host_stack = const offset_of!(Control, host_stack),
        in_driver = const offset_of!(Control, in_driver),
        region_mask = const REGION_MASK,
        leave = sym leave,
    )
}

/// The second half of [`enter`]: runs on the host's stack as the first half
/// left it, with the [`Departure`] in its registers.
#[unsafe(naked)]
unsafe extern "C" fn leave() {
    naked_asm!(
        "ldp x9, x10, [sp, #160]",
        "str xzr, [x10, #{in_driver}]",
        "str x9, [x10, #{host_stack}]",
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "ldp x29, x30, [sp], #176",
        "ret",
        host_stack = const offset_of!(Control, host_stack),
        in_driver = const offset_of!(Control, in_driver),
    )
}

/// Leaves the innermost [`enter`] without returning to the driver. Jumped to,
/// never called, with the host's stack pointer as `enter` left it.
#[unsafe(naked)]
pub unsafe extern "C" fn abandon() {
    naked_asm!(
        "mov x0, xzr",
        "mov x1, #1",
        "b {leave}",
        leave = sym leave,
    )
}

/// Lets the processor fetch instructions that were just written.
///
/// # Safety
/// The `size` bytes at `start` are readable.
pub unsafe fn publish_code(start: *const u8, size: usize) {
    unsafe extern "C" {
        // Of the compiler's runtime library, as every C compiler has it.
        fn __clear_cache(start: *const u8, end: *const u8);
    }
    let end = start.wrapping_add(size);
    // SAFETY: as for this function.
    unsafe { __clear_cache(start, end) }
}

/// `__chkstk`: touches every page of the 16 × `x15` bytes that the caller is
/// about to take from its stack, so that a large frame cannot step over the
/// guard. Changes `x16`, `x17` and the flags only, as its callers expect.
///
/// # Safety
/// Called by driver code only; follows a convention of its own.
#[unsafe(naked)]
pub unsafe extern "C" fn probe_stack() {
    naked_asm!(
        "mov x16, sp",
        "lsl x17, x15, #4",
        "2:",
        "cmp x17, #4096",
        "b.lo 3f",
        "sub x16, x16, #4096",
        "ldr xzr, [x16]",
        "sub x17, x17, #4096",
        "b 2b",
        "3:",
        "sub x16, x16, x17",
        "ldr xzr, [x16]",
        "ret",
    )
}

/// Whether `address` is in [`probe_stack`], code that a driver runs although it
/// is not its own.
pub fn in_stack_probe(address: u64) -> bool {
    const SIZE: u64 = 11 * 4;
    let start = probe_stack as *const () as u64;
    (start..start + SIZE).contains(&address)
}

/// What a kernel routine's thunk stores on the driver's stack: the return address, and
/// the register arguments right below those that the driver has put there.
pub const SPILLED: u64 = 16 + 64;

/// Where the driver's innermost call of a routine came from.
pub fn call_site(control: &Control) -> Option<CallSite> {
    let stack = control.driver_stack.get();
    (stack != 0).then(|| CallSite {
        // SAFETY: `call_routine` stored the return address here; the kernel
        // stack stays mapped.
        return_address: unsafe { *(stack as *const u64) },
        stack: stack + SPILLED,
        frame: control.driver_frame.get(),
    })
}

/// Copies `length` bytes from `source` to `target`, either of which may be an
/// address that a driver gave. An access that faults ends the copy with an
/// error: the trap handler knows this function by its addresses.
///
/// # Safety
/// Whatever is writable at `target` is memory that the caller may overwrite.
#[unsafe(naked)]
pub unsafe extern "C" fn guarded_copy(
    target: *mut u8,
    source: *const u8,
    length: usize,
) -> GuardedCopy {
    naked_asm!(
        "2:",
        "cmp x2, #8",
        "b.lo 3f",
        "ldr x3, [x1], #8",
        "str x3, [x0], #8",
        "sub x2, x2, #8",
        "b 2b",
        "3:",
        "cbz x2, 4f",
        "ldrb w3, [x1], #1",
        "strb w3, [x0], #1",
        "sub x2, x2, #1",
        "b 3b",
        "4:",
        "mov x0, xzr",
        "ret",
    )
}

/// Bytes of [`guarded_copy`], as its test holds it to.
const GUARDED_COPY_SIZE: u64 = 13 * 4;

/// Ends a [`guarded_copy`] that faulted, with the address in `x1`.
#[unsafe(naked)]
unsafe extern "C" fn guarded_copy_faulted() {
    naked_asm!("mov x0, #1", "ret")
}

/// The number that Windows gives to the `brk` of a division by zero.
const DIVISION_BY_ZERO: u32 = 0xf004;

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

/// The context of a signal, as the trap handler sees and changes it.
pub struct SignalContext<'a>(pub &'a mut libc::ucontext_t);

impl SignalContext<'_> {
    /// The registers at the instruction that trapped.
    pub fn registers(&self) -> Registers {
        let machine = &self.0.uc_mcontext;
        Registers {
            instruction: machine.pc,
            stack: machine.sp,
            general: machine.regs,
        }
    }

    /// What the signal was raised for.
    pub fn cause(&self, signal: libc::c_int, address: u64) -> TrapCause {
        let instruction = self.0.uc_mcontext.pc;
        // A jump to what is no multiple of 4 is a bus error.
        if matches!(signal, libc::SIGSEGV | libc::SIGBUS) && address == instruction {
            return TrapCause::Memory {
                address,
                access: Access::Execute,
            };
        }
        if !instruction.is_multiple_of(4) {
            return TrapCause::Protection;
        }
        // SAFETY: what the processor has fetched and executed is readable; no
        // page here allows execution alone.
        let code = unsafe { *(instruction as *const u32) };
        match signal {
            libc::SIGSEGV => TrapCause::Memory {
                address,
                access: if is_store(code) {
                    Access::Write
                } else {
                    Access::Read
                },
            },
            libc::SIGILL if !is_system(code) => TrapCause::IllegalInstruction,
            libc::SIGFPE => TrapCause::Arithmetic,
            libc::SIGTRAP if code == breakpoint(DIVISION_BY_ZERO) => TrapCause::Arithmetic,
            libc::SIGTRAP => TrapCause::Breakpoint,
            _ => TrapCause::Protection,
        }
    }

    /// No instruction reads or writes the level here: it is had by routines.
    #[expect(clippy::unused_self, reason = "the same interface for every processor")]
    pub const fn access_task_priority(&mut self, _level: &Cell<Irql>) -> bool {
        false
    }

    /// Whether the trap happened in [`guarded_copy`].
    pub fn in_guarded_copy(&self) -> bool {
        let start = guarded_copy as *const () as u64;
        (start..start + GUARDED_COPY_SIZE).contains(&self.0.uc_mcontext.pc)
    }

    /// Makes the interrupted [`guarded_copy`] return an error.
    pub fn fail_guarded_copy(&mut self, address: u64) {
        self.0.uc_mcontext.regs[1] = address;
        self.0.uc_mcontext.pc = guarded_copy_faulted as *const () as u64;
    }

    /// Makes the interrupted thread leave the driver, whose stack's control
    /// block is `control`.
    pub fn abandon_driver(&mut self, control: &Control) {
        self.0.uc_mcontext.sp = control.host_stack.get();
        self.0.uc_mcontext.pc = abandon as *const () as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RET: u32 = 0xd65f_03c0;

    fn last_instruction(function: *const (), size: u64) -> u32 {
        let end = function.wrapping_byte_add(size as usize - 4).cast::<u32>();
        // SAFETY: the code of a function is readable.
        unsafe { end.read() }
    }

    #[test]
    fn the_guarded_copy_ends_where_the_trap_handler_thinks() {
        let start = guarded_copy as *const ();
        // The two instructions before and at the end: the result, and `ret`.
        assert_eq!(last_instruction(start, GUARDED_COPY_SIZE), RET);
    }

    #[test]
    fn stores_are_told_from_loads() {
        for (instruction, name, store) in [
            (0xf900_0001, "str x1, [x0]", true),
            (0xf940_0001, "ldr x1, [x0]", false),
            (0x3900_0001, "strb w1, [x0]", true),
            (0x3980_0001, "ldrsb x1, [x0]", false),
            (0x39c0_0001, "ldrsb w1, [x0]", false),
            (0xf820_6801, "str x1, [x0, x0]", true),
            (0xf860_6801, "ldr x1, [x0, x0]", false),
            (0xa900_0400, "stp x0, x1, [x0]", true),
            (0xa940_0400, "ldp x0, x1, [x0]", false),
            (0xc85f_7c01, "ldxr x1, [x0]", false),
            (0xc802_7c01, "stxr w2, x1, [x0]", true),
            (0x3d80_0000, "str q0, [x0]", true),
            (0x3dc0_0000, "ldr q0, [x0]", false),
            (0xfd00_0000, "str d0, [x0]", true),
            (0xf820_0001, "ldadd x0, x1, [x0]", true),
            (0xf8e0_0001, "ldaddal x0, x1, [x0]", true),
            (0x5800_0090, "ldr x16, .+16", false),
            (0x4c00_7000, "st1 {v0.16b}, [x0]", true),
            (0x4c40_7000, "ld1 {v0.16b}, [x0]", false),
        ] {
            assert_eq!(is_store(instruction), store, "{name}");
        }
    }
}
