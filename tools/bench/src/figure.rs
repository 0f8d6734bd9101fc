//! What was measured, and the budget that it is held to.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// One thing measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it is; `budget.toml` names it so.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
}

impl Figure {
    /// A figure.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<64} {:>12.2} {}", self.name, self.value, self.unit)
    }
}

/// The budget: limits by the name of the figure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Figures that are the same on every machine.
    counts: BTreeMap<String, Limit>,
    /// Ratios of times, which need an idle machine.
    times: BTreeMap<String, Limit>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Limit {
    Most(f64),
    Least(f64),
}

impl Budget {
    /// Reads a budget.
    ///
    /// # Errors
    /// When the text is not one.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context("the budget cannot be read")
    }

    /// Holds `figures` to the budget.
    ///
    /// # Errors
    /// Names every figure that is beyond its limit or was not measured.
    pub fn check(&self, figures: &[Figure], with_times: bool) -> Result<()> {
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
}

impl Limit {
    fn failure(self, name: &str, figures: &[Figure]) -> Option<String> {
        let Some(figure) = figures.iter().find(|figure| figure.name == name) else {
            return Some(format!("{name} was not measured"));
        };
        let value = figure.value;
        match self {
            Self::Most(most) if value > most => {
                Some(format!("{name} is {value:.2}, at most {most} is allowed"))
            }
            Self::Least(least) if value < least => {
                Some(format!("{name} is {value:.2}, at least {least} is asked"))
            }
            _ => None,
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
}
