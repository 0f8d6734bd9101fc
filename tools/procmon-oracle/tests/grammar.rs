//! Every line of the log, byte for byte, from the release and the debug image.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ntsim::dbg::Transcript;
use ntsim::nt::{ClientId, Sid, Token};
use ntsim::{
    Announcement, CodePage, DriverId, Kernel, ProcessCreation, ProcessExit, RawBuffer, RawString,
};

/// A machine with the driver loaded.
struct Machine {
    kernel: Arc<Kernel>,
    driver: DriverId,
    messages: Arc<Transcript>,
}

impl Machine {
    fn with(image: &Path, code_page: CodePage) -> Self {
        let messages = Arc::new(Transcript::default());
        let kernel = Kernel::builder()
            .code_page(code_page)
            .debug_output(Arc::clone(&messages) as _)
            .build()
            .unwrap();
        let driver = kernel
            .load_driver(image, "procmon")
            .unwrap_or_else(|error| panic!("{}: {error}; type: cargo xtask test", image.display()));
        let machine = Self {
            kernel,
            driver,
            messages,
        };
        assert_eq!(machine.lines(), ["[procmon] loaded"]);
        machine
    }

    /// The messages since the last time, each a whole line within the limit.
    fn raw_lines(&self) -> Vec<Vec<u8>> {
        let as_line = |message: Vec<u8>| {
            assert!(message.len() <= 511, "{} bytes in a message", message.len());
            let (end, line) = message.split_last().expect("no message is empty");
            assert_eq!(*end, b'\n');
            assert!(!line.contains(&b'\n'));
            line.to_vec()
        };
        self.messages.take().into_iter().map(as_line).collect()
    }

    fn lines(&self) -> Vec<String> {
        let text = |line| String::from_utf8(line).expect("UTF-8");
        self.raw_lines().into_iter().map(text).collect()
    }

    fn create(&self, process: &ProcessCreation) -> Vec<String> {
        let creation = self.kernel.create_process(process).unwrap();
        assert_eq!((creation.status, creation.vetoed_by), (0, None));
        self.lines()
    }

    fn unload(&self) -> Vec<String> {
        let left = self.kernel.unload_driver(self.driver).unwrap();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(self.kernel.violations(), []);
        self.lines()
    }
}

fn with_each_image(test: impl Fn(Machine)) {
    for image in [driver_images::procmon(), driver_images::procmon_dev()] {
        test(Machine::with(&image, CodePage::UTF_8));
    }
}

