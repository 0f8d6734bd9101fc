//! Figures that are the same on every run: instructions, calls, bytes.

use crate::event::{Life, PID};
use crate::figure::Figure;
use crate::null_kernel::{self, Driver, LOCKS, POOL};
use crate::step::{self, Counts};
use crate::{Drivers, count_to_f64};

/// Measures all of them.
pub fn figures(drivers: &Drivers, mut progress: impl FnMut()) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (name, driver) in drivers.all() {
        progress();
        let life = Life::ordinary(PID);
        let create = step::count(driver, life.creation());
        let exit = step::count(driver, life.exit());
        figures.push(instructions(name, "create, everything", &create));
        figures.push(instructions(name, "exit", &exit));
        figures.extend(calls(name, &create, &exit));
        let create = null_kernel::listening(|| step::count(driver, life.creation()));
        let exit = null_kernel::listening(|| step::count(driver, life.exit()));
        let recorded = "with an ETW session";
        figures.push(instructions(name, &format!("create, {recorded}"), &create));
        figures.push(instructions(name, &format!("exit, {recorded}"), &exit));
        let without = Life::without_command_line(PID);
        let create = step::count(driver, without.creation());
        figures.push(instructions(name, "create, no command line", &create));
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
    figures
}

/// Instructions of procmon for each of the peer that prints the same lines.
pub fn ratio(drivers: &Drivers) -> Figure {
    let of = |driver: &Driver| {
        let life = Life::ordinary(PID);
        let events = [life.creation(), life.exit()];
        let counts = events.map(|event| step::count(driver, event).instructions());
        count_to_f64(counts.iter().sum())
    };
    Figure::new(
        "instructions, everything, procmon / full",
        of(&drivers.procmon) / of(&drivers.full),
        "x",
    )
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
