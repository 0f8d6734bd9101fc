//! What procmon reports of Windows programs that run under Wine.
//!
//! The notifier driver, loaded first into the same process, takes procmon's
//! callback in Wine's place and calls it when the launcher announces a program.

use anyhow::{Context, Result, ensure};

use super::fixtures::Fixtures;
use super::prefix::{Machine, Prefix};
use super::service::Service;

/// An argument that takes more than one line of the log.
macro_rules! long {
    () => {
        concat!(
            "1--------------------------------------------------------------------------------------------------1",
            "2--------------------------------------------------------------------------------------------------2",
            "3--------------------------------------------------------------------------------------------------3",
            "4--------------------------------------------------------------------------------------------------4",
            "5--------------------------------------------------------------------------------------------------5",
        )
    };
}

/// A program to run.
struct Program {
    /// Its file, below `C:\windows\system32`.
    file: &'static str,
    arguments: &'static [&'static str],
    /// Whether it inherits from another process than the one that creates it.
    adopted: bool,
    exit_status: u32,
    /// Its command line as procmon has to show it.
    command_line: &'static str,
}

const PROGRAMS: &[Program] = &[
    Program {
        file: "cmd.exe",
        arguments: &["/c", "exit", "7"],
        adopted: false,
        exit_status: 7,
        command_line: "cmd.exe /c exit 7",
    },
    Program {
        file: "ipconfig.exe",
        arguments: &["/all"],
        adopted: true,
        exit_status: 0,
        command_line: "ipconfig.exe /all",
    },
    Program {
        file: "cmd.exe",
        arguments: &["/c", "rem", "进程 100%n%s\n[Create] [PID = 0x4]"],
        adopted: false,
        exit_status: 0,
        command_line: r#"cmd.exe /c rem "进程 100%n%s\u000a[Create] [PID = 0x4]""#,
    },
    Program {
        file: "cmd.exe",
        arguments: &["/c", "rem", long!()],
        adopted: false,
        exit_status: 0,
        command_line: concat!("cmd.exe /c rem ", long!()),
    },
];

/// What the launcher knows of a program that it ran.
#[derive(Debug)]
struct Launched {
    process: u32,
    parent: u32,
    creator: u32,
    creator_thread: u32,
    exit_status: u32,
}

/// Runs the case.
pub fn check(prefix: &Prefix, fixtures: &Fixtures) -> Result<()> {
    prefix.install(&fixtures.procmon, "procmon.sys")?;
    prefix.install(&fixtures.notifier, "notifier.sys")?;
    prefix.install(&fixtures.launcher, "launcher.exe")?;
    let machine = prefix.boot("processes")?;
    let services = ["notifier", "procmon"].map(|name| Service::named(&machine, name));
    for service in services {
        service.create()?;
        service.start()?;
    }

    let mut expected = vec!["[procmon] loaded".to_owned()];
    for program in PROGRAMS {
        let launched = program.launch(&machine)?;
        expected.extend(program.lines(&launched));
    }
    let count = PROGRAMS.len();
    expected.push(format!(
        "[procmon] unloaded: {count} created, {count} exited"
    ));

    for service in services.into_iter().rev() {
        service.stop()?;
        service.delete()?;
    }
    let printed = normalised(&machine.debug_output()?);
    ensure!(
        printed == expected,
        "{expected:#?} expected, but the drivers printed {printed:#?}"
    );
    Ok(())
}

impl Program {
    fn launch(&self, machine: &Machine<'_>) -> Result<Launched> {
        let switch = self.adopted.then_some("/adopted");
        let words = [r"C:\launcher.exe"].into_iter().chain(switch);
        let words = words
            .chain([self.file])
            .chain(self.arguments.iter().copied());
        let launched = Launched::parse(&machine.run(words)?.success()?)?;
        ensure!(
            launched.exit_status == self.exit_status
                && self.adopted == (launched.parent != launched.creator),
            "{} was not run as asked: {launched:?}",
            self.command_line
        );
        Ok(launched)
    }

