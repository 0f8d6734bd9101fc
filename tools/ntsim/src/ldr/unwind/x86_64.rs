//! x64: by the unwind data of the image, checked before it is believed, then
//! given to the library that walks stacks by it.

use std::cell::RefCell;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{FrameAddress, Module, ModuleSectionInfo, Unwinder as _};

use super::super::image::{CheckedImage, ImageError, Section};
use super::table::{bytes, damaged, is_code, table, word};
use crate::arch::CallSite;

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
    let table = bytes(sections, address).and_then(|bytes| bytes.get(..size as usize));
    let table = table.ok_or_else(|| damaged("it is outside every section"))?;
    let mut previous = 0;
    for entry in table.chunks(FUNCTION_ENTRY) {
        let [Some(begin), Some(end), Some(information)] = [0, 4, 8].map(|at| word(entry, at))
        else {
            return Err(damaged("it ends within an entry"));
        };
        if begin < previous || end <= begin {
            return Err(damaged("its functions are not in order"));
        }
        previous = end;
        if !is_code(sections, begin, end) {
            return Err(damaged("a function is not in an executable section"));
        }
        if !chain_ends(sections, information) {
            return Err(damaged(
                "unwind information is outside every section, or has no end",
            ));
        }
    }
    Ok(())
}

/// Where the functions of a checked image begin and end, from its base.
pub fn functions(image: &CheckedImage<'_>) -> impl Iterator<Item = Range<u32>> {
    table(image)
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

/// Walks stacks by the unwind data of the images that it knows.
#[derive(Default)]
pub struct Unwinder(UnwinderX86_64<Arc<[u8]>>);

impl Unwinder {
    /// Learns of the image at `range`.
    pub fn add(&mut self, name: String, range: Range<u64>, image: &CheckedImage<'_>) {
        let base = range.start;
        let sections = UnwindSections::new(image);
        self.0.add_module(Module::new(name, range, base, sections));
    }

    /// Forgets the image at `base`.
    pub fn remove(&mut self, base: u64) {
        self.0.remove_module(base);
    }

    /// Whether a walk can begin at `address`, which is in a loaded image. Always:
    /// functions without unwind data have nothing on the stack but the return
    /// address.
    #[expect(clippy::unused_self, reason = "the same interface for every processor")]
    pub const fn has_frame(&self, _address: u64) -> bool {
        true
    }

    /// Shows the return addresses above `site`'s function to `visit`, innermost
    /// first, for as long as it returns true and the stack can be read.
    pub fn walk(
        &self,
        site: CallSite,
        mut read: &mut dyn FnMut(u64) -> Result<u64, ()>,
        visit: &mut dyn FnMut(u64) -> bool,
    ) {
        thread_local! {
            static CACHE: RefCell<CacheX86_64> = RefCell::new(CacheX86_64::new());
        }
        let registers = UnwindRegsX86_64::new(site.return_address, site.stack, site.frame);
        // The walker computes with registers as it finds them, and a driver that
        // faulted may have left anything in them: arithmetic that overflows ends
        // the walk, not the program.
        let mut walk = |cache: &mut CacheX86_64| {
            let mut walker = self
                .0
                .iter_frames(site.return_address, registers, cache, &mut read);
            // The first frame is that of `site`; a walk that fails ends there.
            let _ = walker.next();
            while let Ok(Some(FrameAddress::ReturnAddress(address))) = walker.next() {
                if !visit(address.get()) {
                    break;
                }
            }
        };
        CACHE.with_borrow_mut(|cache| {
            let _ = panic::catch_unwind(AssertUnwindSafe(|| walk(cache)));
        });
    }
}

/// An image as the stack walker asks for it. The walker knows one section of
/// code and one of data; drivers have several (`INIT`, `PAGE`…), so the whole
/// image stands for each of the two.
struct UnwindSections {
    base: u64,
    image: Arc<[u8]>,
    functions: Arc<[u8]>,
}

impl UnwindSections {
    /// The unwind data of `image`.
    fn new(image: &CheckedImage<'_>) -> Self {
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
