//! The words that the kernel and its host share: a few NT types, processes as
//! they come and go, and what a driver is called for.

mod token;

use std::fmt;

use windows_sys::Win32::Foundation::STATUS_SUCCESS;

pub use token::{Sid, Token};
pub use uuid::Uuid as Guid;

/// The status that every fallible kernel routine returns; negative is failure.
pub type NtStatus = i32;

/// A system time: 100-nanosecond units since 1601-01-01 UTC.
pub type SystemTime = i64;

/// Whether a status means success, as `NT_SUCCESS` has it.
#[must_use]
pub const fn succeeded(status: NtStatus) -> bool {
    status >= 0
}

/// The System process, in which `DriverEntry` and `DriverUnload` run.
pub const SYSTEM_PROCESS: u32 = 4;

/// A thread and the process that it belongs to, as `CLIENT_ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientId {
    /// `UniqueProcess`.
    pub process: u32,
    /// `UniqueThread`.
    pub thread: u32,
}

/// An interrupt request level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Irql(pub u8);

impl Irql {
    /// Threads run here; everything is allowed.
    pub const PASSIVE: Self = Self(0);
    /// Kernel APCs are held off.
    pub const APC: Self = Self(1);
    /// The scheduler is held off: no waiting, no paged memory.
    pub const DISPATCH: Self = Self(2);
    /// The highest level.
    pub const HIGH: Self = Self(15);
}

impl fmt::Display for Irql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("PASSIVE_LEVEL"),
            1 => f.write_str("APC_LEVEL"),
            2 => f.write_str("DISPATCH_LEVEL"),
            15 => f.write_str("HIGH_LEVEL"),
            level => write!(f, "IRQL {level}"),
        }
    }
}

/// A driver that is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DriverId(pub(crate) u32);

/// A process that is about to be created.
#[derive(Clone, Debug)]
pub struct ProcessCreation {
    /// The new process's identifier.
    pub process_id: u32,
    /// The process that it inherits from.
    pub parent_process_id: u32,
    /// The thread that creates it; callbacks run in its context.
    pub creator: ClientId,
    /// The executable's name in NT form, or NULL.
    pub image_file_name: Option<Vec<u16>>,
    /// The command line, or NULL.
    pub command_line: Option<Vec<u16>>,
    /// Whether `image_file_name` is the name that the file was opened by.
    pub file_open_name_available: bool,
    /// Whether it is a process of another subsystem, such as WSL's.
    pub is_subsystem_process: bool,
    /// Whether it is a 32-bit process.
    pub is_wow64: bool,
    /// The session that it runs in.
    pub session_id: u32,
    /// Its primary token.
    pub token: Token,
    /// Its start key, which no other process has until the next boot: the boot's
    /// number in the upper 16 bits, the process's below. The next one unless told
    /// otherwise.
    pub start_key: Option<u64>,
    /// When it was created; now unless told otherwise.
    pub create_time: Option<SystemTime>,
    /// `CreationStatus` as the first notify routine finds it: a failure where a
    /// driver that is not simulated refused the process.
    pub creation_status: NtStatus,
}

impl ProcessCreation {
    /// A plain 64-bit process of an ordinary user in session 1, created by its
    /// parent's first thread, with no name and no command line.
    #[must_use]
    pub const fn new(process_id: u32, parent_process_id: u32) -> Self {
        Self {
            process_id,
            parent_process_id,
            creator: ClientId {
                process: parent_process_id,
                thread: parent_process_id + 4,
            },
            image_file_name: None,
            command_line: None,
            file_open_name_available: true,
            is_subsystem_process: false,
            is_wow64: false,
            session_id: 1,
            token: Token::USER,
            start_key: None,
            create_time: None,
            creation_status: STATUS_SUCCESS,
        }
    }
}

/// A process that exits.
#[derive(Clone, Copy, Debug)]
pub struct ProcessExit {
    /// The process.
    pub process_id: u32,
    /// Its last thread, in whose context callbacks run.
    pub thread_id: u32,
    /// Its exit status.
    pub exit_status: NtStatus,
}

/// What the driver is called for.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Its `DriverEntry`.
    Load(&'a str),
    /// Its `DriverUnload`.
    Unload(&'a str),
    /// A process is created.
    Create(u32),
    /// A process exits.
    Exit(u32, NtStatus),
    /// A trace session starts or stops to listen to this event provider.
    Enable(Guid),
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(service) => write!(f, "DriverEntry of {service}"),
            Self::Unload(service) => write!(f, "DriverUnload of {service}"),
            Self::Create(process) => write!(f, "create of process {process:#x}"),
            Self::Exit(process, status) => {
                write!(f, "exit of process {process:#x} with status {status:#x}")
            }
            Self::Enable(provider) => {
                write!(f, "enable callback of provider {}", provider.braced())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_shown_as_registry_keys_have_it() {
        let guid = Guid::from_fields(
            0x9548_7dfb,
            0xe18a,
            0x5672,
            &[0x3d, 0x3d, 0xe7, 0xb3, 0xa4, 0x90, 0x1f, 0x38],
        );
        assert_eq!(
            guid.braced().to_string(),
            "{95487dfb-e18a-5672-3d3d-e7b3a4901f38}"
        );
    }
}
