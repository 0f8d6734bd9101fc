//! `cargo xtask inject`, `stress` and `fuzz`: the driver on trial in the embedded
//! kernel.

use std::ffi::OsString;

use anyhow::Result;
use clap::Args;

use crate::repository;
use crate::run::forward;

/// Make each call of the driver that can fail do so, alone and in pairs.
///
/// Takes --driver FILE for another driver than procmon.sys, --dev for procmon's
/// debug build, --arch arm64 for ARM64, and every option of `ntsim inject`.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub struct Inject {
    #[command(flatten)]
    forwarded: Forwarded,
}

/// Deliver ten million events to the driver from all processors, and count.
///
/// Takes --driver FILE for another driver than procmon.sys, --dev for procmon's
/// debug build, --arch arm64 for ARM64, and every option of `ntsim stress`.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub struct Stress {
    #[command(flatten)]
    forwarded: Forwarded,
}

/// Tell the driver of a million hostile processes, and read its log back.
///
/// Takes --driver FILE for another driver than procmon.sys, --dev for procmon's
/// debug build, --arch arm64 for ARM64, and every option of `ntsim fuzz`.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub struct Fuzz {
    #[command(flatten)]
    forwarded: Forwarded,
}

#[derive(Args)]
struct Forwarded {
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPTIONS"
    )]
    arguments: Vec<OsString>,
}

impl Inject {
    pub fn execute(self) -> Result<()> {
        forward(
            "inject",
            "Make each call of procmon.sys that can fail do so, alone and in pairs.",
            self.forwarded.arguments,
        )
    }
}

impl Stress {
    pub fn execute(self) -> Result<()> {
        forward(
            "stress",
            "Deliver ten million events to procmon.sys from all processors, and count.",
            self.forwarded.arguments,
        )
    }
}

impl Fuzz {
    pub fn execute(self) -> Result<()> {
        let mut arguments = self.forwarded.arguments;
        if !arguments.iter().any(|argument| argument == "--case") {
            arguments.push("--corpus".into());
            arguments.push(repository::fuzz_corpus().into());
        }
        forward(
            "fuzz",
            "Tell procmon.sys of a million hostile processes, and read its log back.",
            arguments,
        )
    }
}
