//! procmon's log, read and written.
//!
//! [`Line`] is one `DbgPrint`, read by the grammar of the README and refused
//! where it is off by a byte. [`Event`] is what the lines of one event say
//! together. Names and command lines in them are as printed, in any code page;
//! [`text`] escapes them as the driver does, and restores those whose
//! characters the code page has.

pub mod event;
pub mod line;
#[cfg(test)]
mod pages;
mod pass;
#[cfg(test)]
mod round_trip;
pub mod text;

pub use event::{Created, Event};
pub use line::Line;

/// Why something is not procmon's log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {text:?}")]
pub struct Malformed {
    /// What is wrong.
    pub what: &'static str,
    /// The text that is wrong, or the place in it.
    pub text: String,
}

impl Malformed {
    pub(crate) fn new(what: &'static str, text: impl Into<String>) -> Self {
        Self {
            what,
            text: text.into(),
        }
    }
}
