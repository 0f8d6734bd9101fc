//! For ARM64. `DriverEntry` has its registry path in `x1`.

use bytemuck::must_cast_slice;

/// The machine that the images are not for.
pub const OTHER_MACHINE: u16 = 0x8664;

// mov w0, wzr; ret
pub const RETURN_SUCCESS: &[u8] = code(&[0x2a1f_03e0, 0xd65f_03c0]);
// mov w0, #0xc0000000; orr w0, w0, #1; ret
pub const RETURN_UNSUCCESSFUL: &[u8] = code(&[0x52b8_0000, 0x3200_0000, 0xd65f_03c0]);
// mov x8, xzr; str w8, [x8, #8]
pub const WRITE_TO_NULL: &[u8] = code(&[0xaa1f_03e8, 0xb900_0908]);
// udf #0
pub const ILLEGAL: &[u8] = code(&[0]);
// msr daifset, #2
pub const PRIVILEGED: &[u8] = code(&[0xd503_42df]);
// mov w0, #2; brk #0xf003
pub const FAST_FAIL_2: &[u8] = code(&[0x5280_0040, 0xd43e_0060]);
// brk #0xf000
pub const BREAKPOINT: &[u8] = code(&[0xd43e_0000]);
// brk #0xf004: divisions do not trap, so compilers ask and do it themselves
pub const DIVIDE_BY_ZERO: &[u8] = code(&[0xd43e_0080]);
// stp x29, x30, [sp, #-96]!; mov x29, sp; bl itself
pub const CALL_ITSELF: &[u8] = code(&[0xa9ba_7bfd, 0x9100_03fd, 0x97ff_fffe]);
// mov w8, #0x4141; movk w8, #0x4141, lsl #16; blr x8
pub const CALL_41414141: &[u8] = code(&[0x5288_2828, 0x72a8_2828, 0xd63f_0100]);
// adr x8, itself; str w0, [x8]
pub const WRITE_TO_ITSELF: &[u8] = code(&[0x1000_0008, 0xb900_0100]);
// mov x8, sp; blr x8
pub const CALL_STACK: &[u8] = code(&[0x9100_03e8, 0xd63f_0100]);
// ldr x8, [x1, #8]; strh wzr, [x8]
pub const WRITE_TO_REGISTRY_PATH: &[u8] = code(&[0xf940_0428, 0x7900_011f]);
// ldrh w8, [x1]; ldr x9, [x1, #8]; ldrh w8, [x9, x8]
pub const READ_PAST_REGISTRY_PATH: &[u8] = code(&[0x7940_0028, 0xf940_0429, 0x7868_6928]);

/// Instructions as they lie in memory, on this processor in its own order.
const fn code(instructions: &[u32]) -> &[u8] {
    must_cast_slice(instructions)
}
