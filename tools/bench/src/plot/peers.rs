//! A bar for each driver.

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::palette::SERIES;
use super::{Area, failed, sheet, text};
use crate::figure::{Figure, number};

/// Draws nanoseconds beside instructions.
pub fn draw(side_by_side: &[Figure]) -> Result<String> {
    let bars = |whats: &[&str]| -> Vec<(String, f64)> {
        let mut bars: Vec<(String, f64)> = Vec::new();
        for figure in side_by_side {
            let Some((driver, what)) = figure.name.split_once(": ") else {
                continue;
            };
            if !whats.contains(&what) {
                continue;
            }
            match bars.iter_mut().find(|(name, _)| name == driver) {
                Some((_, sum)) => *sum += figure.value,
                None => bars.push((driver.to_owned(), figure.value)),
            }
        }
        bars
    };
    let times = bars(&["create and exit"]);
    let counts = bars(&["instructions, create, everything", "instructions, exit"]);
    sheet(
        "What a create and an exit cost each driver",
        (960, 226),
        |area| {
            let (left, right) = area.split_horizontally(472);
            panel(&left, "nanoseconds", &times)?;
            panel(&right, "instructions", &counts)
        },
    )
}

// Pixels.
const NAMES: i32 = 80;
const NUMBERS: i32 = 70;
const ROW: i32 = 44;
const BAR: i32 = 26;
const TOP: i32 = 36;

fn panel(area: &Area<'_>, title: &str, bars: &[(String, f64)]) -> Result<()> {
    let (width, _) = area.dim_in_pixel();
    let room = f64::from(i32::try_from(width)? - NAMES - NUMBERS);
    let most = bars.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let beside = |horizontal| Pos::new(horizontal, VPos::Center);
    let write = |words: &str, place: (i32, i32), position: Pos, size| {
        let style = text(size).pos(position);
        area.draw(&Text::new(words.to_owned(), place, style))
            .map_err(failed)
    };
    write(title, (NAMES, TOP / 2), beside(HPos::Left), 15)?;
    for (index, ((name, value), colour)) in (0..).zip(bars.iter().zip(SERIES)) {
        let top = TOP + index * ROW;
        let middle = top + BAR / 2;
        #[expect(clippy::cast_possible_truncation, reason = "within the panel")]
        let end = NAMES + (room * value / most).max(1.0).round() as i32;
        write(name, (NAMES - 8, middle), beside(HPos::Right), 14)?;
        area.draw(&Rectangle::new(
            [(NAMES, top), (end, top + BAR)],
            colour.light().filled(),
        ))
        .map_err(failed)?;
        write(&number(*value), (end + 8, middle), beside(HPos::Left), 14)?;
    }
    Ok(())
}
