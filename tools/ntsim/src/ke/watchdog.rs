//! Driver code that does not return.
//!
//! One thread of the host looks at all threads that run driver code. Where a
//! call into a driver takes too long it sends that thread a signal, whose
//! handler leaves the driver if it is in driver code, and marks the call, which
//! ends it at the driver's next call of a routine. Calls themselves pay two
//! stores.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often the threads are looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// What the watchdog sees of one thread.
#[derive(Debug, Default)]
pub struct Watched {
    /// The host's identifier of the thread; 0 once it is gone.
    thread: AtomicU64,
    /// Which call into a driver runs, or 0. Never the same number twice.
    call: AtomicU64,
    /// How long that call may take, in milliseconds.
    limit: AtomicU64,
    /// The call that has taken too long, or 0.
    overdue: AtomicU64,
    /// The number of the last call.
    last: AtomicU64,
}

/// All threads that ever ran driver code.
static WATCHED: Mutex<Vec<&'static Watched>> = Mutex::new(Vec::new());

thread_local! {
    /// This thread, as the signal handler finds it: no destructor, no
    /// initialisation.
    static CURRENT: Cell<Option<&'static Watched>> = const { Cell::new(None) };
    static MEMBERSHIP: Membership = Membership::new();
}

/// A thread's place among those watched, given up when the thread ends.
struct Membership(&'static Watched);

impl Membership {
    fn new() -> Self {
        static START: Once = Once::new();
        START.call_once(|| {
            thread::Builder::new()
                .name("watchdog".into())
                .spawn(watch)
                .expect("a thread for the watchdog");
        });
        let mut all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        let vacant = all
            .iter()
            .find(|watched| watched.thread.load(Ordering::Acquire) == 0)
            .copied();
        let watched = vacant.unwrap_or_else(|| {
            let watched: &'static Watched = Box::leak(Box::default());
            all.push(watched);
            watched
        });
        // SAFETY: has no preconditions.
        let thread = unsafe { libc::gettid() };
        watched
            .thread
            .store(u64::from(thread.unsigned_abs()), Ordering::Release);
        CURRENT.set(Some(watched));
        Self(watched)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        CURRENT.set(None);
        self.0.thread.store(0, Ordering::Release);
    }
}

/// A call into a driver while it is watched.
#[derive(Debug)]
pub struct Watch {
    watched: &'static Watched,
    outer: u64,
}

impl Watch {
    /// Begins to watch this thread's call into a driver.
    pub fn start(limit: Duration) -> Self {
        let watched = CURRENT
            .get()
            .unwrap_or_else(|| MEMBERSHIP.with(|membership| membership.0));
        let number = watched.last.load(Ordering::Relaxed) + 1;
        watched.last.store(number, Ordering::Relaxed);
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        watched.limit.store(limit, Ordering::Relaxed);
        let outer = watched.call.load(Ordering::Relaxed);
        watched.call.store(number, Ordering::Release);
        Self { watched, outer }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watched.call.store(self.outer, Ordering::Release);
    }
}

/// Whether this thread's call into a driver has taken too long.
pub fn is_overdue() -> bool {
    CURRENT.get().is_some_and(|watched| {
        let overdue = watched.overdue.load(Ordering::Relaxed);
        overdue != 0 && overdue == watched.call.load(Ordering::Relaxed)
    })
}

/// The signal that a thread is sent.
pub fn signal() -> libc::c_int {
    // The first ones belong to the C library.
    libc::SIGRTMIN() + 7
}

fn watch() {
    // When each thread was first seen in the call that it is in.
    let mut since: HashMap<*const Watched, (u64, Instant)> = HashMap::new();
    loop {
        thread::sleep(GLANCE);
        let all = WATCHED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for watched in all {
            look_at(watched, &mut since);
        }
    }
}

fn look_at(watched: &'static Watched, since: &mut HashMap<*const Watched, (u64, Instant)>) {
    let call = watched.call.load(Ordering::Acquire);
    let thread = watched.thread.load(Ordering::Acquire);
    if call == 0 || thread == 0 {
        since.remove(&std::ptr::from_ref(watched));
        return;
    }
    let now = Instant::now();
    let seen = since.entry(watched).or_insert((call, now));
    if seen.0 != call {
        *seen = (call, now);
    }
    let limit = Duration::from_millis(watched.limit.load(Ordering::Relaxed));
    if now.duration_since(seen.1) < limit {
        return;
    }
    watched.overdue.store(call, Ordering::Relaxed);
    // SAFETY: asks for the identifier of this process only.
    let process = unsafe { libc::getpid() };
    // SAFETY: the signal has a handler from before the first driver ran, which
    // ignores it in a thread that runs no driver code.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal()) };
}
