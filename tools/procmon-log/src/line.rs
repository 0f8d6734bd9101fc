//! One line: one `DbgPrint`.

use crate::Malformed;

/// The most bytes of a line, its `\n` included.
pub const LINE_LIMIT: usize = 511;

/// A line of the log. Texts in it are as shown, with their escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A process is created.
    Create {
        /// Its identifier.
        pid: u64,
        /// Its name, or as much of it as fits.
        name: &'a str,
        /// The process in whose context it is created.
        current: u64,
        /// The process that it inherits from.
        parent: u64,
    },
    /// The next part of a name.
    Name {
        /// The process.
        pid: u64,
        /// Which part it is.
        part: Part,
        /// The part.
        text: &'a str,
    },
    /// What else is known of a process that is created.
    Detail {
        /// The process.
        pid: u64,
        /// What is known.
        detail: Detail<'a>,
    },
    /// A command line, or a part of one.
    CommandLine {
        /// The process.
        pid: u64,
        /// Which part it is; `None` for a whole one.
        part: Option<Part>,
        /// The part.
        text: &'a str,
    },
    /// A process exits.
    Destroy {
        /// Its identifier.
        pid: u64,
        /// The process in whose context it exits.
        current: u64,
        /// Its exit status.
        exit_status: u32,
        /// Its age.
        lifetime_ms: u64,
    },
    /// The driver is loaded.
    Loaded,
    /// The driver could not be loaded.
    NotLoaded {
        /// The call that failed.
        call: &'a str,
        /// How it failed.
        status: u32,
        /// The likely cause, where one is given.
        cause: Option<&'a str>,
    },
    /// The driver is unloaded.
    Unloaded {
        /// Processes that it saw created.
        created: u64,
        /// Processes that it saw exit.
        exited: u64,
    },
}

/// A part of a text that takes several lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 1.
    pub number: u32,
    /// How many there are.
    pub total: u32,
}

/// What a Detail line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail<'a> {
    /// The bitness.
    pub bits: Bits<'a>,
    /// The creating process.
    pub creating_process: u64,
    /// The creating thread.
    pub creating_thread: u64,
    /// The session, where it is known.
    pub session: Option<u32>,
    /// Whether the creating process is said not to be the parent.
    pub is_reparented: bool,
    /// Whether the name is said to be partial.
    pub name_is_partial: bool,
}

/// The bitness of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits<'a> {
    /// `32bit`.
    Is32,
    /// `64bit`.
    Is64,
    /// It could not be had.
    Unknown {
        /// The call that failed.
        call: &'a str,
        /// How it failed.
        status: u32,
    },
}

impl<'a> Line<'a> {
    /// Takes one `DbgPrint` apart.
    ///
    /// # Errors
    /// Where it is not one line of procmon's, to the byte.
    pub fn parse(message: &'a [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(message)
            .map_err(|_| Malformed::new("not UTF-8", String::from_utf8_lossy(message)))?;
        if message.len() > LINE_LIMIT {
            return Err(Malformed::new("longer than 511 bytes", text));
        }
        let line = text
            .strip_suffix('\n')
            .ok_or_else(|| Malformed::new("no end of line", text))?;
        if line.chars().any(breaks_a_line) {
            return Err(Malformed::new("a character that breaks a line", line));
        }
        parse(line).ok_or_else(|| Malformed::new("not a line of procmon", line))
    }

    /// The process that the line is about; `None` for the driver itself.
    #[must_use]
    pub const fn pid(&self) -> Option<u64> {
        match *self {
            Self::Create { pid, .. }
            | Self::Name { pid, .. }
            | Self::Detail { pid, .. }
            | Self::CommandLine { pid, .. }
            | Self::Destroy { pid, .. } => Some(pid),
            Self::Loaded | Self::NotLoaded { .. } | Self::Unloaded { .. } => None,
        }
    }
}

/// Characters that a reader may take for the end of a line, or not see.
pub(crate) fn breaks_a_line(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

fn parse(line: &str) -> Option<Line<'_>> {
    let mut rest = Rest(line);
    let parsed = if rest.skip("[Create] [PID = ").is_some() {
        create(&mut rest)
    } else if rest.skip("[Name ").is_some() {
        let (pid, part) = head(&mut rest)?;
        Some(Line::Name {
            pid,
            part: part?,
            text: rest.take_all(),
        })
    } else if rest.skip("[Detail ").is_some() {
        let (pid, None) = head(&mut rest)? else {
            return None;
        };
        detail(&mut rest).map(|detail| Line::Detail { pid, detail })
    } else if rest.skip("[CommandLine ").is_some() {
        let (pid, part) = head(&mut rest)?;
        Some(Line::CommandLine {
            pid,
            part,
            text: rest.take_all(),
        })
    } else if rest.skip("[Destroy] [PID = ").is_some() {
        destroy(&mut rest)
    } else {
        rest.skip("[procmon] ")?;
        life(&mut rest)
    }?;
    rest.0.is_empty().then_some(parsed)
}

