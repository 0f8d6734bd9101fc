//! A root filesystem, and what is typed in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use super::State;
use crate::command;
use crate::exit::{Finding, Usage};
use crate::repository;
use crate::toolchain::{DEBOOTSTRAP, Host};

const SUITE: &str = "bookworm";
const MIRROR: &str = "http://deb.debian.org/debian";

/// The archive, but for its first suite, which debootstrap names.
const MORE_SOURCES: &str = "\
deb http://deb.debian.org/debian bookworm-updates main
deb http://deb.debian.org/debian-security bookworm-security main
";

/// Names this machine as rustup's server, where nothing answers.
const NO_RUSTUP_SERVER: &str = "127.0.0.1 static.rust-lang.org\n";

/// Enters a root with mounts that no other program sees, and that go when the
/// last program in it ends.
const ENTER: &str = r#"
set -e
root=$1; user=$2; line=$3
for folder in proc sys dev; do mount --rbind /$folder "$root/$folder"; done
home=$(chroot "$root" sh -c "echo ~$user")
exec chroot "$root" env -i HOME="$home" USER="$user" LANG=C.UTF-8 TERM=dumb \
    PATH="$home/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    setpriv --reuid "$user" --regid "$user" --init-groups \
    sh -c "cd ~/procmon 2>/dev/null; $line"
"#;

/// A fresh machine.
pub struct Root {
    state: State,
    folder: PathBuf,
}

impl Root {
    /// Makes one, in place of the one before.
    pub fn new(state: State) -> Result<Self> {
        ensure!(
            Host::this().is_root,
            Usage("only root makes machines: they are mounted and entered".into())
        );
        let place = repository::root().join("target/fresh");
        fs::create_dir_all(&place).with_context(|| format!("cannot create {}", place.display()))?;
        let base = place.join("debian");
        if !base.exists() {
            make_debian(&place, &base)?;
        }
        let root = Self {
            state,
            folder: place.join("machine"),
        };
        if root.folder.exists() {
            root.clear()?;
        }
        copy(&base, &root.folder)?;
        root.set_up()?;
        Ok(root)
    }

    /// Whose machine it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Types a line as the user does, and tells how long it took.
    ///
    /// # Errors
    ///
    /// When it fails.
    pub fn types(&self, line: &str) -> Result<Duration> {
        let start = Instant::now();
        command::run(
            &format!("{line}, on {}", self.state),
            &mut self.enter(self.user(), line),
        )
        .context(Finding(format!("{}: {line}", self.state)))?;
        Ok(start.elapsed())
    }

    /// Types a line that has to fail, and gives what it says.
    ///
    /// # Errors
    ///
    /// When it does not fail.
    pub fn refuses(&self, line: &str) -> Result<String> {
        let output = self.enter(self.user(), line).output()?;
        ensure!(
            !output.status.success(),
            Finding(format!("{}: {line} has nothing to ask for", self.state))
        );
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Types a line as the system's administrator.
    ///
    /// # Errors
    ///
    /// When it fails.
    pub fn types_as_root(&self, line: &str) -> Result<()> {
        command::run(
            &format!("{line}, on {}", self.state),
            &mut self.enter("root", line),
        )
    }

    /// Deletes it.
    ///
    /// # Errors
    ///
    /// When something is mounted in it, or cannot be deleted.
    pub fn remove(self) -> Result<()> {
        self.clear()
    }

    fn clear(&self) -> Result<()> {
        // What is mounted in it is this machine's own.
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let inside = |line: &str| {
            line.split(' ')
                .nth(1)
                .is_some_and(|place| Path::new(place).starts_with(&self.folder))
        };
        if let Some(mount) = mounts.lines().find(|line| inside(line)) {
            bail!("something is mounted there: {mount}");
        }
        fs::remove_dir_all(&self.folder)
            .with_context(|| format!("cannot delete {}", self.folder.display()))
    }

    fn user(&self) -> &'static str {
        if self.state.is_root() { "root" } else { "user" }
    }

