//! Counts what a driver does, by having the processor stop after each of its
//! instructions. The counts are the same on every run.

use std::arch::naked_asm;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Once;

use crate::null_kernel::{self, Driver};

/// What a driver did during one call of its notify routine.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Calls of the kernel's routines, by name.
    pub calls: BTreeMap<&'static str, u64>,
    /// Instructions of its own code, by their address from the image's base; a
    /// repeated string instruction is one.
    pub addresses: BTreeMap<u64, u64>,
}

impl Counts {
    /// How many instructions there were.
    pub fn instructions(&self) -> u64 {
        self.addresses.values().sum()
    }

    /// How often the routines in `names` were called.
    pub fn calls_of(&self, names: &[&str]) -> u64 {
        names.iter().filter_map(|name| self.calls.get(name)).sum()
    }
}

/// Calls the notify routine of `driver` with `arguments` and counts.
pub fn count(driver: &Driver, arguments: [u64; 3]) -> Counts {
    install();
    COUNTER.set(Some(Counter {
        routines: null_kernel::routines().collect(),
        image: driver.range.clone(),
        counts: Counts::default(),
        last: 0,
    }));
    // SAFETY: a notify routine is called with its arguments; `install` has put
    // a handler in place for the traps.
    unsafe { call_stepped(driver.notify as *const () as u64, arguments.as_ptr()) };
    COUNTER.take().expect("set above").counts
}

struct Counter {
    routines: Vec<(&'static str, u64)>,
    image: std::ops::Range<u64>,
    counts: Counts,
    last: u64,
}

impl Counter {
    /// The instruction at `address` is next.
    fn step(&mut self, address: u64) {
        // A repeated instruction stops after each round.
        let repeats = std::mem::replace(&mut self.last, address) == address;
        if repeats {
            return;
        }
        if self.image.contains(&address) {
            let offset = address - self.image.start;
            *self.counts.addresses.entry(offset).or_default() += 1;
        } else if let Some((name, _)) = self.routines.iter().find(|(_, at)| *at == address) {
            *self.counts.calls.entry(name).or_default() += 1;
        }
    }
}

thread_local! {
    /// The counter of the call that is under way on this thread.
    static COUNTER: RefCell<Option<Counter>> = const { RefCell::new(None) };
}

/// `TF` of the flags: trap after the next instruction.
const TRAP: u32 = 0x100;

/// Calls `function` with three arguments, a trap after each instruction.
///
/// # Safety
/// `function` can be called by the Microsoft convention with `arguments`.
#[unsafe(naked)]
unsafe extern "sysv64" fn call_stepped(function: u64, arguments: *const u64) {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "sub rsp, 32",
        "mov rax, rdi",
        "mov rcx, [rsi]",
        "mov rdx, [rsi + 8]",
        "mov r8, [rsi + 16]",
        "pushfq",
        "or dword ptr [rsp], {trap}",
        "popfq",
        "call rax",
        "pushfq",
        "and dword ptr [rsp], {no_trap}",
        "popfq",
        "leave",
        "ret",
        trap = const TRAP,
        no_trap = const !TRAP.cast_signed(),
    )
}

fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: all zeroes is a valid `sigaction`.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = stepped as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: the handler has the signature that SA_SIGINFO asks for.
        let result =
            unsafe { libc::sigaction(libc::SIGTRAP, &raw const action, std::ptr::null_mut()) };
        assert_eq!(result, 0, "sigaction: {}", std::io::Error::last_os_error());
    });
}

/// Runs between two instructions of a driver, which hold no lock and allocate
/// nothing, so that the handler may do as it likes.
extern "C" fn stepped(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the system passes a valid context.
    let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let register =
        |index: libc::c_int| registers[usize::try_from(index).expect("a register")].cast_unsigned();
    COUNTER.with_borrow_mut(|counter| {
        if let Some(counter) = counter {
            counter.step(register(libc::REG_RIP));
        }
    });
}
