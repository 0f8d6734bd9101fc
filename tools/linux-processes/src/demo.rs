//! A few real programs, started here and announced, without any privilege.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, gettid};
use tempfile::TempDir;

use crate::procfs::{ProcessView, nt_path};
use crate::{Next, ProcessEvent, ProcessSource, SourceError, identity, program32, status};
use ntsim::nt::{ClientId, NtStatus};
use ntsim::{ProcessCreation, ProcessExit};

/// How many of the programs run at the same time.
const AT_ONCE: usize = 2;

/// How often the programs are looked at for their end.
const POLL: Duration = Duration::from_millis(2);

/// The fixed script: programs of this machine, each of which is announced
/// before its first instruction and when it has ended. Processes that those
/// programs start themselves are not announced.
pub struct Demo {
    script: VecDeque<Program>,
    /// Started and not yet let go; its create is being delivered.
    held: Option<Pid>,
    running: Vec<Pid>,
    notes: Vec<String>,
    began: bool,
    /// Where the 32-bit program is, for as long as it may run.
    folder: Option<TempDir>,
}

struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    is_32_bit: bool,
}

/// Whether a new program waits for its create to be delivered.
#[derive(Clone, Copy)]
enum Hold {
    /// It is stopped before its first instruction, as in Windows.
    Stopped,
    /// It runs already: this machine does not let us stop it.
    Runs,
}

impl Demo {
    /// Makes the script ready.
    #[must_use]
    pub fn new() -> Self {
        let mut demo = Self {
            script: VecDeque::new(),
            held: None,
            running: Vec::new(),
            notes: Vec::new(),
            began: false,
            folder: None,
        };
        demo.add("true", &[]);
        demo.add("sleep", &["0.2"]);
        demo.add("sh", &["-c", "exit 3"]);
        demo.add("echo", &["你好,世界", r"C:\Program Files\a b"]);
        demo.add("sh", &["-c", "kill -SEGV $$"]);
        demo.add_32_bit();
        demo.add("sh", &["-c", "exit 0\n[Create] that is no line of the log"]);
        demo
    }

    fn add(&mut self, name: &str, arguments: &[&str]) {
        let Some(path) = find(name) else {
            self.notes
                .push(format!("the demo goes without `{name}`: it is not in PATH"));
            return;
        };
        self.script.push_back(Program {
            path,
            arguments: arguments.iter().map(OsString::from).collect(),
            is_32_bit: false,
        });
    }

    fn add_32_bit(&mut self) {
        let Some(image) = program32::image() else {
            self.notes.push(
                "the demo goes without a 32-bit program: none is known for this processor".into(),
            );
            return;
        };
        match write_program(&image) {
            Ok((folder, path)) => {
                self.folder = Some(folder);
                self.script.push_back(Program {
                    path,
                    arguments: Vec::new(),
                    is_32_bit: true,
                });
            }
            Err(error) => self.notes.push(format!(
                "the demo goes without a 32-bit program: it cannot be written: {error}"
            )),
        }
    }

    fn release(&mut self) -> Result<(), SourceError> {
        if let Some(process) = self.held.take() {
            ptrace::detach(process, None)?;
        }
        Ok(())
    }

    fn exited(&mut self) -> Result<Option<ProcessExit>, SourceError> {
        for (index, &process) in self.running.iter().enumerate() {
            if let Some(exit_status) = ended(waitpid(process, Some(WaitPidFlag::WNOHANG))?) {
                self.running.remove(index);
                let process_id = process.as_raw().unsigned_abs();
                return Ok(Some(ProcessExit {
                    process_id,
                    thread_id: process_id,
                    exit_status,
                }));
            }
        }
        Ok(None)
    }

    /// Starts the next program. `None` where it cannot be started, which is
    /// noted.
    fn start(&mut self, program: &Program) -> Option<ProcessCreation> {
        let name = program.path.display();
        let (process, hold) = match spawn(program) {
            Ok(started) => started,
            Err(error) => {
                let kind = if program.is_32_bit {
                    "32-bit program "
                } else {
                    ""
                };
                self.notes
                    .push(format!("the demo goes without the {kind}{name}: {error}"));
                return None;
            }
        };
        if matches!(hold, Hold::Stopped) {
            self.held = Some(process);
        } else {
            self.notes.push(format!(
                "{name} runs before it is announced: this machine does not allow ptrace"
            ));
        }
        self.running.push(process);
        let process_id = process.as_raw().unsigned_abs();
        let view = ProcessView::read(process_id);
        Some(creation(process_id, view))
    }
}

