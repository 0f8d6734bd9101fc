//! Everything that is measured, in its order.

use std::path::Path;

use anyhow::Result;

use crate::figure::{Figure, Layout, Section};
use crate::growth::{self, Curve};
use crate::null_kernel::Driver;
use crate::progress::Progress;
use crate::registered::{self, Cost};
use crate::threads::{self, Scaling};
use crate::{Drivers, count, lives, profile, stack, storm, whole_path};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What is the same on every machine.
    Counts,
    /// Less than a minute's worth.
    Quick,
    /// Everything.
    Full,
}

/// How often each time is measured. A round takes a few milliseconds, so that
/// some are undisturbed even on a machine that has other work.
struct Rounds {
    lives: u32,
    threads: u32,
    registered: u32,
    path: u32,
    storms: u32,
}

impl Rounds {
    const QUICK: Self = Self {
        lives: 30,
        threads: 160,
        registered: 8,
        path: 8,
        storms: 2,
    };
    const FULL: Self = Self {
        lives: 200,
        threads: 480,
        registered: 60,
        path: 60,
        storms: 9,
    };
}

/// What was measured.
#[derive(Default)]
pub struct Measured {
    /// The drivers beside each other.
    pub side_by_side: Vec<Figure>,
    /// Where procmon's instructions go.
    pub profile: Vec<Figure>,
    /// What procmon is judged by.
    pub judged: Vec<Figure>,
    /// Cost against length.
    pub curves: Vec<Curve>,
    /// Throughput against threads.
    pub scalings: Vec<Scaling>,
    /// Cost against the number of drivers.
    pub costs: Vec<Cost>,
    /// The whole path.
    pub path: Vec<Figure>,
    /// Under a storm of forks.
    pub storm: Vec<Figure>,
    /// How long builds took.
    pub builds: Vec<Figure>,
    /// What was not measured, and why.
    pub left_out: Vec<&'static str>,
}

/// Measures procmon, whose image is `driver`, and the drivers in `peers`.
///
/// # Errors
/// When something cannot be loaded or run.
pub fn all(driver: &Path, peers: &Path, builds: Vec<Figure>, extent: Extent) -> Result<Measured> {
    let progress = Progress::new();
    let drivers = Drivers::load(driver, peers)?;
    let mut measured = Measured {
        builds,
        ..Measured::default()
    };
    measured.counts(&drivers, extent, &progress);
    if extent != Extent::Counts {
        measured.times(&drivers, driver, peers, extent, &progress)?;
        if measured.builds.is_empty() {
            measured
                .left_out
                .push("how long builds and tests take: `cargo xtask bench --builds` tells");
        }
    }
    Ok(measured)
}

impl Measured {
    /// What is the same on every machine, and the times against length, which
    /// belong to the same curves.
    fn counts(&mut self, drivers: &Drivers, extent: Extent, progress: &Progress) {
        let step = progress.begin("counting instructions", 4);
        let (figures, totals) = count::figures(drivers, step);
        self.side_by_side = figures;
        self.judged.extend(count::ratios(&totals));
        let stacks = stack::figures(drivers);
        self.judged.push(stack::judged(&stacks));
        self.side_by_side.extend(stacks);
        self.profile = profile::figures(&drivers.procmon);
        if self.profile.is_empty() {
            self.left_out
                .push("where the instructions go: the driver's PDB is not beside it");
        }

        let growth = match extent {
            Extent::Counts => growth::Extent::COUNTS,
            Extent::Quick => growth::Extent::QUICK,
            Extent::Full => growth::Extent::FULL,
        };
        let step = progress.begin("measuring growth with length", growth.steps());
        self.curves = growth::curves(&drivers.procmon, growth, step);
        self.judged.extend(growth::judged(&self.curves));
    }

