//! `PS_CREATE_NOTIFY_INFO`, the structure that notify routines are given.

use bytemuck::{AnyBitPattern, NoUninit};

use crate::nt::{NtStatus, ProcessCreation};

/// `PS_CREATE_NOTIFY_INFO`.
#[derive(Clone, Copy, Debug, AnyBitPattern, NoUninit)]
#[repr(C)]
pub struct CreateNotifyInfo {
    pub size: u64,
    pub flags: u32,
    pub padding: u32,
    pub parent_process_id: u64,
    pub creating_process_id: u64,
    pub creating_thread_id: u64,
    pub file_object: u64,
    pub image_file_name: u64,
    pub command_line: u64,
    pub creation_status: NtStatus,
    pub padding_at_end: u32,
}

/// `FileOpenNameAvailable` of `Flags`.
pub const FILE_OPEN_NAME_AVAILABLE: u32 = 1;
/// `IsSubsystemProcess` of `Flags`.
pub const IS_SUBSYSTEM_PROCESS: u32 = 2;

/// The `Flags` that `creation` has.
pub fn flags(creation: &ProcessCreation) -> u32 {
    let mut flags = 0;
    if creation.file_open_name_available {
        flags |= FILE_OPEN_NAME_AVAILABLE;
    }
    if creation.is_subsystem_process {
        flags |= IS_SUBSYSTEM_PROCESS;
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn create_info_is_laid_out_as_documented() {
        assert_eq!(size_of::<CreateNotifyInfo>(), 0x48);
        assert_eq!(offset_of!(CreateNotifyInfo, parent_process_id), 0x10);
        assert_eq!(offset_of!(CreateNotifyInfo, creating_process_id), 0x18);
        assert_eq!(offset_of!(CreateNotifyInfo, file_object), 0x28);
        assert_eq!(offset_of!(CreateNotifyInfo, image_file_name), 0x30);
        assert_eq!(offset_of!(CreateNotifyInfo, command_line), 0x38);
        assert_eq!(offset_of!(CreateNotifyInfo, creation_status), 0x40);
    }
}
