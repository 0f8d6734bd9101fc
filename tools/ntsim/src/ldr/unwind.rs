//! An image's unwind data: checked before it is believed, then given to the
//! library that walks stacks by it.

use std::ops::Range;
use std::sync::Arc;

use framehop::ModuleSectionInfo;

use super::image::{CheckedImage, ImageError, Section};
use crate::mm::pages::Protection;

/// `RUNTIME_FUNCTION`: begin, end and unwind information, from the base.
const FUNCTION_ENTRY: usize = 12;

/// `UNW_FLAG_CHAININFO`: the unwind information goes on at another function's.
const CHAINED: u8 = 4;

/// No compiler chains nearly as far; a damaged chain may have no end.
const CHAIN_LIMIT: usize = 32;

/// Checks the exception directory of `size` bytes at `address`.
///
/// # Errors
/// When an entry leads out of the image or a chain has no end.
pub fn check(sections: &[Section<'_>], address: u32, size: u32) -> Result<(), ImageError> {
    let damaged = |what: &str| {
        Err(ImageError::Unsuitable(format!(
            "the exception directory is damaged: {what}"
        )))
    };
    let table = bytes(sections, address).and_then(|bytes| bytes.get(..size as usize));
    let Some(table) = table else {
        return damaged("it is outside every section");
    };
    let mut previous = 0;
    for entry in table.chunks(FUNCTION_ENTRY) {
        let [Some(begin), Some(end), Some(information)] = [0, 4, 8].map(|at| word(entry, at))
        else {
            return damaged("it ends within an entry");
        };
        if begin < previous || end <= begin {
            return damaged("its functions are not in order");
        }
        previous = end;
        let is_code = section(sections, begin).is_some_and(|section| {
            section.protection == Protection::ReadExecute
                && (end - section.address) as usize <= section.data.len()
        });
        if !is_code {
            return damaged("a function is not in an executable section");
        }
        if !chain_ends(sections, information) {
            return damaged("unwind information is outside every section, or has no end");
        }
    }
    Ok(())
}

/// Where the functions of a checked image begin and end, from its base.
pub fn functions<'a>(image: &'a CheckedImage<'_>) -> impl Iterator<Item = Range<u32>> + 'a {
    let table = image
        .exceptions
        .and_then(|(address, size)| bytes(&image.sections, address)?.get(..size as usize))
        .unwrap_or_default();
    table
        .chunks(FUNCTION_ENTRY)
        .filter_map(|entry| Some(word(entry, 0)?..word(entry, 4)?))
}

fn chain_ends(sections: &[Section<'_>], mut information: u32) -> bool {
    for _ in 0..CHAIN_LIMIT {
        let Some(&[head, _, codes, ..]) = bytes(sections, information) else {
            return false;
        };
        if (head >> 3) & CHAINED == 0 {
            return true;
        }
        // The codes are padded to an even number; an entry follows.
        let entry = 4 + 2 * usize::from(codes).next_multiple_of(2);
        let next = bytes(sections, information).and_then(|bytes| word(bytes, entry + 8));
        let Some(next) = next else { return false };
        information = next;
    }
    false
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

/// An image as the stack walker asks for it. The walker knows one section of
/// code and one of data; drivers have several (`INIT`, `PAGE`…), so the whole
/// image stands for each of the two.
pub struct UnwindSections {
    base: u64,
    image: Arc<[u8]>,
    functions: Arc<[u8]>,
}

impl UnwindSections {
    /// The unwind data of `image`.
    pub fn new(image: &CheckedImage<'_>) -> Self {
        let end = image
            .sections
            .last()
            .map_or(0, |section| section.address as usize + section.data.len());
        let mut flat = vec![0; end];
        for section in &image.sections {
            let start = section.address as usize;
            flat[start..start + section.data.len()].copy_from_slice(section.data);
        }
        let functions = image.exceptions.map_or(&[][..], |(address, size)| {
            &flat[address as usize..][..size as usize]
        });
        Self {
            base: image.preferred_base,
            functions: functions.into(),
            image: flat.into(),
        }
    }
}

impl ModuleSectionInfo<Arc<[u8]>> for UnwindSections {
    fn base_svma(&self) -> u64 {
        self.base
    }

    fn section_svma_range(&mut self, name: &[u8]) -> Option<Range<u64>> {
        let end = self.base + self.image.len() as u64;
        matches!(name, b".text" | b".rdata").then_some(self.base..end)
    }

    fn section_data(&mut self, name: &[u8]) -> Option<Arc<[u8]>> {
        match name {
            b".text" | b".rdata" => Some(Arc::clone(&self.image)),
            b".pdata" => Some(Arc::clone(&self.functions)),
            _ => None,
        }
    }

    fn segment_svma_range(&mut self, _name: &[u8]) -> Option<Range<u64>> {
        None
    }

    fn segment_data(&mut self, _name: &[u8]) -> Option<Arc<[u8]>> {
        None
    }
}
