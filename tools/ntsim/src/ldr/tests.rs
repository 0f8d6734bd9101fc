//! The loader against damaged copies of the image that ships.

use super::*;
use crate::arch::CallSite;
use std::fs;
use std::time::{Duration, Instant};

fn shipped() -> Vec<u8> {
    fs::read(driver_images::procmon()).unwrap()
}

fn load(data: &[u8]) -> Result<(), ImageError> {
    let modules = Modules::default();
    let resolve = |_: &str| Some(0x1234_5678);
    let module = modules.load(Path::new("damaged.sys"), data, &resolve)?;
    walk_everywhere(&modules, &module);
    modules.unload(&module);
    Ok(())
}

/// Walks a stack of nonsense from many places in the image.
fn walk_everywhere(modules: &Modules, module: &Module) {
    let guard = modules.unwinder();
    for address in module.range().step_by(509) {
        let site = CallSite {
            return_address: address,
            stack: 0x7000,
            frame: 0x8000,
        };
        let mut read = |at: u64| {
            if at < 0x9000 {
                Ok(address ^ at)
            } else {
                Err(())
            }
        };
        let mut left = 8;
        guard.unwinder().walk(site, &mut read, &mut |_| {
            left -= 1;
            left != 0
        });
    }
}

/// Numbers that are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// Values that reveal missing checks.
const EXTREMES: [u32; 8] = [
    0,
    1,
    0xfff,
    0x1000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_f000,
    0xffff_ffff,
];

#[test]
fn the_undamaged_image_is_taken() {
    load(&shipped()).unwrap();
}

#[test]
fn every_truncation_is_refused() {
    let image = shipped();
    for length in (0..image.len()).step_by(23) {
        let error = load(&image[..length]).expect_err("truncated");
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn damage_is_refused_or_harmless() {
    let image = shipped();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut refused = 0;
    let headers = 0x400;
    for round in 0..1500 {
        let mut damaged = image.clone();
        for _ in 0..=round % 3 {
            // Two of three in the headers, where most decisions are made.
            let limit = if round % 3 == 0 { image.len() } else { headers };
            let at = numbers.below(limit - 4);
            if round % 2 == 0 {
                damaged[at] ^= 1 << numbers.below(8);
            } else {
                let value = EXTREMES[numbers.below(EXTREMES.len())];
                damaged[at & !3..][..4].copy_from_slice(&value.to_le_bytes());
            }
        }
        let start = Instant::now();
        refused += usize::from(load(&damaged).is_err());
        let took = start.elapsed();
        assert!(took < Duration::from_secs(5), "round {round} took {took:?}");
    }
    assert!(refused > 200, "only {refused} of 1500 were refused");
}

#[test]
fn damaged_tables_are_refused_or_harmless() {
    use object::LittleEndian as LE;
    use object::read::pe::PeFile64;
    let image = shipped();
    let file = PeFile64::parse(&*image).unwrap();
    let tables: Vec<(usize, usize)> = file
        .data_directories()
        .iter()
        .filter_map(|directory| directory.file_range(&file.section_table()).ok())
        .map(|(start, size)| (start as usize, size as usize))
        .filter(|(_, size)| *size >= 4)
        .collect();
    assert!(tables.len() >= 3, "imports, functions, relocations");
    assert_ne!(file.nt_headers().file_header.machine.get(LE).0, 0);
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    for round in 0..1000 {
        let (start, size) = tables[round % tables.len()];
        let mut damaged = image.clone();
        let at = start + numbers.below(size - 3);
        let value = EXTREMES[numbers.below(EXTREMES.len())];
        damaged[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let _ = load(&damaged);
    }
}
