//! Every rule of the embedded kernel, broken by a driver that does nothing else
//! wrong: the kernel names that rule, and the very line.

mod breaker;
mod code;
mod etw;
mod handle;
mod hang;
mod irql;
mod memory;
mod notify;
mod output;
mod pool;
mod stop;
mod token;

use std::fs;
use std::path::Path;

use ntsim::Rule;

#[test]
fn every_rule_is_broken_by_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    let sources: String = fs::read_dir(folder)
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let is_named = |rule: &Rule| {
        let rule = format!("{rule:?}");
        let mut words = sources.split(|c: char| !c.is_alphanumeric());
        words.any(|word| word == rule)
    };
    let unbroken: Vec<_> = Rule::ALL.iter().filter(|rule| !is_named(rule)).collect();
    assert!(unbroken.is_empty(), "no test breaks {unbroken:?}");
}
