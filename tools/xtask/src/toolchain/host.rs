//! The machine that the verbs run on.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::command;

/// What is asked of a machine: its programs, files and user.
#[derive(Debug)]
pub struct Host {
    variables: BTreeMap<OsString, OsString>,
    /// Where absolute paths begin; `/`, but for tests.
    root: PathBuf,
    /// Whether the user may install packages.
    pub is_root: bool,
    /// How long a download may go without progress.
    pub patience: Duration,
    /// How long another installation is waited for.
    pub lock_patience: Duration,
    /// Why rustup had to be ended: it is not waited for a second time.
    pub rustup_hangs: OnceLock<String>,
}

impl Host {
    /// This machine.
    pub fn this() -> &'static Self {
        static THIS: OnceLock<Host> = OnceLock::new();
        THIS.get_or_init(|| Self {
            variables: env::vars_os().collect(),
            root: PathBuf::from("/"),
            is_root: rustix::process::geteuid().is_root(),
            patience: Duration::from_mins(1),
            lock_patience: Duration::from_mins(2),
            rustup_hangs: OnceLock::new(),
        })
    }

    /// A machine whose files and programs, in `bin`, are below `root`.
    #[cfg(test)]
    pub fn below(root: &Path) -> Self {
        Self {
            variables: BTreeMap::from([("PATH".into(), root.join("bin").into())]),
            root: root.to_owned(),
            is_root: true,
            patience: Duration::from_secs(1),
            lock_patience: Duration::from_millis(200),
            rustup_hangs: OnceLock::new(),
        }
    }

    /// Sets an environment variable of the user's.
    #[cfg(test)]
    pub fn set(&mut self, name: &str, value: &OsStr) {
        self.variables.insert(name.into(), value.into());
    }

    /// An environment variable of the user's.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
    }

    /// An absolute path on the machine.
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// A program on the `PATH`.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        env::split_paths(self.variable("PATH")?)
            .map(|folder| folder.join(name))
            .find(|program| program.is_file())
    }

    /// LLVM's program of a name: each of its versions that is on the `PATH`, and
    /// last the one without a version in its name.
    pub fn llvm_programs(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        super::llvm_versions()
            .map(move |version| format!("{name}-{version}"))
            .chain([name.to_owned()])
            .filter_map(|name| self.program(&name))
    }

    /// The command that runs a program: a path, or a name on the `PATH`.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let program = program.as_ref();
        let on_path = program.to_str().and_then(|name| self.program(name));
        let mut command = Command::new(on_path.as_deref().map_or(program, Path::as_os_str));
        // Messages are read, and decide what is done next.
        command.env("LC_ALL", "C.UTF-8");
        if let Some(path) = self.variable("PATH") {
            command.env("PATH", path);
        }
        command
    }

    /// What a program answers, where it is here and succeeds.
    pub fn answer(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
        command::answer(self.command(program).args(arguments))
    }
}
