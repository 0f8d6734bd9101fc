//! The image that ships, whole or with a change made to it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use ntsim::dbg::Transcript;
use ntsim::{Kernel, LoadError, ProcessCreation};
use object::LittleEndian as LE;
use object::Object as _;
use object::read::pe::PeFile64;
use tempfile::TempDir;

/// The driver, as bytes that can be changed, in a folder of its own together
/// with its symbols.
pub struct Image {
    pub data: Vec<u8>,
    folder: TempDir,
}

impl Image {
    pub fn shipped() -> Self {
        Self {
            data: fs::read(driver_images::procmon()).unwrap(),
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// Changes the file from `offset`.
    pub fn patch(mut self, offset: usize, bytes: &[u8]) -> Self {
        self.data[offset..offset + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// Replaces the code that `DriverEntry` begins with.
    pub fn patch_entry(self, code: &[u8]) -> Self {
        let file = PeFile64::parse(&*self.data).unwrap();
        let entry = file
            .nt_headers()
            .optional_header
            .address_of_entry_point
            .get(LE);
        let table = file.section_table();
        let section = table.section_containing(entry).unwrap();
        let offset = section.pointer_to_raw_data.get(LE) + entry - section.virtual_address.get(LE);
        self.patch(offset as usize, code)
    }

    /// The file offset of the optional header.
    pub fn optional_header(&self) -> usize {
        let headers = u32::from_le_bytes(self.data[0x3c..0x40].try_into().unwrap());
        headers as usize + 24
    }

    /// The file offset of the first section header.
    pub fn first_section_header(&self) -> usize {
        let size = self.optional_header() - 4;
        let size = u16::from_le_bytes(self.data[size..size + 2].try_into().unwrap());
        self.optional_header() + usize::from(size)
    }

    /// The only place where `text` stands in the file.
    pub fn find(&self, text: &[u8]) -> usize {
        let mut places = self
            .data
            .windows(text.len())
            .enumerate()
            .filter(|(_, window)| *window == text)
            .map(|(place, _)| place);
        let place = places.next().expect("in the file");
        assert_eq!(places.next(), None, "the only place");
        place
    }

    /// Writes the image out and gives its path, which lives as long as it.
    pub fn path(&self) -> PathBuf {
        let path = self.folder.path().join("procmon.sys");
        fs::write(&path, &self.data).unwrap();
        fs::copy(
            driver_images::procmon().with_extension("pdb"),
            path.with_extension("pdb"),
        )
        .expect("symbols beside the driver; run `cargo xtask build` first");
        assert_eq!(
            PeFile64::parse(&*self.data).map(|file| file.is_64()).ok(),
            Some(true)
        );
        path
    }

    /// Loads it into a machine of its own.
    pub fn load_error(&self) -> LoadError {
        Kernel::builder()
            .build()
            .unwrap()
            .load_driver(&self.path(), "procmon")
            .expect_err("this image must not load")
    }
}

/// A machine and what is printed in it.
pub fn machine() -> (Arc<Kernel>, Arc<Transcript>) {
    let lines = Arc::new(Transcript::default());
    let kernel = Kernel::builder()
        .debug_output(Arc::clone(&lines) as _)
        .build()
        .unwrap();
    (kernel, lines)
}

/// A process to create.
pub fn notepad(process_id: u32) -> ProcessCreation {
    ProcessCreation {
        image_file_name: Some(r"\??\C:\Windows\notepad.exe".encode_utf16().collect()),
        command_line: Some("notepad a.txt".encode_utf16().collect()),
        ..ProcessCreation::new(process_id, 0x2f8)
    }
}
