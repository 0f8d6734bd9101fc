//! The cost of a process's life against the number of drivers.

use anyhow::Result;
use plotters::prelude::*;

use super::palette::SERIES;
use super::{axes, curve, decades, failed, legend, sheet};
use crate::figure::number;
use crate::registered::Cost;

/// Draws both kernels.
pub fn draw(costs: &[Cost]) -> Result<String> {
    let (least, most) = decades(
        costs
            .iter()
            .flat_map(|cost| &cost.points)
            .map(|(_, time)| *time),
    );
    sheet(
        "What a create and an exit cost, by the number of drivers",
        (720, 420),
        |area| {
            let mut chart = ChartBuilder::on(area)
                .margin_right(24)
                .x_label_area_size(46)
                .y_label_area_size(92)
                .build_cartesian_2d(
                    (0.9..72.0_f64).log_scale().base(2.0),
                    (least..most).log_scale(),
                )
                .map_err(failed)?;
            axes(&mut chart, "drivers registered", "nanoseconds", &number)?;
            for (cost, colour) in costs.iter().zip(SERIES) {
                curve(&mut chart, cost.kernel, colour, &cost.points)?;
            }
            legend(&mut chart, SeriesLabelPosition::UpperLeft)
        },
    )
}
