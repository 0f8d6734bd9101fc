//! The NT view of a Linux process, read from `/proc`.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use ntsim::Token;
use procfs::process::Process;

use crate::identity;

/// What `/proc` shows of a process, in NT's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessView {
    /// The program, as `\??\Z:\usr\bin\ls`; `None` where it is gone already.
    pub image_file_name: Option<Vec<u16>>,
    /// The arguments, quoted for `CommandLineToArgvW`.
    pub command_line: Option<Vec<u16>>,
    /// Whether the program is a 32-bit ELF file.
    pub is_wow64: bool,
    /// The login session that audit keeps (`/proc/PID/sessionid`). Where there
    /// is none: 1 for a process with a terminal, 0, the session of services,
    /// for one without.
    pub session_id: u32,
    /// Who it is.
    pub token: Token,
    /// The parent.
    pub parent_process_id: u32,
    /// A kernel thread: part of the System process in NT's terms.
    pub is_kernel_thread: bool,
}

/// `PF_KTHREAD` of the flags in `/proc/PID/stat`.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// The most bytes of arguments that are read: a `UNICODE_STRING` has no room for
/// more, however few bytes a unit may take.
const COMMAND_LINE_LIMIT: u64 = 4 * MAX_UNITS as u64;

/// The most units that a `UNICODE_STRING` holds.
const MAX_UNITS: usize = 32_767;

impl ProcessView {
    /// Reads what there is of a process. `None` where it is gone.
    ///
    /// All of it is read through one handle, so that a new process that is
    /// given the same identifier meanwhile cannot be mixed in.
    #[must_use]
    pub fn read(process_id: u32) -> Option<Self> {
        let process = Process::new(i32::try_from(process_id).ok()?).ok()?;
        // What a process takes with it when it exits comes first.
        let image_file_name = process.exe().ok().map(|path| nt_path(&path));
        let command_line = arguments(&process).and_then(|bytes| command_line(&bytes));
        let is_wow64 = is_32_bit(&process);
        let session = login_session(&process);
        let token = identity::of(&process, session);
        let stat = process.stat().ok()?;
        Some(Self {
            image_file_name,
            command_line,
            is_wow64,
            session_id: session.unwrap_or(u32::from(stat.tty_nr != 0)),
            token,
            parent_process_id: u32::try_from(stat.ppid).unwrap_or_default(),
            is_kernel_thread: stat.flags & KERNEL_THREAD != 0,
        })
    }
}

/// The threads of a process; `None` where it is gone.
#[must_use]
pub fn threads(process_id: u32) -> Option<Vec<u32>> {
    let entries = std::fs::read_dir(format!("/proc/{process_id}/task")).ok()?;
    Some(numbers(entries).collect())
}

/// All processes there are.
///
/// # Errors
/// Where `/proc` is not there.
pub fn processes() -> std::io::Result<Vec<u32>> {
    Ok(numbers(std::fs::read_dir("/proc")?).collect())
}

fn numbers(entries: std::fs::ReadDir) -> impl Iterator<Item = u32> {
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn arguments(process: &Process) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    process
        .open_relative("cmdline")
        .ok()?
        .take(COMMAND_LINE_LIMIT)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}

fn is_32_bit(process: &Process) -> bool {
    const CLASS32: u8 = 1;
    let mut identification = [0; 5];
    process
        .open_relative("exe")
        .is_ok_and(|mut file| file.read_exact(&mut identification).is_ok())
        && identification == [0x7f, b'E', b'L', b'F', CLASS32]
}

fn login_session(process: &Process) -> Option<u32> {
    let mut text = String::new();
    process
        .open_relative("sessionid")
        .ok()?
        .read_to_string(&mut text)
        .ok()?;
    text.trim()
        .parse()
        .ok()
        .filter(|&session| session != u32::MAX)
}

/// A path as the NT name of a file on drive `Z:`, which stands for `/`, as in
/// Wine.
///
/// A backslash within a name, which NT cannot have, becomes U+F05C as in WSL;
/// see `units` for what is not UTF-8. The kernel's mark on a program that was
/// deleted is no part of its name.
#[must_use]
pub fn nt_path(path: &Path) -> Vec<u16> {
    const DELETED: &[u8] = b" (deleted)";
    let bytes = path.as_os_str().as_bytes();
    let bytes = match bytes.strip_suffix(DELETED) {
        Some(name) if !path.exists() => name,
        _ => bytes,
    };
    let mut name: Vec<u16> = r"\??\Z:".encode_utf16().collect();
    name.extend(units(bytes).map(|unit| match unit {
        SLASH => BACKSLASH,
        BACKSLASH => 0xf05c,
        other => other,
    }));
    name.truncate(MAX_UNITS);
    name
}

