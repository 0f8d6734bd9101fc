//! The lines of one event together.

use crate::line::{Bits, Detail, Line, Part};
use crate::{Malformed, text};

/// What the lines of one event say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A process was created.
    Created(Created<'a>),
    /// A process exited.
    Exited(Exited),
}

/// A process that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created<'a> {
    /// Its identifier.
    pub pid: u64,
    /// Its name; a name that is not there is shown, and read, as `(null)`.
    pub name: Vec<u16>,
    /// The process in whose context it was created.
    pub current: u64,
    /// The process that it inherits from.
    pub parent: u64,
    /// What else is known.
    pub detail: Detail<'a>,
    /// Its command line.
    pub command_line: Option<Vec<u16>>,
}

/// A process that exited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exited {
    /// Its identifier.
    pub pid: u64,
    /// The process in whose context it exited.
    pub current: u64,
    /// Its exit status.
    pub exit_status: u32,
    /// Its age.
    pub lifetime_ms: u64,
}

/// How a name that is not there is shown.
pub const NO_NAME: &str = "(null)";

impl<'a> Event<'a> {
    /// Reads all lines of one event, one `DbgPrint` each.
    ///
    /// # Errors
    /// Where they are not exactly the lines of one event.
    pub fn parse<M: AsRef<[u8]>>(messages: &'a [M]) -> Result<Self, Malformed> {
        let mut lines = Lines {
            messages: messages.iter(),
        };
        let event = match lines.next()? {
            Line::Create {
                pid,
                name,
                current,
                parent,
            } => Self::Created(created(pid, name, current, parent, &mut lines)?),
            Line::Destroy {
                pid,
                current,
                exit_status,
                lifetime_ms,
            } => Self::Exited(Exited {
                pid,
                current,
                exit_status,
                lifetime_ms,
            }),
            other => {
                return Err(Malformed::new(
                    "the first line of an event",
                    format!("{other:?}"),
                ));
            }
        };
        lines.end()?;
        Ok(event)
    }
}

fn created<'a, M: AsRef<[u8]>>(
    pid: u64,
    name: &str,
    current: u64,
    parent: u64,
    lines: &mut Lines<'a, M>,
) -> Result<Created<'a>, Malformed> {
    let mut name = name.to_owned();
    let mut parts = Parts::default();
    let detail = loop {
        match lines.of(pid)? {
            Line::Name { part, text, .. } if parts.take(part) => name.push_str(text),
            Line::Detail { detail, .. } if parts.are_all() => break detail,
            other => return Err(out_of_order(&other)),
        }
    };
    let mut command_line: Option<String> = None;
    let mut parts = Parts::default();
    while !lines.are_over() {
        match lines.of(pid)? {
            Line::CommandLine {
                part: None, text, ..
            } if command_line.is_none() => command_line = Some(text.to_owned()),
            Line::CommandLine {
                part: Some(part),
                text,
                ..
            } if parts.take(part) && part.total > 1 => {
                command_line.get_or_insert_default().push_str(text);
            }
            other => return Err(out_of_order(&other)),
        }
    }
    if !parts.are_all() {
        return Err(Malformed::new("parts are missing", format!("{parts:?}")));
    }
    Ok(Created {
        pid,
        name: text::restore(&name)?,
        current,
        parent,
        detail,
        command_line: command_line.as_deref().map(text::restore).transpose()?,
    })
}

fn out_of_order(line: &Line<'_>) -> Malformed {
    Malformed::new("a line out of its order", format!("{line:?}"))
}

/// The parts of a text that have been read.
#[derive(Debug, Default)]
struct Parts(Option<Part>);

impl Parts {
    /// Whether `part` is the next.
    fn take(&mut self, part: Part) -> bool {
        let is_next = match self.0 {
            None => part.number == 1,
            Some(last) => part.number == last.number + 1 && part.total == last.total,
        };
        self.0 = Some(part);
        is_next
    }

    fn are_all(&self) -> bool {
        self.0.is_none_or(|last| last.number == last.total)
    }
}

/// The lines that have not been read yet.
struct Lines<'a, M> {
    messages: std::slice::Iter<'a, M>,
}

impl<'a, M: AsRef<[u8]>> Lines<'a, M> {
    fn next(&mut self) -> Result<Line<'a>, Malformed> {
        match self.messages.next() {
            Some(message) => Line::parse(message.as_ref()),
            None => Err(Malformed::new("a line is missing", "")),
        }
    }

    fn of(&mut self, pid: u64) -> Result<Line<'a>, Malformed> {
        let line = self.next()?;
        if line.pid() == Some(pid) {
            Ok(line)
        } else {
            Err(Malformed::new(
                "a line of another process",
                format!("{line:?}"),
            ))
        }
    }

    fn are_over(&self) -> bool {
        self.messages.as_slice().is_empty()
    }

    fn end(&mut self) -> Result<(), Malformed> {
        if self.are_over() {
            return Ok(());
        }
        Err(out_of_order(&self.next()?))
    }
}

impl Bits<'_> {
    /// The bitness of a process that is known.
    #[must_use]
    pub const fn known(is_wow64: bool) -> Self {
        if is_wow64 { Self::Is32 } else { Self::Is64 }
    }
}
