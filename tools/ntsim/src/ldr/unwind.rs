//! An image's unwind data: checked before it is believed. What it looks like,
//! and how call stacks are walked, depends on the processor.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
pub use aarch64::{Unwinder, check, functions};
#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::{Unwinder, check, functions};

use super::image::{CheckedImage, ImageError, Section};
use crate::mm::pages::Protection;

fn damaged(what: &str) -> ImageError {
    ImageError::Unsuitable(format!("the exception directory is damaged: {what}"))
}

/// The table that a checked image has.
fn table<'data>(image: &CheckedImage<'data>) -> &'data [u8] {
    image
        .exceptions
        .and_then(|(address, size)| bytes(&image.sections, address)?.get(..size as usize))
        .unwrap_or_default()
}

/// Whether `begin..end` is code of one section.
fn is_code(sections: &[Section<'_>], begin: u32, end: u32) -> bool {
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
fn bytes<'data>(sections: &[Section<'data>], address: u32) -> Option<&'data [u8]> {
    let section = section(sections, address)?;
    section.data.get((address - section.address) as usize..)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}
