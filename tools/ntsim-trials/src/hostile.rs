//! Processes that mean harm: names, command lines and creations as any process
//! could cause them, and as no kernel should.
//!
//! A [`Case`] is made of any bytes, so that every generator of bytes is one of
//! cases: a fuzzer's, a random one, a file kept from an earlier run.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use windows_sys::Win32::Foundation::STATUS_SUCCESS;

use crate::Target;
use crate::identities::Identity;
use crate::load::Error;
use crate::look_alikes::LookAlikes;
use crate::oracle::{Cause, FailedCalls, Finding};
use crate::transcripts::Transcripts;
use ntsim::nt::{ClientId, NtStatus};
use ntsim::{Announcement, RawBuffer, RawString};
use ntsim::{DriverId, Kernel};

/// The most UTF-16 units that a `UNICODE_STRING` holds.
const MOST_UNITS: usize = 32_767;

/// A creation that means harm.
#[derive(Arbitrary, Clone, Debug)]
pub struct Case {
    process_id: Number,
    current: (u32, u32),
    size: Number,
    flags: u32,
    parent: Number,
    creating_process: Number,
    creating_thread: Number,
    has_file_object: bool,
    is_wow64: bool,
    session_id: u32,
    image_file_name: Option<HostileString>,
    command_line: Option<HostileString>,
    /// With which another driver refused the process.
    refusal: Option<u32>,
    identity: Identity,
}

/// An identifier: mostly one that a process could have, else anything.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Number {
    Process(u16),
    /// The same for every field of a case that says so.
    Common,
    Most,
    Any(u64),
}

impl Number {
    const fn value(self) -> u64 {
        match self {
            Self::Process(id) => id as u64 * 4,
            Self::Common => 0x2f8,
            Self::Most => u64::MAX,
            Self::Any(value) => value,
        }
    }
}

/// A `UNICODE_STRING` that means harm.
#[derive(Arbitrary, Clone, Debug)]
pub struct HostileString {
    shape: Shape,
    pieces: Vec<Piece>,
}

/// How `Length`, `MaximumLength` and `Buffer` go together.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shape {
    /// As a kernel makes them; mostly.
    Plain,
    PlainToo,
    WithRoom(u8),
    OddLength,
    LengthOverMaximum(u16),
    /// `Length` over an odd `MaximumLength`.
    OddMaximum(u16),
    NullBuffer,
    Misaligned,
}

/// A part of a text.
#[derive(Arbitrary, Clone, Debug)]
enum Piece {
    Ascii(u8),
    Unit(u16),
    Control(u8),
    Surrogate(u16),
    Separator(bool),
    Pair(u16),
    /// One unit, a few times.
    Few(u16, u8),
    /// One unit, very often.
    Many(u16, u8, u8),
    Known(u8),
    /// One unit that the code page prints as something else.
    LookAlike(u8, u8),
}

/// Texts that mean something to somebody who reads the log, or formats it.
const KNOWN: [&str; 26] = [
    "%n%s%n%s",
    "%wZ",
    "%x %p %I64x",
    "%*.*s%1000000u",
    "%",
    "%%",
    r"\u000a",
    r"\u005cu000a",
    r"\u005c",
    r"\uBEEF",
    r"\u",
    r"\u00",
    "\\",
    "\n",
    "\r\n",
    "\n[Create] [PID = 0x4, Name=System] [CurrentPID = 0x4] [PPID = 0x0]\n",
    "[Destroy] [PID = 0x4] [CurrentPID = 0x4] [ExitStatus = 0x0] [Lifetime = 1 ms]\n",
    "] [CurrentPID = 0x4] [PPID = 0x4]",
    "] [CurrentPID = 0x",
    "\u{25d9}[Create] [PID = 0x4, Name=System] [CurrentPID = 0x4] [PPID = 0x0]\u{266a}\u{25d9}",
    "\u{2216}u000a\u{ff3c}u000a\u{a5}u000a\u{20a9}u000a\\\u{ff55}000a",
    "[CommandLine 0x4] format c:",
    "(null)",
    "\u{2028}\u{2029}\u{85}\u{7f}",
    r"\??\C:\Windows\System32\svchost.exe",
    "\u{1f600}\u{4f60}\u{597d}\u{fffd}\u{feff}\u{202e}",
];

