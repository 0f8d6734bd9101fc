//! ARM64: by frame records.
//!
//! Windows asks every function that calls another to keep a frame record, the
//! caller's frame pointer and the return address, and `x29` to point to the
//! innermost one. No library reads ARM64 unwind codes, so the records are all
//! that is followed: a fault in a function before it has made its record is
//! shown without that function's caller.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::image::{CheckedImage, ImageError, Section};
use super::table::{bytes, damaged, is_code, table, word};
use crate::arch::CallSite;

/// `RUNTIME_FUNCTION`: begin, from the base, and unwind information or where
/// it is.
const FUNCTION_ENTRY: usize = 8;

/// Checks the exception directory of `size` bytes at `address`.
///
/// # Errors
/// When an entry leads out of the image.
pub fn check(sections: &[Section<'_>], address: u32, size: u32) -> Result<(), ImageError> {
    let table = bytes(sections, address).and_then(|bytes| bytes.get(..size as usize));
    let table = table.ok_or_else(|| damaged("it is outside every section"))?;
    let mut previous = 0;
    for entry in table.chunks(FUNCTION_ENTRY) {
        let [Some(begin), Some(information)] = [0, 4].map(|at| word(entry, at)) else {
            return Err(damaged("it ends within an entry"));
        };
        let length = length(sections, information)
            .ok_or_else(|| damaged("unwind information is outside every section"))?;
        if begin < previous || length == 0 {
            return Err(damaged("its functions are not in order"));
        }
        let end = begin
            .checked_add(length)
            .filter(|end| is_code(sections, begin, *end));
        previous = end.ok_or_else(|| damaged("a function is not in an executable section"))?;
    }
    Ok(())
}

/// Where the functions of a checked image begin and end, from its base.
pub fn functions(image: &CheckedImage<'_>) -> impl Iterator<Item = Range<u32>> {
    table(image).chunks(FUNCTION_ENTRY).filter_map(|entry| {
        let begin = word(entry, 0)?;
        Some(begin..begin.checked_add(length(&image.sections, word(entry, 4)?)?)?)
    })
}

/// The bytes of a function, which its unwind information counts in
/// instructions: in the entry itself, or in the first word of what it leads to.
fn length(sections: &[Section<'_>], information: u32) -> Option<u32> {
    let instructions = match information & 3 {
        0 => word(bytes(sections, information)?, 0)? & 0x3_ffff,
        _ => information >> 2 & 0x7ff,
    };
    Some(4 * instructions)
}

/// Walks the stacks of all images alike.
#[derive(Default)]
pub struct Unwinder {
    /// Where the functions with unwind data begin and end, by the image's base.
    functions: BTreeMap<u64, Vec<Range<u64>>>,
}

impl Unwinder {
    /// Learns of the image at `range`.
    pub fn add(&mut self, _name: String, range: Range<u64>, image: &CheckedImage<'_>) {
        let base = range.start;
        let functions = functions(image)
            .map(|function| base + u64::from(function.start)..base + u64::from(function.end));
        self.functions.insert(base, functions.collect());
    }

    /// Forgets the image at `base`.
    pub fn remove(&mut self, base: u64) {
        self.functions.remove(&base);
    }

    /// Whether a walk can begin at `address`: functions without unwind data
    /// make no record.
    pub fn has_frame(&self, address: u64) -> bool {
        self.functions
            .range(..=address)
            .next_back()
            .is_some_and(|(_, functions)| {
                functions.iter().any(|function| function.contains(&address))
            })
    }

    /// Shows the return addresses above `site`'s function to `visit`, innermost
    /// first, for as long as it returns true and the stack can be read.
    #[expect(clippy::unused_self, reason = "the same interface for every processor")]
    pub fn walk(
        &self,
        site: CallSite,
        read: &mut dyn FnMut(u64) -> Result<u64, ()>,
        visit: &mut dyn FnMut(u64) -> bool,
    ) {
        let (mut frame, mut below) = (site.frame, site.stack);
        // Callers' records lie above: a chain that turns back is damaged.
        while frame >= below {
            let Ok(caller) = read(frame) else { return };
            let Ok(return_address) = read(frame.wrapping_add(8)) else {
                return;
            };
            if !visit(return_address) {
                return;
            }
            below = frame + 1;
            frame = caller;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The return addresses found on a stack at 0x1000 that holds `words`.
    fn walk(frame: u64, words: &[u64]) -> Vec<u64> {
        let site = CallSite {
            return_address: 0,
            stack: 0x1000,
            frame,
        };
        let mut read = |address: u64| {
            let index = address.checked_sub(0x1000).ok_or(())? / 8;
            words.get(index as usize).copied().ok_or(())
        };
        let mut found = Vec::new();
        Unwinder::default().walk(site, &mut read, &mut |address| {
            found.push(address);
            found.len() < 3
        });
        found
    }

    #[test]
    fn follows_the_records_to_the_one_that_has_no_caller() {
        let words = [0, 0x1020, 0xa, 0, 0, 0xb];
        assert_eq!(walk(0x1008, &words), [0xa, 0xb]);
    }

    #[test]
    fn a_chain_that_turns_back_or_leads_away_ends() {
        assert_eq!(walk(0x1000, &[0x1000, 0xa]), [0xa]);
        assert_eq!(walk(0x1010, &[0, 0xa, 0x1000, 0xb]), [0xb]);
        assert_eq!(walk(0x1000, &[0x9000, 0xa]), [0xa]);
        assert_eq!(walk(0xffff_ffff_ffff_fff8, &[0, 0xa]), [0; 0]);
    }

    #[test]
    fn ends_when_told_to() {
        let words = [0x1010, 0xa, 0x1020, 0xb, 0x1030, 0xc, 0, 0xd];
        assert_eq!(walk(0x1000, &words), [0xa, 0xb, 0xc]);
    }
}
