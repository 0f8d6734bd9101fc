//! What a misdeed is.

use core::ptr;

use wdk_sys::{HANDLE, NTSTATUS, PEPROCESS, PPS_CREATE_NOTIFY_INFO};

/// Something that a driver must not do.
pub struct Misdeed {
    /// The service's name that asks for it.
    pub name: &'static str,
    /// When it is done.
    pub when: When,
    /// Does it. That it returns something keeps its last call from becoming a
    /// jump, which would leave no trace of it on the stack.
    pub commit: fn(&Scene) -> NTSTATUS,
}

/// When something is done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// In `DriverEntry`.
    Load,
    /// At the end of `DriverEntry`.
    Loaded,
    /// At the creation of a process.
    Create,
    /// At the exit of a process.
    Exit,
    /// In `DriverUnload`.
    Unload,
}

/// What the kernel has passed.
pub struct Scene {
    /// The process that is created or exits.
    pub process: PEPROCESS,
    /// Its identifier.
    pub process_id: HANDLE,
    /// What is said of its creation.
    pub info: PPS_CREATE_NOTIFY_INFO,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            process: ptr::null_mut(),
            process_id: ptr::null_mut(),
            info: ptr::null_mut(),
        }
    }
}

impl Misdeed {
    /// A misdeed.
    pub const fn new(name: &'static str, when: When, commit: fn(&Scene) -> NTSTATUS) -> Self {
        Self { name, when, commit }
    }
}
