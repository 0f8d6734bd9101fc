//! `docs/performance.md`: the part of it that is generated.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::figure::Section;
use crate::machine;
use crate::table::Table;

/// What stands around the generated part. All else is written by hand.
const BEGIN: &str = "<!-- Written by `cargo xtask bench`, down to the end mark. -->\n";
const END: &str = "<!-- End of what `cargo xtask bench` writes. -->\n";

/// The generated part: the figures, and how they were had.
pub fn generated(with: &[String], held: &Table, sections: &[Section], left_out: &[&str]) -> String {
    let mut had = vec![format!("Measured on {}", machine::describe())];
    had.extend_from_slice(with);
    let paragraph = |text: &str| textwrap::fill(text, 80);
    let mut parts = vec![
        paragraph(&(had.join("; ") + ".")),
        format!("### Budget\n\n{held}"),
    ];
    for section in sections {
        let title = section.title;
        parts.push(format!("### {title}\n\n{}", paragraph(section.note)));
        if let Some(plot) = section.plot {
            parts.push(format!("![{title}](performance/{plot})"));
        }
        parts.push(section.table().to_string());
    }
    parts.extend(
        left_out
            .iter()
            .map(|what| paragraph(&format!("Left out: {what}."))),
    );
    let parts: Vec<&str> = parts.iter().map(|part| part.trim_end()).collect();
    parts.join("\n\n")
}

/// Replaces the generated part of the document at `path`, and writes files that
/// it refers to beside it.
///
/// # Errors
/// When a file cannot be read or written, or the marks are not there.
pub fn update(path: &Path, generated: &str, files: &[(&str, String)]) -> Result<()> {
    let old =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let new = replace(&old, generated).with_context(|| {
        format!(
            "{}: put {BEGIN:?} and {END:?} where the figures belong",
            path.display()
        )
    })?;
    let folder = path.with_extension("");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, content) in files {
        let file = folder.join(name);
        fs::write(&file, content).with_context(|| format!("cannot write {}", file.display()))?;
    }
    fs::write(path, new).with_context(|| format!("cannot write {}", path.display()))
}

fn replace(old: &str, generated: &str) -> Option<String> {
    let (before, rest) = old.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!(
        "{before}{BEGIN}\n{}\n\n{END}{after}",
        generated.trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let old = format!("# By hand\n{BEGIN}old\n{END}More by hand\n");
        let new = replace(&old, "new\n").unwrap();
        assert_eq!(
            new,
            format!("# By hand\n{BEGIN}\nnew\n\n{END}More by hand\n")
        );
        assert_eq!(replace(&new, "new").unwrap(), new);
    }

    #[test]
    fn a_document_without_marks_is_left_alone() {
        assert_eq!(replace("By hand\n", "new"), None);
        assert_eq!(replace(&format!("{END}{BEGIN}"), "new"), None);
    }
}
