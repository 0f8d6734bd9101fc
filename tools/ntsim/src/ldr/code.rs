//! Looks through an image's code for instructions that kernel code must not
//! use: those that command the processor, and those on registers that the
//! kernel does not save for drivers. Which these are depends on the processor.
//!
//! Data between functions is not taken for code: what is decoded are the
//! functions of the unwind data, and whatever else is reached from them, from
//! the entry point, or from an address that code or data holds.

mod instruction;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
use aarch64::decode;
#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
use x86_64::decode;

use std::collections::{BTreeMap, HashSet};

use super::image::{CheckedImage, Section};
use super::unwind;
use crate::mm::pages::Protection;

/// An instruction that kernel code must not use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// Where it is, from the image's base.
    pub address: u32,
    /// What kind it is.
    pub kind: &'static str,
    /// Its name.
    pub mnemonic: String,
}

/// The forbidden instructions of `image`, in order of address.
pub fn forbidden(image: &CheckedImage<'_>) -> Vec<Forbidden> {
    let mut sweep = Sweep {
        image,
        seen: HashSet::new(),
        roots: Vec::new(),
        found: BTreeMap::new(),
    };
    for function in unwind::functions(image) {
        sweep.decode(function.start, Some(function.end));
    }
    sweep.roots.push(image.entry);
    sweep.roots.extend(pointers(image));
    while let Some(root) = sweep.roots.pop() {
        sweep.decode(root, None);
    }
    sweep.found.into_values().collect()
}

struct Sweep<'a, 'data> {
    image: &'a CheckedImage<'data>,
    /// Where instructions begin that have been looked at.
    seen: HashSet<u32>,
    /// Where others may begin.
    roots: Vec<u32>,
    found: BTreeMap<u32, Forbidden>,
}

impl Sweep<'_, '_> {
    /// Decodes from `start` to `end`, or to where the code does not go on.
    fn decode(&mut self, start: u32, end: Option<u32>) {
        let Some(section) = executable(self.image, start) else {
            return;
        };
        let mut here = start;
        while end.is_none_or(|end| here < end) {
            let code = section.data.get((here - section.address) as usize..);
            let address = self.image.preferred_base + u64::from(here);
            let Some(instruction) = code.and_then(|code| decode(code, address)) else {
                return;
            };
            if !self.seen.insert(here) {
                return;
            }
            if let Some((kind, mnemonic)) = instruction.forbidden {
                self.found.insert(
                    here,
                    Forbidden {
                        address: here,
                        kind,
                        mnemonic,
                    },
                );
            }
            if let Some(target) = instruction.target {
                self.follow(target);
            }
            if end.is_none() && !instruction.goes_on {
                return;
            }
            here += instruction.length;
        }
    }

    fn follow(&mut self, target: u64) {
        let offset = target.wrapping_sub(self.image.preferred_base);
        if let Ok(offset) = u32::try_from(offset)
            && !self.seen.contains(&offset)
        {
            self.roots.push(offset);
        }
    }
}

/// What an image's data holds of the addresses of its code.
fn pointers(image: &CheckedImage<'_>) -> Vec<u32> {
    image
        .relocations
        .iter()
        .filter_map(|place| {
            let section = section_at(image, *place)?;
            let offset = (place - section.address) as usize;
            let bytes = section.data.get(offset..offset + 8)?;
            let address = u64::from_le_bytes(bytes.try_into().ok()?);
            u32::try_from(address.wrapping_sub(image.preferred_base)).ok()
        })
        .collect()
}

fn section_at<'a, 'data>(
    image: &'a CheckedImage<'data>,
    address: u32,
) -> Option<&'a Section<'data>> {
    image
        .sections
        .iter()
        .find(|section| address.wrapping_sub(section.address) < section.size)
}

fn executable<'a, 'data>(
    image: &'a CheckedImage<'data>,
    address: u32,
) -> Option<&'a Section<'data>> {
    section_at(image, address).filter(|section| section.protection == Protection::ReadExecute)
}
