//! The oracle and its monitor judge every byte of the log: each one altered in
//! turn, in the log that the driver prints, is found. So a field that the driver
//! gains cannot be left unjudged.

use std::ops::Range;

use ntsim::{Announcement, CodePage, ProcessCreation, ProcessExit};
use ntsim_trials::oracle::{FailedCall, FailedCalls, Finding, Oracle};
use procmon_oracle::Procmon;

use crate::events::unusual;
use crate::{machine, notepad};

const ORACLE: Procmon = Procmon::on(CodePage::UTF_8);

const EXIT: ProcessExit = ProcessExit {
    process_id: 0x1a2c,
    thread_id: 0x1a30,
    exit_status: 0xc000_0005_u32.cast_signed(),
};

/// Another byte of the same kind.
const fn altered(byte: u8) -> u8 {
    match byte {
        b'0'..=b'8' | b'a'..=b'e' => byte + 1,
        b'9' | b'f' => byte - 1,
        _ => b'~',
    }
}

/// What of a line is not compared: a time that passes differently each time, and
/// the likely cause of a failure, which is prose.
fn not_compared(line: &[u8]) -> Range<usize> {
    between(line, b"[Lifetime = ", b" ms]")
        .or_else(|| {
            line.starts_with(b"[procmon] not loaded: ")
                .then(|| between(line, b" (", b")"))?
        })
        .unwrap_or_default()
}

fn between(line: &[u8], before: &[u8], behind: &[u8]) -> Option<Range<usize>> {
    let find = |text: &[u8]| line.windows(text.len()).position(|window| window == text);
    Some(find(before)? + before.len()..find(behind)?)
}

/// A field in brackets, with the space before it: where each begins and ends.
fn fields(line: &[u8]) -> Vec<Range<usize>> {
    let starts = line.windows(2).enumerate();
    let starts = starts.filter_map(|(at, pair)| (pair == b" [").then_some(at));
    starts
        .filter_map(|start| {
            let end = line[start..].iter().position(|&byte| byte == b']')?;
            Some(start..start + end + 1)
        })
        .collect()
}

/// Judges the log as it is, with each byte altered, each field left out, and
/// each line left out, doubled, or exchanged with the next.
fn judge_each_alteration(log: &[Vec<u8>], judge: impl Fn(&[Vec<u8>]) -> Finding) {
    assert_eq!(judge(log), Ok(()));
    let refused = |log: &[Vec<u8>], what: &str| {
        let text = log.concat();
        let text = String::from_utf8_lossy(&text);
        assert!(judge(log).is_err(), "{what} passes:\n{text}");
    };
    for (index, line) in log.iter().enumerate() {
        let with = |line: Vec<u8>| {
            let mut log = log.to_vec();
            log[index] = line;
            log
        };
        let not_compared = not_compared(line);
        for at in (0..line.len()).filter(|at| !not_compared.contains(at)) {
            let mut line = line.clone();
            line[at] = altered(line[at]);
            refused(&with(line), &format!("byte {at} of line {index}"));
        }
        for field in fields(line) {
            let mut line = line.clone();
            let text = String::from_utf8_lossy(&line[field.clone()]).into_owned();
            line.drain(field);
            refused(&with(line), &format!("a line without{text}"));
        }
        let mut lines = log.to_vec();
        lines.insert(index, line.clone());
        refused(&lines, "a doubled line");
        lines.drain(index..index + 2);
        refused(&lines, "a missing line");
        if index + 1 < log.len() {
            let mut lines = log.to_vec();
            lines.swap(index, index + 1);
            refused(&lines, "another order");
        }
    }
}

#[test]
fn every_byte_of_a_create_is_judged() {
    let (kernel, transcript) = machine();
    kernel
        .load_driver(&driver_images::procmon(), "procmon")
        .unwrap();
    transcript.take();
    let usual = ProcessCreation {
        start_key: Some(0x2_0000_0000_0a41),
        ..notepad(0x1a2c)
    };
    for process in [usual, unusual(700)] {
        kernel.create_process(&process).unwrap();
        let announced = Announcement::from(&process);
        judge_each_alteration(&transcript.take(), |log| {
            ORACLE.created(&announced, FailedCalls::NONE, log)
        });
    }
}

