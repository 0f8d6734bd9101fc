//! `cargo xtask fresh`: types the README's commands on machines that are new.
//!
//! A machine is a root filesystem of its own: Debian with a compiler and git, the
//! Rust toolchain of this machine without what was added to it, a clone of this
//! repository, and nothing else.

mod root;

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};

use self::root::Root;
use crate::exit::Finding;
use crate::progress;

/// The commands, as README and CONTRIBUTING have them. The demonstration ends
/// by itself.
const RUN: &str = "cargo xtask run --demo --for 10";
const TEST: &str = "cargo xtask test";

/// Type the README's commands on fresh Debian machines, and time them
///
/// Takes root, some 4 GB in target/fresh, and as long as the commands take.
/// Takes what is committed.
#[derive(Args)]
pub struct Fresh {
    /// The machines; all of them, unless some are named
    #[arg(value_enum, value_name = "MACHINE")]
    machines: Vec<State>,
    /// Run the tests, too
    #[arg(long)]
    test: bool,
    /// Keep the last machine in target/fresh, to look into it afterwards
    #[arg(long)]
    keep: bool,
}

/// What a machine has and reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// No package lists; rustup reaches its server
    NoLists,
    /// No package lists, and rustup does not reach its server
    NoRustup,
    /// Package lists that lack the newest compiler, and no rustup server
    StaleLists,
    /// An ordinary user, without package lists
    User,
}

impl State {
    /// Whether the user may install packages.
    fn is_root(self) -> bool {
        self != Self::User
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

impl Fresh {
    pub fn execute(self) -> Result<()> {
        let machines = if self.machines.is_empty() {
            State::value_variants()
        } else {
            &self.machines
        };
        for &state in machines {
            let root = Root::new(state)?;
            for (what, took) in try_commands(&root, self.test)? {
                progress::answer(&format!("{state}: {what}: {:.1} s", took.as_secs_f64()));
            }
            if !self.keep {
                root.remove()?;
            }
        }
        Ok(())
    }
}

/// What was typed on a fresh machine whose rustup reaches its server, and how
/// long it took.
///
/// # Errors
///
/// When a command fails.
pub fn times() -> Result<Vec<(&'static str, Duration)>> {
    let root = Root::new(State::NoLists)?;
    let took = try_commands(&root, true)?;
    root.remove()?;
    Ok(took)
}

fn try_commands(root: &Root, test: bool) -> Result<Vec<(&'static str, Duration)>> {
    if !root.state().is_root() {
        be_told_what_to_install(root, RUN)?;
    }
    let mut took = vec![
        ("run, the first time", root.types(RUN)?),
        ("run, again", root.types(RUN)?),
    ];
    if test {
        if !root.state().is_root() {
            be_told_what_to_install(root, TEST)?;
        }
        took.push(("test, the first time", root.types(TEST)?));
        took.push(("test, again", root.types(TEST)?));
    }
    Ok(took)
}

/// Has an ordinary user type a command, and root what it answers.
fn be_told_what_to_install(root: &Root, command: &str) -> Result<()> {
    let told = root.refuses(command)?;
    let line = told
        .lines()
        .find_map(|line| line.strip_prefix("type: "))
        .with_context(|| Finding(format!("the user was not told what to type: {told}")))?;
    let line = line.replace("sudo ", "");
    root.types_as_root(&format!("{line} --yes"))?;
    Ok(())
}
