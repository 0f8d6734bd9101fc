//! What was measured, and how it is shown.

use std::fmt;

use crate::table::Table;

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

    /// Reads how many seconds something took, from `what=seconds`.
    ///
    /// # Errors
    /// When the text is not that.
    pub fn seconds(text: &str) -> Result<Self, String> {
        let (what, seconds) = text.rsplit_once('=').ok_or("no equals sign")?;
        let seconds = seconds.parse().map_err(|_| "not a number of seconds")?;
        Ok(Self::new(what, seconds, "s"))
    }

    /// How much, of what.
    pub fn amount(&self) -> String {
        [&number(self.value), self.unit]
            .join(" ")
            .trim_end()
            .to_owned()
    }
}

/// A number with as many digits as mean something.
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        _ if value.fract() == 0.0 => 0,
        1_000.0.. => 0,
        100.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    let plain = format!("{value:.digits$}");
    let (whole, fraction) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let (sign, whole) = whole.split_at(usize::from(whole.starts_with('-')));
    let mut grouped = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index != 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + fraction
}

/// Figures that belong together.
#[derive(Clone, Debug)]
pub struct Section {
    /// Of what.
    pub title: &'static str,
    /// What a reader should know of them.
    pub note: &'static str,
    /// The plot of them, if there is one.
    pub plot: Option<&'static str>,
    /// How the table is laid out.
    pub layout: Layout,
    /// All of them.
    pub figures: Vec<Figure>,
}

/// How the table of a section is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A figure a row.
    List,
    /// What stands before a figure's colon is its column, what follows its row.
    Matrix,
}

impl Section {
    /// The table of all figures.
    pub fn table(&self) -> Table {
        match self.layout {
            Layout::List => self.list(),
            Layout::Matrix => self.matrix(),
        }
    }

    fn list(&self) -> Table {
        let mut table = Table::new(["figure", "measured"]);
        for figure in &self.figures {
            table.row(vec![figure.name.clone(), figure.amount()]);
        }
        table
    }

    fn matrix(&self) -> Table {
        let (mut columns, mut rows) = (Vec::new(), Vec::new());
        let places: Vec<(usize, usize, String)> = self
            .figures
            .iter()
            .map(|figure| {
                let (column, row) = figure.name.split_once(": ").unwrap_or(("", &figure.name));
                let row = match figure.unit {
                    "" => row.to_owned(),
                    unit => format!("{row}, {unit}"),
                };
                (
                    place(&mut columns, column.to_owned()),
                    place(&mut rows, row),
                    number(figure.value),
                )
            })
            .collect();
        let mut table = Table::new([String::new()].into_iter().chain(columns));
        for (index, row) in rows.into_iter().enumerate() {
            let mut cells = vec![row];
            for (column, _, amount) in places.iter().filter(|(_, row, _)| *row == index) {
                cells.resize(column + 1, String::new());
                cells.push(amount.clone());
            }
            table.row(cells);
        }
        table
    }
}

/// Where `name` is in `names`, at whose end it is put if it is new.
fn place(names: &mut Vec<String>, name: String) -> usize {
    names
        .iter()
        .position(|known| *known == name)
        .unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "### {}\n\n{}", self.title, self.table())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_cut() {
        let shown = [0.0, 1_024.0, 1_234_567.8, 2.5449, 123.456, 0.0384, -1_000.0].map(number);
        assert_eq!(
            shown,
            [
                "0",
                "1,024",
                "1,234,568",
                "2.54",
                "123.5",
                "0.038",
                "-1,000"
            ]
        );
    }

    #[test]
    fn a_matrix_has_a_row_for_each_figure_and_a_column_for_each_driver() {
        let section = Section {
            title: "Peers",
            note: "",
            plot: None,
            layout: Layout::Matrix,
            figures: vec![
                Figure::new("a: calls", 3.0, ""),
                Figure::new("b: calls", 4.0, ""),
                Figure::new("b: size", 5.0, "bytes"),
            ],
        };
        assert_eq!(
            section.to_string(),
            "### Peers\n\n\
             |             |   a |   b |\n\
             | ----------- | --: | --: |\n\
             | calls       |   3 |   4 |\n\
             | size, bytes |     |   5 |\n"
        );
    }
}
