//! Run-down protection: a thing that is used by many threads, until one of
//! them wants it gone and waits for the others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

const RUNNING_DOWN: u64 = 1;
const USER: u64 = 2;

/// Run-down protection of one thing, as `EX_RUNDOWN_REF`.
#[derive(Debug, Default)]
pub struct Rundown {
    /// [`USER`] times the number of users, and [`RUNNING_DOWN`].
    state: AtomicU64,
    lock: Mutex<()>,
    idle: Condvar,
}

/// One use of the thing; it stays while this value lives.
#[derive(Debug)]
pub struct Protection<'a>(&'a Rundown);

impl Rundown {
    /// Protects the thing from going, unless it is on its way already.
    pub fn acquire(&self) -> Option<Protection<'_>> {
        self.state
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |state| {
                (state & RUNNING_DOWN == 0).then_some(state + USER)
            })
            .ok()
            .map(|_| Protection(self))
    }

    /// Lets no new user in and waits for the last one to leave, or until
    /// `abandon` says that there is no point.
    pub fn wait(&self, abandon: impl Fn() -> bool) {
        const LOOK_AGAIN: Duration = Duration::from_millis(20);
        self.state.fetch_or(RUNNING_DOWN, Ordering::AcqRel);
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.state.load(Ordering::Acquire) != RUNNING_DOWN && !abandon() {
            guard = self
                .idle
                .wait_timeout(guard, LOOK_AGAIN)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Drop for Protection<'_> {
    fn drop(&mut self) {
        let before = self.0.state.fetch_sub(USER, Ordering::AcqRel);
        if before == USER | RUNNING_DOWN {
            let _guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.idle.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    #[test]
    fn waits_for_users_and_lets_no_new_one_in() {
        let rundown = Rundown::default();
        let gone = AtomicBool::new(false);
        thread::scope(|scope| {
            let user = rundown.acquire().unwrap();
            scope.spawn(|| {
                rundown.wait(|| false);
                gone.store(true, Ordering::SeqCst);
            });
            while rundown.acquire().is_some() {
                thread::yield_now();
            }
            thread::sleep(Duration::from_millis(30));
            assert!(!gone.load(Ordering::SeqCst));
            drop(user);
        });
        assert!(gone.load(Ordering::SeqCst));
    }

    #[test]
    fn stops_waiting_when_told() {
        let rundown = Rundown::default();
        let _user = rundown.acquire().unwrap();
        rundown.wait(|| true);
    }
}
