//! The C peers are a fair measure only if they print what procmon prints.

use std::path::Path;
use std::sync::Arc;

use bstr::BStr;
use ntsim::dbg::Transcript;
use ntsim::nt::ClientId;
use ntsim::{Kernel, ProcessCreation, ProcessExit};
use procmon_log::Line;

/// What a driver prints of a set of lives.
fn log_of(image: &Path, texts: &[Option<Vec<u16>>]) -> Vec<Vec<u8>> {
    let log = Arc::new(Transcript::default());
    let kernel = Kernel::builder()
        .debug_output(Arc::clone(&log) as _)
        .build()
        .unwrap();
    let driver = kernel.load_driver(image, "procmon").unwrap();
    for (id, text) in (0x1000..).step_by(4).zip(texts) {
        let reparented = id % 8 == 0;
        let process = ProcessCreation {
            image_file_name: text.clone(),
            command_line: text.clone(),
            file_open_name_available: !reparented,
            is_wow64: reparented,
            creator: ClientId {
                process: if reparented { 0x40 } else { 0x2f8 },
                thread: 0x44,
            },
            // Later than now: no lifetime in which the two could differ.
            create_time: Some(i64::MAX),
            creation_status: if id % 16 == 0 { -1 } else { 0 },
            ..ProcessCreation::new(id, 0x2f8)
        };
        kernel.create_process(&process).unwrap();
        // What is refused has exited already.
        if process.creation_status == 0 {
            kernel
                .exit_process(ProcessExit {
                    process_id: id,
                    thread_id: id + 4,
                    exit_status: -1,
                })
                .unwrap();
        }
    }
    assert!(kernel.unload_driver(driver).unwrap().is_empty());
    log.take()
}

#[test]
fn the_c_peer_prints_what_procmon_prints() {
    let mut texts = vec![
        None,
        Some(vec![]),
        Some(utf16(r"\??\C:\Windows\System32\notepad.exe")),
        Some(utf16(r"\usr\bin\ls \u000a \u00 \")),
        Some(utf16("a\nb\r\u{7f}\u{85}\u{a0}\u{2028}")),
        Some(vec![0xd83d, 0x61, 0xde00, 0xd83d]),
    ];
    for length in [43, 44, 45, 87, 88, 89, 263, 264, 265, 528, 529, 32_767] {
        for pattern in ["x", r"\path", "监控", "😀a", "\n", r"\u0041"] {
            texts.push(Some(pattern.encode_utf16().cycle_to(length)));
        }
    }
    let (procmon, peer) = (
        log_of(&driver_images::procmon(), &texts),
        log_of(&driver_images::peer("full"), &texts),
    );
    assert!(procmon.len() > 1_000);
    for (ours, theirs) in procmon.iter().zip(&peer) {
        assert_eq!(BStr::new(ours), BStr::new(theirs));
        assert_eq!(Line::parse(theirs).map(|_| ()), Ok(()));
    }
    assert_eq!(procmon.len(), peer.len());
}

#[test]
fn every_line_of_the_article_begins_a_line_of_procmons() {
    let texts = [None, Some(utf16(r"\??\C:\Windows\System32\notepad.exe"))];
    let article = log_of(&driver_images::peer("article"), &texts);
    let procmon = log_of(&driver_images::procmon(), &texts);
    let procmon: Vec<_> = procmon
        .iter()
        .filter(|line| {
            let line = Line::parse(line).unwrap();
            matches!(line, Line::Create(_) | Line::Detail(_) | Line::Destroy(_))
        })
        .collect();
    assert_eq!(article.len(), 3 * texts.len());
    assert_eq!(article.len(), procmon.len());
    for (theirs, ours) in article.iter().zip(procmon) {
        let theirs = theirs.strip_suffix(b"\n").unwrap();
        assert!(ours.starts_with(theirs), "{}", BStr::new(theirs));
    }
}

fn utf16(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

trait CycleTo {
    fn cycle_to(self, length: usize) -> Vec<u16>;
}

impl<I: Iterator<Item = u16> + Clone> CycleTo for I {
    fn cycle_to(self, length: usize) -> Vec<u16> {
        self.cycle().take(length).collect()
    }
}
