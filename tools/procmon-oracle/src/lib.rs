//! What procmon has to print, and which events it has to write.

mod events;
mod monitor;

use bstr::BString;
use procmon_log::event::NO_NAME;
use procmon_log::line::{Bits, Destroy, Detail, Failure, Integrity, NotLoaded, Sid, Unloaded};
use procmon_log::{Created, Event, Line, text};

use ntsim::nt::{self, NtStatus, Token};
use ntsim::tracing::TraceRecord;
use ntsim::{Announcement, RawBuffer, RawString};
use ntsim::{CodePage, ProcessExit};
use ntsim_trials::oracle::{Cause, FailedCall, FailedCalls, Finding, Lines, Monitor, Oracle};

use events::{Heard, Seen};
use monitor::LogMonitor;

/// Judges procmon by its documentation.
///
/// A text must be printed as the code page has it once it is escaped, byte for
/// byte, so that it can be restored wherever the page has its characters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Procmon {
    code_page: CodePage,
}

impl Procmon {
    /// Judges it on a system with this code page.
    #[must_use]
    pub const fn on(code_page: CodePage) -> Self {
        Self { code_page }
    }
}

const STATUS_INVALID_PARAMETER: u32 = 0xc000_000d;
const STATUS_PROCEDURE_NOT_FOUND: NtStatus = 0xc000_007a_u32.cast_signed();

/// Longer than any process of a trial lives.
const LONGEST_LIFETIME_MS: u64 = 24 * 60 * 60 * 1000;

impl Oracle for Procmon {
    fn loaded(&self, status: NtStatus, failed: &[FailedCall], lines: Lines<'_>) -> Finding {
        let line = only(lines)?;
        let Some(first) = failed.iter().find(|failed| stops_the_load(failed)) else {
            return same(&line, &Line::Loaded).and(same(&nt::succeeded(status), &true));
        };
        let expected = first.status.unwrap_or(STATUS_PROCEDURE_NOT_FOUND);
        same(&status, &expected)?;
        match line {
            Line::NotLoaded(NotLoaded { failure, .. }) => same(
                &failure,
                &Failure {
                    call: first.routine,
                    status: expected.cast_unsigned(),
                },
            ),
            other => Err(format!("{other:?} for a load that failed")),
        }
    }

    fn created(
        &self,
        announced: &Announcement,
        failed: FailedCalls<'_>,
        lines: Lines<'_>,
    ) -> Finding {
        let event = Event::parse(lines).map_err(|error| error.to_string())?;
        same(&event, &Event::Created(self.expected(announced, failed)))
    }

    fn exited(
        &self,
        announced: &Announcement,
        exit: ProcessExit,
        failed: FailedCalls<'_>,
        lines: Lines<'_>,
    ) -> Finding {
        let event = Event::parse(lines).map_err(|error| error.to_string())?;
        let Event::Exited(destroy) = event else {
            return Err(format!("{event:?} for an exit"));
        };
        let expected = Destroy {
            lifetime_ms: destroy.lifetime_ms.min(LONGEST_LIFETIME_MS),
            start_key: start_key(announced, failed.loading),
            ..Self::destroy(exit)
        };
        same(&destroy, &expected)
    }

    fn unloaded(&self, (created, exited): (u64, u64), lines: Lines<'_>) -> Finding {
        same(&only(lines)?, &Line::Unloaded(Unloaded { created, exited }))
    }

    fn traced(
        &self,
        cause: Cause<'_>,
        failed: FailedCalls<'_>,
        records: &[TraceRecord],
    ) -> Finding {
        let mut expected = match cause {
            Cause::Load | Cause::Unload => Vec::new(),
            Cause::Create(announced) => {
                let line = self.expected(announced, failed);
                events::created(announced, &line, failed)
            }
            Cause::Exit(announced, exit) => {
                events::exited(exit, start_key(announced, failed.loading))
            }
        };
        let mut number = 0;
        expected.retain(|_| {
            number += 1;
            let is_lost = |call: &FailedCall| call.routine == "EtwWrite" && call.nth == number;
            !failed.now.iter().any(is_lost)
        });
        let mut seen = Seen::default();
        for (record, expected) in records.iter().zip(&expected) {
            expected.compare(&Heard::new(&record.event())?, &mut seen)?;
        }
        same(&records.len(), &expected.len())
    }

    fn refused_a_slot(&self, lines: Lines<'_>) -> Finding {
        let expected = NotLoaded {
            failure: Failure {
                call: "PsSetCreateProcessNotifyRoutineEx",
                status: STATUS_INVALID_PARAMETER,
            },
            cause: Some("already registered, or no slot is free".into()),
        };
        same(&only(lines)?, &Line::NotLoaded(expected))
    }

