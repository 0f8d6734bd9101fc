//! The kinds of text that names and command lines are made of here.

use crate::event::utf16;

/// A kind of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Printable ASCII.
    Plain,
    /// Printable ASCII with backslashes.
    Paths,
    /// Nothing but Chinese characters.
    Chinese,
    /// Nothing but what is shown as an escape.
    Escaped,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Paths, Self::Chinese, Self::Escaped];

    /// What figures call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Paths => "paths",
            Self::Chinese => "Chinese",
            Self::Escaped => "escaped",
        }
    }

    /// `length` units of it.
    pub fn text(self, length: usize) -> Vec<u16> {
        let pattern = match self {
            Self::Plain => "compiler --option=value 0123456789 ",
            Self::Paths => r"C:\Program Files\Vendor\tool.exe ",
            Self::Chinese => "监控进程创建",
            Self::Escaped => "\n",
        };
        utf16(pattern).into_iter().cycle().take(length).collect()
    }
}
