//! The floors of ntsim: each file uses those of its own floor and below.
//!
//! [`FLOORS`] is the one place in code where the floors stand. `x.rs` is a
//! component's gate, its `ROUTINES` table and their bodies; `x/*.rs` is its
//! state, and never names a thread, a call or the machine.

mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use uses::{Sources, Use};

/// The floors from the lowest to the highest, with the files of each. `x/*` are
/// all files in the folder `x` that no floor names.
const FLOORS: [(&str, &[&str]); 9] = [
    ("words", &["intercept", "nt", "nt/*", "report"]),
    (
        "processor",
        &[
            "arch",
            "arch/*",
            "ke/stack",
            "ke/trap",
            "ke/watchdog",
            "mm/pages",
        ],
    ),
    ("loader and memory", &["ldr", "ldr/*", "mm/*"]),
    (
        STATE,
        &[
            "dbg/*", "etw/*", "ex/*", "io/*", "ke/*", "ob/*", "ps/*", "se/*",
        ],
    ),
    ("machine", &["kernel"]),
    ("thread", &["thread", "thread/*"]),
    (
        "gates",
        &[
            "dbg", "etw", "ex", "gate", "gate/*", "io", "ke", "mm", "ob", "ps", "routine", "rtl",
            "se", "zw",
        ],
    ),
    ("exports", &["exports"]),
    ("host API", &["builder", "deliver", "load", "trace"]),
];

/// The highest floor whose files name none of [`ABOVE_STATE`].
const STATE: &str = "state";

/// What only a routine, or what runs drivers, may name.
const ABOVE_STATE: [&str; 3] = ["Call", "Kernel", "Thread"];

/// The root, which names the modules and exports what hosts use.
const ROOT: &str = "lib";

/// Files that may use each other in a circle.
const CIRCLES: [&[&str]; 2] = [
    // A process has handles to objects, which are processes and threads.
    &["ob/handles", "ob/object", "ps/process", "ps/thread"],
    // Names are given to backtraces of the images whose unwind data made them.
    &["ldr", "ldr/backtrace"],
];

/// The crate as it is.
fn crate_sources() -> Sources {
    static SOURCES: LazyLock<Sources> = LazyLock::new(Sources::read);
    SOURCES.clone()
}

fn matches(pattern: &str, file: &str) -> bool {
    pattern
        .strip_suffix('*')
        .map_or(pattern == file, |folder| file.starts_with(folder))
}

/// The floor that `file` stands on, if it is part of the kernel.
fn floor(file: &str) -> Option<usize> {
    let on = |exactly: bool| {
        FLOORS.iter().position(|(_, patterns)| {
            patterns
                .iter()
                .any(|pattern| pattern.ends_with('*') != exactly && matches(pattern, file))
        })
    };
    on(true).or_else(|| on(false))
}

/// Everything that is wrong with `sources`, one line each.
fn faults(sources: &Sources) -> Vec<String> {
    let state = FLOORS.iter().position(|(name, _)| *name == STATE);
    let mut faults = Vec::new();
    for file in sources.files() {
        let Some(own) = floor(file) else {
            if file != ROOT {
                faults.push(format!("{file}.rs is on no floor"));
            }
            continue;
        };
        for Use { line, path, files } in sources.uses(file) {
            for used in files {
                if floor(&used).is_none_or(|used| used > own) {
                    faults.push(format!("{file}.rs:{line}: {path} is above, in {used}.rs"));
                }
            }
        }
        if Some(own) <= state {
            for (line, name) in sources.names(file, &ABOVE_STATE) {
                faults.push(format!("{file}.rs:{line}: names {name}"));
            }
        }
    }
    faults
}

/// The circles among the files of the kernel.
fn circles(sources: &Sources) -> Vec<BTreeSet<String>> {
    let kernel: Vec<&str> = sources
        .files()
        .filter(|file| floor(file).is_some())
        .collect();
    let direct: BTreeMap<&str, BTreeSet<String>> = kernel
        .iter()
        .map(|file| {
            let used = sources.uses(file).into_iter().flat_map(|used| used.files);
            (*file, used.filter(|used| used != file).collect())
        })
        .collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> = kernel
        .iter()
        .map(|file| {
            let mut reached = BTreeSet::new();
            let mut next = vec![*file];
            while let Some(file) = next.pop() {
                for used in direct.get(file).into_iter().flatten() {
                    if reached.insert(used.as_str()) {
                        next.push(used);
                    }
                }
            }
            (*file, reached)
        })
        .collect();
    let mut circles: Vec<BTreeSet<String>> = kernel
        .iter()
        .filter(|file| reached[*file].contains(*file))
        .map(|file| {
            kernel
                .iter()
                .filter(|other| reached[*file].contains(*other) && reached[*other].contains(file))
                .map(|other| (*other).to_owned())
                .collect()
        })
        .collect();
    circles.sort();
    circles.dedup();
    circles
}

#[test]
fn every_file_uses_its_own_floor_and_those_below() {
    let faults = faults(&crate_sources());
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn the_circles_are_those_that_are_meant() {
    let meant: BTreeSet<BTreeSet<String>> = CIRCLES
        .iter()
        .map(|files| files.iter().map(|file| (*file).to_owned()).collect())
        .collect();
    let found: BTreeSet<BTreeSet<String>> = circles(&crate_sources()).into_iter().collect();
    assert_eq!(found, meant);
}

#[test]
fn a_use_of_what_stands_above_is_found() {
    let upward = [
        ("mm/guest", "use crate::ps::process::Process;"),
        ("ob/object", "use crate::deliver;"),
        ("ps/process", "fn f() { super::register() }"),
        (
            "ex/pool",
            "fn f() { println!(\"{}\", crate::rtl::upcase(1)) }",
        ),
        ("kernel", "use crate::{nt, thread as below};"),
        ("nt", "use crate::CodePage;"),
    ];
    for (file, line) in upward {
        let mut sources = crate_sources();
        sources.append(file, line);
        let faults = faults(&sources);
        assert_eq!(faults.len(), 1, "{file}: {line}: {faults:#?}");
        assert!(faults[0].contains("is above"), "{faults:?}");
    }
}

#[test]
fn a_name_that_state_must_not_know_is_found() {
    let names = [
        ("ob/object", "fn f(call: &Call<'_>) {}"),
        ("ps/notify", "fn f(kernel: &dyn Fn(&Kernel)) {}"),
        ("ldr/backtrace", "fn f() { Thread::new() }"),
    ];
    for (file, line) in names {
        let mut sources = crate_sources();
        sources.append(file, line);
        let faults = faults(&sources);
        assert_eq!(faults.len(), 1, "{file}: {line}: {faults:#?}");
        assert!(faults[0].contains("names"), "{faults:?}");
    }
}

#[test]
fn the_page_lists_the_floors_from_the_top() {
    let page = include_str!("../../../../ARCHITECTURE.md");
    let (_, table) = page.split_once("| Floor | What stands there |").unwrap();
    let listed: Vec<&str> = table
        .lines()
        .skip(2)
        .map_while(|row| row.strip_prefix("| ")?.split(" |").next())
        .collect();
    let floors = FLOORS.iter().rev().map(|(name, _)| *name);
    let expected: Vec<&str> = ["hosts"].into_iter().chain(floors).collect();
    assert_eq!(listed, expected);
}
