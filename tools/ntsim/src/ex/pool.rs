//! Pool: every block ends at a guard page, and a freed one is never accessible
//! again, so overruns and uses after free fault where they happen.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;

use crate::ldr::Module;
use crate::ldr::backtrace::Acquisition;
use crate::mm::guest;
use crate::mm::pages::{Guarded, PAGE};

/// What the bytes between a block's end and its guard page hold.
const SLACK: u8 = 0xfd;

/// `MEMORY_ALLOCATION_ALIGNMENT`.
const ALIGNMENT: usize = 16;

/// The largest block; a driver that asks for more has a defect.
const LARGEST: usize = 1 << 30;

/// How many freed blocks keep their address space.
const QUARANTINE: usize = 1024;

/// A block in use.
struct Block {
    memory: Guarded,
    tag: u32,
    is_paged: bool,
    allocated: Acquisition,
}

/// A block that was freed.
struct Freed {
    memory: Guarded,
    tag: u32,
}

/// The pool.
#[derive(Default)]
pub struct Pool {
    blocks: DashMap<u64, Block>,
    freed: Mutex<VecDeque<Freed>>,
}

/// A block that was left behind.
pub struct LeftBlock {
    /// Bytes.
    pub size: usize,
    /// Its tag, as debuggers show it.
    pub tag: String,
    /// Where it was allocated.
    pub allocated: Acquisition,
}

/// What is wrong with the freeing of a block.
#[derive(Debug, thiserror::Error)]
pub enum BadFree {
    /// It is not a block in use.
    #[error("{address:#x} is freed, which is {what}")]
    NotInUse {
        /// What is freed.
        address: u64,
        /// What is there.
        what: String,
    },
    /// It was allocated with another tag.
    #[error("a block with tag {allocated} is freed with tag {freed}")]
    OtherTag {
        /// The block's tag.
        allocated: String,
        /// The tag that it is freed with.
        freed: String,
    },
    /// The driver has written behind it.
    #[error("a block of {size} bytes, tag {tag}, was written past its end")]
    Overrun {
        /// The block's size.
        size: usize,
        /// The block's tag.
        tag: String,
    },
}

impl Pool {
    /// How many blocks are in use.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// What is near `address`, for reports.
    pub fn describe(&self, address: u64) -> Option<String> {
        let near = |memory: &Guarded| memory.contains(address);
        let place = |memory: &Guarded, tag| {
            let offset = address.wrapping_sub(memory.address()).cast_signed();
            format!(
                "offset {offset} of a pool block of {} bytes, tag {}",
                memory.size(),
                tag_text(tag)
            )
        };
        if let Some(block) = self.blocks.iter().find(|block| near(&block.memory)) {
            return Some(place(&block.memory, block.tag));
        }
        let freed = self.freed.lock().unwrap_or_else(PoisonError::into_inner);
        let block = freed.iter().find(|block| near(&block.memory))?;
        Some(place(&block.memory, block.tag) + " that was freed")
    }

    /// Frees the blocks that `module` still has.
    pub fn free_all(&self, module: &Arc<Module>) -> Vec<LeftBlock> {
        let left: Vec<u64> = self
            .blocks
            .iter()
            .filter(|block| block.allocated.is_by(module))
            .map(|block| *block.key())
            .collect();
        left.into_iter()
            .filter_map(|address| self.blocks.remove(&address))
            .map(|(_, block)| LeftBlock {
                size: block.memory.size(),
                tag: tag_text(block.tag),
                allocated: block.allocated,
            })
            .collect()
    }

    /// Whether `address` is in a block of paged pool.
    pub fn is_paged(&self, address: u64) -> bool {
        self.blocks
            .iter()
            .any(|block| block.is_paged && block.memory.contains(address))
    }

    /// Allocates a block of `size` bytes, zeroed or filled with `fill`. None
    /// where the pool has no more, or not as much.
    pub fn allocate(
        &self,
        is_paged: bool,
        size: usize,
        tag: u32,
        fill: Option<u8>,
        allocated: Acquisition,
    ) -> Option<u64> {
        if size > LARGEST {
            return None;
        }
        // Blocks of a page or more begin at a page, as in Windows.
        let alignment = if size >= PAGE { PAGE } else { ALIGNMENT };
        let memory = Guarded::new(size, alignment).ok()?;
        if let Some(fill) = fill {
            memory.write(0, &vec![fill; size]);
        }
        let (_, slack) = memory.slack();
        let length = (slack.end - slack.start) as usize;
        guest::write_bytes(slack.start, &vec![SLACK; length]).expect("the block's own page");
        let address = memory.address();
        let block = Block {
            memory,
            tag,
            is_paged,
            allocated,
        };
        self.blocks.insert(address, block);
        Some(address)
    }

    /// Frees the block at `address`, which has `tag` unless that is 0.
    ///
    /// # Errors
    /// What the driver has done wrong.
    pub fn free(&self, address: u64, tag: u32) -> Result<(), BadFree> {
        let Some((_, block)) = self.blocks.remove(&address) else {
            let what = self
                .describe(address)
                .unwrap_or_else(|| "never allocated".into());
            return Err(BadFree::NotInUse { address, what });
        };
        if tag != 0 && tag != block.tag {
            return Err(BadFree::OtherTag {
                allocated: tag_text(block.tag),
                freed: tag_text(tag),
            });
        }
        let (_, slack) = block.memory.slack();
        let mut bytes = vec![0; (slack.end - slack.start) as usize];
        guest::read_bytes(slack.start, &mut bytes).expect("the block's own page");
        if bytes.iter().any(|byte| *byte != SLACK) {
            return Err(BadFree::Overrun {
                size: block.memory.size(),
                tag: tag_text(block.tag),
            });
        }
        self.retire(block);
        Ok(())
    }

    fn retire(&self, block: Block) {
        // Where the system cannot take the pages away, the block stays usable;
        // dropping it then unmaps it for good.
        if block.memory.discard().is_err() {
            return;
        }
        let mut freed = self.freed.lock().unwrap_or_else(PoisonError::into_inner);
        if freed.len() == QUARANTINE {
            freed.pop_front();
        }
        freed.push_back(Freed {
            memory: block.memory,
            tag: block.tag,
        });
    }
}

/// A tag as debuggers show it: four characters, the first in the lowest byte.
fn tag_text(tag: u32) -> String {
    format!("'{}'", tag.to_le_bytes().escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_read_as_in_debuggers() {
        assert_eq!(tag_text(u32::from_le_bytes(*b"Proc")), "'Proc'");
        assert_eq!(tag_text(0), r"'\x00\x00\x00\x00'");
    }
}
