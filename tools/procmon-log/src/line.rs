//! One line: one `DbgPrint`.
//!
//! Each kind of line is a structure whose `pass` names its fields and what
//! stands between them, in their order. A `Pass` reads or writes them, so that
//! this is the only description of the line.

use bstr::{BStr, ByteSlice};

use crate::Malformed;
use crate::pass::{Number, Pass, Reader, Writer};

/// The most bytes of a line, its `\n` included.
pub const LINE_LIMIT: usize = 511;

/// A line of the log. Texts in it are as printed: in the code page of the
/// system, with their escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A process is created.
    Create(Create<'a>),
    /// The next part of its name.
    Name(Name<'a>),
    /// What else is known of it.
    Detail(Detail<'a>),
    /// Its command line, or a part of it.
    CommandLine(CommandLine<'a>),
    /// A process exits.
    Destroy(Destroy),
    /// The driver is loaded.
    Loaded,
    /// The driver could not be loaded.
    NotLoaded(NotLoaded<'a>),
    /// Its callback could not be removed.
    NotRemoved(NotRemoved<'a>),
    /// The driver is unloaded.
    Unloaded(Unloaded),
}

/// `[Create] …`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Create<'a> {
    /// The process.
    pub pid: u64,
    /// Its name, or as much of it as fits.
    pub name: &'a BStr,
    /// The process in whose context it is created.
    pub current: u64,
    /// The process that it inherits from.
    pub parent: u64,
}

impl<'a> Create<'a> {
    fn pass(&mut self, pass: &mut impl Pass<'a>) -> Option<()> {
        // A name may hold what follows it, but not what follows that: the last
        // place where the fields behind it can begin is where they do.
        const BEHIND_NAME: &str = "] [CurrentPID = ";
        pass.literal("[Create] [PID = ")?;
        pass.hex(&mut self.pid)?;
        pass.literal(", Name=")?;
        pass.text_before(BEHIND_NAME, &mut self.name)?;
        pass.literal(BEHIND_NAME)?;
        pass.hex(&mut self.current)?;
        pass.literal("] [PPID = ")?;
        pass.hex(&mut self.parent)?;
        pass.literal("]")
    }
}

/// `[Name …`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Name<'a> {
    /// The process.
    pub pid: u64,
    /// Which part it is.
    pub part: Part,
    /// The part.
    pub text: &'a BStr,
}

impl<'a> Name<'a> {
    fn pass(&mut self, pass: &mut impl Pass<'a>) -> Option<()> {
        pass.literal("[Name ")?;
        pass.hex(&mut self.pid)?;
        pass.literal(" ")?;
        self.part.pass(pass)?;
        pass.literal("] ")?;
        pass.text(&mut self.text)
    }
}

/// `[Detail …`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detail<'a> {
    /// The process.
    pub pid: u64,
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
    /// The user that it acts for.
    pub user: Option<Sid>,
    /// How far the system trusts it.
    pub integrity: Option<Integrity>,
    /// The LUID of its logon session.
    pub logon: Option<u64>,
    /// Its start key.
    pub start_key: Option<u64>,
    /// The status with which another driver refused the process.
    pub denied: Option<u32>,
}

impl<'a> Detail<'a> {
    fn pass(&mut self, pass: &mut impl Pass<'a>) -> Option<()> {
        pass.literal("[Detail ")?;
        pass.hex(&mut self.pid)?;
        pass.literal("] ")?;
        self.bits.pass(pass)?;
        pass.literal(" [Creator = ")?;
        pass.hex(&mut self.creating_process)?;
        pass.literal(".")?;
        pass.hex(&mut self.creating_thread)?;
        pass.literal("]")?;
        pass.optional(" [Session = ", &mut self.session, |pass, session| {
            pass.decimal(session)?;
            pass.literal("]")
        })?;
        pass.flag(" [Reparented]", &mut self.is_reparented);
        pass.flag(" [Name is partial]", &mut self.name_is_partial);
        pass.optional(" [User = ", &mut self.user, |pass, user| {
            user.pass(pass)?;
            pass.literal("]")
        })?;
        pass.optional(" [Integrity = ", &mut self.integrity, |pass, integrity| {
            integrity.pass(pass)?;
            pass.literal("]")
        })?;
        optional_hex(pass, " [Logon = ", &mut self.logon)?;
        optional_hex(pass, " [StartKey = ", &mut self.start_key)?;
        optional_hex(pass, " [Denied = ", &mut self.denied)
    }
}

/// `[CommandLine …`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandLine<'a> {
    /// The process.
    pub pid: u64,
    /// Which part it is; `None` for a whole one.
    pub part: Option<Part>,
    /// The part.
    pub text: &'a BStr,
}

impl<'a> CommandLine<'a> {
    fn pass(&mut self, pass: &mut impl Pass<'a>) -> Option<()> {
        pass.literal("[CommandLine ")?;
        pass.hex(&mut self.pid)?;
        pass.optional(" ", &mut self.part, |pass, part| part.pass(pass))?;
        pass.literal("] ")?;
        pass.text(&mut self.text)
    }
}

/// `[Destroy] …`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Destroy {
    /// The process.
    pub pid: u64,
    /// The process in whose context it exits.
    pub current: u64,
    /// Its exit status.
    pub exit_status: u32,
    /// Its age.
    pub lifetime_ms: u64,
    /// Its start key, as at its creation.
    pub start_key: Option<u64>,
}

