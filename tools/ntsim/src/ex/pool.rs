//! Pool: every block ends at a guard page, and a freed one is never accessible
//! again, so overruns and uses after free fault where they happen.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;

use crate::ke::Context;
use crate::ldr::Module;
use crate::ldr::backtrace::Acquisition;
use crate::mm::guest;
use crate::mm::pages::{Guarded, PAGE};
use crate::nt::Irql;
use crate::report::Rule;
use crate::routine::{Call, Fault, Outcome};

const FLAG_UNINITIALIZED: u64 = 0x2;
const FLAG_NON_PAGED: u64 = 0x40;
const FLAG_NON_PAGED_EXECUTE: u64 = 0x80;
const FLAG_PAGED: u64 = 0x100;

/// `PagedPool` and its variants of the older routines' `POOL_TYPE` are odd.
const TYPE_PAGED: u64 = 1;

/// What blocks hold that were asked for without zeroing.
const UNINITIALIZED: u8 = 0xcd;

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

/// `ExAllocatePool2`.
pub fn allocate2(call: &Call<'_>) -> Outcome {
    let [flags, size, tag, _] = call.registers();
    let kinds = flags & (FLAG_NON_PAGED | FLAG_NON_PAGED_EXECUTE | FLAG_PAGED);
    if kinds.count_ones() != 1 {
        return Ok(0);
    }
    let fill = (flags & FLAG_UNINITIALIZED != 0).then_some(UNINITIALIZED);
    take(call, kinds == FLAG_PAGED, size, tag as u32, fill)
}

/// `ExAllocatePoolWithTag`.
pub fn allocate_with_tag(call: &Call<'_>) -> Outcome {
    let [pool_type, size, tag, _] = call.registers();
    let paged = pool_type & TYPE_PAGED != 0;
    take(call, paged, size, tag as u32, Some(UNINITIALIZED))
}

/// `ExAllocatePool`.
pub fn allocate(call: &Call<'_>) -> Outcome {
    let [pool_type, size, ..] = call.registers();
    let tag = u32::from_le_bytes(*b"None");
    let paged = pool_type & TYPE_PAGED != 0;
    take(call, paged, size, tag, Some(UNINITIALIZED))
}

fn take(call: &Call<'_>, paged: bool, size: u64, tag: u32, fill: Option<u8>) -> Outcome {
    let context = call.context;
    if paged && context.irql() >= Irql::DISPATCH {
        return Err(Fault::violation(
            Rule::Irql,
            format!("paged pool is allocated at {}", context.irql()),
        ));
    }
    if size == 0 || tag == 0 {
        let lack = if size == 0 {
            "of zero bytes"
        } else {
            "with a tag of zero"
        };
        return Err(Fault::violation(
            Rule::Pool,
            format!("pool {lack} is asked for"),
        ));
    }
    let size = usize::try_from(size).expect("64-bit");
    if size > LARGEST {
        return Ok(0);
    }
    // Blocks of a page or more begin at a page, as in Windows.
    let alignment = if size >= PAGE { PAGE } else { ALIGNMENT };
    let Ok(memory) = Guarded::new(size, alignment) else {
        return Ok(0);
    };
    if let Some(fill) = fill {
        memory.write(0, &vec![fill; size]);
    }
    let (_, slack) = memory.slack();
    let length = (slack.end - slack.start) as usize;
    guest::write_bytes(slack.start, &vec![SLACK; length])?;
    let address = memory.address();
    let block = Block {
        memory,
        tag,
        allocated: context.acquisition(),
    };
    context.kernel.pool.blocks.insert(address, block);
    Ok(address)
}

/// `ExFreePool`.
pub fn free(call: &Call<'_>) -> Outcome {
    give_back(call.context, call.registers()[0], 0)
}

/// `ExFreePoolWithTag`.
pub fn free_with_tag(call: &Call<'_>) -> Outcome {
    let [address, tag, ..] = call.registers();
    give_back(call.context, address, tag as u32)
}

fn give_back(context: &Context<'_>, address: u64, tag: u32) -> Outcome {
    let pool = &context.kernel.pool;
    let Some((_, block)) = pool.blocks.remove(&address) else {
        let what = pool
            .describe(address)
            .unwrap_or_else(|| "never allocated".into());
        return Err(Fault::violation(
            Rule::Pool,
            format!("{address:#x} is freed, which is {what}"),
        ));
    };
    if tag != 0 && tag != block.tag {
        return Err(Fault::violation(
            Rule::Pool,
            format!(
                "a block with tag {} is freed with tag {}",
                tag_text(block.tag),
                tag_text(tag)
            ),
        ));
    }
    let (_, slack) = block.memory.slack();
    let mut bytes = vec![0; (slack.end - slack.start) as usize];
    guest::read_bytes(slack.start, &mut bytes)?;
    if bytes.iter().any(|byte| *byte != SLACK) {
        return Err(Fault::violation(
            Rule::Pool,
            format!(
                "a block of {} bytes, tag {}, was written past its end",
                block.memory.size(),
                tag_text(block.tag)
            ),
        ));
    }
    pool.retire(block);
    Ok(0)
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
