//! The drivers that the tests load.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::arch::Arch;
use crate::build::{self, Profile};
use crate::cross::Cross;
use crate::{bench, breaker};

/// The drivers that the tests load.
#[derive(Clone)]
pub struct Images {
    /// procmon's release image.
    pub release: PathBuf,
    /// procmon's debug image.
    dev: PathBuf,
    /// The driver that breaks the kernel's rules.
    breaker: PathBuf,
}

impl Images {
    /// Builds them, and for x64 the drivers that procmon is compared with.
    pub fn build(cross: &Cross) -> Result<Self> {
        if cross.arch() == Arch::X64 {
            bench::peers()?;
        }
        Ok(Self {
            release: build::driver(cross, Profile::Release)?,
            dev: build::driver(cross, Profile::Dev)?,
            breaker: breaker::build(cross)?,
        })
    }

    /// Names them for the tests that `cargo` runs.
    pub fn name_for<'a>(&self, cargo: &'a mut Command) -> &'a mut Command {
        cargo
            .env("PROCMON_SYS", &self.release)
            .env("PROCMON_SYS_DEV", &self.dev)
            .env("BREAKER_SYS", &self.breaker)
    }
}
