//! x64: the Microsoft calling convention on the driver's side, System V on the
//! host's.

use std::arch::naked_asm;
use std::cell::Cell;
use std::mem::offset_of;

use super::control::{Control, STACK_REGION};
use super::registers::Registers;
use super::words::{Access, CallSite, Departure, GuardedCopy, TrapCause};
use crate::nt::Irql;

/// `IMAGE_FILE_MACHINE_AMD64`: the images that run here.
pub const IMAGE_MACHINE: u16 = 0x8664;

/// What such an image is called.
pub const IMAGE_KIND: &str = "x64";

/// Masks a stack pointer to the start of its region.
#[expect(clippy::cast_possible_wrap, reason = "a small power of two")]
pub const REGION_MASK: i32 = -(STACK_REGION as i32);

/// Calls driver code on its own stack.
///
/// Eight arguments are more than a kernel passes to any entry point modelled
/// here: four in registers, the others above the room for these on the stack.
///
/// # Safety
/// `control` is the control block of the kernel stack that `stack` points
/// into, with room below it, and belongs to this thread. `stack` is a multiple
/// of 16.
#[unsafe(naked)]
pub unsafe extern "sysv64" fn enter(
    control: *const Control,
    entry: u64,
    arguments: *const [u64; 8],
    stack: u64,
) -> Departure {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "push qword ptr [rdi + {host_stack}]",
        "push rdi",
        // Eight pushes and the return address: one more slot aligns the stack
        // for the routines that will run from here.
        "sub rsp, 8",
        "mov [rdi + {host_stack}], rsp",
        "mov rsp, rcx",
        "sub rsp, 64",
        "mov r11, rdx",
        "mov rax, [r11 + 32]",
        "mov [rsp + 32], rax",
        "mov rax, [r11 + 40]",
        "mov [rsp + 40], rax",
        "mov rax, [r11 + 48]",
        "mov [rsp + 48], rax",
        "mov rax, [r11 + 56]",
        "mov [rsp + 56], rax",
        "mov rax, rsi",
        "mov rcx, [r11]",
        "mov rdx, [r11 + 8]",
        "mov r8, [r11 + 16]",
        "mov r9, [r11 + 24]",
        "mov qword ptr [rdi + {in_driver}], 1",
        "call rax",
        "mov rdi, rsp",
        "and rdi, {region_mask}",
        "mov rsp, [rdi + {host_stack}]",
        "xor edx, edx",
        "jmp {leave}",
        host_stack = const offset_of!(Control, host_stack),
        in_driver = const offset_of!(Control, in_driver),
        region_mask = const REGION_MASK,
        leave = sym leave,
    )
}

/// The second half of [`enter`]: runs on the host's stack as the first half
/// left it, with the [`Departure`] in its registers.
#[unsafe(naked)]
unsafe extern "sysv64" fn leave() {
    naked_asm!(
        "add rsp, 8",
        "pop rdi",
        "mov qword ptr [rdi + {in_driver}], 0",
        "pop qword ptr [rdi + {host_stack}]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        host_stack = const offset_of!(Control, host_stack),
        in_driver = const offset_of!(Control, in_driver),
    )
}

/// Leaves the innermost [`enter`] without returning to the driver. Jumped to,
/// never called, with the host's stack pointer as `enter` left it.
#[unsafe(naked)]
pub unsafe extern "sysv64" fn abandon() {
    naked_asm!(
        "cld",
        "xor eax, eax",
        "mov edx, 1",
        "jmp {leave}",
        leave = sym leave,
    )
}

/// Lets the processor fetch instructions that were just written: this one
/// notices by itself.
///
/// # Safety
/// The `size` bytes at `start` are readable.
pub const unsafe fn publish_code(_start: *const u8, _size: usize) {}

