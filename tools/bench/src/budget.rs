//! What the figures are held to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::figure::{Figure, number};
use crate::table::Table;

/// The budget: the most that a figure may be, by its name.
#[derive(Debug, Deserialize)]
pub struct Budget(BTreeMap<String, f64>);

impl Budget {
    /// Reads the budget in `file`.
    ///
    /// # Errors
    /// When the file cannot be read, and as [`Self::parse`].
    pub fn read(file: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).with_context(|| file.display().to_string())
    }

    /// Reads a budget.
    ///
    /// # Errors
    /// When the text is not one.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context("the budget cannot be read")
    }

    /// What is wrong with each figure that exceeds its limit or was not
    /// measured.
    pub fn exceeded(&self, figures: &[&Figure]) -> Vec<String> {
        self.0
            .iter()
            .filter_map(|(name, most)| match find(figures, name) {
                None => Some(format!("{name} was not measured")),
                Some(figure) if figure.value <= *most => None,
                Some(figure) => Some(format!(
                    "{name} is {:.2}, at most {most} is allowed",
                    figure.value
                )),
            })
            .collect()
    }

    /// Each limit beside what was measured.
    pub fn table(&self, figures: &[&Figure]) -> Table {
        let mut table = Table::new(["figure", "at most", "measured"]);
        for (name, most) in &self.0 {
            let measured = find(figures, name).map_or_else(String::new, Figure::amount);
            table.row(vec![name.clone(), number(*most), measured]);
        }
        table
    }
}

fn find<'a>(figures: &[&'a Figure], name: &str) -> Option<&'a Figure> {
    figures.iter().find(|figure| figure.name == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exceeded(figures: &[(&str, f64)]) -> Vec<String> {
        let budget = Budget::parse("stack = 1024\n\"pool blocks\" = 0\n").unwrap();
        let figures: Vec<_> = figures
            .iter()
            .map(|(name, value)| Figure::new(*name, *value, ""))
            .collect();
        let figures: Vec<&Figure> = figures.iter().collect();
        budget.exceeded(&figures)
    }

    #[test]
    fn a_figure_within_its_limit_passes() {
        let none: [&str; 0] = [];
        assert_eq!(exceeded(&[("stack", 1024.0), ("pool blocks", 0.0)]), none);
    }

    #[test]
    fn a_figure_beyond_its_limit_fails_by_name() {
        assert_eq!(
            exceeded(&[("stack", 1025.0), ("pool blocks", 1.0)]),
            [
                "pool blocks is 1.00, at most 0 is allowed",
                "stack is 1025.00, at most 1024 is allowed"
            ]
        );
    }

    #[test]
    fn a_figure_that_was_not_measured_fails() {
        assert_eq!(
            exceeded(&[("stack", 1.0)]),
            ["pool blocks was not measured"]
        );
    }

    #[test]
    fn a_value_that_is_no_number_is_beyond_every_limit() {
        let failures = exceeded(&[("stack", f64::NAN), ("pool blocks", 0.0)]);
        assert_eq!(failures, ["stack is NaN, at most 1024 is allowed"]);
    }

    #[test]
    fn what_is_no_number_is_no_limit() {
        assert!(Budget::parse("stack = \"little\"\n").is_err());
    }

    #[test]
    fn the_table_has_limits_and_figures() {
        let budget = Budget::parse("stack = 1024\n").unwrap();
        let table = budget
            .table(&[&Figure::new("stack", 5.0, "bytes")])
            .to_string();
        assert!(table.contains("| stack  |   1,024 |  5 bytes |"), "{table}");
    }
}
