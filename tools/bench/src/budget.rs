//! What the figures are held to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::figure::{Figure, number};
use crate::table::Table;

/// The budget: limits by the name of the figure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Figures that are the same on every machine.
    counts: BTreeMap<String, Limit>,
    /// Ratios of times, which need an idle machine.
    times: BTreeMap<String, Limit>,
    /// What was aimed at where a limit is less.
    #[serde(default)]
    aims: BTreeMap<String, Limit>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Limit {
    Most(f64),
    Least(f64),
}

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
    /// When the text is not one, or aims at a figure that it sets no limit to.
    pub fn parse(text: &str) -> Result<Self> {
        let budget: Self = toml::from_str(text).context("the budget cannot be read")?;
        for name in budget.aims.keys() {
            ensure!(
                budget.counts.contains_key(name) || budget.times.contains_key(name),
                "the budget aims at {name}, but sets no limit to it"
            );
        }
        Ok(budget)
    }

    /// Holds `figures` to the budget.
    ///
    /// # Errors
    /// Names every figure that is beyond its limit or was not measured.
    pub fn check(&self, figures: &[&Figure], with_times: bool) -> Result<()> {
        let times = self.times.iter().filter(|_| with_times);
        let failures: Vec<String> = self
            .counts
            .iter()
            .chain(times)
            .filter_map(|(name, limit)| limit.failure(name, figures))
            .collect();
        if failures.is_empty() {
            return Ok(());
        }
        bail!("beyond the budget: {}", failures.join("; "))
    }

    /// What was aimed at, and what was measured, of those that were.
    pub fn table(&self, figures: &[&Figure]) -> Table {
        let mut table = Table::new(["figure", "aim", "measured", ""]);
        for (name, limit) in self.counts.iter().chain(&self.times) {
            let Some(figure) = find(figures, name) else {
                continue;
            };
            let aim = self.aims.get(name).unwrap_or(limit);
            table.row(vec![
                name.clone(),
                aim.shown(),
                figure.amount(),
                if aim.admits(figure.value) {
                    ""
                } else {
                    "missed"
                }
                .to_owned(),
            ]);
        }
        table
    }
}

fn find<'a>(figures: &[&'a Figure], name: &str) -> Option<&'a Figure> {
    figures.iter().find(|figure| figure.name == name).copied()
}

impl Limit {
    fn failure(self, name: &str, figures: &[&Figure]) -> Option<String> {
        let Some(figure) = find(figures, name) else {
            return Some(format!("{name} was not measured"));
        };
        let value = figure.value;
        match self {
            _ if self.admits(value) => None,
            Self::Most(most) => Some(format!("{name} is {value:.2}, at most {most} is allowed")),
            Self::Least(least) => Some(format!("{name} is {value:.2}, at least {least} is asked")),
        }
    }

    fn admits(self, value: f64) -> bool {
        match self {
            Self::Most(most) => value <= most,
            Self::Least(least) => value >= least,
        }
    }

    fn shown(self) -> String {
        match self {
            Self::Most(most) => format!("≤ {}", number(most)),
            Self::Least(least) => format!("≥ {}", number(least)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        Budget::parse("[counts]\nstack = { most = 1024 }\n[times]\nspeedup = { least = 1.9 }\n")
            .unwrap()
    }

    fn failure(figures: &[(&str, f64)], with_times: bool) -> Option<String> {
        let figures: Vec<_> = figures
            .iter()
            .map(|(name, value)| Figure::new(*name, *value, ""))
            .collect();
        let figures: Vec<&Figure> = figures.iter().collect();
        let checked = budget().check(&figures, with_times);
        checked.err().map(|error| error.to_string())
    }

    #[test]
    fn a_figure_within_its_limit_passes() {
        assert_eq!(failure(&[("stack", 1024.0), ("speedup", 1.9)], true), None);
    }

    #[test]
    fn a_figure_beyond_its_limit_fails_by_name() {
        assert_eq!(
            failure(&[("stack", 1025.0)], false).unwrap(),
            "beyond the budget: stack is 1025.00, at most 1024 is allowed"
        );
        assert_eq!(
            failure(&[("stack", 1.0), ("speedup", 1.2)], true).unwrap(),
            "beyond the budget: speedup is 1.20, at least 1.9 is asked"
        );
    }

    #[test]
    fn times_are_checked_only_where_they_are_asked_for() {
        assert_eq!(failure(&[("stack", 1.0), ("speedup", 1.2)], false), None);
    }

    #[test]
    fn a_figure_that_was_not_measured_fails() {
        assert!(
            failure(&[], false)
                .unwrap()
                .contains("stack was not measured")
        );
    }

    #[test]
    fn the_table_says_what_was_aimed_at_and_missed() {
        let budget = Budget::parse(
            "[counts]\nstack = { most = 9 }\n[times]\nspeedup = { least = 1.9 }\n\
             [aims]\nstack = { most = 4 }\n",
        )
        .unwrap();
        let table = budget
            .table(&[&Figure::new("stack", 5.0, "bytes")])
            .to_string();
        assert!(
            table.contains("| stack  | ≤ 4 |  5 bytes | missed |"),
            "{table}"
        );
        assert!(!table.contains("speedup"), "{table}");
    }

    #[test]
    fn a_value_that_is_no_number_is_beyond_every_limit() {
        assert!(failure(&[("stack", f64::NAN)], false).is_some());
    }

    #[test]
    fn an_aim_without_a_limit_is_refused() {
        let text = "[counts]\n[times]\n[aims]\nstak = { most = 4 }\n";
        assert!(
            Budget::parse(text)
                .unwrap_err()
                .to_string()
                .contains("stak")
        );
    }
}
