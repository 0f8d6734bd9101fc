//! The table of functions, as every processor's images have it.

use crate::ldr::image::{CheckedImage, ImageError, Section};
use crate::mm::pages::Protection;

/// Refuses an image whose unwind data is damaged.
pub fn damaged(what: &str) -> ImageError {
    ImageError::Unsuitable(format!("the exception directory is damaged: {what}"))
}

/// The table that a checked image has.
pub fn table<'data>(image: &CheckedImage<'data>) -> &'data [u8] {
    image
        .exceptions
        .and_then(|(address, size)| bytes(&image.sections, address)?.get(..size as usize))
        .unwrap_or_default()
}

/// Whether `begin..end` is code of one section.
pub fn is_code(sections: &[Section<'_>], begin: u32, end: u32) -> bool {
    section(sections, begin).is_some_and(|section| {
        section.protection == Protection::ReadExecute
            && (end - section.address) as usize <= section.data.len()
    })
}

fn section<'a, 'data>(sections: &'a [Section<'data>], address: u32) -> Option<&'a Section<'data>> {
    sections.iter().find(|section| {
        address >= section.address && ((address - section.address) as usize) < section.data.len()
    })
}

/// What the file holds from `address` to the end of its section.
pub fn bytes<'data>(sections: &[Section<'data>], address: u32) -> Option<&'data [u8]> {
    let section = section(sections, address)?;
    section.data.get((address - section.address) as usize..)
}

/// The 32-bit word at `at`.
pub fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}