impl Default for Demo {
    fn default() -> Self {
        Self::new()
    }
}

impl ProcessSource for Demo {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        let deadline = Instant::now() + wait;
        self.release()?;
        if !std::mem::replace(&mut self.began, true) {
            let this = std::process::id();
            let creation = ProcessCreation {
                creator: ClientId {
                    process: std::os::unix::process::parent_id(),
                    thread: std::os::unix::process::parent_id(),
                },
                parent_process_id: std::os::unix::process::parent_id(),
                ..creation(this, ProcessView::read(this))
            };
            return Ok(Next::Event(ProcessEvent::Adopt(creation)));
        }
        loop {
            if let Some(exit) = self.exited()? {
                return Ok(Next::Event(ProcessEvent::Exit(exit)));
            }
            if self.running.len() < AT_ONCE
                && let Some(program) = self.script.pop_front()
            {
                if let Some(creation) = self.start(&program) {
                    return Ok(Next::Event(ProcessEvent::Create(creation)));
                }
                continue;
            }
            if self.running.is_empty() {
                return Ok(Next::End);
            }
            if Instant::now() >= deadline {
                return Ok(Next::Idle);
            }
            thread::sleep(POLL);
        }
    }

    fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn close(&mut self) {
        self.script.clear();
    }
}

impl Drop for Demo {
    /// Nothing that was started outlives the demo.
    fn drop(&mut self) {
        for &process in &self.running {
            // It may have ended meanwhile, which is all that is wanted.
            let _ = kill(process, Signal::SIGKILL);
            let _ = waitpid(process, None);
        }
    }
}

fn creation(process_id: u32, view: Option<ProcessView>) -> ProcessCreation {
    let this = std::process::id();
    let mut creation = ProcessCreation::new(process_id, this);
    creation.creator = ClientId {
        process: this,
        thread: gettid().as_raw().unsigned_abs(),
    };
    creation.file_open_name_available = false;
    creation.token = identity::UNKNOWN;
    if let Some(view) = view {
        creation.file_open_name_available = view.image_file_name.is_some();
        creation.image_file_name = view.image_file_name;
        creation.command_line = view.command_line;
        creation.is_wow64 = view.is_wow64;
        creation.session_id = view.session_id;
        creation.token = view.token;
    }
    creation
}

fn ended(status: WaitStatus) -> Option<NtStatus> {
    match status {
        WaitStatus::Exited(_, code) => Some(status::of_exit(code.to_le_bytes()[0])),
        WaitStatus::Signaled(_, signal, _) => {
            Some(status::of_signal((signal as i32).to_le_bytes()[0]))
        }
        _ => None,
    }
}

/// Starts a program, stopped where the machine allows it.
fn spawn(program: &Program) -> io::Result<(Pid, Hold)> {
    let mut command = command(program);
    // SAFETY: between fork and exec the child makes one system call, which is
    // allowed there, and touches no memory that it shares.
    unsafe { command.pre_exec(|| Ok(ptrace::traceme()?)) };
    let process = match command.spawn() {
        Ok(child) => process_of(&child),
        Err(error) if is_ptrace_refused(&error) => {
            let mut command = self::command(program);
            // Has the library wait for exec by a pipe: it would by `vfork`,
            // which waits for nothing in an emulator of programs.
            // SAFETY: it does nothing.
            unsafe { command.pre_exec(|| Ok(())) };
            return Ok((process_of(&command.spawn()?), Hold::Runs));
        }
        Err(error) => return Err(error),
    };
    // A traced child stops at the end of exec, before its first instruction.
    match waitpid(process, None)? {
        WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
        other => return Err(io::Error::other(format!("it did not stop: {other:?}"))),
    }
    // The C library hands a file that the kernel does not run to the shell.
    let image =
        ProcessView::read(process.as_raw().unsigned_abs()).and_then(|view| view.image_file_name);
    if program.is_32_bit && image != Some(nt_path(&program.path)) {
        let _ = kill(process, Signal::SIGKILL);
        let _ = waitpid(process, None);
        return Err(io::Error::other("this kernel runs no 32-bit programs"));
    }
    Ok((process, Hold::Stopped))
}

