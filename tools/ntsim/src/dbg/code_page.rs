//! The system's ANSI code page, to which debug output converts UTF-16.

/// A code page by its Windows number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodePage(u16);

impl CodePage {
    /// Code page 65001.
    pub const UTF_8: Self = Self(65001);

    /// The code page with this number, if it is known.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        (number == 65001).then_some(Self::UTF_8)
    }

    /// The code page's Windows number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Appends `text` to `output` in this code page.
    pub fn encode(self, text: &[u16], output: &mut Vec<u8>) {
        output.extend_from_slice(String::from_utf16_lossy(text).as_bytes());
    }

    /// Text of this code page as a string.
    #[must_use]
    pub fn decode(self, text: &[u8]) -> String {
        String::from_utf8_lossy(text).into_owned()
    }
}