fn utf16(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

/// The process of the contract's example.
fn notepad() -> ProcessCreation {
    ProcessCreation {
        image_file_name: Some(utf16(r"\??\C:\Windows\SysWOW64\notepad.exe")),
        command_line: Some(utf16(r#""C:\Windows\SysWOW64\notepad.exe" C:\temp\a.txt"#)),
        creator: ClientId {
            process: 0x10f4,
            thread: 0x1a38,
        },
        is_wow64: true,
        start_key: Some(0x2_0000_0000_0a41),
        ..ProcessCreation::new(0x1a2c, 0x2f8)
    }
}

/// A system time, in units of 100 ns since 1601.
fn milliseconds_ago(milliseconds: u64) -> i64 {
    const FROM_1601_TO_1970: Duration = Duration::from_hours(3_234_576);
    let then = SystemTime::now() - Duration::from_millis(milliseconds) + FROM_1601_TO_1970;
    let since_1601 = then.duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since_1601.as_nanos() / 100).unwrap()
}

/// The fields of its token, and its start key.
const IDENTITY: &str = " [User = S-1-5-21-1004336348-1177238915-682003330-1001] [Integrity = medium] [Logon = 0x5f3a1] [StartKey = 0x2000000000a41]";

const CREATE: &str = r"[Create] [PID = 0x1a2c, Name=\??\C:\Windows\SysWOW64\notepad.exe] [CurrentPID = 0x10f4] [PPID = 0x2f8]";

#[test]
fn the_contracts_example() {
    with_each_image(|machine| {
        let start = Instant::now();
        let process = ProcessCreation {
            create_time: Some(milliseconds_ago(1_834)),
            ..notepad()
        };
        assert_eq!(
            machine.create(&process),
            [
                CREATE,
                &format!(
                    "[Detail 0x1a2c] 32bit [Creator = 0x10f4.0x1a38] [Session = 1] [Reparented]{IDENTITY}"
                ),
                r#"[CommandLine 0x1a2c] "C:\Windows\SysWOW64\notepad.exe" C:\temp\a.txt"#,
            ]
        );

        machine
            .kernel
            .exit_process(ProcessExit {
                process_id: 0x1a2c,
                thread_id: 0x1a30,
                exit_status: 0xc000_0005_u32.cast_signed(),
            })
            .unwrap();
        let exit = machine.lines().concat();
        // A line may grow at its end.
        let (lifetime, _) = exit
            .strip_prefix("[Destroy] [PID = 0x1a2c] [CurrentPID = 0x1a2c] [ExitStatus = 0xc0000005] [Lifetime = ")
            .and_then(|rest| rest.split_once(" ms]"))
            .unwrap_or_else(|| panic!("{exit}"));
        let lifetime: u64 = lifetime.parse().unwrap();
        let longest = 1_835 + u64::try_from(start.elapsed().as_millis()).unwrap();
        assert!((1_834..=longest).contains(&lifetime), "{lifetime}");
        assert_eq!(
            machine.unload(),
            ["[procmon] unloaded: 1 created, 1 exited"]
        );
    });
}

#[test]
fn a_64_bit_process_of_its_own_parent() {
    with_each_image(|machine| {
        let process = ProcessCreation {
            is_wow64: false,
            session_id: 12,
            creator: ClientId {
                process: 0x2f8,
                thread: 0x300,
            },
            ..notepad()
        };
        assert_eq!(
            machine.create(&process)[1],
            format!("[Detail 0x1a2c] 64bit [Creator = 0x2f8.0x300] [Session = 12]{IDENTITY}")
        );
    });
}

#[test]
fn who_a_process_acts_for() {
    let all = [u32::MAX; Sid::MAX_SUB_AUTHORITIES];
    let longest = format!("S-1-0xffffffffffff{}", "-4294967295".repeat(all.len()));
    let longest = longest.as_str();
    with_each_image(|machine| {
        for (user, shown, integrity, level) in [
            (Sid::LOCAL_SYSTEM, "S-1-5-18", 0x4000, "system"),
            (Sid::new(0, &[]), "S-1-0", 0x0000, "untrusted"),
            (
                Sid::new(u32::MAX.into(), &[0]),
                "S-1-4294967295-0",
                0x1000,
                "low",
            ),
            (
                Sid::new(0x1_0000_0000, &[1]),
                "S-1-0x000100000000-1",
                0x2100,
                "medium-plus",
            ),
            (Sid::new(22, &[1, 1000]), "S-1-22-1-1000", 0x3000, "high"),
            (Sid::new(5, &[19]), "S-1-5-19", 0x5000, "protected"),
            (
                Sid::new(0xffff_ffff_ffff, &all),
                longest,
                u32::MAX,
                "0xffffffff",
            ),
        ] {
            let process = ProcessCreation {
                token: Token {
                    user,
                    integrity,
                    logon_id: u64::MAX,
                },
                start_key: Some(u64::MAX),
                ..notepad()
            };
            assert_eq!(
                machine.create(&process)[1],
                format!(
                    "[Detail 0x1a2c] 32bit [Creator = 0x10f4.0x1a38] [Session = 1] [Reparented] [User = {shown}] [Integrity = {level}] [Logon = 0xffffffffffffffff] [StartKey = 0xffffffffffffffff]"
                )
            );
            machine.kernel.forget_process(0x1a2c);
        }
    });
}

#[test]
fn no_name_no_command_line_and_a_partial_name() {
    with_each_image(|machine| {
        let process = ProcessCreation {
            image_file_name: None,
            command_line: None,
            file_open_name_available: false,
            ..notepad()
        };
        assert_eq!(
            machine.create(&process),
            [
                "[Create] [PID = 0x1a2c, Name=(null)] [CurrentPID = 0x10f4] [PPID = 0x2f8]",
                &format!(
                    "[Detail 0x1a2c] 32bit [Creator = 0x10f4.0x1a38] [Session = 1] [Reparented] [Name is partial]{IDENTITY}"
                ),
            ]
        );
    });
}

#[test]
fn strings_without_a_buffer_are_no_strings() {
    with_each_image(|machine| {
        let without_buffer = |length| RawString {
            length,
            maximum_length: length,
            buffer: RawBuffer::Null,
        };
        for length in [0, 2, 0xfffe] {
            machine
                .kernel
                .announce_creation(&Announcement {
                    image_file_name: Some(without_buffer(length)),
                    command_line: Some(without_buffer(length)),
                    ..Announcement::from(&notepad())
                })
                .unwrap();
            assert_eq!(
                machine.lines(),
                [
                    "[Create] [PID = 0x1a2c, Name=(null)] [CurrentPID = 0x10f4] [PPID = 0x2f8]",
                    &format!(
                        "[Detail 0x1a2c] 32bit [Creator = 0x10f4.0x1a38] [Session = 1] [Reparented]{IDENTITY}"
                    ),
                ]
            );
            machine.kernel.forget_process(0x1a2c);
        }
    });
}

#[test]
fn a_process_that_another_driver_refused() {
    with_each_image(|machine| {
        for (status, is_denied) in [
            (0xc000_0022_u32, true),
            (0x8000_0005, true),
            (0x4000_0000, false),
        ] {
            machine
                .kernel
                .announce_creation(&Announcement {
                    creation_status: status.cast_signed(),
                    flags: 0,
                    ..Announcement::from(&notepad())
                })
                .unwrap();
            let denied = if is_denied {
                format!(" [Denied = {status:#x}]")
            } else {
                String::new()
            };
            assert_eq!(
                machine.lines()[1],
                format!(
                    "[Detail 0x1a2c] 32bit [Creator = 0x10f4.0x1a38] [Session = 1] [Reparented] [Name is partial]{IDENTITY}{denied}"
                )
            );
            machine.kernel.forget_process(0x1a2c);
        }
    });
}

const EXIT: ProcessExit = ProcessExit {
    process_id: 0x1a2c,
    thread_id: 0x1a30,
    exit_status: 0,
};

#[test]
fn a_lifetime_ends_with_the_process() {
    with_each_image(|machine| {
        let process = ProcessCreation {
            create_time: Some(milliseconds_ago(100_000)),
            ..notepad()
        };
        machine.create(&process);
        let last_thread = ClientId {
            process: 0x1a2c,
            thread: 0x1a30,
        };
        let exit_time = process.create_time.unwrap() + 18_349_999;
        machine
            .kernel
            .exit_process_at(EXIT, last_thread, exit_time)
            .unwrap();
        assert_eq!(
            machine.lines(),
            [
                "[Destroy] [PID = 0x1a2c] [CurrentPID = 0x1a2c] [ExitStatus = 0x0] [Lifetime = 1834 ms] [StartKey = 0x2000000000a41]"
            ]
        );
    });
}

/// The kernel tells the exit time only of the current process, which may itself
/// have exited.
#[test]
fn an_exit_in_the_context_of_another_process() {
    with_each_image(|machine| {
        let start = Instant::now();
        let created = milliseconds_ago(5_000);
        let process = ProcessCreation {
            create_time: Some(created),
            ..notepad()
        };
        machine.create(&process);
        let system = ClientId {
            process: 4,
            thread: 8,
        };
        machine
            .kernel
            .exit_process_at(EXIT, system, created + 10_000)
            .unwrap();
        let line = machine.lines().concat();
        let lifetime: u64 = line
            .strip_prefix(
                "[Destroy] [PID = 0x1a2c] [CurrentPID = 0x4] [ExitStatus = 0x0] [Lifetime = ",
            )
            .and_then(|rest| rest.strip_suffix(" ms] [StartKey = 0x2000000000a41]"))
            .and_then(|lifetime| lifetime.parse().ok())
            .unwrap_or_else(|| panic!("{line}"));
        let longest = 5_001 + u64::try_from(start.elapsed().as_millis()).unwrap();
        assert!((5_000..=longest).contains(&lifetime), "{lifetime}");
    });
}

#[test]
fn what_changes_the_order_of_a_line_is_escaped() {
    with_each_image(|machine| {
        let lines = machine.create(&called(
            "\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069} \u{200d}\u{2065}\u{206a}",
        ));
        assert_eq!(
            lines[2],
            format!(
                "[CommandLine 0x1a2c] {} \u{200d}\u{2065}\u{206a}",
                r"\u200e\u200f\u202a\u202e\u2066\u2069"
            )
        );
    });
}

/// `◙` and `♪` are a line feed and a carriage return in code page 874.
#[test]
fn what_windows_prints_as_a_control_is_escaped() {
    for image in [driver_images::procmon(), driver_images::procmon_dev()] {
        let machine = Machine::with(&image, CodePage::from_number(874).unwrap());
        machine
            .kernel
            .create_process(&called("◙[Create]♪ § ¶ ก"))
            .unwrap();
        assert_eq!(
            machine.raw_lines()[2],
            b"[CommandLine 0x1a2c] \\u25d9[Create]\\u266a \x15 \x14 \xa1"
        );
    }
}

#[test]
fn an_empty_name_and_an_empty_command_line() {
    with_each_image(|machine| {
        let process = ProcessCreation {
            image_file_name: Some(Vec::new()),
            command_line: Some(Vec::new()),
            ..notepad()
        };
        let lines = machine.create(&process);
        assert_eq!(
            lines[0],
            "[Create] [PID = 0x1a2c, Name=] [CurrentPID = 0x10f4] [PPID = 0x2f8]"
        );
        assert_eq!(lines[2..], ["[CommandLine 0x1a2c] "]);
    });
}

/// The text behind `label PID i/n] ` on each of the lines, joined; the numbers
/// must run from 1 to the number of lines.
fn joined(lines: &[String], label: &str) -> String {
    let total = lines.len();
    let part = |(index, line): (usize, &String)| {
        let start = format!("[{label} 0x1a2c {}/{total}] ", index + 1);
        line.strip_prefix(&start)
            .unwrap_or_else(|| panic!("{line} does not begin with {start}"))
            .to_owned()
    };
    lines.iter().enumerate().map(part).collect()
}

/// The name that the lines of one event show, and the lines after it.
fn name_in(lines: &[String]) -> (String, &[String]) {
    let first = lines[0]
        .strip_prefix("[Create] [PID = 0x1a2c, Name=")
        .and_then(|rest| rest.strip_suffix("] [CurrentPID = 0x10f4] [PPID = 0x2f8]"))
        .unwrap_or_else(|| panic!("{}", lines[0]));
    let detail = lines
        .iter()
        .position(|line| line.starts_with("[Detail"))
        .expect("every event has its details");
    let rest = joined(&lines[1..detail], "Name");
    (first.to_owned() + &rest, &lines[detail + 1..])
}

/// A process whose name and command line are `text`.
fn called(text: &str) -> ProcessCreation {
    ProcessCreation {
        image_file_name: Some(utf16(text)),
        command_line: Some(utf16(text)),
        ..notepad()
    }
}

#[test]
fn names_and_command_lines_of_any_length() {
    with_each_image(|machine| {
        for length in [0, 1, 200, 264, 265, 5_000, 32_767] {
            let text: String = ('!'..='~')
                .filter(|&c| c != '\\')
                .cycle()
                .take(length)
                .collect();
            let lines = machine.create(&called(&text));
            let (name, command_line) = name_in(&lines);
            assert!(name == text, "a name of {length} characters: {name}");
            let shown = match command_line {
                [only] => only
                    .strip_prefix("[CommandLine 0x1a2c] ")
                    .expect("one line has no number")
                    .to_owned(),
                lines => joined(lines, "CommandLine"),
            };
            assert!(
                shown == text,
                "a command line of {length} characters: {shown}"
            );
            assert_eq!(command_line.len(), length.div_ceil(264).max(1));
            machine.kernel.forget_process(0x1a2c);
        }
    });
}

/// Each character becomes three bytes in UTF-8, or four as a pair.
#[test]
fn texts_that_grow_fit_their_lines() {
    with_each_image(|machine| {
        for text in ["中".repeat(1_000), "𠀋".repeat(1_000)] {
            let lines = machine.create(&called(&text));
            let (name, command_line) = name_in(&lines);
            assert!(name == text, "{name}");
            assert!(joined(command_line, "CommandLine") == text);
            machine.kernel.forget_process(0x1a2c);
        }
    });
}

#[test]
fn halves_of_pairs_are_shown_as_what_they_are() {
    with_each_image(|machine| {
        let process = ProcessCreation {
            image_file_name: Some(vec![0x61, 0xdc00, 0x62]),
            command_line: Some(vec![0xd800, 0x61, 0xd83d, 0xd83d, 0xde00, 0xdfff]),
            ..notepad()
        };
        let lines = machine.create(&process);
        assert!(lines[0].contains(r"Name=a\udc00b]"), "{lines:?}");
        assert_eq!(lines[2], r"[CommandLine 0x1a2c] \ud800a\ud83d😀\udfff");
    });
}

#[test]
fn nothing_in_a_text_is_a_line_or_a_directive() {
    with_each_image(|machine| {
        let process = ProcessCreation {
            image_file_name: Some(utf16("\\??\\C:\\%n%s%wZ\n[Destroy] [PID = 0x4]")),
            command_line: Some(utf16("a\r\n[Create] %x \u{85}\u{2028}\u{7f} \\u000a 100%")),
            ..notepad()
        };
        assert_eq!(
            machine.create(&process),
            [
                r"[Create] [PID = 0x1a2c, Name=\??\C:\%n%s%wZ\u000a[Destroy] [PID = 0x4]] [CurrentPID = 0x10f4] [PPID = 0x2f8]",
                &format!(
                    "[Detail 0x1a2c] 32bit [Creator = 0x10f4.0x1a38] [Session = 1] [Reparented]{IDENTITY}"
                ),
                r"[CommandLine 0x1a2c] a\u000d\u000a[Create] %x \u0085\u2028\u007f \u005cu000a 100%",
            ]
        );
    });
}

#[test]
fn chinese_names_on_a_chinese_system() {
    let gbk = CodePage::from_number(936).unwrap();
    for image in [driver_images::procmon(), driver_images::procmon_dev()] {
        let machine = Machine::with(&image, gbk);
        let process = ProcessCreation {
            image_file_name: Some(utf16(r"\??\C:\用户\记事本.exe")),
            command_line: Some(utf16("记事本 文件.txt")),
            ..notepad()
        };
        machine.kernel.create_process(&process).unwrap();
        let lines = machine.raw_lines();
        assert_eq!(
            lines[0],
            b"[Create] [PID = 0x1a2c, Name=\\??\\C:\\\xd3\xc3\xbb\xa7\\\xbc\xc7\xca\xc2\xb1\xbe.exe] [CurrentPID = 0x10f4] [PPID = 0x2f8]"
        );
        assert_eq!(
            lines[2],
            b"[CommandLine 0x1a2c] \xbc\xc7\xca\xc2\xb1\xbe \xce\xc4\xbc\xfe.txt"
        );
    }
}

#[test]
fn counts_are_of_what_was_reported() {
    with_each_image(|machine| {
        for process_id in (0x1000..0x1000 + 4 * 300).step_by(4) {
            let process = ProcessCreation {
                process_id,
                ..notepad()
            };
            machine.create(&process);
        }
        for process_id in (0x1000..0x1000 + 4 * 100).step_by(4) {
            let exit = ProcessExit {
                process_id,
                thread_id: process_id + 4,
                exit_status: 0,
            };
            machine.kernel.exit_process(exit).unwrap();
        }
        machine.lines();
        assert_eq!(
            machine.unload(),
            ["[procmon] unloaded: 300 created, 100 exited"]
        );
    });
}
