//! ARM64: every argument into an array, then to the host's stack.

use std::arch::naked_asm;
use std::mem::offset_of;

use crate::arch::{Control, REGION_MASK, SPILLED, abandon};
use crate::routine::{RoutineReference, dispatch};

/// Where every thunk goes, on the driver's stack, with the routine in `x16`.
///
/// All arguments of the call, variable ones too, are one array then:
/// Windows passes the first eight in `x0` to `x7` and each other in eight bytes
/// of the stack.
#[unsafe(naked)]
unsafe extern "C" fn call_routine() {
    naked_asm!(
        "stp x30, xzr, [sp, #-{spilled}]!",
        "stp x0, x1, [sp, #16]",
        "stp x2, x3, [sp, #32]",
        "stp x4, x5, [sp, #48]",
        "stp x6, x7, [sp, #64]",
        "mov x11, sp",
        "and x10, x11, #{region_mask}",
        "str xzr, [x10, #{in_driver}]",
        "ldr x9, [x10, #{host_stack}]",
        "mov sp, x9",
        "ldr x12, [x10, #{driver_stack}]",
        "ldr x13, [x10, #{driver_frame}]",
        "stp x12, x13, [sp, #-48]!",
        "stp x10, x11, [sp, #16]",
        "stp x29, x30, [sp, #32]",
        "str x11, [x10, #{driver_stack}]",
        "str x29, [x10, #{driver_frame}]",
        "mov x0, x10",
        "mov x1, x16",
        "add x2, x11, #16",
        "bl {dispatch}",
        "ldp x29, x30, [sp, #32]",
        "ldp x10, x11, [sp, #16]",
        "ldp x12, x13, [sp], #48",
        "str x12, [x10, #{driver_stack}]",
        "str x13, [x10, #{driver_frame}]",
        "ldr x9, [x10, #{abandon_flag}]",
        "cbz x9, 2f",
        "b {abandon}",
        "2:",
        "add sp, x11, #{spilled}",
        "mov x18, xzr",
        "mov w9, #1",
        "str x9, [x10, #{in_driver}]",
        "ret",
        spilled = const SPILLED,
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
    const CODE: [u32; 4] = [
        0x5800_0090, // ldr x16, the first address below
        0x5800_00b1, // ldr x17, the second
        0xd61f_0220, // br x17
        0xd420_0000, // brk #0, should anything ever fall through
    ];
    let mut thunk = [0; THUNK_SIZE];
    for (word, code) in thunk.chunks_exact_mut(4).zip(CODE) {
        word.copy_from_slice(&code.to_le_bytes());
    }
    thunk[16..24].copy_from_slice(&(routine as u64).to_le_bytes());
    let target = call_routine as *const () as u64;
    thunk[24..].copy_from_slice(&target.to_le_bytes());
    thunk
}
