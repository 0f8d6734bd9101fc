//! Figures that are the same on every run: instructions, calls, bytes.

use std::collections::BTreeMap;

use crate::event::{Life, PID};
use crate::figure::Figure;
use crate::null_kernel::{LOCKS, POOL};
use crate::step::{self, Counts};
use crate::{Drivers, count_to_f64};

/// Instructions of a life, by driver and by what is known of the process.
pub type Totals = BTreeMap<(&'static str, &'static str), u64>;

/// Measures all of them.
pub fn figures(drivers: &Drivers, mut progress: impl FnMut()) -> (Vec<Figure>, Totals) {
    let mut figures = Vec::new();
    let mut totals = Totals::new();
    for (name, driver) in drivers.all() {
        progress();
        for (what, life) in [
            ("everything", Life::ordinary(PID)),
            ("no command line", Life::without_command_line(PID)),
        ] {
            let create = step::count(driver, life.creation());
            let exit = step::count(driver, life.exit());
            let total = create.instructions() + exit.instructions();
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
    (figures, totals)
}

/// How procmon compares with its peers.
pub fn ratios(totals: &Totals) -> [Figure; 2] {
    let ratio = |peer, what| {
        let of = |driver| count_to_f64(totals[&(driver, what)]);
        Figure::new(
            format!("instructions, {what}, procmon / {peer}"),
            of("procmon") / of(peer),
            "x",
        )
    };
    [
        ratio("article", "no command line"),
        ratio("full", "everything"),
    ]
}

fn instructions(name: &str, what: &str, counts: &Counts) -> Figure {
    let count = count_to_f64(counts.instructions());
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