    fn times(
        &mut self,
        drivers: &Drivers,
        image: &Path,
        peers: &Path,
        extent: Extent,
        progress: &Progress,
    ) -> Result<()> {
        let is_full = extent == Extent::Full;
        let rounds = if is_full { Rounds::FULL } else { Rounds::QUICK };

        let step = progress.begin("timing the drivers", rounds.lives);
        let figures = lives::figures(drivers, rounds.lives, step);
        self.judged.push(lives::judged(&figures));
        self.side_by_side.extend(figures);

        let many: Vec<Driver> = (0..registered::MOST)
            .map(|_| Driver::load(image))
            .collect::<Result<_>>()?;
        let step = progress.begin("timing threads", threads::TURNS);
        self.scalings = threads::scalings(&many, rounds.threads, step);
        self.judged.extend(threads::judged(&self.scalings));
        if self
            .scalings
            .iter()
            .any(|scaling| scaling.points.is_empty())
        {
            self.left_out
                .push("some figures of threads: other programs took the processors");
        }

        let step = progress.begin("timing many drivers", rounds.registered);
        self.costs
            .push(registered::own(&many, rounds.registered, step)?);
        let step = progress.begin("timing many drivers in ntsim", rounds.registered);
        self.costs
            .push(registered::simulated(image, rounds.registered, step)?);

        let step = progress.begin("timing the whole path", rounds.path);
        let format_loop = peers.join("format_loop");
        self.path = whole_path::figures(image, &format_loop, rounds.path, step)?;
        self.judged.extend(whole_path::judged(&self.path));
        if is_full {
            progress.begin("delivering ten million events", 1)();
            self.path.extend(whole_path::memory(image, peers)?);
        }
        if storm::is_possible() {
            let step = progress.begin("watching storms of forks", rounds.storms);
            self.storm = storm::figures(image, rounds.storms, step)?;
        } else {
            self.left_out
                .push("what watching costs a storm of forks: only root may watch all processes");
        }
        if !is_full {
            self.left_out
                .push("memory over ten million events, and long texts: not in a minute");
        }
        Ok(())
    }

    /// All that the budget may name.
    pub fn figures(&self) -> Vec<&Figure> {
        self.side_by_side.iter().chain(&self.judged).collect()
    }

    /// The tables, of what was measured.
    pub fn sections(&self) -> Vec<Section> {
        let sections = [
            Section {
                title: "The drivers side by side",
                note: "Of one process with a name and a command line of ordinary length, in a \
                       kernel whose routines do nothing. Stack is the most that any of many texts \
                       took, with the return addresses at both ends.",
                plot: Some("peers.svg"),
                layout: Layout::Matrix,
                figures: self.side_by_side.clone(),
            },
            Section {
                title: "Where the instructions go",
                note: "Of procmon, by the file that they are written in, for a process with a name of \
                       34 characters. What is inlined from a library counts for the file that \
                       calls it.",
                plot: None,
                layout: Layout::Matrix,
                figures: self.profile.clone(),
            },
            Section {
                title: "Growth with the length of a text",
                note: "Of procmon, for a create. The slope of the line with the least squares \
                       through texts of up to 32,767 characters, and how much of the cost that \
                       line explains. Instructions of Chinese and escaped text are counted in \
                       command lines of up to 6,144 characters and names of up to 1,536, since \
                       each takes microseconds to count.",
                plot: Some("length.svg"),
                layout: Layout::Matrix,
                figures: growth::figures(&self.curves),
            },
            Section {
                title: "Threads",
                note: "Of procmon, with routines that do nothing. Each thread has a processor of \
                       its own; threads work alone and together in turn, a millisecond each, and \
                       the middle one of the ratios counts. A round in which another program took \
                       a processor does not. All threads report the same processes. With *a \
                       driver for each* nothing can be shared: what is missing there is the \
                       machine's.",
                plot: Some("threads.svg"),
                layout: Layout::Matrix,
                figures: threads::figures(&self.scalings),
            },
            Section {
                title: "Drivers registered",
                note: "As many copies of procmon as may be registered, told of the same process.",
                plot: Some("drivers.svg"),
                layout: Layout::Matrix,
                figures: registered::figures(&self.costs),
            },
            Section {
                title: "The whole path",
                note: "Through the embedded kernel, on one thread: objects, handles, guarded \
                       strings, every line formatted.",
                plot: None,
                layout: Layout::List,
                figures: self.path.clone(),
            },
            Section {
                title: "A storm of forks",
                note: "A thousand processes one after the other, each as short as can be, with and \
                       without `cargo xtask run --live` beside them.",
                plot: None,
                layout: Layout::List,
                figures: self.storm.clone(),
            },
            Section {
                title: "Builds",
                note: "Cold: a copy of the sources with nothing built, not even `cargo xtask`; \
                       what is downloaded and installed is there.",
                plot: None,
                layout: Layout::List,
                figures: self.builds.clone(),
            },
        ];
        sections
            .into_iter()
            .filter(|section| !section.figures.is_empty())
            .collect()
    }
}
