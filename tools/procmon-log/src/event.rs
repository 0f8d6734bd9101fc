//! The lines of one event together.

use bstr::BString;

use crate::Malformed;
use crate::line::{CommandLine, Create, Destroy, Detail, Line, Part};

/// What the lines of one event say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, and most are created processes"
)]
pub enum Event<'a> {
    /// A process was created.
    Created(Created<'a>),
    /// A process exited.
    Exited(Destroy),
}

/// A process that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created<'a> {
    /// Its identifier.
    pub pid: u64,
    /// Its name as printed, the parts joined.
    pub name: BString,
    /// The process in whose context it was created.
    pub current: u64,
    /// The process that it inherits from.
    pub parent: u64,
    /// What else is known.
    pub detail: Detail<'a>,
    /// Its command line as printed, the parts joined.
    pub command_line: Option<BString>,
}

impl<'a> Created<'a> {
    /// The lines of the event, where each text fits on one.
    pub fn lines(&'a self) -> impl Iterator<Item = Line<'a>> {
        let command_line = self.command_line.as_ref().map(|text| {
            Line::CommandLine(CommandLine {
                pid: self.pid,
                part: None,
                text: text.as_ref(),
            })
        });
        [
            Line::Create(Create {
                pid: self.pid,
                name: self.name.as_ref(),
                current: self.current,
                parent: self.parent,
            }),
            Line::Detail(self.detail),
        ]
        .into_iter()
        .chain(command_line)
    }
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
            Line::Create(create) => Self::Created(created(create, &mut lines)?),
            Line::Destroy(destroy) => Self::Exited(destroy),
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
    create: Create<'_>,
    lines: &mut Lines<'a, M>,
) -> Result<Created<'a>, Malformed> {
    let pid = create.pid;
    let mut name = BString::from(create.name);
    let mut parts = Parts::default();
    let detail = loop {
        match lines.of(pid)? {
            Line::Name(next) if parts.take(next.part) => name.extend_from_slice(next.text),
            Line::Detail(detail) if parts.are_all() => break detail,
            other => return Err(out_of_order(&other)),
        }
    };
    let mut command_line: Option<BString> = None;
    let mut parts = Parts::default();
    while !lines.are_over() {
        match lines.of(pid)? {
            Line::CommandLine(next) => {
                let is_next = match next.part {
                    None => command_line.is_none(),
                    Some(part) => {
                        let is_first = command_line.is_none();
                        parts.take(part) && part.total > 1 && is_first == (part.number == 1)
                    }
                };
                if !is_next {
                    return Err(out_of_order(&Line::CommandLine(next)));
                }
                let text = command_line.get_or_insert_default();
                text.extend_from_slice(next.text);
            }
            other => return Err(out_of_order(&other)),
        }
    }
    if !parts.are_all() {
        return Err(Malformed::new("parts are missing", format!("{parts:?}")));
    }
    Ok(Created {
        pid,
        name,
        current: create.current,
        parent: create.parent,
        detail,
        command_line,
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