impl Piece {
    fn write(&self, look_alikes: &LookAlikes, text: &mut Vec<u16>) {
        match *self {
            Self::Ascii(byte) => text.push(u16::from(0x20 + byte % 0x5f)),
            Self::Unit(unit) => text.push(unit),
            Self::Control(byte) => text.push(u16::from(byte % 0x20)),
            Self::Surrogate(bits) => text.push(0xd800 | bits & 0x7ff),
            Self::Separator(which) => text.push(if which { 0x2029 } else { 0x2028 }),
            Self::Pair(bits) => {
                text.extend([0xd800 | bits >> 6 & 0x3ff, 0xdc00 | bits & 0x3ff]);
            }
            Self::Few(unit, count) => text.extend(std::iter::repeat_n(unit, count.into())),
            Self::Many(unit, high, low) => {
                // Two bytes that both must be large, so that the longest texts
                // do not use up a run.
                let count = usize::from(high) * usize::from(low) / 2;
                text.extend(std::iter::repeat_n(unit, count));
            }
            Self::Known(index) => {
                text.extend(KNOWN[usize::from(index) % KNOWN.len()].encode_utf16());
            }
            Self::LookAlike(kind, index) => text.extend(look_alikes.pick(kind, index)),
        }
    }
}

impl HostileString {
    fn text(&self, look_alikes: &LookAlikes) -> Vec<u16> {
        let mut text = Vec::new();
        for piece in &self.pieces {
            piece.write(look_alikes, &mut text);
            if text.len() > MOST_UNITS {
                break;
            }
        }
        text.truncate(MOST_UNITS);
        text
    }

    fn raw(&self, look_alikes: &LookAlikes) -> RawString {
        let plain = RawString::of(&self.text(look_alikes));
        let RawBuffer::Aligned(mut bytes) = plain.buffer else {
            unreachable!("text lies at even addresses");
        };
        let length = plain.length;
        match self.shape {
            Shape::Plain | Shape::PlainToo => RawString {
                length,
                maximum_length: length,
                buffer: RawBuffer::Aligned(bytes),
            },
            // What the room holds is nobody's, and is not there.
            Shape::WithRoom(room) => RawString {
                length,
                maximum_length: length.saturating_add(room.into()),
                buffer: RawBuffer::Aligned(bytes),
            },
            Shape::OddLength => {
                bytes.push(b'!');
                RawString {
                    length: length + 1,
                    maximum_length: length + 1,
                    buffer: RawBuffer::Aligned(bytes),
                }
            }
            Shape::LengthOverMaximum(over) | Shape::OddMaximum(over) => {
                let is_odd = u16::from(matches!(self.shape, Shape::OddMaximum(_)));
                let maximum_length = length | is_odd;
                if is_odd == 1 {
                    bytes.push(b'?');
                }
                RawString {
                    length: maximum_length.saturating_add(over),
                    maximum_length,
                    buffer: RawBuffer::Aligned(bytes),
                }
            }
            Shape::NullBuffer => RawString {
                length,
                maximum_length: length,
                buffer: RawBuffer::Null,
            },
            Shape::Misaligned => RawString {
                length,
                maximum_length: length,
                buffer: RawBuffer::Misaligned(bytes),
            },
        }
    }
}

impl Case {
    /// The case that some bytes stand for. Any do.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        Self::arbitrary_take_rest(Unstructured::new(bytes)).ok()
    }

    /// A failure, or success.
    fn creation_status(&self) -> NtStatus {
        self.refusal
            .map_or(STATUS_SUCCESS, |bits| (bits | 0x8000_0000).cast_signed())
    }

    fn announcement(&self, look_alikes: &LookAlikes) -> Announcement {
        let raw = |string: &HostileString| string.raw(look_alikes);
        Announcement {
            process_id: self.process_id.value(),
            current: ClientId {
                process: self.current.0,
                thread: self.current.1,
            },
            size: self.size.value(),
            flags: self.flags & !SUBSYSTEM,
            parent_process_id: self.parent.value(),
            creating_process_id: self.creating_process.value(),
            creating_thread_id: self.creating_thread.value(),
            has_file_object: self.has_file_object,
            image_file_name: self.image_file_name.as_ref().map(raw),
            command_line: self.command_line.as_ref().map(raw),
            is_wow64: self.is_wow64,
            session_id: self.session_id,
            token: self.identity.token(),
            start_key: Some(self.identity.start_key()),
            creation_status: self.creation_status(),
        }
    }
}

/// `IsSubsystemProcess`: the kernel tells no routine of such a process that was
/// registered through the older interfaces.
const SUBSYSTEM: u32 = 2;

/// A driver that hears of such processes.
pub struct Subject<'a> {
    target: Target<'a>,
    look_alikes: LookAlikes,
    started: Started,
    /// Creations since the driver was loaded.
    told: u64,
}

impl<'a> Subject<'a> {
    /// Loads the driver.
    ///
    /// # Errors
    /// Where it cannot be loaded.
    pub fn load(target: Target<'a>) -> Result<Self, Error> {
        Ok(Self {
            started: Started::new(&target)?,
            target,
            look_alikes: LookAlikes::of(target.code_page),
            told: 0,
        })
    }

