//! How much of a kernel stack a driver uses: the stack is painted, and what is
//! no longer of that colour was used.

use std::arch::naked_asm;

use crate::null_kernel::Driver;

/// The bytes of a kernel stack on x64.
const STACK: usize = 24 * 1024;

/// The bytes at the stack's top that are the caller's: room that the Microsoft
/// convention has it leave for the four register arguments.
const SHADOW: usize = 32;

/// Two, as a driver may write either.
const COLOURS: [u8; 2] = [0xa5, 0x5a];

#[repr(align(16))]
#[derive(Clone)]
struct Row([u8; 16]);

/// Calls the notify routine of `driver` with `arguments` and gives the bytes
/// from its own return address down to the deepest one written, which may be of
/// a routine that it calls.
pub fn depth(driver: &Driver, arguments: [u64; 3]) -> u64 {
    let deepest = COLOURS.map(|colour| {
        let mut stack = vec![Row([colour; 16]); STACK / 16];
        let top = stack.as_mut_ptr_range().end.cast();
        // SAFETY: a notify routine is called with its arguments, on a stack that
        // is as large as the kernel's and is used by nothing else.
        unsafe { call_on(top, driver.notify as *const () as u64, arguments.as_ptr()) };
        let untouched = stack
            .iter()
            .flat_map(|row| row.0)
            .take_while(|&byte| byte == colour)
            .count();
        assert_ne!(untouched, 0, "the driver used all of its stack");
        STACK - SHADOW - untouched
    });
    deepest.into_iter().max().unwrap_or_default() as u64
}

/// Calls `function` with three arguments on the stack below `top`.
///
/// # Safety
/// `function` can be called by the Microsoft convention with `arguments`, and
/// `top` is the aligned end of a stack that is large enough.
#[unsafe(naked)]
unsafe extern "sysv64" fn call_on(top: *mut u8, function: u64, arguments: *const u64) {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "lea rsp, [rdi - {shadow}]",
        "mov rax, rsi",
        "mov rcx, [rdx]",
        "mov r8, [rdx + 16]",
        "mov rdx, [rdx + 8]",
        "call rax",
        "leave",
        "ret",
        shadow = const SHADOW,
    )
}