impl Destroy {
    fn pass<'a>(&mut self, pass: &mut impl Pass<'a>) -> Option<()> {
        pass.literal("[Destroy] [PID = ")?;
        pass.hex(&mut self.pid)?;
        pass.literal("] [CurrentPID = ")?;
        pass.hex(&mut self.current)?;
        pass.literal("] [ExitStatus = ")?;
        pass.hex(&mut self.exit_status)?;
        pass.literal("] [Lifetime = ")?;
        pass.decimal(&mut self.lifetime_ms)?;
        pass.literal(" ms]")?;
        optional_hex(pass, " [StartKey = ", &mut self.start_key)
    }
}

/// `[procmon] not loaded: …`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotLoaded<'a> {
    /// The call that failed.
    pub failure: Failure<'a>,
    /// The likely cause, where one is given.
    pub cause: Option<&'a BStr>,
}

impl<'a> NotLoaded<'a> {
    fn pass(&mut self, pass: &mut impl Pass<'a>) -> Option<()> {
        pass.literal("[procmon] not loaded: ")?;
        self.failure.pass(pass)?;
        pass.optional(" (", &mut self.cause, |pass, cause| {
            pass.text_before(")", cause)?;
            pass.literal(")")
        })
    }
}

/// `[procmon] callback not removed: …`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotRemoved<'a> {
    /// The call that failed.
    pub failure: Failure<'a>,
}

impl<'a> NotRemoved<'a> {
    fn pass(&mut self, pass: &mut impl Pass<'a>) -> Option<()> {
        pass.literal("[procmon] callback not removed: ")?;
        self.failure.pass(pass)?;
        pass.literal(" (the next process brings the system down)")
    }
}

/// `[procmon] unloaded: …`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unloaded {
    /// How many processes the driver saw created.
    pub created: u64,
    /// How many it saw exit.
    pub exited: u64,
}

impl Unloaded {
    fn pass<'a>(&mut self, pass: &mut impl Pass<'a>) -> Option<()> {
        pass.literal("[procmon] unloaded: ")?;
        pass.decimal(&mut self.created)?;
        pass.literal(" created, ")?;
        pass.decimal(&mut self.exited)?;
        pass.literal(" exited")
    }
}

/// A part of a text that takes several lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 1.
    pub number: u32,
    /// How many there are.
    pub total: u32,
}

impl Default for Part {
    fn default() -> Self {
        Self {
            number: 1,
            total: 1,
        }
    }
}

impl Part {
    fn pass<'a>(&mut self, pass: &mut impl Pass<'a>) -> Option<()> {
        pass.decimal(&mut self.number)?;
        pass.literal("/")?;
        pass.decimal(&mut self.total)?;
        (1..=self.total).contains(&self.number).then_some(())
    }
}

