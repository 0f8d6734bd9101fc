//! Debug output: what `DbgPrint` and its relatives do with a driver's text.

pub mod code_page;
pub mod format;

use crate::nt::Irql;

/// The most bytes that one `DbgPrint` transmits; the rest is lost.
pub const OUTPUT_LIMIT: usize = 512;

/// Where debug output goes. Called from any number of threads at once.
pub trait DebugOutput: Send + Sync {
    /// One call of `DbgPrint`: `text` is in the system's code page and at most
    /// [`OUTPUT_LIMIT`] bytes long.
    fn print(&self, message: &DebugMessage<'_>);
}

/// What one call of `DbgPrint` transmitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebugMessage<'a> {
    /// `DPFLTR_DEFAULT_ID` (101) for `DbgPrint`.
    pub component: u32,
    /// `DPFLTR_INFO_LEVEL` (3) for `DbgPrint`.
    pub level: u32,
    /// The formatted text, in the system's code page.
    pub text: &'a [u8],
}

/// Debug output that nobody reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl DebugOutput for Discard {
    fn print(&self, _message: &DebugMessage<'_>) {}
}

/// Memory of the driver, which may not be there.
pub trait GuestMemory {
    /// Fills `buffer` from the driver's memory at `address`.
    ///
    /// # Errors
    /// The first address that could not be read.
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), BadAddress>;
}

/// A driver's variable arguments, one 8-byte slot after the other.
pub trait Arguments {
    /// The next slot.
    ///
    /// # Errors
    /// The slot's address, when the driver's stack ends before it.
    fn next(&mut self) -> Result<u64, BadAddress>;
}

/// An address that the driver gave and that is not readable (or writable).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot access memory at {0:#x}")]
pub struct BadAddress(pub u64);

/// What a format string is printed with.
pub struct Context<'a> {
    /// The driver's memory.
    pub memory: &'a dyn GuestMemory,
    /// The system's ANSI code page.
    pub code_page: code_page::CodePage,
    /// The current level; Unicode conversions need `PASSIVE_LEVEL`.
    pub irql: Irql,
}
