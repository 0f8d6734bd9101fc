//! A thread's work, and whether anything else disturbed it.

use std::time::{Duration, Instant};

/// From when until when a thread worked.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// When it began.
    pub start: Instant,
    /// When it ended.
    pub end: Instant,
    /// How much of that it had its processor.
    pub processor: Duration,
}

impl Span {
    /// Of `work`.
    pub fn of(work: impl FnOnce()) -> Self {
        let processor = processor_time();
        let start = Instant::now();
        work();
        let end = Instant::now();
        Self {
            start,
            end,
            processor: processor_time().saturating_sub(processor),
        }
    }

    fn length(&self) -> Duration {
        self.end - self.start
    }
}

/// How much of a span may be lost to other programs: a twentieth.
const MARGIN: u32 = 20;

/// Whether the threads began together and had their processors for themselves.
pub fn are_undisturbed(spans: &[Span]) -> bool {
    let first = spans.iter().map(|span| span.start).min();
    spans.iter().all(|span| {
        let margin = span.length() / MARGIN;
        span.processor + margin >= span.length()
            && first.is_some_and(|first| span.start - first <= margin)
    })
}

/// Seconds from when the first began until all had ended.
pub fn seconds(spans: &[Span]) -> f64 {
    let start = spans.iter().map(|span| span.start).min();
    let end = spans.iter().map(|span| span.end).max();
    start
        .zip(end)
        .map_or(f64::NAN, |(start, end)| (end - start).as_secs_f64())
}

/// For how long this thread has had a processor.
fn processor_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes the structure that it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or_default());
    seconds + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn work_has_its_processor_and_sleep_has_not() {
        let nap = Span::of(|| thread::sleep(Duration::from_millis(20)));
        assert!(!are_undisturbed(&[nap]), "{nap:?}");
        // Other tests may disturb one or the other.
        assert!((0..200).any(|_| {
            are_undisturbed(&[Span::of(|| {
                let end = processor_time() + Duration::from_millis(1);
                while processor_time() < end {}
            })])
        }));
    }

    #[test]
    fn threads_that_begin_apart_are_no_team() {
        let start = Instant::now();
        let span = |from: u64| {
            let start = start + Duration::from_millis(from);
            let processor = Duration::from_millis(100);
            Span {
                start,
                end: start + processor,
                processor,
            }
        };
        assert!(are_undisturbed(&[span(0), span(5)]));
        assert!(!are_undisturbed(&[span(0), span(6)]));
        assert!((seconds(&[span(0), span(6)]) - 0.106).abs() < 1e-9);
    }
}