/// The fields behind the name hold nothing that a process chooses, so the last
/// place where they can begin is where they do.
fn create<'a>(rest: &mut Rest<'a>) -> Option<Line<'a>> {
    const BEHIND_NAME: &str = "] [CurrentPID = ";
    let pid = rest.hex()?;
    rest.skip(", Name=")?;
    let end = rest.0.rfind(BEHIND_NAME)?;
    let (name, fields) = rest.0.split_at(end);
    *rest = Rest(fields);
    rest.skip(BEHIND_NAME)?;
    let current = rest.hex()?;
    rest.skip("] [PPID = ")?;
    let parent = rest.hex()?;
    rest.skip("]")?;
    Some(Line::Create {
        pid,
        name,
        current,
        parent,
    })
}

/// `P] ` or `P i/n] `.
fn head(rest: &mut Rest<'_>) -> Option<(u64, Option<Part>)> {
    let pid = rest.hex()?;
    if rest.skip("] ").is_some() {
        return Some((pid, None));
    }
    rest.skip(" ")?;
    let number = rest.decimal()?.try_into().ok()?;
    rest.skip("/")?;
    let total = rest.decimal()?.try_into().ok()?;
    rest.skip("] ")?;
    let is_in_range = 1 <= number && number <= total;
    is_in_range.then_some((pid, Some(Part { number, total })))
}

fn detail<'a>(rest: &mut Rest<'a>) -> Option<Detail<'a>> {
    let bits = if rest.skip("32bit").is_some() {
        Bits::Is32
    } else if rest.skip("64bit").is_some() {
        Bits::Is64
    } else {
        rest.skip("unknown (")?;
        let (call, status) = failure(rest)?;
        rest.skip(")")?;
        Bits::Unknown { call, status }
    };
    rest.skip(" [Creator = ")?;
    let creating_process = rest.hex()?;
    rest.skip(".")?;
    let creating_thread = rest.hex()?;
    rest.skip("]")?;
    let session = match rest.skip(" [Session = ") {
        Some(()) => {
            let session = rest.decimal()?.try_into().ok()?;
            rest.skip("]")?;
            Some(session)
        }
        None => None,
    };
    Some(Detail {
        bits,
        creating_process,
        creating_thread,
        session,
        is_reparented: rest.skip(" [Reparented]").is_some(),
        name_is_partial: rest.skip(" [Name is partial]").is_some(),
    })
}

/// `CALL STATUS`.
fn failure<'a>(rest: &mut Rest<'a>) -> Option<(&'a str, u32)> {
    let call = rest.name()?;
    rest.skip(" ")?;
    Some((call, rest.hex()?.try_into().ok()?))
}

fn destroy<'a>(rest: &mut Rest<'a>) -> Option<Line<'a>> {
    let pid = rest.hex()?;
    rest.skip("] [CurrentPID = ")?;
    let current = rest.hex()?;
    rest.skip("] [ExitStatus = ")?;
    let exit_status = rest.hex()?.try_into().ok()?;
    rest.skip("] [Lifetime = ")?;
    let lifetime_ms = rest.decimal()?;
    rest.skip(" ms]")?;
    Some(Line::Destroy {
        pid,
        current,
        exit_status,
        lifetime_ms,
    })
}

fn life<'a>(rest: &mut Rest<'a>) -> Option<Line<'a>> {
    if rest.skip("loaded").is_some() {
        return Some(Line::Loaded);
    }
    if rest.skip("unloaded: ").is_some() {
        let created = rest.decimal()?;
        rest.skip(" created, ")?;
        let exited = rest.decimal()?;
        rest.skip(" exited")?;
        return Some(Line::Unloaded { created, exited });
    }
    rest.skip("not loaded: ")?;
    let (call, status) = failure(rest)?;
    let cause = match rest.skip(" (") {
        Some(()) => {
            let (cause, end) = rest.0.split_at(rest.0.len().checked_sub(1)?);
            *rest = Rest(end);
            rest.skip(")")?;
            Some(cause)
        }
        None => None,
    };
    Some(Line::NotLoaded {
        call,
        status,
        cause,
    })
}

/// What is left of a line.
#[derive(Clone, Copy)]
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, literal: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(())
    }

    fn take_all(&mut self) -> &'a str {
        std::mem::take(&mut self.0)
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let length = self.0.bytes().take_while(|&byte| wanted(byte)).count();
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    /// `0x` and lower-case digits without padding.
    fn hex(&mut self) -> Option<u64> {
        self.skip("0x")?;
        let digits = self.take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        number(digits, 16)
    }

    fn decimal(&mut self) -> Option<u64> {
        number(self.take_while(|byte| byte.is_ascii_digit()), 10)
    }

    /// The name of a routine.
    fn name(&mut self) -> Option<&'a str> {
        let name = self.take_while(|byte| byte.is_ascii_alphanumeric());
        (!name.is_empty()).then_some(name)
    }
}

fn number(digits: &str, radix: u32) -> Option<u64> {
    if digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}
