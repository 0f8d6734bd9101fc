//! x64: from the Microsoft calling convention to System V's.

use std::arch::naked_asm;
use std::mem::offset_of;

use crate::arch::{Control, REGION_MASK, abandon};
use crate::routine::{RoutineReference, dispatch};

/// Where every thunk goes, on the driver's stack, with the routine in `rax`.
///
/// The register arguments are stored in the home space that the calling
/// convention gives the callee, so that all arguments of the call, variable
/// ones too, are one array above the return address.
#[unsafe(naked)]
unsafe extern "sysv64" fn call_routine() {
    naked_asm!(
        "mov [rsp + 8], rcx",
        "mov [rsp + 16], rdx",
        "mov [rsp + 24], r8",
        "mov [rsp + 32], r9",
        "mov r11, rsp",
        "mov r10, rsp",
        "and r10, {region_mask}",
        "mov qword ptr [r10 + {in_driver}], 0",
        "mov rsp, [r10 + {host_stack}]",
        // What the Microsoft convention preserves and System V does not.
        "push rdi",
        "push rsi",
        "push qword ptr [r10 + {driver_stack}]",
        "push qword ptr [r10 + {driver_frame}]",
        "push r10",
        "push r11",
        "sub rsp, 160",
        "movaps [rsp], xmm6",
        "movaps [rsp + 16], xmm7",
        "movaps [rsp + 32], xmm8",
        "movaps [rsp + 48], xmm9",
        "movaps [rsp + 64], xmm10",
        "movaps [rsp + 80], xmm11",
        "movaps [rsp + 96], xmm12",
        "movaps [rsp + 112], xmm13",
        "movaps [rsp + 128], xmm14",
        "movaps [rsp + 144], xmm15",
        "mov [r10 + {driver_stack}], r11",
        "mov [r10 + {driver_frame}], rbp",
        "cld",
        "mov rdi, r10",
        "mov rsi, rax",
        "lea rdx, [r11 + 8]",
        "call {dispatch}",
        "movaps xmm6, [rsp]",
        "movaps xmm7, [rsp + 16]",
        "movaps xmm8, [rsp + 32]",
        "movaps xmm9, [rsp + 48]",
        "movaps xmm10, [rsp + 64]",
        "movaps xmm11, [rsp + 80]",
        "movaps xmm12, [rsp + 96]",
        "movaps xmm13, [rsp + 112]",
        "movaps xmm14, [rsp + 128]",
        "movaps xmm15, [rsp + 144]",
        "add rsp, 160",
        "pop r11",
        "pop r10",
        "pop qword ptr [r10 + {driver_frame}]",
        "pop qword ptr [r10 + {driver_stack}]",
        "pop rsi",
        "pop rdi",
        "cmp qword ptr [r10 + {abandon_flag}], 0",
        "jne {abandon}",
        "mov rsp, r11",
        "mov qword ptr [r10 + {in_driver}], 1",
        "ret",
        region_mask = const REGION_MASK,
        host_stack = const offset_of!(Control, host_stack),
        in_driver = const offset_of!(Control, in_driver),
        driver_stack = const offset_of!(Control, driver_stack),
        driver_frame = const offset_of!(Control, driver_frame),
        abandon_flag = const offset_of!(Control, abandon),
        dispatch = sym dispatch,
        abandon = sym abandon,
    )
}

/// Bytes of one thunk.
pub const THUNK_SIZE: usize = 32;

/// The code that the driver calls for `routine`: loads its reference and goes
/// to [`call_routine`].
pub fn thunk(routine: RoutineReference) -> [u8; THUNK_SIZE] {
    // `int3` after the end, should anything ever fall through.
    let mut code = [0xcc; THUNK_SIZE];
    // mov rax, imm64
    code[..2].copy_from_slice(&[0x48, 0xb8]);
    code[2..10].copy_from_slice(&(routine as u64).to_le_bytes());
    // jmp [rip + 0], and the address that it reads
    code[10..16].copy_from_slice(&[0xff, 0x25, 0, 0, 0, 0]);
    let target = call_routine as *const () as u64;
    code[16..24].copy_from_slice(&target.to_le_bytes());
    code
}
