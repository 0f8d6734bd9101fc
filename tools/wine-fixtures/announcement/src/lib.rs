//! What the launcher tells the notifier driver, by `DeviceIoControl`.

#![no_std]

/// The device, by the name that the kernel knows it by.
pub const DEVICE_NAME: &str = r"\Device\ProcmonNotifier";
/// The link to it that programs open.
pub const LINK_NAME: &str = r"\DosDevices\ProcmonNotifier";
/// The name by which programs open it.
pub const OPEN_NAME: &str = r"\\.\ProcmonNotifier";

/// The type of the device, `FILE_DEVICE_UNKNOWN`.
pub const DEVICE_TYPE: u32 = 0x22;
/// The device's only control code: function 0x800, buffered, for any access.
pub const ANNOUNCE: u32 = (DEVICE_TYPE << 16) | (0x800 << 2);

/// The most UTF-16 units of a command line that can be announced.
pub const COMMAND_UNITS: usize = 800;

/// A process, and what happens to it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Announcement {
    /// [`CREATED`](Self::CREATED) or [`EXITED`](Self::EXITED).
    pub event: u32,
    /// The process.
    pub process_id: u32,
    /// How many units of `command_line` are used.
    pub command_length: u32,
    /// What the process was started with.
    pub command_line: [u16; COMMAND_UNITS],
}

impl Announcement {
    /// The process has a thread, which does not run yet.
    pub const CREATED: u32 = 1;
    /// The process has exited; the announcer still holds a handle to it.
    pub const EXITED: u32 = 2;
}

/// The UTF-16 units of an ASCII name, with the NUL that ends it.
///
/// # Panics
///
/// Where the name is not ASCII, or has not one unit less than `UNITS`; a use
/// in a constant then does not compile.
#[must_use]
pub const fn wide<const UNITS: usize>(ascii: &str) -> [u16; UNITS] {
    assert!(ascii.is_ascii() && ascii.len() + 1 == UNITS);
    let mut units = [0; UNITS];
    let mut index = 0;
    while index < ascii.len() {
        units[index] = ascii.as_bytes()[index] as u16;
        index += 1;
    }
    units
}