#[test]
fn every_byte_of_an_exit_is_judged() {
    let (kernel, transcript) = machine();
    kernel
        .load_driver(&driver_images::procmon(), "procmon")
        .unwrap();
    let process = ProcessCreation {
        start_key: Some(0x2_0000_0000_0a41),
        ..notepad(EXIT.process_id)
    };
    kernel.create_process(&process).unwrap();
    transcript.take();
    kernel.exit_process(EXIT).unwrap();
    let log = transcript.take();
    let announced = Announcement::from(&process);
    let judge = |log: &[Vec<u8>]| ORACLE.exited(&announced, EXIT, FailedCalls::NONE, log);
    judge_each_alteration(&log, judge);

    let mut line = log.concat();
    line.splice(not_compared(&line), *b"86400001");
    assert!(judge(&[line]).is_err(), "a day and more");
}

#[test]
fn every_byte_of_the_drivers_own_lines_is_judged() {
    let (kernel, transcript) = machine();
    let driver = kernel
        .load_driver(&driver_images::procmon(), "procmon")
        .unwrap();
    judge_each_alteration(&transcript.take(), |log| ORACLE.loaded(0, &[], log));
    kernel.create_process(&notepad(EXIT.process_id)).unwrap();
    transcript.take();
    kernel.unload_driver(driver).unwrap();
    judge_each_alteration(&transcript.take(), |log| ORACLE.unloaded((1, 0), log));

    let failed = FailedCall {
        routine: "PsSetCreateProcessNotifyRoutineEx",
        nth: 1,
        status: Some(0xc000_0022_u32.cast_signed()),
    };
    for cause in ["", " (any cause)"] {
        let line = format!(
            "[procmon] not loaded: {} 0xc0000022{cause}\n",
            failed.routine
        );
        judge_each_alteration(&[line.into_bytes()], |log| {
            ORACLE.loaded(failed.status.unwrap(), &[failed], log)
        });
    }
    let line = "[procmon] not loaded: PsSetCreateProcessNotifyRoutineEx 0xc000000d \
                (already registered, or no slot is free)\n";
    judge_each_alteration(&[line.into()], |log| ORACLE.refused_a_slot(log));
}

/// The first finding, where a driver that is loaded throughout prints `created`
/// for `process` and `exited` for its exit.
fn monitored(process: &ProcessCreation, created: &[Vec<u8>], exited: &[Vec<u8>]) -> Finding {
    let monitor = ORACLE.monitor(true).unwrap();
    monitor.loading();
    let print = |lines: &[Vec<u8>]| lines.iter().try_for_each(|line| monitor.printed(line));
    monitor.creating(process);
    print(created)?;
    monitor.created(process.process_id)?;
    monitor.exiting(EXIT);
    print(exited)?;
    monitor.exited(process.process_id)?;
    monitor.printed(b"[procmon] unloaded: 1 created, 1 exited\n")?;
    monitor.unloaded()
}

#[test]
fn every_byte_is_judged_under_load() {
    let (kernel, transcript) = machine();
    kernel
        .load_driver(&driver_images::procmon(), "procmon")
        .unwrap();
    transcript.take();
    let ordinary = notepad(EXIT.process_id);
    let process = ProcessCreation {
        process_id: EXIT.process_id,
        image_file_name: ordinary.image_file_name,
        command_line: ordinary.command_line,
        ..unusual(700)
    };
    kernel.create_process(&process).unwrap();
    let created = transcript.take();
    kernel.exit_process(EXIT).unwrap();
    let exited = transcript.take();
    judge_each_alteration(&created, |log| monitored(&process, log, &exited));
    judge_each_alteration(&exited, |log| monitored(&process, &created, log));
}