/// NUL-terminated arguments as one command line that `CommandLineToArgvW`
/// takes apart again. `None` where there are none.
///
/// An argument is in quotes where it must be. What does not fit a
/// `UNICODE_STRING` is cut off. A quote in the first argument cannot be
/// expressed: Windows takes it for the end of the program's name.
#[must_use]
pub fn command_line(arguments: &[u8]) -> Option<Vec<u16>> {
    if arguments.is_empty() {
        return None;
    }
    let mut line = Vec::with_capacity(arguments.len() + 2);
    let arguments = arguments.strip_suffix(b"\0").unwrap_or(arguments);
    for (index, argument) in arguments.split(|&byte| byte == 0).enumerate() {
        if index == 0 {
            program(argument, &mut line);
        } else {
            line.push(SPACE);
            quote(argument, &mut line);
        }
    }
    line.truncate(MAX_UNITS);
    if line
        .last()
        .is_some_and(|unit| (0xd800..0xdc00).contains(unit))
    {
        line.pop();
    }
    Some(line)
}

const QUOTE: u16 = b'"' as u16;
const BACKSLASH: u16 = b'\\' as u16;
const SLASH: u16 = b'/' as u16;
const SPACE: u16 = b' ' as u16;

fn needs_quotes(argument: &[u8]) -> bool {
    argument.is_empty() || argument.iter().any(|byte| b" \t\n\x0b\"".contains(byte))
}

/// In the program's name a backslash is never an escape.
fn program(argument: &[u8], line: &mut Vec<u16>) {
    let quoted = needs_quotes(argument).then_some(QUOTE);
    line.extend(quoted);
    line.extend(units(argument));
    line.extend(quoted);
}

fn quote(argument: &[u8], line: &mut Vec<u16>) {
    if !needs_quotes(argument) {
        line.extend(units(argument));
        return;
    }
    line.push(QUOTE);
    let mut backslashes = 0;
    for unit in units(argument) {
        if unit == QUOTE {
            // Backslashes count only before a quote: double them, escape it.
            line.extend(std::iter::repeat_n(BACKSLASH, backslashes + 1));
        }
        backslashes = if unit == BACKSLASH {
            backslashes + 1
        } else {
            0
        };
        line.push(unit);
    }
    line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
    line.push(QUOTE);
}

/// Bytes, UTF-8 as a rule, in UTF-16. A byte that is not UTF-8 becomes the lone
/// surrogate U+DC00 + byte, so that nothing is lost and nothing is made up.
fn units(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.utf8_chunks().flat_map(|chunk| {
        let escaped = chunk.invalid().iter().map(|&byte| 0xdc00 + u16::from(byte));
        chunk.valid().encode_utf16().chain(escaped)
    })
}

