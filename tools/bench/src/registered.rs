//! What an event costs with more and more drivers that are told of it.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use ntsim::Kernel;
use ntsim::dbg::Discard;

use crate::event::{Life, PID};
use crate::figure::Figure;
use crate::null_kernel::Driver;
use crate::simulated;
use crate::statistics::Line;

/// How many drivers are tried; a system has room for 64.
const NUMBERS: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];
/// The most that are tried.
pub const MOST: u32 = 64;

/// Nanoseconds of a create and an exit, by the number of drivers.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Which kernel tells them.
    pub kernel: &'static str,
    /// Number and nanoseconds.
    pub points: Vec<(f64, f64)>,
}

/// Calls of a driver that one measurement takes at least.
const CALLS: u32 = 12_800;

/// The drivers' own cost: the notify routines are called in turn, each in an
/// image of its own.
pub fn own(drivers: &[Driver], rounds: u32, progress: impl FnMut()) -> Result<Cost> {
    let life = Life::ordinary(PID);
    let points = fastest(rounds, progress, |number| {
        let told = &drivers[..number as usize];
        let lives = CALLS / number;
        let start = Instant::now();
        for _ in 0..lives {
            for driver in told {
                black_box(&life).tell(driver);
            }
        }
        Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(lives))
    })?;
    Ok(Cost {
        kernel: "routines that do nothing",
        points,
    })
}

/// The same in the embedded kernel, which formats every line of each driver.
///
/// # Errors
/// When a driver cannot be loaded.
pub fn simulated(image: &Path, rounds: u32, progress: impl FnMut()) -> Result<Cost> {
    let mut kernels = Vec::new();
    for number in NUMBERS {
        let kernel = Kernel::builder().debug_output(Arc::new(Discard)).build()?;
        for index in 0..number {
            kernel.load_driver(image, &format!("procmon{index}"))?;
        }
        kernels.push((number, kernel));
    }
    let points = fastest(rounds, progress, |number| {
        let kernel = kernels.iter().find(|(loaded, _)| *loaded == number);
        let (_, kernel) = kernel.expect("a kernel for each number");
        simulated::life(kernel, CALLS / 8 / number)
    })?;
    Ok(Cost {
        kernel: "ntsim",
        points,
    })
}

/// The shortest time of each number, tried in turn.
fn fastest(
    rounds: u32,
    mut progress: impl FnMut(),
    measure: impl Fn(u32) -> Result<f64>,
) -> Result<Vec<(f64, f64)>> {
    let mut best = NUMBERS.map(|number| (f64::from(number), f64::INFINITY));
    for _ in 0..rounds {
        progress();
        for (number, (_, best)) in NUMBERS.into_iter().zip(&mut best) {
            *best = best.min(measure(number)?);
        }
    }
    Ok(best.into())
}

/// What the costs say.
pub fn figures(costs: &[Cost]) -> Vec<Figure> {
    let figures = costs.iter().flat_map(|cost| {
        let figure =
            |what: &str, value, unit| Figure::new(format!("{}: {what}", cost.kernel), value, unit);
        let each = cost.points.iter().map(move |(number, time)| {
            figure(&format!("create and exit, drivers: {number}"), *time, "ns")
        });
        let line = Line::fit(&cost.points).map(|line| {
            [
                figure("one more driver", line.slope, "ns"),
                figure("fit (r²)", line.r_squared, ""),
            ]
        });
        each.chain(line.into_iter().flatten()).collect::<Vec<_>>()
    });
    figures.collect()
}
