//! Where the instructions of a driver go: to which file of its source.

use std::collections::BTreeMap;

use crate::count_to_f64;
use crate::event::{Life, PID};
use crate::figure::Figure;
use crate::null_kernel::Driver;
use crate::step;

/// Instructions of a create without a command line, and of an exit, by the file
/// that they are written in; the most expensive file first. None where no PDB tells
/// the files.
pub fn figures(driver: &Driver) -> Vec<Figure> {
    let life = Life::without_command_line(PID);
    let mut files: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for (event, arguments) in [life.creation(), life.exit()].into_iter().enumerate() {
        for (address, count) in step::count(driver, arguments).addresses {
            files.entry(file(driver, address)).or_default()[event] += count;
        }
    }
    if files.keys().all(|file| file == ELSEWHERE) {
        return Vec::new();
    }
    let mut files: Vec<_> = files.into_iter().collect();
    files.sort_by_key(|(_, counts)| std::cmp::Reverse(*counts));
    let event = |name: &'static str, index: usize| {
        files.iter().map(move |(file, counts)| {
            Figure::new(format!("{name}: {file}"), count_to_f64(counts[index]), "")
        })
    };
    event("create, no command line", 0)
        .chain(event("exit", 1))
        .collect()
}

/// What is in none of the driver's files.
const ELSEWHERE: &str = "jumps to the kernel's routines";

/// The driver's own file that the instruction at `address` comes from. What a
/// library's inlined function does counts for the file that calls it.
fn file(driver: &Driver, address: u64) -> String {
    let address = u32::try_from(address).expect("an image is smaller");
    let places = driver.symbols.find(address);
    let own = places.iter().find(|place| {
        let function = place.function.as_deref();
        function.is_some_and(|function| function.starts_with("procmon::"))
    });
    let line = own.and_then(|place| place.line.as_deref()?.split_once("/src/"));
    let file = line.and_then(|(_, line)| line.split_once(':'));
    file.map_or_else(|| ELSEWHERE.into(), |(file, _)| format!("src/{file}"))
}
