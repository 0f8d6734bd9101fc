//! The few NT types that cross the public interface.

/// The status that every fallible kernel routine returns; negative is failure.
pub type NtStatus = i32;

/// A system time: 100-nanosecond units since 1601-01-01 UTC.
pub type SystemTime = i64;

/// Whether a status means success, as `NT_SUCCESS` has it.
#[must_use]
pub const fn succeeded(status: NtStatus) -> bool {
    status >= 0
}

/// A thread and the process that it belongs to, as `CLIENT_ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientId {
    /// `UniqueProcess`.
    pub process: u32,
    /// `UniqueThread`.
    pub thread: u32,
}

/// An interrupt request level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Irql(pub u8);

impl Irql {
    /// Threads run here; everything is allowed.
    pub const PASSIVE: Self = Self(0);
    /// Kernel APCs are held off.
    pub const APC: Self = Self(1);
    /// The scheduler is held off: no waiting, no paged memory.
    pub const DISPATCH: Self = Self(2);
    /// The highest level.
    pub const HIGH: Self = Self(15);
}

impl std::fmt::Display for Irql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => f.write_str("PASSIVE_LEVEL"),
            1 => f.write_str("APC_LEVEL"),
            2 => f.write_str("DISPATCH_LEVEL"),
            15 => f.write_str("HIGH_LEVEL"),
            level => write!(f, "IRQL {level}"),
        }
    }
}
