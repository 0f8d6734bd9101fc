//! procmon's log, read back.
//!
//! [`Line`] is one `DbgPrint`, taken apart by the grammar of the README and
//! refused where it is off by a byte. [`Event`] is what the lines of one event
//! say together, with names and command lines as the process chose them.
//!
//! The code page is UTF-8: in another one a text may be shown with `?` and
//! cannot be had back.

pub mod event;
pub mod line;
pub mod text;

pub use event::{Created, Event, Exited};
pub use line::{Bits, Detail, Line, Part};

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