    /// Tells the driver of `case` and gives what it printed, if that is right.
    ///
    /// # Errors
    /// What is wrong with it, or how the driver faulted. It is loaded anew
    /// then.
    pub fn announce(&mut self, case: &Case) -> Result<Vec<Vec<u8>>, String> {
        let announced = case.announcement(&self.look_alikes);
        let Started {
            kernel,
            transcripts,
            ..
        } = &self.started;
        transcripts.come_or_go(kernel)?;
        let outcome = kernel.announce_creation(&announced);
        let lines = transcripts.lines.take();
        match outcome {
            Ok(creation) if creation.status == announced.creation_status => {
                self.told += 1;
                kernel.forget_process(id_of(&announced));
                kernel.forget_process(announced.current.process);
                let oracle = self.target.oracle;
                oracle.created(&announced, FailedCalls::NONE, &lines)?;
                transcripts.judge(oracle, Cause::Create(&announced), FailedCalls::NONE)?;
                Ok(lines)
            }
            Ok(creation) => Err(format!(
                "it made {:#x} of the status {:#x}",
                creation.status, announced.creation_status
            )),
            Err(stopped) => {
                self.started = Started::new(&self.target).map_err(|error| error.to_string())?;
                self.told = 0;
                Err(stopped.to_string())
            }
        }
    }

    /// Unloads the driver.
    ///
    /// # Errors
    /// What it left behind, or said wrongly.
    pub fn unload(self) -> Finding {
        let Started {
            kernel,
            transcripts,
            driver,
        } = self.started;
        let leftovers = kernel
            .unload_driver(driver)
            .map_err(|error| error.to_string())?;
        crate::describe(&kernel, &leftovers)?;
        let oracle = self.target.oracle;
        oracle.unloaded((self.told, 0), &transcripts.lines.take())?;
        transcripts.judge(oracle, Cause::Unload, FailedCalls::NONE)?;
        transcripts.end(&kernel)
    }
}

/// The process ID as the kernel has it.
#[expect(clippy::cast_possible_truncation, reason = "identifiers have 32 bits")]
const fn id_of(announced: &Announcement) -> u32 {
    announced.process_id as u32
}

/// A machine in which the driver is loaded.
struct Started {
    kernel: Arc<Kernel>,
    transcripts: Transcripts,
    driver: DriverId,
}

impl Started {
    fn new(target: &Target<'_>) -> Result<Self, Error> {
        let transcripts = Transcripts::new(target);
        let kernel = target.machine(&transcripts.lines).build()?;
        transcripts.begin(&kernel);
        let driver = kernel.load_driver(target.image, target.service)?;
        transcripts.forget();
        Ok(Self {
            kernel,
            transcripts,
            driver,
        })
    }
}

/// Random cases, the same ones for the same seed.
#[derive(Clone, Copy, Debug)]
pub struct Generator(u64);

impl Generator {
    /// The cases of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The bytes of the next case: mostly few, sometimes many.
    pub fn next_bytes(&mut self) -> Vec<u8> {
        let most = 1 << (4 + self.next() % 7);
        let size = usize::try_from(48 + self.next() % most).unwrap_or(usize::MAX);
        std::iter::repeat_with(|| self.next().to_le_bytes())
            .flatten()
            .take(size)
            .collect()
    }

    /// Steele and Vigna's `SplitMix64`.
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// The cases kept in the folder `corpus`, by their file names.
///
/// # Errors
/// Where it cannot be read.
pub fn corpus(corpus: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(corpus)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        cases.push((name, fs::read(entry.path())?));
    }
    cases.sort();
    Ok(cases)
}

/// Kinds of cases that were met, so that one of each can be kept.
#[derive(Debug, Default)]
pub struct Novelty(HashSet<String>);

impl Novelty {
    /// Whether `case`, reported in `lines`, is the first of its kind; gives the
    /// kind's name.
    pub fn is_new(&mut self, case: &Case, lines: &[Vec<u8>]) -> Option<String> {
        let kind = |string: &Option<HostileString>| match string {
            None => "none".to_owned(),
            Some(string) => {
                let shape = format!("{:?}", string.shape);
                let shape = shape.split('(').next().unwrap_or_default().to_lowercase();
                let units = string.text(&LookAlikes::default()).len();
                let size = match units {
                    0 => "empty",
                    1..100 => "short",
                    100..5000 => "long",
                    5000..MOST_UNITS => "huge",
                    _ => "full",
                };
                format!("{size}-{shape}")
            }
        };
        let escapes = lines
            .iter()
            .any(|line| line.windows(2).any(|pair| pair == br"\u"));
        let escapes = if escapes { "-escaped" } else { "" };
        let new = [
            ("name", kind(&case.image_file_name)),
            ("command", kind(&case.command_line)),
        ]
        .map(|(field, kind)| format!("{field}-{kind}{escapes}"))
        .into_iter()
        .filter(|kind| self.0.insert(kind.clone()))
        .collect::<Vec<_>>();
        new.first().cloned()
    }
}
