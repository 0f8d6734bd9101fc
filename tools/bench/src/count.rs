//! Figures that are the same on every run: instructions, calls, bytes.

use std::collections::BTreeMap;

use crate::event::{Life, utf16};
use crate::figure::Figure;
use crate::null_kernel::{Driver, LOCKS, POOL};
use crate::step::{self, Counts};
use crate::{Drivers, count_to_f64};

const PID: u32 = 0x1a2c;

/// Measures all of them.
pub fn figures(drivers: &Drivers) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut totals = BTreeMap::new();
    for (name, driver) in drivers.all() {
        for (what, life) in [
            ("everything", Life::ordinary(PID)),
            ("no command line", Life::without_command_line(PID)),
        ] {
            let create = step::count(driver, life.creation());
            let exit = step::count(driver, life.exit());
            let total = create.instructions + exit.instructions;
            totals.insert((name, what), total);
            figures.push(instructions(name, &format!("create, {what}"), &create));
            if what == "everything" {
                figures.push(instructions(name, "exit", &exit));
                figures.extend(calls(name, &create, &exit));
            }
        }
        figures.push(Figure::new(
            format!("{name}: image"),
            count_to_f64(driver.sizes.file),
            "bytes",
        ));
        for (section, size) in &driver.sizes.sections {
            let title = format!("{name}: image, {section}");
            figures.push(Figure::new(title, count_to_f64(*size), "bytes"));
        }
    }
    let ratio =
        |peer, what| count_to_f64(totals[&("procmon", what)]) / count_to_f64(totals[&(peer, what)]);
    figures.push(Figure::new(
        "instructions, no command line, procmon / article",
        ratio("article", "no command line"),
        "x",
    ));
    figures.push(Figure::new(
        "instructions, everything, procmon / full",
        ratio("full", "everything"),
        "x",
    ));
    figures.extend(texts(&drivers.procmon));
    figures
}

fn instructions(name: &str, what: &str, counts: &Counts) -> Figure {
    let count = count_to_f64(counts.instructions);
    Figure::new(format!("{name}: instructions, {what}"), count, "")
}

fn calls(name: &str, create: &Counts, exit: &Counts) -> Vec<Figure> {
    let sum = |names| count_to_f64(create.calls_of(names) + exit.calls_of(names));
    let all = |counts: &Counts| count_to_f64(counts.calls.values().sum());
    vec![
        Figure::new(
            format!("{name}: DbgPrint calls, create"),
            sum_of(create),
            "",
        ),
        Figure::new(format!("{name}: DbgPrint calls, exit"), sum_of(exit), ""),
        Figure::new(format!("{name}: kernel calls, create"), all(create), ""),
        Figure::new(format!("{name}: kernel calls, exit"), all(exit), ""),
        Figure::new(format!("{name}: pool blocks"), sum(POOL), ""),
        Figure::new(format!("{name}: locks"), sum(LOCKS), ""),
    ]
}

fn sum_of(counts: &Counts) -> f64 {
    count_to_f64(counts.calls_of(&["DbgPrint"]))
}

/// What a character costs, and the deepest stack, of texts of several kinds.
fn texts(driver: &Driver) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut deepest = 0;
    for (what, pattern) in [
        ("plain", "compiler --option=value 0123456789 "),
        ("paths", r"C:\Program Files\Vendor\tool.exe "),
        ("Chinese", "监控进程创建"),
        ("escaped", "\n"),
    ] {
        let units: Vec<u16> = utf16(pattern).into_iter().cycle().take(LONG).collect();
        let [short, long] = [&units[..SHORT], &units[..]].map(|text| {
            let life = Life::new(PID, &utf16("x"), Some(text));
            step::count(driver, life.creation())
        });
        let named = step::count(driver, Life::new(PID, &units, None).creation());
        if std::env::var_os("DEEP").is_some() {
            eprintln!("{what} {} {}", long.stack, named.stack);
        }
        deepest = deepest.max(long.stack).max(named.stack);
        let slope = count_to_f64(long.instructions - short.instructions) / ADDED;
        figures.push(Figure::new(
            format!("instructions per character, {what}"),
            slope,
            "",
        ));
    }
    figures.push(Figure::new("stack", count_to_f64(deepest), "bytes"));
    figures
}

const SHORT: usize = 384;
const LONG: usize = 384 * 5;
const ADDED: f64 = 384.0 * 4.0;
