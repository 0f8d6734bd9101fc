//! Plots of what was measured, as SVG that reads well on light and dark pages.

mod length;
mod palette;
mod peers;

use anyhow::{Result, anyhow};
use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::measure::Measured;
use palette::{GRID, INK, PAPER};

/// A plot's file name and content.
pub type Plot = (&'static str, String);

/// All plots.
///
/// # Errors
/// When one cannot be drawn.
pub fn all(measured: &Measured) -> Result<Vec<Plot>> {
    Ok(vec![
        ("length.svg", length::draw(&measured.curves)?),
        ("peers.svg", peers::draw(&measured.side_by_side)?),
    ])
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws on a sheet of paper.
fn sheet(
    title: &str,
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<()>,
) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&PAPER.light()).map_err(failed)?;
        let area = area
            .titled(title, text(20).pos(Pos::new(HPos::Center, VPos::Top)))
            .map_err(failed)?
            .margin(8, 8, 8, 16);
        draw(&area)?;
        area.present().map_err(failed)?;
    }
    Ok(palette::adapt(&svg, title))
}

/// Ordinary text.
fn text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK.light())
}

/// The axes with their names, and thin lines at their numbers.
fn axes<X, Y>(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    x: &str,
    y: &str,
    number: &dyn Fn(f64) -> String,
) -> Result<()>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let shown = |value: &f64| number(*value);
    chart
        .configure_mesh()
        .x_labels(6)
        .x_desc(x)
        .y_desc(y)
        .axis_style(INK.light())
        .bold_line_style(GRID.light())
        .light_line_style(TRANSPARENT)
        .label_style(text(13))
        .axis_desc_style(text(14))
        .x_label_formatter(&shown)
        .y_label_formatter(&shown)
        .draw()
        .map_err(failed)
}

/// What the lines are, in a corner where there are none.
fn legend<'a, X, Y>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>,
    corner: SeriesLabelPosition,
) -> Result<()>
where
    X: Ranged<ValueType = f64>,
    Y: Ranged<ValueType = f64>,
{
    chart
        .configure_series_labels()
        .position(corner)
        .background_style(PAPER.light())
        .border_style(GRID.light())
        .label_font(text(13))
        .margin(8)
        .draw()
        .map_err(failed)
}

/// A line through points, named in the legend.
fn curve<X, Y>(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    name: &str,
    colour: palette::Colour,
    points: &[(f64, f64)],
) -> Result<()>
where
    X: Ranged<ValueType = f64>,
    Y: Ranged<ValueType = f64>,
{
    let style = colour.light().stroke_width(2);
    chart
        .draw_series(LineSeries::new(points.iter().copied(), style))
        .map_err(failed)?
        // Room that the width of the text is underestimated by.
        .label(format!("{name}  "))
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    let dots = points
        .iter()
        .map(|&point| Circle::new(point, 4, colour.light().filled()));
    chart.draw_series(dots).map_err(failed)?;
    Ok(())
}

/// Where an axis begins and ends that has room for `values` on a logarithmic
/// scale.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (least, most) = values.fold((f64::INFINITY, 0.0_f64), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    (
        10_f64.powf(least.log10().floor()),
        10_f64.powf(most.log10().ceil()),
    )
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("a plot cannot be drawn: {error}")
}
