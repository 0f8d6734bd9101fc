//! What procmon has to say.

use procmon_log::event::NO_NAME;
use procmon_log::{Bits, Created, Detail, Event, Exited, Line};

use super::judge::{FailedCall, Finding, Judge, Lines};
use crate::ProcessExit;
use crate::nt::{self, NtStatus};
use crate::ps::announcement::{Announcement, RawBuffer, RawString};

/// Judges procmon by its documentation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Procmon;

const STATUS_PROCEDURE_NOT_FOUND: NtStatus = 0xc000_007a_u32.cast_signed();

/// Longer than any process of a trial lives.
const LONGEST_LIFETIME_MS: u64 = 24 * 60 * 60 * 1000;

impl Judge for Procmon {
    fn loaded(&self, status: NtStatus, failed: &[FailedCall], lines: Lines<'_>) -> Finding {
        let line = only(lines)?;
        let Some(first) = failed.first() else {
            return same(&line, &Line::Loaded).and(same(&nt::succeeded(status), &true));
        };
        let expected = first.status.unwrap_or(STATUS_PROCEDURE_NOT_FOUND);
        same(&status, &expected)?;
        match line {
            Line::NotLoaded { call, status, .. } => {
                same(&call, &first.routine).and_then(|()| same(&status, &expected.cast_unsigned()))
            }
            other => Err(format!("{other:?} for a load that failed")),
        }
    }

    fn created(
        &self,
        announced: &Announcement,
        failed: &[FailedCall],
        lines: Lines<'_>,
    ) -> Finding {
        let event = Event::parse(lines).map_err(|error| error.to_string())?;
        same(&event, &Event::Created(expected(announced, failed)))
    }

    fn exited(&self, exit: ProcessExit, _: &[FailedCall], lines: Lines<'_>) -> Finding {
        let event = Event::parse(lines).map_err(|error| error.to_string())?;
        let Event::Exited(exited) = event else {
            return Err(format!("{event:?} for an exit"));
        };
        let expected = Exited {
            pid: exit.process_id.into(),
            current: exit.process_id.into(),
            exit_status: exit.exit_status.cast_unsigned(),
            lifetime_ms: exited.lifetime_ms.min(LONGEST_LIFETIME_MS),
        };
        same(&exited, &expected)
    }

    fn unloaded(&self, (created, exited): (u64, u64), lines: Lines<'_>) -> Finding {
        same(&only(lines)?, &Line::Unloaded { created, exited })
    }

    fn refused_a_slot(&self, lines: Lines<'_>) -> Finding {
        let expected = "[procmon] not loaded: PsSetCreateProcessNotifyRoutineEx 0xc000000d \
             (already registered, or no slot is free)\n";
        same(&lines, &&[expected.as_bytes().to_vec()][..])
    }

    fn is_procmon(&self) -> bool {
        true
    }
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

/// What the lines of a create must say together.
fn expected<'a>(announced: &Announcement, failed: &[FailedCall]) -> Created<'a> {
    const NAME_IS_EXACT: u32 = 1;
    let status_of = |routine, nth| {
        failed
            .iter()
            .find(|call| call.routine == routine && call.nth == nth)
            .and_then(|call| call.status)
            .map(NtStatus::cast_unsigned)
    };
    let open = "ObOpenObjectByPointer";
    let query = "ZwQueryInformationProcess";
    let opened = status_of(open, 1);
    let bits = match (opened, status_of(query, 1)) {
        (Some(status), _) => Bits::Unknown { call: open, status },
        (None, Some(status)) => Bits::Unknown {
            call: query,
            status,
        },
        (None, None) => Bits::known(announced.is_wow64),
    };
    let has_session = opened.is_none() && status_of(query, 2).is_none();
    let name = announced.image_file_name.as_ref().and_then(characters);
    Created {
        pid: announced.process_id,
        name: name.unwrap_or_else(|| NO_NAME.encode_utf16().collect()),
        current: announced.current.process.into(),
        parent: announced.parent_process_id,
        detail: Detail {
            bits,
            creating_process: announced.creating_process_id,
            creating_thread: announced.creating_thread_id,
            session: has_session.then_some(announced.session_id),
            is_reparented: announced.creating_process_id != announced.parent_process_id,
            name_is_partial: announced.flags & NAME_IS_EXACT == 0,
        },
        command_line: announced.command_line.as_ref().and_then(characters),
    }
}

/// The characters that a string of any shape holds: whole ones, within
/// `MaximumLength`, in a buffer that is there and that characters can lie in.
fn characters(string: &RawString) -> Option<Vec<u16>> {
    let count = usize::from(string.length.min(string.maximum_length)) / 2;
    match &string.buffer {
        _ if count == 0 => Some(Vec::new()),
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
