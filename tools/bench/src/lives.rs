//! How long the drivers take for a process that is created and exits.

use std::hint::black_box;
use std::time::Instant;

use crate::Drivers;
use crate::event::{Life, PID};
use crate::figure::Figure;

/// Nanoseconds of a life, driver by driver in turn; of each, the fastest round
/// counts, as the one that was least disturbed.
pub fn figures(drivers: &Drivers, rounds: u32, mut progress: impl FnMut()) -> Vec<Figure> {
    const LIVES: u32 = 10_000;

    let life = Life::ordinary(PID);
    let mut best = [f64::INFINITY; 3];
    for _ in 0..rounds {
        progress();
        for (best, (_, driver)) in best.iter_mut().zip(drivers.all()) {
            let start = Instant::now();
            for _ in 0..LIVES {
                black_box(&life).tell(driver);
            }
            *best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(LIVES));
        }
    }
    drivers
        .all()
        .zip(best)
        .map(|((name, _), best)| Figure::new(format!("{name}: create and exit"), best, "ns"))
        .collect()
}
