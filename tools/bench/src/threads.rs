//! Events from several processors at once: whether they hold each other up.
//!
//! Every processor has a thread of its own, with pages and caches that are warm
//! by then. In each round the threads first work one after the other, and then
//! together, each doing the same work again; what counts is the middle one of
//! the rounds' ratios. A round in which another program took a processor away, so
//! that threads did not work alone or together, does not count.

mod span;

use std::hint::{self, black_box};
use std::iter;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::cpus::Cpu;
use crate::event::Life;
use crate::figure::Figure;
use crate::null_kernel::Driver;
use crate::statistics::median;
use span::{Span, are_undisturbed, seconds};

/// What the threads tell, and whom.
struct Task<'a> {
    name: &'static str,
    /// For each thread.
    work: Vec<(&'a Driver, Vec<Life>)>,
}

/// One of the tasks, done by more and more threads.
#[derive(Clone, Debug)]
pub struct Scaling {
    /// Which task.
    pub name: &'static str,
    /// By so many threads.
    pub points: Vec<Point>,
}

/// What so many threads do.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// How many.
    pub threads: u32,
    /// Events a second of all of them.
    pub events_per_second: f64,
    /// How many times the work of one thread.
    pub speed_up: f64,
    /// In how many rounds that was seen.
    pub rounds: u32,
}

/// How often the tasks are done in turn.
pub const TURNS: u32 = 8;

/// Processes that each thread tells of, all threads of the same.
const PROCESSES: u32 = 64;

/// Measures with one thread and more.
///
/// `drivers` are procmon, once for each processor.
pub fn scalings(drivers: &[Driver], rounds: u32, mut progress: impl FnMut()) -> Vec<Scaling> {
    let cpus = Cpu::all();
    let count = u32::try_from(cpus.len()).unwrap_or(u32::MAX);
    // A step that visits all, in another order for each thread.
    let lives = |thread: u32| -> Vec<Life> {
        (0..PROCESSES)
            .map(|index| {
                let scattered = index * (2 * thread + 5) % PROCESSES;
                Life::ordinary(0x1000 + 4 * scattered)
            })
            .collect()
    };
    let tasks = [
        Task {
            name: "one driver",
            work: (0..count)
                .map(|thread| (&drivers[0], lives(thread)))
                .collect(),
        },
        Task {
            name: "a driver for each",
            work: (0..count)
                .map(|thread| (&drivers[thread as usize % drivers.len()], lives(thread)))
                .collect(),
        },
    ];
    // What disturbs the machine for a while meets all tasks.
    let mut spans = tasks.each_ref().map(|_| Vec::new());
    for _ in 0..TURNS {
        progress();
        for (task, spans) in tasks.iter().zip(&mut spans) {
            spans.extend(task.run(&cpus, &teams(cpus.len()), rounds.div_ceil(TURNS)));
        }
    }
    tasks
        .iter()
        .zip(spans)
        .map(|(task, spans)| Scaling::of(task.name, cpus.len(), &spans))
        .collect()
}

/// Which threads work at once: those below the second number, from the first.
type Team = (usize, usize);

/// How often a thread tells of all its processes in one go: about a
/// millisecond's work, less than a turn that the system gives to others.
const PASSES: u32 = 200;

/// Each thread alone, and then together as many as are tried.
fn teams(cpus: usize) -> Vec<Team> {
    let alone = (0..cpus).map(|thread| (thread, thread + 1));
    let together = sizes(cpus).into_iter().map(|size| (0, size));
    alone.chain(together).collect()
}

impl Scaling {
    /// What the spans of all [`teams`] say, round after round.
    fn of(name: &'static str, cpus: usize, spans: &[Vec<Span>]) -> Self {
        let sizes = sizes(cpus);
        let mut one_alone = Vec::new();
        let mut ratios = vec![Vec::new(); sizes.len()];
        for round in spans.chunks(cpus + sizes.len()) {
            let (alone, together) = round.split_at(cpus);
            if !alone.iter().all(|spans| are_undisturbed(spans)) {
                continue;
            }
            let alone: Vec<f64> = alone.iter().map(|spans| seconds(spans)).collect();
            for ((ratios, &size), spans) in ratios.iter_mut().zip(&sizes).zip(together) {
                if are_undisturbed(spans) {
                    ratios.push(alone[..size].iter().sum::<f64>() / seconds(spans));
                }
            }
            one_alone.extend(alone);
        }
        let measured = sizes
            .into_iter()
            .zip(&ratios)
            .filter(|(_, ratios)| !ratios.is_empty());
        let points = measured.map(|(threads, ratios)| Point {
            threads: u32::try_from(threads).unwrap_or(u32::MAX),
            events_per_second: f64::from(2 * PASSES * PROCESSES) / median(&one_alone)
                * median(ratios),
            speed_up: median(ratios),
            rounds: u32::try_from(ratios.len()).unwrap_or(u32::MAX),
        });
        Self {
            name,
            points: points.collect(),
        }
    }
}