/// Text of this machine as the UTF-16 of a command line or a name.
#[must_use]
pub fn text(text: &OsStr) -> Vec<u16> {
    units(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(arguments: &[&[u8]]) -> Vec<u16> {
        let bytes: Vec<u8> = arguments
            .iter()
            .flat_map(|argument| argument.iter().copied().chain([0]))
            .collect();
        command_line(&bytes).unwrap()
    }

    /// The documented rules of `CommandLineToArgvW`.
    fn take_apart(line: &[u16]) -> Vec<Vec<u16>> {
        let blank = |unit: u16| unit == SPACE || unit == 9;
        let mut arguments = Vec::new();
        let mut rest = line;
        let end = if let Some(name) = rest.strip_prefix(&[QUOTE]) {
            rest = name;
            rest.iter().position(|&unit| unit == QUOTE)
        } else {
            rest.iter().position(|&unit| blank(unit))
        };
        let end = end.unwrap_or(rest.len());
        arguments.push(rest[..end].to_vec());
        rest = rest.get(end + 1..).unwrap_or_default();

        loop {
            while let Some((&unit, tail)) = rest.split_first()
                && blank(unit)
            {
                rest = tail;
            }
            if rest.is_empty() {
                return arguments;
            }
            let (mut argument, mut quoted) = (Vec::new(), false);
            while let Some((&unit, tail)) = rest.split_first() {
                if blank(unit) && !quoted {
                    break;
                }
                let backslashes = rest.iter().take_while(|&&unit| unit == BACKSLASH).count();
                if backslashes > 0 && rest.get(backslashes) == Some(&QUOTE) {
                    argument.extend(std::iter::repeat_n(BACKSLASH, backslashes / 2));
                    rest = &rest[backslashes..];
                    if backslashes % 2 == 1 {
                        argument.push(QUOTE);
                        rest = &rest[1..];
                    }
                } else if unit == QUOTE {
                    quoted = !quoted;
                    rest = tail;
                } else {
                    argument.push(unit);
                    rest = tail;
                }
            }
            arguments.push(argument);
        }
    }

    #[test]
    fn command_lines() {
        for (arguments, expected) in [
            (&[&b"ls"[..]][..], "ls"),
            (&[b"ls", b"-l", b"a b"], r#"ls -l "a b""#),
            (&[b"/opt/my app/x", b""], r#""/opt/my app/x" """#),
            (&[b"sh", b"-c", b"exit 3"], r#"sh -c "exit 3""#),
            (&[b"e", br#"say "hi""#], r#"e "say \"hi\"""#),
            (&[b"e", br"dir\"], r"e dir\"),
            (&[b"e", br"my dir\"], r#"e "my dir\\""#),
            (&[b"e", br#"\\""#], r#"e "\\\\\"""#),
            (&[b"echo", "你好 世界".as_bytes()], "echo \"你好 世界\""),
        ] {
            assert_eq!(String::from_utf16(&line(arguments)).unwrap(), expected);
        }
        assert_eq!(command_line(b""), None);
        // setproctitle leaves a line without a NUL.
        let title = command_line(b"sshd: root").unwrap();
        assert_eq!(String::from_utf16(&title).unwrap(), "\"sshd: root\"");
    }

    #[test]
    fn paths() {
        for (path, expected) in [
            ("/usr/bin/ls", r"\??\Z:\usr\bin\ls"),
            ("/home/用户/程序", r"\??\Z:\home\用户\程序"),
            (r"/tmp/a\b", "\\??\\Z:\\tmp\\a\u{f05c}b"),
            ("/tmp/gone (deleted)", r"\??\Z:\tmp\gone"),
        ] {
            assert_eq!(
                String::from_utf16(&nt_path(Path::new(path))).unwrap(),
                expected
            );
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept_as_lone_surrogates() {
        let path = Path::new(OsStr::from_bytes(b"/\xff\xc3x"));
        assert_eq!(
            nt_path(path)[6..],
            [BACKSLASH, 0xdcff, 0xdcc3, u16::from(b'x')]
        );
    }

    #[test]
    fn long_command_lines_are_cut_between_characters() {
        let long = line(&[b"x", "\u{1f600}".repeat(20_000).as_bytes()]);
        assert_eq!(long.len(), 32_766);
        assert!(String::from_utf16(&long).is_ok());
    }

    #[test]
    fn this_process_is_seen_as_it_is() {
        let view = ProcessView::read(std::process::id()).unwrap();
        let exe = std::env::current_exe().unwrap();
        assert_eq!(view.image_file_name, Some(nt_path(&exe)));
        assert_eq!(view.is_wow64, cfg!(target_pointer_width = "32"));
        assert_eq!(view.parent_process_id, std::os::unix::process::parent_id());
        assert!(!view.is_kernel_thread);
        let arguments: Vec<Vec<u16>> = std::env::args_os()
            .map(|argument| text(&argument))
            .collect();
        assert_eq!(take_apart(&view.command_line.unwrap()), arguments);
        assert!(
            threads(std::process::id())
                .unwrap()
                .contains(&std::process::id())
        );
    }

    #[test]
    fn a_process_that_is_not_there_is_none() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert_eq!(ProcessView::read(child.id()), None);
        assert_eq!(threads(child.id()), None);
    }

    proptest! {
        #[test]
        fn command_lines_come_apart_again(
            program in r#"[^\x00"]{0,20}"#,
            arguments in prop::collection::vec(r#"([^\x00]|["\\ \t]){0,20}"#, 0..6),
        ) {
            let all: Vec<&str> = std::iter::once(&program).chain(&arguments).map(String::as_str).collect();
            let bytes: Vec<&[u8]> = all.iter().map(|argument| argument.as_bytes()).collect();
            let expected: Vec<Vec<u16>> = all.iter().map(|argument| argument.encode_utf16().collect()).collect();
            prop_assert_eq!(take_apart(&line(&bytes)), expected);
        }
    }
}
