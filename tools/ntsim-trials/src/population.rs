//! Processes that are created and exit again and again.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::identities;
use ntsim::nt::{ClientId, NtStatus};
use ntsim::{ProcessCreation, ProcessExit};

/// Process IDs are multiples of four; these are above those of the creator.
const FIRST_ID: u32 = 0x1_0000;

/// The process that creates all others.
const CREATOR: ClientId = ClientId {
    process: 0x2f8,
    thread: 0x2fc,
};

/// A number of processes, each with the count of its creations: its process ID
/// is the same each time, and nothing else is.
pub struct Population(Vec<AtomicU64>);

impl Population {
    pub fn new(size: usize) -> Self {
        Self(
            std::iter::repeat_with(AtomicU64::default)
                .take(size)
                .collect(),
        )
    }

    /// The next creation of process `index`.
    pub fn creation(&self, index: usize) -> ProcessCreation {
        let serial = self.0[index].fetch_add(1, Ordering::Relaxed) + 1;
        let units = |text: String| Some(text.encode_utf16().collect());
        ProcessCreation {
            creator: CREATOR,
            image_file_name: units(format!(r"\??\C:\load\{index}.exe")),
            command_line: units(format!("{index}.exe --serial {serial}")),
            token: identities::of_load(index, serial),
            start_key: Some(start_key(index, serial)),
            ..ProcessCreation::new(id(index), CREATOR.process)
        }
    }

    /// Its exit, with 31 bits of the count as its status.
    pub fn exit(&self, index: usize) -> ProcessExit {
        let serial = self.0[index].load(Ordering::Relaxed);
        ProcessExit {
            process_id: id(index),
            thread_id: id(index) + 1,
            exit_status: (serial & 0x7fff_ffff) as NtStatus,
        }
    }
}

/// The key of one creation of process `index`, which no other has: of a boot
/// after the one that ntsim numbers processes in.
const fn start_key(index: usize, serial: u64) -> u64 {
    const BOOT: u64 = 3;
    const SERIAL_BITS: u32 = 32;
    BOOT << 48 | (index as u64) << SERIAL_BITS | serial
}

fn id(index: usize) -> u32 {
    FIRST_ID + 4 * u32::try_from(index).expect("few processes")
}
