//! Processor exceptions.
//!
//! One in driver code is recorded, and the thread continues in the host as if
//! the call into the driver had ended; one in a guarded copy makes the copy
//! fail. Anywhere else it is a defect of this program and keeps its usual end,
//! with a line that says so.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Once;

use super::{stack, watchdog};
use crate::arch::{Control, SignalContext, Trap, TrapCause};

const SIGNALS: [libc::c_int; 5] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGTRAP,
];

/// What was installed for [`SIGNALS`] before.
static mut PREVIOUS: [MaybeUninit<libc::sigaction>; SIGNALS.len()] =
    [MaybeUninit::uninit(); SIGNALS.len()];

/// Handles exceptions from now on, in all threads.
///
/// # Panics
/// When the system refuses a signal handler, which it has no reason to.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        for (index, signal) in SIGNALS.into_iter().enumerate() {
            // SAFETY: all zeroes is a valid `sigaction`.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = handle as *const () as libc::sighandler_t;
            // On a stack of its own: the thread's may be the one that ran out.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            let previous = (&raw mut PREVIOUS).cast::<libc::sigaction>();
            // SAFETY: within the array, which only this `Once` writes to.
            let previous = unsafe { previous.add(index) };
            // SAFETY: `handle` has the signature that SA_SIGINFO asks for, and
            // both structures are valid.
            let result = unsafe { libc::sigaction(signal, &raw const action, previous) };
            assert_eq!(result, 0, "sigaction: {}", std::io::Error::last_os_error());
        }
        install_watchdog();
    });
    SIGNAL_STACK.with(|_| ());
}

/// Handles the watchdog's signal. The host's own system calls go on after it.
fn install_watchdog() {
    // SAFETY: all zeroes is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handle_watchdog as *const () as libc::sighandler_t;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the handler has the signature that SA_SIGINFO asks for, and the
    // structure is valid.
    let result = unsafe { libc::sigaction(watchdog::signal(), &raw const action, ptr::null_mut()) };
    assert_eq!(result, 0, "sigaction: {}", std::io::Error::last_os_error());
}

thread_local! {
    /// Threads that the standard library started have a stack for signals;
    /// others get one here.
    static SIGNAL_STACK: Option<SignalStack> = SignalStack::ensure();
}

struct SignalStack(Vec<u8>);

impl SignalStack {
    const SIZE: usize = 64 * 1024;

    fn ensure() -> Option<Self> {
        // SAFETY: all zeroes is a valid `stack_t`.
        let mut current: libc::stack_t = unsafe { std::mem::zeroed() };
        // SAFETY: only asks what is there.
        unsafe { libc::sigaltstack(ptr::null(), &raw mut current) };
        if current.ss_flags & libc::SS_DISABLE == 0 {
            return None;
        }
        let mut memory = vec![0; Self::SIZE];
        let stack = libc::stack_t {
            ss_sp: memory.as_mut_ptr().cast(),
            ss_flags: 0,
            ss_size: Self::SIZE,
        };
        // SAFETY: the memory lives until `drop` has disabled its use.
        unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) };
        Some(Self(memory))
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        let disabled = libc::stack_t {
            ss_sp: ptr::null_mut(),
            ss_flags: libc::SS_DISABLE,
            ss_size: self.0.len(),
        };
        // SAFETY: takes the memory out of use before it is freed.
        unsafe { libc::sigaltstack(&raw const disabled, ptr::null_mut()) };
    }
}

/// The signal handler: async-signal-safe, like everything that it calls.
extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the system passes a valid, unshared context.
    let mut context = SignalContext(unsafe { &mut *context.cast::<libc::ucontext_t>() });
    // SAFETY: likewise, and these signals carry an address.
    let address = unsafe { (*info).si_addr() }.addr() as u64;
    if context.in_guarded_copy() {
        context.fail_guarded_copy(address);
        return;
    }
    match stack::current() {
        Some(control) if control.in_driver.get() != 0 => {
            let cause = context.cause(signal, address);
            // Kernel code reads and sets its level in line: on x64
            // `KeGetCurrentIrql` and its like are not routines.
            let is_level =
                cause == TrapCause::Protection && context.access_task_priority(&control.irql);
            if !is_level {
                leave_driver(control, &mut context, cause);
            }
        }
        _ => end_as_before(signal, &context),
    }
}

/// Ends driver code that has run for too long; the host's is left alone.
extern "C" fn handle_watchdog(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the system passes a valid, unshared context.
    let mut context = SignalContext(unsafe { &mut *context.cast::<libc::ucontext_t>() });
    if let Some(control) = stack::current()
        && control.in_driver.get() != 0
        && watchdog::is_overdue()
    {
        leave_driver(control, &mut context, TrapCause::OutOfTime);
    }
}

fn leave_driver(control: &Control, context: &mut SignalContext<'_>, cause: TrapCause) {
    control.trap.set(Some(Trap {
        cause,
        registers: context.registers(),
    }));
    context.abandon_driver(control);
}

/// Puts the handler of before back; the instruction then traps once more.
fn end_as_before(signal: libc::c_int, context: &SignalContext<'_>) {
    let mut message = *b"ntsim: internal fault at 0x0000000000000000; this is a defect of ntsim, not of the driver\n";
    let digits = &mut message[27..43];
    let address = context.registers().instruction;
    for (index, digit) in digits.iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(address >> (4 * index)) as usize & 15];
    }
    // SAFETY: writes a valid buffer to standard error.
    unsafe { libc::write(2, message.as_ptr().cast(), message.len()) };
    let index = SIGNALS.iter().position(|known| *known == signal);
    let Some(index) = index else { return };
    let previous = (&raw const PREVIOUS).cast::<libc::sigaction>();
    // SAFETY: within the array, whose elements `install` has filled.
    let previous = unsafe { previous.add(index) };
    // SAFETY: what the system gave for this signal is a valid action for it.
    unsafe { libc::sigaction(signal, previous, ptr::null_mut()) };
}
