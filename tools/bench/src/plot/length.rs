//! The cost of a create against the length of its text.

use anyhow::Result;
use plotters::prelude::*;

use super::palette::SERIES;
use super::{Area, axes, curve, decades, failed, legend, sheet};
use crate::figure::number;
use crate::growth::{Curve, Part, Point};
use crate::text::Kind;

/// Draws instructions beside nanoseconds.
pub fn draw(curves: &[Curve]) -> Result<String> {
    sheet(
        "What a create costs, against the length of its text",
        (960, 440),
        |area| {
            let (left, right) = area.split_horizontally(472);
            panel(&left, curves, "instructions", |curve| &curve.instructions)?;
            panel(&right, curves, "nanoseconds", |curve| &curve.nanoseconds)
        },
    )
}

fn panel(
    area: &Area<'_>,
    curves: &[Curve],
    unit: &str,
    points: impl Fn(&Curve) -> &Vec<Point>,
) -> Result<()> {
    // There is no place for zero on a logarithmic scale.
    let points = |curve: &Curve| -> Vec<Point> {
        let points = points(curve).iter().copied();
        points.filter(|(length, _)| *length > 0.0).collect()
    };
    let (least, most) = decades(curves.iter().flat_map(&points).map(|(_, cost)| cost));
    let mut chart = ChartBuilder::on(area)
        .margin_right(16)
        .x_label_area_size(46)
        .y_label_area_size(86)
        .build_cartesian_2d(
            (300.0..40_000.0_f64)
                .log_scale()
                .with_key_points(vec![264.0, 1_320.0, 5_280.0, 13_200.0, 32_767.0]),
            (least..most).log_scale(),
        )
        .map_err(failed)?;
    let what = "characters of command line (dots) or name (crosses)";
    axes(&mut chart, what, unit, &number)?;
    for (kind, colour) in Kind::ALL.into_iter().rev().zip(SERIES) {
        let of = |part| {
            curves
                .iter()
                .filter(move |curve| curve.part == part && curve.kind == kind)
                .flat_map(&points)
        };
        let line: Vec<Point> = of(Part::CommandLine).collect();
        curve(&mut chart, kind.name(), colour, &line)?;
        let crosses = of(Part::Name).map(|point| Cross::new(point, 6, colour.light()));
        chart.draw_series(crosses).map_err(failed)?;
    }
    legend(&mut chart, SeriesLabelPosition::LowerRight)
}
