//! How the cost of a create grows with the text that it reports.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use crate::count_to_f64;
use crate::event::{Life, PID, utf16};
use crate::figure::Figure;
use crate::null_kernel::Driver;
use crate::statistics::Line;
use crate::step;
use crate::text::Kind;

/// The lengths that are tried: whole lines of 264 units, and the longest text
/// that a `UNICODE_STRING` holds.
const LENGTHS: [u16; 6] = [0, 264, 1_320, 5_280, 13_200, 32_767];

/// Where the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// In the image's file name; there is no command line.
    Name,
    /// In the command line; the name is one character.
    CommandLine,
}

impl Part {
    const ALL: [Self; 2] = [Self::CommandLine, Self::Name];

    /// What figures call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::CommandLine => "command line",
        }
    }

    fn life(self, text: &[u16]) -> Life {
        match self {
            Self::Name => Life::new(PID, text, None),
            Self::CommandLine => Life::new(PID, &utf16("x"), Some(text)),
        }
    }
}

/// A point of a curve: units of text, and what a create costs with them.
pub type Point = (f64, f64);

/// What a create costs with texts of one kind, in one place.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Of what.
    pub kind: Kind,
    /// Where.
    pub part: Part,
    /// Instructions.
    pub instructions: Vec<Point>,
    /// Nanoseconds; none where times are not wanted.
    pub nanoseconds: Vec<Point>,
}

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Extent {
    /// The longest command line whose instructions are counted, apart from
    /// plain ones: a counted instruction takes microseconds.
    pub command_line: u16,
    /// As well, the longest name. It is cut and shown as a command line is.
    pub name: u16,
    /// Rounds of timing.
    pub rounds: u32,
}

impl Extent {
    /// No times.
    pub const COUNTS: Self = Self {
        command_line: 1_536,
        name: 0,
        rounds: 0,
    };
    /// Seconds.
    pub const QUICK: Self = Self {
        command_line: 1_536,
        name: 0,
        rounds: 8,
    };
    /// Minutes.
    pub const FULL: Self = Self {
        command_line: 6_144,
        name: 1_536,
        rounds: 60,
    };

    /// How often `progress` is called.
    pub const fn steps(self) -> u32 {
        self.rounds + 1
    }
}

/// Measures all curves.
pub fn curves(driver: &Driver, extent: Extent, mut progress: impl FnMut()) -> Vec<Curve> {
    progress();
    let places = || {
        Part::ALL
            .into_iter()
            .flat_map(|part| Kind::ALL.map(|kind| (part, kind)))
    };
    // Counts are the same however many processors are busy.
    let counts: Vec<Vec<Point>> = thread::scope(|scope| {
        let counts: Vec<_> = places()
            .map(|(part, kind)| scope.spawn(move || count(driver, part, kind, extent)))
            .collect();
        counts
            .into_iter()
            .map(|counted| counted.join().expect("a thread that counts"))
            .collect()
    });
    let mut curves: Vec<Curve> = places()
        .zip(counts)
        .map(|((part, kind), instructions)| Curve {
            kind,
            part,
            instructions,
            nanoseconds: Vec::new(),
        })
        .collect();
    time(driver, &mut curves, extent.rounds, progress);
    curves
}

fn count(driver: &Driver, part: Part, kind: Kind, extent: Extent) -> Vec<Point> {
    let most = match (part, kind) {
        (_, Kind::Plain | Kind::Paths) => u16::MAX,
        (Part::CommandLine, _) => extent.command_line,
        (Part::Name, _) => extent.name,
    };
    LENGTHS
        .into_iter()
        .filter(|&length| length <= most)
        .map(|length| {
            let life = part.life(&kind.text(length.into()));
            let counts = step::count(driver, life.creation());
            (f64::from(length), count_to_f64(counts.instructions()))
        })
        .collect()
}

/// Times the curves' points in turn, round after round; of each, the fastest
/// round counts, as the one that was least disturbed.
fn time(driver: &Driver, curves: &mut [Curve], rounds: u32, mut progress: impl FnMut()) {
    /// Units of text that are reported before the clock is looked at again.
    const UNITS: u32 = 60_000;
    /// What a create costs beyond its text, in units.
    const CREATE: u32 = 400;

    let lives: Vec<Vec<Life>> = curves
        .iter()
        .map(|Curve { part, kind, .. }| {
            LENGTHS
                .map(|length| part.life(&kind.text(length.into())))
                .into()
        })
        .collect();
    for round in 0..rounds {
        progress();
        for (curve, lives) in curves.iter_mut().zip(&lives) {
            for (index, (length, life)) in LENGTHS.into_iter().zip(lives).enumerate() {
                let times = (UNITS / (u32::from(length) + CREATE)).max(1);
                let start = Instant::now();
                for _ in 0..times {
                    black_box(life).tell_creation(driver);
                }
                let one = start.elapsed().as_secs_f64() * 1e9 / f64::from(times);
                if round == 0 {
                    curve.nanoseconds.push((length.into(), one));
                } else {
                    let best = &mut curve.nanoseconds[index].1;
                    *best = best.min(one);
                }
            }
        }
    }
}

impl Curve {
    fn title(&self) -> String {
        format!("{}, {}", self.part.name(), self.kind.name())
    }

    fn figures(&self) -> Vec<Figure> {
        let figure =
            |what: &str, value| Figure::new(format!("{what}: {}", self.title()), value, "");
        let mut figures = Vec::new();
        if let Some(line) = Line::fit(&self.instructions) {
            figures.push(figure("instructions a character", line.slope));
            figures.push(figure("fit (r²)", line.r_squared));
        }
        if let Some(line) = Line::fit(&self.nanoseconds) {
            figures.push(figure("ns a character", line.slope));
            figures.push(figure("fit of ns (r²)", line.r_squared));
        }
        if let Some((_, longest)) = self.nanoseconds.last() {
            figures.push(figure("µs, 32,767 characters", longest / 1e3));
        }
        figures
    }
}

/// What the curves say.
pub fn figures(curves: &[Curve]) -> Vec<Figure> {
    curves.iter().flat_map(Curve::figures).collect()
}
