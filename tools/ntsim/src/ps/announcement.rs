//! Creations in any shape, to see what a driver makes of them.

use super::create_info::{self, CreateNotifyInfo};
use crate::mm::strings::RawString;
use crate::nt::{ClientId, NtStatus, ProcessCreation, Token};

/// A creation as a notify routine is told of it, field by field: also as no
/// kernel would.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// `ProcessId`.
    pub process_id: u64,
    /// The thread in whose context the routines run.
    pub current: ClientId,
    /// `Size`.
    pub size: u64,
    /// `Flags`.
    pub flags: u32,
    /// `ParentProcessId`.
    pub parent_process_id: u64,
    /// `CreatingThreadId.UniqueProcess`.
    pub creating_process_id: u64,
    /// `CreatingThreadId.UniqueThread`.
    pub creating_thread_id: u64,
    /// Whether `FileObject` is not NULL.
    pub has_file_object: bool,
    /// `ImageFileName`.
    pub image_file_name: Option<RawString>,
    /// `CommandLine`.
    pub command_line: Option<RawString>,
    /// Whether it is a 32-bit process.
    pub is_wow64: bool,
    /// The session that it runs in.
    pub session_id: u32,
    /// Its primary token.
    pub token: Token,
    /// Its start key; the next one unless told otherwise.
    pub start_key: Option<u64>,
    /// `CreationStatus`.
    pub creation_status: NtStatus,
}

impl From<&ProcessCreation> for Announcement {
    fn from(creation: &ProcessCreation) -> Self {
        Self {
            process_id: creation.process_id.into(),
            current: creation.creator,
            size: size_of::<CreateNotifyInfo>() as u64,
            flags: create_info::flags(creation),
            parent_process_id: creation.parent_process_id.into(),
            creating_process_id: creation.creator.process.into(),
            creating_thread_id: creation.creator.thread.into(),
            has_file_object: true,
            image_file_name: creation.image_file_name.as_deref().map(RawString::of),
            command_line: creation.command_line.as_deref().map(RawString::of),
            is_wow64: creation.is_wow64,
            session_id: creation.session_id,
            token: creation.token,
            start_key: creation.start_key,
            creation_status: creation.creation_status,
        }
    }
}
