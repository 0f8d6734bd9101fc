//! A Linux process's end as an NT exit status.

use ntsim::nt::NtStatus;

/// The exit status of a process that called `exit(code)`: the code itself, as
/// on Windows.
#[must_use]
pub const fn of_exit(code: u8) -> NtStatus {
    code as NtStatus
}

/// The exit status of a process that a signal ended.
///
/// A signal that stands for a processor exception is that exception's status,
/// SIGINT that of Ctrl-C, SIGABRT that of a fail-fast. Every other is 128 more
/// than its number, as shells report it: NT has no status that would say more.
#[must_use]
pub const fn of_signal(signal: u8) -> NtStatus {
    let status: u32 = match signal as i32 {
        libc::SIGSEGV => 0xc000_0005, // STATUS_ACCESS_VIOLATION
        libc::SIGBUS => 0xc000_0006,  // STATUS_IN_PAGE_ERROR
        libc::SIGILL => 0xc000_001d,  // STATUS_ILLEGAL_INSTRUCTION
        libc::SIGFPE => 0xc000_0094,  // STATUS_INTEGER_DIVIDE_BY_ZERO
        libc::SIGTRAP => 0x8000_0003, // STATUS_BREAKPOINT
        libc::SIGSYS => 0xc000_001c,  // STATUS_INVALID_SYSTEM_SERVICE
        libc::SIGINT => 0xc000_013a,  // STATUS_CONTROL_C_EXIT
        libc::SIGABRT => 0xc000_0409, // STATUS_STACK_BUFFER_OVERRUN, the fail-fast
        _ => 128 + signal as u32,
    };
    status.cast_signed()
}

/// The exit status for a status word as `wait` and the kernel keep it.
#[must_use]
pub const fn of_wait(word: u32) -> NtStatus {
    let [signal, code, ..] = word.to_le_bytes();
    // The top bit of the signal's byte only says that memory was dumped.
    match signal & 0x7f {
        0 => of_exit(code),
        signal => of_signal(signal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for (word, status) in [
            (0, 0),
            (0x0300, 3),
            (0xff00, 255),
            (0x0b, 0xc000_0005),
            (0x8b, 0xc000_0005),
            (0x02, 0xc000_013a),
            (0x09, 137),
            (0x0f, 143),
        ] {
            assert_eq!(of_wait(word).cast_unsigned(), status, "{word:#x}");
        }
    }
}