/// The bitness of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bits<'a> {
    /// `32bit`.
    Is32,
    /// `64bit`.
    #[default]
    Is64,
    /// It is unknown, because a call failed.
    Unknown(Failure<'a>),
}

impl<'a> Bits<'a> {
    /// The bitness of a process where it is known.
    #[must_use]
    pub const fn known(is_wow64: bool) -> Self {
        if is_wow64 { Self::Is32 } else { Self::Is64 }
    }

    fn pass(&mut self, pass: &mut impl Pass<'a>) -> Option<()> {
        for (word, bits) in [("32bit", Self::Is32), ("64bit", Self::Is64)] {
            let mut is_this = *self == bits;
            pass.flag(word, &mut is_this);
            if is_this {
                *self = bits;
                return Some(());
            }
        }
        let mut failure = match *self {
            Self::Unknown(failure) => failure,
            _ => Failure::default(),
        };
        pass.literal("unknown (")?;
        failure.pass(pass)?;
        pass.literal(")")?;
        *self = Self::Unknown(failure);
        Some(())
    }
}

/// A field that ends with a number in hexadecimal, or no field.
fn optional_hex<'a, N: Number + Default>(
    pass: &mut impl Pass<'a>,
    before: &str,
    number: &mut Option<N>,
) -> Option<()> {
    pass.optional(before, number, |pass, number| {
        pass.hex(number)?;
        pass.literal("]")
    })
}

/// A security identifier of revision 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sid {
    authority: u64,
    count: usize,
    sub_authorities: [u32; Self::MOST],
}

impl Sid {
    /// `SID_MAX_SUB_AUTHORITIES`.
    const MOST: usize = 15;

    /// The identifier with these numbers; `None` where no identifier has them.
    #[must_use]
    pub fn new(authority: u64, sub_authorities: &[u32]) -> Option<Self> {
        let mut sid = Self {
            authority,
            count: sub_authorities.len(),
            ..Self::default()
        };
        let used = sid.sub_authorities.get_mut(..sid.count)?;
        used.copy_from_slice(sub_authorities);
        (authority >> 48 == 0).then_some(sid)
    }

    /// Its identifier authority.
    #[must_use]
    pub const fn authority(&self) -> u64 {
        self.authority
    }

    /// Its sub-authorities.
    #[must_use]
    pub fn sub_authorities(&self) -> &[u32] {
        &self.sub_authorities[..self.count]
    }

    /// An authority of more than 32 bits has 12 hexadecimal digits.
    fn pass<'a>(&mut self, pass: &mut impl Pass<'a>) -> Option<()> {
        pass.literal("S-1-")?;
        let is_long = |authority| authority > u64::from(u32::MAX);
        let mut is_hex = is_long(self.authority);
        pass.alternative("0x", &mut is_hex);
        if is_hex {
            let mut authority = 0;
            for shift in (0..48).step_by(4).rev() {
                let mut digit = self.authority >> shift & 0xf;
                pass.digit(&mut digit)?;
                authority = authority << 4 | digit;
            }
            self.authority = authority;
        } else {
            pass.decimal(&mut self.authority)?;
        }
        if is_hex != is_long(self.authority) {
            return None;
        }
        let mut count = 0;
        loop {
            let mut is_more = count < self.count;
            pass.alternative("-", &mut is_more);
            if !is_more {
                break;
            }
            pass.decimal(self.sub_authorities.get_mut(count)?)?;
            count += 1;
        }
        self.count = count;
        Some(())
    }
}

/// An integrity level: the RID of a mandatory label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Integrity(pub u32);

impl Integrity {
    /// The levels that have a name; of two of which one begins with the other,
    /// the longer one first.
    const NAMES: [(&str, u32); 7] = [
        ("untrusted", 0x0000),
        ("low", 0x1000),
        ("medium-plus", 0x2100),
        ("medium", 0x2000),
        ("high", 0x3000),
        ("system", 0x4000),
        ("protected", 0x5000),
    ];