    /// What procmon has to print of it, after [`normalised`].
    fn lines(&self, launched: &Launched) -> [String; 4] {
        let Launched {
            process,
            parent,
            creator,
            creator_thread,
            exit_status,
        } = launched;
        let reparented = if self.adopted { " [Reparented]" } else { "" };
        [
            format!(
                r"[Create] [PID = {process:#x}, Name=\??\C:\windows\system32\{}] [CurrentPID = {creator:#x}] [PPID = {parent:#x}]",
                self.file
            ),
            format!(
                "[Detail {process:#x}] 64bit [Creator = {creator:#x}.{creator_thread:#x}] [Session = 1]{reparented}"
            ),
            format!("[CommandLine {process:#x}] {}", self.command_line),
            // The launcher announces the exit, in its own context.
            format!(
                "[Destroy] [PID = {process:#x}] [CurrentPID = {creator:#x}] [ExitStatus = {exit_status:#x}] [Lifetime = {SOME_TIME}]"
            ),
        ]
    }
}

impl Launched {
    fn parse(text: &str) -> Result<Self> {
        // The program's own output comes first.
        let line = text.lines().last().unwrap_or_default();
        let numbers: Result<Vec<_>, _> = line.split(' ').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[process, parent, creator, creator_thread, exit_status]) => Ok(Self {
                process,
                parent,
                creator,
                creator_thread,
                exit_status,
            }),
            _ => None.with_context(|| format!("the launcher printed {text:?}")),
        }
    }
}

/// Stands for a lifetime that a program of these can have.
const SOME_TIME: &str = "some ms";

/// The log with each command line in one piece, and without the times that no
/// one can foresee.
fn normalised(log: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut parts = 1;
    for line in log {
        match continuation(line) {
            Some((number, head, text)) if number > 1 && number == parts + 1 => {
                parts = number;
                if let Some(last) = lines.last_mut().filter(|last| last.starts_with(&head)) {
                    last.push_str(text);
                }
            }
            Some((1, head, text)) => {
                parts = 1;
                lines.push(head + text);
            }
            _ => lines.push(without_lifetime(line)),
        }
    }
    lines
}

/// Takes `[CommandLine 0x1a2c 2/5] text` apart, into the number of the part,
/// what an undivided line begins with, and the text.
fn continuation(line: &str) -> Option<(u32, String, &str)> {
    let (head, text) = line.split_once("] ")?;
    let (name, part) = head.rsplit_once(' ')?;
    let (number, _) = part.split_once('/')?;
    Some((number.parse().ok()?, format!("{name}] "), text))
}

fn without_lifetime(line: &str) -> String {
    const LONGEST_MS: u64 = 120_000;
    let replaced = || {
        let (head, rest) = line.split_once("[Lifetime = ")?;
        let milliseconds: u64 = rest.strip_suffix(" ms]")?.parse().ok()?;
        (milliseconds <= LONGEST_MS).then(|| format!("{head}[Lifetime = {SOME_TIME}]"))
    };
    replaced().unwrap_or_else(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(lines: &[&str]) -> Vec<String> {
        normalised(&lines.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn parts_are_joined_in_their_order_alone() {
        assert_eq!(
            normal(&["[CommandLine 0x4 1/2] a b", "[CommandLine 0x4 2/2] c"]),
            ["[CommandLine 0x4] a bc"]
        );
        for wrong in [
            ["[CommandLine 0x4 1/2] a", "[CommandLine 0x4 3/2] b"],
            ["[CommandLine 0x4 1/2] a", "[CommandLine 0x8 2/2] b"],
        ] {
            assert_ne!(normal(&wrong), ["[CommandLine 0x4] ab"]);
        }
    }

    #[test]
    fn only_a_possible_lifetime_is_left_out() {
        assert_eq!(normal(&["[Lifetime = 31 ms]"]), ["[Lifetime = some ms]"]);
        let absurd = "[Lifetime = 13434567890123 ms]";
        assert_eq!(normal(&[absurd]), [absurd]);
    }
}
