//! What the sweep asks of an instruction, whichever the processor.

/// One instruction, as far as it matters here.
pub struct Instruction {
    /// Its bytes.
    pub length: u32,
    /// Kind and name, where it is forbidden.
    pub forbidden: Option<(&'static str, String)>,
    /// Code that it goes to, or takes the address of.
    pub target: Option<u64>,
    /// Whether the instruction behind it may be next.
    pub goes_on: bool,
}
