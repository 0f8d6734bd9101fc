//! The events that drivers are told of.

use std::pin::Pin;
use std::ptr;

use crate::null_kernel::{Driver, UnicodeString};

/// The process that is told of where its identifier does not matter.
pub const PID: u32 = 0x1a2c;

/// A name and a command line of ordinary length.
pub const NAME: &str = r"\??\C:\Windows\System32\notepad.exe";
/// As [`NAME`].
pub const COMMAND_LINE: &str = r#""C:\Windows\System32\notepad.exe" C:\temp\a.txt"#;

/// `PS_CREATE_NOTIFY_INFO`.
#[repr(C)]
pub struct Creation {
    size: u64,
    flags: u32,
    parent_process_id: u64,
    creating_process_id: u64,
    creating_thread_id: u64,
    file_object: u64,
    image_file_name: *const UnicodeString,
    command_line: *const UnicodeString,
    status: i32,
}

/// A process that is created and exits.
pub struct Life {
    process_id: u64,
    creation: Creation,
    /// What `creation` points to.
    _strings: Pin<Box<Strings>>,
}

struct Strings {
    name: UnicodeString,
    command_line: UnicodeString,
    _units: [Vec<u16>; 2],
}

impl Life {
    /// The life of process `process_id`, with `name` and `command_line`.
    pub fn new(process_id: u32, name: &[u16], command_line: Option<&[u16]>) -> Self {
        let units = [name.to_vec(), command_line.unwrap_or_default().to_vec()];
        let strings = Box::pin(Strings {
            name: UnicodeString::of(&units[0]),
            command_line: UnicodeString::of(&units[1]),
            _units: units,
        });
        Self {
            process_id: process_id.into(),
            creation: Creation {
                size: size_of::<Creation>() as u64,
                flags: 1,
                parent_process_id: 0x2f8,
                creating_process_id: 0x2f8,
                creating_thread_id: 0x2fc,
                file_object: 0,
                image_file_name: &raw const strings.name,
                command_line: command_line.map_or(ptr::null(), |_| &raw const strings.command_line),
                status: 0,
            },
            _strings: strings,
        }
    }

    /// With [`NAME`] and [`COMMAND_LINE`].
    pub fn ordinary(process_id: u32) -> Self {
        Self::new(process_id, &utf16(NAME), Some(&utf16(COMMAND_LINE)))
    }

    /// With [`NAME`] and no command line: no more than the article's lines say.
    pub fn without_command_line(process_id: u32) -> Self {
        Self::new(process_id, &utf16(NAME), None)
    }

    /// The three arguments of a notify routine for the process's creation.
    pub fn creation(&self) -> [u64; 3] {
        [
            OBJECT,
            self.process_id,
            (&raw const self.creation).addr() as u64,
        ]
    }

    /// The three arguments of a notify routine for the process's exit.
    pub const fn exit(&self) -> [u64; 3] {
        [OBJECT, self.process_id, 0]
    }

    /// Tells `driver` of the whole life.
    #[inline]
    pub fn tell(&self, driver: &Driver) {
        self.tell_creation(driver);
        // SAFETY: as for its creation; a null pointer says that the process exits.
        unsafe { (driver.notify)(OBJECT, self.process_id, ptr::null()) };
    }

    /// Tells `driver` that the process is created.
    #[inline]
    pub fn tell_creation(&self, driver: &Driver) {
        // SAFETY: the arguments are those of a notify routine, and the driver's
        // image and this life stay where they are during the call.
        unsafe { (driver.notify)(OBJECT, self.process_id, &raw const self.creation) };
    }
}

/// An address that no driver of these looks at.
const OBJECT: u64 = 0xffff_8000_0000_1000;

/// The UTF-16 units of `text`.
pub fn utf16(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}