fn command(program: &Program) -> Command {
    let mut command = Command::new(&program.path);
    command
        .arg0(program.path.file_name().unwrap_or_default())
        .args(&program.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn process_of(child: &std::process::Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

fn is_ptrace_refused(error: &io::Error) -> bool {
    [Errno::EPERM, Errno::ENOSYS, Errno::EIO]
        .iter()
        .any(|&errno| error.raw_os_error() == Some(errno as i32))
}

fn write_program(image: &[u8]) -> io::Result<(TempDir, PathBuf)> {
    let folder = tempfile::Builder::new().prefix("ntsim-").tempdir()?;
    let path = folder.path().join("hello32");
    std::fs::write(&path, image)?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755))?;
    Ok((folder, path))
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_announced_before_it_runs_and_when_it_has_ended() {
        let mut demo = Demo::new();
        let (mut created, mut exits) = (Vec::new(), Vec::new());
        loop {
            match demo.next(Duration::from_secs(10)).unwrap() {
                Next::Event(ProcessEvent::Adopt(process)) => {
                    assert_eq!(process.process_id, std::process::id());
                    assert!(created.is_empty());
                }
                Next::Event(ProcessEvent::Create(process)) => {
                    assert_eq!(process.parent_process_id, std::process::id());
                    assert_eq!(process.creator.process, std::process::id());
                    let state =
                        std::fs::read_to_string(format!("/proc/{}/stat", process.process_id));
                    assert!(state.unwrap().contains(" t "), "not stopped");
                    // The programs run as whoever runs the demo.
                    let this = ProcessView::read(std::process::id()).unwrap();
                    assert_eq!(process.token, this.token);
                    created.push(process);
                }
                Next::Event(ProcessEvent::Exit(exit)) => exits.push(exit),
                Next::Event(other) => panic!("{other:?}"),
                Next::Idle => panic!("a program hangs"),
                Next::End => break,
            }
        }
        let line = |process: &ProcessCreation| {
            String::from_utf16(process.command_line.as_deref().unwrap()).unwrap()
        };
        let status = |wanted: &str| {
            let process = created
                .iter()
                .find(|process| line(process).contains(wanted));
            let process_id = process.unwrap_or_else(|| panic!("no {wanted}")).process_id;
            let exit = exits.iter().find(|exit| exit.process_id == process_id);
            exit.unwrap().exit_status.cast_unsigned()
        };
        assert_eq!(created.len(), exits.len());
        assert_eq!(status("exit 3"), 3);
        assert_eq!(status("kill -SEGV"), 0xc000_0005);
        assert_eq!(status("你好,世界 \"C:\\Program Files\\a b\""), 0);
        let notes = demo.take_notes();
        let small = created.iter().filter(|process| process.is_wow64).count();
        let without = notes.iter().filter(|note| note.contains("32-bit")).count();
        assert_eq!(
            (small, without),
            if without == 0 { (1, 0) } else { (0, 1) },
            "{notes:?}"
        );
    }

    #[test]
    fn nothing_outlives_the_demo() {
        let mut demo = Demo::new();
        let process_id = loop {
            if let Next::Event(ProcessEvent::Create(process)) =
                demo.next(Duration::from_secs(10)).unwrap()
            {
                break process.process_id;
            }
        };
        drop(demo);
        assert!(ProcessView::read(process_id).is_none());
    }

    #[test]
    fn what_cannot_run_is_noted_and_left_out() {
        let mut demo = Demo::new();
        demo.script.clear();
        demo.add("no-such-program-here", &[]);
        assert!(demo.script.is_empty());
        let folder = tempfile::tempdir().unwrap();
        let program = Program {
            path: folder.path().join("absent"),
            arguments: Vec::new(),
            is_32_bit: false,
        };
        assert!(demo.start(&program).is_none());
        let notes = demo.take_notes();
        assert!(notes[notes.len() - 2].contains("not in PATH"), "{notes:?}");
        assert!(notes[notes.len() - 1].contains("No such file"), "{notes:?}");
    }

    #[test]
    fn a_file_that_is_no_32_bit_program_is_not_passed_off_as_one() {
        let (_folder, path) = write_program(b"exit 0\n").unwrap();
        let program = Program {
            path,
            arguments: Vec::new(),
            is_32_bit: true,
        };
        let error = spawn(&program).err().unwrap().to_string();
        assert!(
            error.contains("32-bit") || error.contains("Exec format"),
            "{error}"
        );
    }
}
