//! The machine's clocks.

use std::time::{Duration, SystemTime as HostTime};

use crate::nt::SystemTime;

/// 100-nanosecond units from 1601-01-01 to 1970-01-01.
const UNIX_EPOCH: i64 = 116_444_736_000_000_000;

/// 100-nanosecond units in a second, the frequency that Windows reports for
/// its performance counter.
pub const UNITS_PER_SECOND: i64 = 10_000_000;

/// The current system time.
pub fn now() -> SystemTime {
    HostTime::now()
        .duration_since(HostTime::UNIX_EPOCH)
        .map_or(UNIX_EPOCH, from_unix)
}

/// The system time that is `since_epoch` after 1970-01-01 UTC.
#[must_use]
pub fn from_unix(since_epoch: Duration) -> SystemTime {
    let units = i64::try_from(since_epoch.as_nanos() / 100).unwrap_or(i64::MAX);
    units.saturating_add(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_from_1601() {
        assert_eq!(from_unix(Duration::ZERO), 116_444_736_000_000_000);
        assert_eq!(from_unix(Duration::from_millis(1)), 116_444_736_000_010_000);
        assert!(now() > 133_000_000_000_000_000, "it is past 2022");
    }
}