/// `__chkstk`: touches every page of the `rax` bytes that the caller is about
/// to take from its stack, so that a large frame cannot step over the guard.
/// Changes no register that its callers need, as they expect.
///
/// # Safety
/// Called by driver code only; follows a convention of its own.
#[unsafe(naked)]
pub unsafe extern "C" fn probe_stack() {
    naked_asm!(
        "mov r10, rsp",
        "mov r11, rax",
        "2:",
        "cmp r11, 4096",
        "jb 3f",
        "sub r10, 4096",
        "test [r10], r10",
        "sub r11, 4096",
        "jmp 2b",
        "3:",
        "sub r10, r11",
        "test [r10], r10",
        "ret",
    )
}

/// Whether `address` is in [`probe_stack`], code that a driver runs although it
/// is not its own.
pub fn in_stack_probe(address: u64) -> bool {
    // More than the function has, less than anything that follows at its
    // alignment.
    const SIZE: u64 = 48;
    let start = probe_stack as *const () as u64;
    (start..start + SIZE).contains(&address)
}

/// Where the driver's innermost call of a routine came from.
pub fn call_site(control: &Control) -> Option<CallSite> {
    let stack = control.driver_stack.get();
    (stack != 0).then(|| CallSite {
        // SAFETY: the thunk stored its own stack pointer, at which the `call`
        // pushed the return address; the kernel stack stays mapped.
        return_address: unsafe { *(stack as *const u64) },
        stack: stack + 8,
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
pub unsafe extern "sysv64" fn guarded_copy(
    target: *mut u8,
    source: *const u8,
    length: usize,
) -> GuardedCopy {
    naked_asm!(
        "mov rcx, rdx",
        // String instructions start slowly and pay for long copies only.
        "cmp rdx, 256",
        "ja 5f",
        "2:",
        "cmp rcx, 8",
        "jb 3f",
        "mov rax, [rsi]",
        "mov [rdi], rax",
        "add rsi, 8",
        "add rdi, 8",
        "sub rcx, 8",
        "jmp 2b",
        "3:",
        "test ecx, ecx",
        "jz 4f",
        "mov al, [rsi]",
        "mov [rdi], al",
        "inc rsi",
        "inc rdi",
        "dec ecx",
        "jmp 3b",
        "4:",
        "xor eax, eax",
        "ret",
        "5:",
        "rep movsb",
        "jmp 4b",
    )
}

/// Bytes of [`guarded_copy`], as its test holds it to.
const GUARDED_COPY_SIZE: u64 = 63;

/// Ends a [`guarded_copy`] that faulted, with the address in `rdx`.
#[unsafe(naked)]
unsafe extern "sysv64" fn guarded_copy_faulted() {
    naked_asm!("mov eax, 1", "ret")
}

/// The context of a signal, as the trap handler sees and changes it.
pub struct SignalContext<'a>(pub &'a mut libc::ucontext_t);

impl SignalContext<'_> {
    /// The general registers in the order in which instructions number them.
    const ORDER: [libc::c_int; 16] = [
        libc::REG_RAX,
        libc::REG_RCX,
        libc::REG_RDX,
        libc::REG_RBX,
        libc::REG_RSP,
        libc::REG_RBP,
        libc::REG_RSI,
        libc::REG_RDI,
        libc::REG_R8,
        libc::REG_R9,
        libc::REG_R10,
        libc::REG_R11,
        libc::REG_R12,
        libc::REG_R13,
        libc::REG_R14,
        libc::REG_R15,
    ];

    /// The registers at the instruction that trapped.
    pub fn registers(&self) -> Registers {
        Registers {
            instruction: self.get(libc::REG_RIP),
            flags: self.get(libc::REG_EFL),
            general: Self::ORDER.map(|register| self.get(register)),
        }
    }

    /// What the signal was raised for.
    pub fn cause(&self, signal: libc::c_int, address: u64) -> TrapCause {
        const PAGE_FAULT: u64 = 14;
        match signal {
            libc::SIGILL => TrapCause::IllegalInstruction,
            libc::SIGFPE => TrapCause::Arithmetic,
            libc::SIGTRAP => TrapCause::Breakpoint,
            _ if self.get(libc::REG_TRAPNO) == PAGE_FAULT => {
                let error = self.get(libc::REG_ERR);
                TrapCause::Memory {
                    address,
                    access: if error & 0x10 != 0 {
                        Access::Execute
                    } else if error & 2 != 0 {
                        Access::Write
                    } else {
                        Access::Read
                    },
                }
            }
            _ => TrapCause::Protection,
        }
    }

    /// Carries the interrupted instruction out if it reads or writes `cr8`, the
    /// register that holds the level; gives false where it is another one, or
    /// writes what is no level.
    pub fn access_task_priority(&mut self, level: &Cell<Irql>) -> bool {
        const LENGTH: u64 = 4;
        const USER_END: u64 = 1 << 47;
        let instruction = self.get(libc::REG_RIP);
        // The trap may be that of a jump to where no code can be.
        if instruction >= USER_END {
            return false;
        }
        let byte = |index: u64| {
            let address = (instruction + index) as usize;
            // SAFETY: each byte is read only where those before it say that the
            // instruction has one more, and so the processor has fetched it.
            unsafe { std::ptr::with_exposed_provenance::<u8>(address).read() }
        };
        // REX.R with or without REX.B, then a move between cr8 and a register.
        let rex @ (0x44 | 0x45) = byte(0) else {
            return false;
        };
        if byte(1) != 0x0f {
            return false;
        }
        let opcode @ (0x20 | 0x22) = byte(2) else {
            return false;
        };
        let register @ 0xc0..=0xc7 = byte(3) else {
            return false;
        };
        let register = Self::ORDER[usize::from((rex & 1) << 3 | register & 7)];
        if opcode == 0x20 {
            self.set(register, level.get().0.into());
        } else {
            match u8::try_from(self.get(register)) {
                Ok(new) if new <= Irql::HIGH.0 => level.set(Irql(new)),
                _ => return false,
            }
        }
        self.set(libc::REG_RIP, instruction + LENGTH);
        true
    }

    /// Whether the trap happened in [`guarded_copy`].
    pub fn in_guarded_copy(&self) -> bool {
        let start = guarded_copy as *const () as u64;
        (start..start + GUARDED_COPY_SIZE).contains(&self.get(libc::REG_RIP))
    }

    /// Makes the interrupted [`guarded_copy`] return an error.
    pub fn fail_guarded_copy(&mut self, address: u64) {
        self.set(libc::REG_RDX, address);
        self.set(libc::REG_RIP, guarded_copy_faulted as *const () as u64);
    }

    /// Makes the interrupted thread leave the driver, whose stack's control
    /// block is `control`.
    pub fn abandon_driver(&mut self, control: &Control) {
        self.set(libc::REG_RSP, control.host_stack.get());
        self.set(libc::REG_RIP, abandon as *const () as u64);
    }

    fn get(&self, register: libc::c_int) -> u64 {
        self.0.uc_mcontext.gregs[register.cast_unsigned() as usize].cast_unsigned()
    }

    fn set(&mut self, register: libc::c_int, value: u64) {
        self.0.uc_mcontext.gregs[register.cast_unsigned() as usize] = value.cast_signed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guarded_copy_ends_where_the_trap_handler_thinks() {
        let start = (guarded_copy as *const ()).cast::<u8>();
        // SAFETY: the code of a function is readable, and what lies around the
        // end of one is code too.
        let code = unsafe { std::slice::from_raw_parts(start, GUARDED_COPY_SIZE as usize) };
        assert_eq!(
            code[code.len() - 4..code.len() - 2],
            [0xf3, 0xa4],
            "rep movsb"
        );
        assert_eq!(code[code.len() - 2], 0xeb, "a short jump back");
    }
}