    fn monitor(&self, is_complete: bool) -> Option<Box<dyn Monitor>> {
        Some(Box::new(LogMonitor::new(*self, is_complete)))
    }
}

/// Whether the driver is not loaded where this call fails: it does without the
/// second routine that it looks up.
fn stops_the_load(failed: &FailedCall) -> bool {
    failed.routine != "MmGetSystemRoutineAddress" || failed.nth != LOOKS_UP_START_KEY
}

/// Which look-up of the driver's is that of `PsGetProcessStartKey`.
const LOOKS_UP_START_KEY: u32 = 2;

/// The start key that has to be reported.
fn start_key(announced: &Announcement, loading: &[FailedCall]) -> Option<u64> {
    let is_found = !loading.iter().any(|failed| {
        failed.routine == "MmGetSystemRoutineAddress" && failed.nth == LOOKS_UP_START_KEY
    });
    announced.start_key.filter(|_| is_found)
}

fn only(lines: Lines<'_>) -> Result<Line<'_>, String> {
    match lines {
        [line] => Line::parse(line).map_err(|error| error.to_string()),
        _ => Err(format!("{} lines where one was due", lines.len())),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(got: &T, wanted: &T) -> Finding {
    if got == wanted {
        Ok(())
    } else {
        Err(format!("{got:?} instead of {wanted:?}"))
    }
}

impl Procmon {
    /// What the lines of a create must say together.
    fn expected<'a>(&self, announced: &Announcement, failed: FailedCalls<'_>) -> Created<'a> {
        const NAME_IS_EXACT: u32 = 1;
        let failure_of = |call, nth| {
            failed
                .now
                .iter()
                .find(|failed| failed.routine == call && failed.nth == nth)
                .and_then(|failed| failed.status)
                .map(|status| Failure {
                    call,
                    status: status.cast_unsigned(),
                })
        };
        let open = failure_of("ObOpenObjectByPointer", 1);
        let query = |nth| failure_of("ZwQueryInformationProcess", nth);
        let no_token = open.or(failure_of("ZwOpenProcessTokenEx", 1));
        let token = |nth| no_token.or(failure_of("ZwQueryInformationToken", nth));
        let (no_user, no_integrity, no_logon) = (token(1), token(2), token(3));
        let Token {
            user,
            integrity,
            logon_id,
        } = announced.token;
        let name = announced.image_file_name.as_ref().and_then(characters);
        let name = name.unwrap_or_else(|| NO_NAME.encode_utf16().collect());
        let command_line = announced.command_line.as_ref().and_then(characters);
        Created {
            pid: announced.process_id,
            name: self.printed(&name),
            current: announced.current.process.into(),
            parent: announced.parent_process_id,
            detail: Detail {
                pid: announced.process_id,
                bits: open
                    .or(query(1))
                    .map_or(Bits::known(announced.is_wow64), Bits::Unknown),
                creating_process: announced.creating_process_id,
                creating_thread: announced.creating_thread_id,
                session: open.or(query(2)).is_none().then_some(announced.session_id),
                is_reparented: announced.creating_process_id != announced.parent_process_id,
                name_is_partial: announced.flags & NAME_IS_EXACT == 0,
                user: Sid::new(user.authority(), user.sub_authorities())
                    .filter(|_| no_user.is_none()),
                integrity: no_integrity.is_none().then_some(Integrity(integrity)),
                logon: no_logon.is_none().then_some(logon_id),
                start_key: start_key(announced, failed.loading),
                denied: (!nt::succeeded(announced.creation_status))
                    .then(|| announced.creation_status.cast_unsigned()),
            },
            command_line: command_line.map(|text| self.printed(&text)),
        }
    }

    /// What the line of an exit must say, but for the lifetime.
    fn destroy(exit: ProcessExit) -> Destroy {
        Destroy {
            pid: exit.process_id.into(),
            current: exit.process_id.into(),
            exit_status: exit.exit_status.cast_unsigned(),
            lifetime_ms: 0,
            start_key: None,
        }
    }

    /// A text as `%wZ` prints it, escaped.
    fn printed(&self, text: &[u16]) -> BString {
        let mut bytes = Vec::with_capacity(text.len());
        self.code_page.encode(&text::escape(text), &mut bytes);
        bytes.into()
    }
}

/// The characters that a string of any shape holds: whole ones, within
/// `MaximumLength`. None where it has no buffer that characters can lie in.
fn characters(string: &RawString) -> Option<Vec<u16>> {
    let count = usize::from(string.length.min(string.maximum_length)) / 2;
    match &string.buffer {
        RawBuffer::Null | RawBuffer::Misaligned(_) => None,
        RawBuffer::Aligned(bytes) => Some(
            bytes
                .chunks_exact(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                .take(count)
                .collect(),
        ),
    }
}