    fn enter(&self, user: &str, line: &str) -> Command {
        let mut command = Command::new("unshare");
        command
            .args([
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                ENTER,
                "sh",
            ])
            .arg(&self.folder)
            .args([user, line]);
        command
    }

    fn set_up(&self) -> Result<()> {
        let hosts = match self.state {
            State::NoLists | State::User => "",
            State::NoRustup | State::StaleLists => NO_RUSTUP_SERVER,
        };
        let hosts = format!("127.0.0.1 localhost\n{hosts}");
        fs::write(self.folder.join("etc/hosts"), hosts)?;
        for file in ["etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"] {
            fs::copy(Path::new("/").join(file), self.folder.join(file))?;
        }
        let lists = self.folder.join("var/lib/apt/lists");
        if self.state == State::StaleLists {
            // The archive as it was before any update of it.
            self.types_as_root("apt-get update")?;
        } else {
            fs::remove_dir_all(&lists)?;
        }
        let sources = self.folder.join("etc/apt/sources.list");
        let first = fs::read_to_string(&sources)?;
        fs::write(&sources, first + MORE_SOURCES)?;

        if !self.state.is_root() {
            self.types_as_root("useradd --create-home user")?;
        }
        let home = self.folder.join(match self.user() {
            "root" => "root",
            _ => "home/user",
        });
        install_rust(&home)?;
        let clone = home.join("procmon");
        command::run(
            "git clone",
            Command::new("git")
                .args(["clone", "--quiet", "--no-hardlinks"])
                .arg(repository::root())
                .arg(clone),
        )?;
        self.types_as_root(&format!(
            "chown --recursive {user}:{user} ~{user}",
            user = self.user()
        ))?;
        // As it is where nothing was added to the toolchain.
        self.types_as_root(&format!(
            "su {} -c 'host=$(rustc -vV | sed -n \"s/^host: //p\"); \
             rustup target list --installed | grep -vx $host | xargs -r rustup target remove'",
            self.user()
        ))
    }
}

fn make_debian(place: &Path, base: &Path) -> Result<()> {
    let unfinished = place.join("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    command::run(
        "debootstrap",
        Command::new(DEBOOTSTRAP.get()?)
            .args([
                "--variant=minbase",
                "--include=gcc,libc6-dev,git,ca-certificates",
            ])
            .arg(SUITE)
            .arg(&unfinished)
            .arg(MIRROR),
    )?;
    fs::rename(unfinished, base)?;
    Ok(())
}

/// Copies rustup and the toolchain in use to another home.
fn install_rust(home: &Path) -> Result<()> {
    let sysroot = command::answer(Command::new("rustc").args(["--print", "sysroot"]))
        .map(PathBuf::from)
        .context("rustc does not name its sysroot")?;
    let name = sysroot.file_name().and_then(|name| name.to_str());
    let name = name.context("the sysroot has no name")?;
    let rustup = Host::this()
        .program("rustup")
        .ok_or_else(|| anyhow!("rustup is not on the PATH; fresh machines have its toolchain"))?;
    let toolchain = home.join(".rustup/toolchains").join(name);
    fs::create_dir_all(toolchain.parent().unwrap_or(home))?;
    copy(&sysroot, &toolchain)?;
    let default = format!("version = \"12\"\ndefault_toolchain = {name:?}\n");
    fs::write(home.join(".rustup/settings.toml"), default)?;
    let programs = home.join(".cargo/bin");
    fs::create_dir_all(&programs)?;
    for program in [
        "rustup",
        "cargo",
        "cargo-clippy",
        "cargo-fmt",
        "clippy-driver",
        "rustc",
        "rustdoc",
        "rustfmt",
    ] {
        // One program under many names.
        fs::copy(&rustup, programs.join(program))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    command::run("cp", Command::new("cp").arg("--archive").arg(from).arg(to))
}
