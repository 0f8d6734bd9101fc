//! Tables that read well in a terminal and in a document: Markdown, aligned.

use std::fmt::{self, Write as _};

/// A table. The first column is text, the others are numbers.
#[derive(Clone, Debug)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with no rows yet.
    pub fn new<T: Into<String>>(header: impl IntoIterator<Item = T>) -> Self {
        Self {
            header: header.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells that it lacks are empty.
    pub fn row(&mut self, mut cells: Vec<String>) {
        cells.resize(self.header.len(), String::new());
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || std::iter::once(&self.header).chain(&self.rows);
        let width = |column: usize| {
            all()
                .map(|cells| cells[column].chars().count())
                .max()
                .map_or(3, |width| width.max(3))
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        for (index, cells) in all().enumerate() {
            f.write_char('|')?;
            for (column, (cell, &width)) in cells.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(f, " {cell:<width$} |")?,
                    _ => write!(f, " {cell:>width$} |")?,
                }
            }
            f.write_char('\n')?;
            if index == 0 {
                f.write_char('|')?;
                for (column, &width) in widths.iter().enumerate() {
                    let line = "-".repeat(width - 1);
                    match column {
                        0 => write!(f, " {line}- |")?,
                        _ => write!(f, " {line}: |")?,
                    }
                }
                f.write_char('\n')?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["figure", "n"]);
        table.row(vec!["µs".into(), "1,000".into()]);
        table.row(vec!["none".into()]);
        assert_eq!(
            table.to_string(),
            "| figure |     n |\n| ------ | ----: |\n| µs     | 1,000 |\n| none   |       |\n"
        );
    }
}
