//! Where debug output goes once it is formatted: to the host, which implements
//! [`DebugOutput`].

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
