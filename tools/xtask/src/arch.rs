//! The processors that the driver is built for.

use clap::ValueEnum;
use object::pe::{IMAGE_FILE_MACHINE_AMD64, IMAGE_FILE_MACHINE_ARM64};

/// A processor, by the name that Windows driver packages use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Arch {
    /// AMD64 and Intel 64.
    X64,
    /// 64-bit ARM.
    Arm64,
}

impl Arch {
    /// Whether this machine's processor is of this kind.
    pub const fn is_here(self) -> bool {
        match self {
            Self::X64 => cfg!(target_arch = "x86_64"),
            Self::Arm64 => cfg!(target_arch = "aarch64"),
        }
    }

    /// The Rust target that the driver is compiled for.
    pub const fn target(self) -> &'static str {
        match self {
            Self::X64 => "x86_64-pc-windows-msvc",
            Self::Arm64 => "aarch64-pc-windows-msvc",
        }
    }

    /// The name of the folder that holds this processor's image.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::X64 => "x64",
            Self::Arm64 => "arm64",
        }
    }

    /// The number that an image's header has for it.
    pub const fn machine(self) -> u16 {
        match self {
            Self::X64 => IMAGE_FILE_MACHINE_AMD64,
            Self::Arm64 => IMAGE_FILE_MACHINE_ARM64,
        }
    }

    /// The name that INF files decorate their sections with.
    pub const fn inf_name(self) -> &'static str {
        match self {
            Self::X64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The name that a security catalog has for Windows 10 and later on this
    /// processor.
    pub const fn catalog_os(self) -> &'static str {
        match self {
            Self::X64 => "_v100_X64",
            Self::Arm64 => "_v100_ARM64",
        }
    }
}
