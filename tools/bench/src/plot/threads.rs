//! Events a second against the number of threads.

use anyhow::Result;
use plotters::prelude::*;

use super::palette::{INK, SERIES};
use super::{axes, curve, failed, legend, sheet};
use crate::figure::number;
use crate::threads::Scaling;

/// Draws each task, and what threads that share nothing would do.
pub fn draw(scalings: &[Scaling]) -> Result<String> {
    const MILLION: f64 = 1e6;
    let lines: Vec<Vec<(f64, f64)>> = scalings
        .iter()
        .map(|scaling| {
            let points = scaling.points.iter();
            points
                .map(|point| (f64::from(point.threads), point.events_per_second / MILLION))
                .collect()
        })
        .collect();
    let most = lines
        .iter()
        .flatten()
        .map(|(threads, _)| *threads)
        .fold(1.0, f64::max);
    let one = lines
        .iter()
        .filter_map(|line| line.first())
        .map(|(_, events)| *events);
    let one = one.fold(0.0, f64::max);
    sheet(
        "Events a second, by the number of threads",
        (720, 420),
        |area| {
            let mut chart = ChartBuilder::on(area)
                .margin_right(24)
                .x_label_area_size(46)
                .y_label_area_size(64)
                .build_cartesian_2d(0.0..most + 0.5, 0.0..one * most * 1.4)
                .map_err(failed)?;
            let whole = |value: f64| match value.fract() {
                0.0 => number(value),
                _ => String::new(),
            };
            axes(
                &mut chart,
                "threads, each on a processor of its own",
                "million events a second",
                &whole,
            )?;
            let ideal = INK.light().stroke_width(1);
            chart
                .draw_series(LineSeries::new([(0.0, 0.0), (most, one * most)], ideal))
                .map_err(failed)?
                .label("twice the threads, twice the events")
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], ideal));
            for ((line, scaling), colour) in lines.iter().zip(scalings).zip(SERIES) {
                curve(&mut chart, scaling.name, colour, line)?;
            }
            legend(&mut chart, SeriesLabelPosition::UpperLeft)
        },
    )
}