    fn pass<'a>(&mut self, pass: &mut impl Pass<'a>) -> Option<()> {
        for (name, rid) in Self::NAMES {
            let mut is_this = self.0 == rid;
            pass.alternative(name, &mut is_this);
            if is_this {
                self.0 = rid;
                return Some(());
            }
        }
        pass.hex(&mut self.0)?;
        Self::NAMES
            .iter()
            .all(|(_, rid)| *rid != self.0)
            .then_some(())
    }
}

/// A call that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failure<'a> {
    /// The routine.
    pub call: &'a str,
    /// Its status.
    pub status: u32,
}

impl<'a> Failure<'a> {
    fn pass(&mut self, pass: &mut impl Pass<'a>) -> Option<()> {
        pass.word(&mut self.call)?;
        pass.literal(" ")?;
        pass.hex(&mut self.status)
    }
}

impl<'a> Line<'a> {
    /// One of each kind, to be read into.
    pub(crate) fn kinds() -> [Self; 9] {
        [
            Self::Create(Create::default()),
            Self::Name(Name::default()),
            Self::Detail(Detail::default()),
            Self::CommandLine(CommandLine::default()),
            Self::Destroy(Destroy::default()),
            Self::Loaded,
            Self::NotLoaded(NotLoaded::default()),
            Self::NotRemoved(NotRemoved::default()),
            Self::Unloaded(Unloaded::default()),
        ]
    }

    pub(crate) fn pass(&mut self, pass: &mut impl Pass<'a>) -> Option<()> {
        match self {
            Self::Create(line) => line.pass(pass),
            Self::Name(line) => line.pass(pass),
            Self::Detail(line) => line.pass(pass),
            Self::CommandLine(line) => line.pass(pass),
            Self::Destroy(line) => line.pass(pass),
            Self::Loaded => pass.literal("[procmon] loaded"),
            Self::NotLoaded(line) => line.pass(pass),
            Self::NotRemoved(line) => line.pass(pass),
            Self::Unloaded(line) => line.pass(pass),
        }
    }

    /// Reads one `DbgPrint`.
    ///
    /// # Errors
    /// Where it is not one line of procmon's, to the byte.
    pub fn parse(message: &'a [u8]) -> Result<Self, Malformed> {
        let malformed = |what| Malformed::new(what, message.to_str_lossy());
        let Some(text) = message.strip_suffix(b"\n") else {
            return Err(malformed("a line without its end"));
        };
        if message.len() > LINE_LIMIT {
            return Err(malformed("a line of more than 511 bytes"));
        }
        if text.iter().any(|&byte| is_control(byte)) {
            return Err(malformed("a control character in a line"));
        }
        Self::kinds()
            .into_iter()
            .find_map(|mut line| {
                let mut reader = Reader::new(text);
                line.pass(&mut reader)?;
                reader.is_at_end().then_some(line)
            })
            .ok_or_else(|| malformed("not a line of procmon's"))
    }

    /// The line as one `DbgPrint`.
    #[must_use]
    pub fn message(mut self) -> Vec<u8> {
        let mut writer = Writer::default();
        // Nothing of a line that can be had is refused when it is written.
        let _ = self.pass(&mut writer);
        writer.0.push(b'\n');
        writer.0
    }

    /// The process that the line is about; `None` for lines of the driver itself.
    #[must_use]
    pub const fn pid(&self) -> Option<u64> {
        match *self {
            Self::Create(Create { pid, .. })
            | Self::Name(Name { pid, .. })
            | Self::Detail(Detail { pid, .. })
            | Self::CommandLine(CommandLine { pid, .. })
            | Self::Destroy(Destroy { pid, .. }) => Some(pid),
            Self::Loaded | Self::NotLoaded(_) | Self::NotRemoved(_) | Self::Unloaded(_) => None,
        }
    }
}

/// What no line may hold but at its end. Code page 874 has 0x15 and 0x14 for §
/// and ¶, which are shown as they are.
const fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && !matches!(byte, 0x14 | 0x15)
}
