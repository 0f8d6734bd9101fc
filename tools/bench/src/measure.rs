//! Everything that is measured, in its order.

use std::path::Path;

use anyhow::Result;

use crate::figure::{Figure, Layout, Section};
use crate::growth::{self, Curve};
use crate::progress::Progress;
use crate::{Drivers, count, lives, profile, stack, whole_path};

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
    path: u32,
}

impl Rounds {
    const QUICK: Self = Self { lives: 30, path: 8 };
    const FULL: Self = Self {
        lives: 200,
        path: 60,
    };
}

/// What was measured.
#[derive(Default)]
pub struct Measured {
    /// The drivers beside each other.
    pub side_by_side: Vec<Figure>,
    /// Where procmon's instructions go.
    pub profile: Vec<Figure>,
    /// How procmon compares with the peer that does the same.
    pub ratio: Option<Figure>,
    /// Cost against length.
    pub curves: Vec<Curve>,
    /// The whole path.
    pub path: Vec<Figure>,
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
        let step = progress.begin("counting instructions", 3);
        self.side_by_side = count::figures(drivers, step);
        self.ratio = Some(count::ratio(drivers));
        self.side_by_side.extend(stack::figures(drivers));
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
        self.side_by_side.extend(figures);

        let step = progress.begin("timing the whole path", rounds.path);
        let format_loop = peers.join("format_loop");
        self.path = whole_path::figures(image, &format_loop, rounds.path, step)?;
        if is_full {
            progress.begin("delivering ten million events", 1)();
            self.path.extend(whole_path::memory(image, peers)?);
        }
        if !is_full {
            self.left_out
                .push("memory over ten million events, and long texts: not in a minute");
        }
        Ok(())
    }

    /// All that the budget may name.
    pub fn figures(&self) -> Vec<&Figure> {
        self.side_by_side.iter().chain(&self.ratio).collect()
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
                title: "The whole path",
                note: "Through the embedded kernel, on one thread: objects, handles, guarded \
                       strings, every line formatted.",
                plot: None,
                layout: Layout::List,
                figures: self.path.clone(),
            },
            Section {
                title: "Builds",
                note: "README's commands on a fresh Debian 12 with Rust from rustup and without \
                       package lists, the run for 10 seconds; downloads and installations \
                       included.",
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