impl Task<'_> {
    /// Has the teams work one after the other, again and again. Gives the spans
    /// of each team's members, team after team.
    fn run(&self, cpus: &[Cpu], teams: &[Team], rounds: u32) -> Vec<Vec<Span>> {
        let turns: Vec<Turn> = (0..rounds)
            .flat_map(|_| teams)
            .map(|&team| Turn::new(team))
            .collect();
        let next = Barrier::new(cpus.len());
        let spans: Vec<Vec<Option<Span>>> = thread::scope(|scope| {
            let threads: Vec<_> = self
                .work
                .iter()
                .zip(cpus)
                .enumerate()
                .map(|(index, ((driver, lives), cpu))| {
                    let (turns, next) = (&turns, &next);
                    scope.spawn(move || {
                        cpu.pin();
                        turns
                            .iter()
                            .map(|turn| {
                                // Who has no part in the turn sleeps here.
                                next.wait();
                                turn.take(index, || tell(driver, lives))
                            })
                            .collect()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("a thread that measures"))
                .collect()
        });
        (0..turns.len())
            .map(|turn| spans.iter().filter_map(|spans| spans[turn]).collect())
            .collect()
    }
}

/// Tells of every process once.
fn tell(driver: &Driver, lives: &[Life]) {
    for life in lives {
        black_box(life).tell(driver);
    }
}

/// A team's work.
struct Turn {
    team: Team,
    arrived: AtomicUsize,
}

impl Turn {
    const fn new(team: Team) -> Self {
        Self {
            team,
            arrived: AtomicUsize::new(0),
        }
    }

    /// The part of thread `index`, if it is of the team.
    fn take(&self, index: usize, pass: impl Fn()) -> Option<Span> {
        let (first, end) = self.team;
        if !(first..end).contains(&index) {
            return None;
        }
        // It has slept: what it needs may be gone from the caches.
        pass();
        self.arrived.fetch_add(1, Ordering::AcqRel);
        while self.arrived.load(Ordering::Acquire) < end - first {
            hint::spin_loop();
        }
        Some(Span::of(|| (0..PASSES).for_each(|_| pass())))
    }
}

/// How many threads are tried: 1, 2, 4… and all.
fn sizes(most: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> = iter::successors(Some(1), |size| Some(size * 2))
        .take_while(|&size| size < most)
        .collect();
    sizes.push(most);
    sizes
}

/// What the tasks say.
pub fn figures(scalings: &[Scaling]) -> Vec<Figure> {
    let figures = scalings.iter().flat_map(|scaling| {
        scaling.points.iter().flat_map(|point| {
            let Point { threads, .. } = point;
            [
                Figure::new(
                    format!("events a second: {}, threads: {threads}", scaling.name),
                    point.events_per_second,
                    "",
                ),
                Figure::new(
                    format!("undisturbed rounds: {}, threads: {threads}", scaling.name),
                    f64::from(point.rounds),
                    "",
                ),
                Figure::new(
                    format!(
                        "times the work of one: {}, threads: {threads}",
                        scaling.name
                    ),
                    point.speed_up,
                    "",
                ),
            ]
        })
    });
    figures.collect()
}

/// By which procmon is judged, where there are two processors.
pub fn judged(scalings: &[Scaling]) -> Option<Figure> {
    let point = scalings
        .first()?
        .points
        .iter()
        .find(|point| point.threads == 2)?;
    Some(Figure::new("two threads / one", point.speed_up, "x"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn twice_the_work_in_the_same_time_is_twice_as_fast() {
        let start = Instant::now();
        let span = |from: u64, to: u64| {
            let at = |ms: u64| start + Duration::from_millis(ms);
            Span {
                start: at(from),
                end: at(to),
                processor: Duration::from_millis(to - from),
            }
        };
        let round = [
            vec![span(0, 10)],
            vec![span(10, 20)],
            vec![span(20, 30)],
            vec![span(30, 40), span(30, 40)],
        ];
        let [one, two] = Scaling::of("", 2, &round).points[..] else {
            panic!("one thread and two");
        };
        assert!((one.speed_up - 1.0).abs() < 1e-9 && (two.speed_up - 2.0).abs() < 1e-9);
        let slower = [&round[..3], &[vec![span(30, 40), span(30, 45)]]].concat();
        let slower = Scaling::of("", 2, &slower).points[1].speed_up;
        assert!((slower - 20.0 / 15.0).abs() < 1e-9, "{slower}");
        let apart = [&round[..3], &[vec![span(30, 40), span(35, 45)]]].concat();
        assert_eq!(Scaling::of("", 2, &apart).points.len(), 1, "not together");
    }

    #[test]
    fn every_power_of_two_and_all_processors_are_tried() {
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(2), [1, 2]);
        assert_eq!(sizes(6), [1, 2, 4, 6]);
    }
}
