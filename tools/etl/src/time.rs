//! Times: of a log's clock, as text, and of this machine.

use std::time::SystemTime;

/// The clock whose values are the time stamps of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The performance counter, with its ticks in a second.
    PerformanceCounter(u64),
    /// The system time, in units of 100 nanoseconds since 1601.
    SystemTime,
    /// The processor's cycles, with their number in a microsecond.
    ProcessorCycles(u32),
}

impl Clock {
    /// The system time at the time stamp `stamp`, where the clock showed `zero`
    /// at the system time `start`.
    #[must_use]
    pub fn system_time(self, stamp: i64, zero: i64, start: i64) -> i64 {
        let (numerator, denominator) = match self {
            Self::SystemTime => return stamp,
            Self::PerformanceCounter(frequency) => (10_000_000, i128::from(frequency)),
            Self::ProcessorCycles(megahertz) => (10, i128::from(megahertz)),
        };
        let ticks = i128::from(stamp) - i128::from(zero);
        let units = ticks * numerator / denominator.max(1);
        i64::try_from(i128::from(start) + units).unwrap_or(start)
    }
}

/// A time of this machine as a system time of Windows, in units of 100
/// nanoseconds since 1601.
#[must_use]
pub fn file_time(time: SystemTime) -> i64 {
    const UNIX_EPOCH: i64 = 116_444_736_000_000_000;
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH);
    let units = since_epoch.map_or(0, |duration| duration.as_nanos() / 100);
    i64::try_from(units).map_or(i64::MAX, |units| units.saturating_add(UNIX_EPOCH))
}

/// A system time as text, such as `2026-11-24T12:00:00.0000000Z`.
#[must_use]
pub fn file_time_text(time: i64) -> String {
    const UNITS: i64 = 10_000_000;
    const SECONDS_A_DAY: i64 = 86_400;
    // 1601-01-01 in days since 0000-03-01, where leap days end the years.
    const EPOCH: i64 = 584_694;
    let (seconds, fraction) = (time.div_euclid(UNITS), time.rem_euclid(UNITS));
    let (days, second) = (
        seconds.div_euclid(SECONDS_A_DAY),
        seconds.rem_euclid(SECONDS_A_DAY),
    );
    let days = days + EPOCH;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:07}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(file_time_text(0), "1601-01-01T00:00:00.0000000Z");
        assert_eq!(
            file_time_text(116_444_736_000_000_000),
            "1970-01-01T00:00:00.0000000Z"
        );
        // date -d 2024-02-29T23:59:59.9999999Z +%s is 1709251199.
        let leap = 116_444_736_000_000_000 + 1_709_251_199 * 10_000_000 + 9_999_999;
        assert_eq!(file_time_text(leap), "2024-02-29T23:59:59.9999999Z");
        assert_eq!(file_time_text(leap + 1), "2024-03-01T00:00:00.0000000Z");
        for time in [i64::MIN, i64::MAX] {
            assert!(file_time_text(time).ends_with('Z'));
        }
    }

    #[test]
    fn times_of_this_machine() {
        let unix = SystemTime::UNIX_EPOCH;
        assert_eq!(file_time(unix), 116_444_736_000_000_000);
        let later = unix + std::time::Duration::from_micros(3);
        assert_eq!(file_time(later) - file_time(unix), 30);
    }

    #[test]
    fn clocks() {
        let start = 133_000_000_000_000_000;
        assert_eq!(Clock::SystemTime.system_time(5, 1, start), 5);
        let counter = Clock::PerformanceCounter(24_000_000);
        assert_eq!(
            counter.system_time(100 + 24_000, 100, start),
            start + 10_000
        );
        let cycles = Clock::ProcessorCycles(3_000);
        assert_eq!(cycles.system_time(100 - 3_000, 100, start), start - 10);
        assert_eq!(
            Clock::PerformanceCounter(0).system_time(1, 0, 0),
            10_000_000
        );
    }
}
