//! INF files: sections of `key = value` lines, read as `SetupAPI` reads them.

pub mod rules;
pub mod stamp;

use anyhow::{Context as _, Result, bail};

/// A parsed INF file. Names of sections and keys compare without case.
pub struct Inf {
    sections: Vec<Section>,
}

/// A section with all of its lines, those of a repeated header included.
pub struct Section {
    pub name: String,
    pub lines: Vec<Line>,
}

/// `key = value, value, …`, or a list without a key, as in a file list.
pub struct Line {
    pub number: usize,
    pub key: Option<String>,
    pub values: Vec<String>,
}

impl Line {
    /// The value numbered `index`; an absent one is empty, as in `SetupAPI`.
    pub fn value(&self, index: usize) -> &str {
        self.values.get(index).map_or("", String::as_str)
    }
}

impl Section {
    /// The line of a key.
    pub fn line(&self, key: &str) -> Option<&Line> {
        self.lines.iter().find(|line| {
            line.key
                .as_deref()
                .is_some_and(|k| k.eq_ignore_ascii_case(key))
        })
    }

    /// The first value of a key; empty where there is none.
    pub fn value(&self, key: &str) -> &str {
        self.line(key).map_or("", |line| line.value(0))
    }
}

impl Inf {
    /// Parses the text of an INF file.
    ///
    /// # Errors
    ///
    /// A line outside of a section, a header or a string that does not end, a
    /// character that is not ASCII.
    pub fn parse(text: &str) -> Result<Self> {
        let mut sections: Vec<Section> = Vec::new();
        let mut current = None;
        for (number, line) in (1..).zip(text.lines()) {
            if !line.is_ascii() {
                bail!("line {number}: not ASCII, which an INF without a byte-order mark must be");
            }
            let line = without_comment(line);
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            if let Some(header) = line.strip_prefix('[') {
                let name = header
                    .strip_suffix(']')
                    .with_context(|| format!("line {number}: section header without a ]"))?
                    .trim();
                let known = sections
                    .iter()
                    .position(|s| s.name.eq_ignore_ascii_case(name));
                current = Some(known.unwrap_or_else(|| {
                    sections.push(Section {
                        name: name.to_owned(),
                        lines: Vec::new(),
                    });
                    sections.len() - 1
                }));
                continue;
            }
            let Some(section) = current else {
                bail!("line {number}: outside of any section");
            };
            let (key, values) = match split_unquoted(line, '=').as_slice() {
                [list] => (None, *list),
                [key, ..] => (Some(unquote(key)), &line[key.len() + 1..]),
                [] => continue,
            };
            if !line.matches('"').count().is_multiple_of(2) {
                bail!("line {number}: string without a closing quotation mark");
            }
            sections[section].lines.push(Line {
                number,
                key,
                values: split_unquoted(values, ',')
                    .into_iter()
                    .map(unquote)
                    .collect(),
            });
        }
        Ok(Self { sections })
    }

    /// All sections, in the order of the file.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The section of a name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections
            .iter()
            .find(|s| s.name.eq_ignore_ascii_case(name))
    }

    /// A value with its `%tokens%` replaced from `[Strings]`; `Err` holds the
    /// token that is not defined there. A token of digits is a DIRID and stays.
    pub fn expand(&self, value: &str) -> Result<String, String> {
        let mut expanded = String::new();
        for (index, part) in value.split('%').enumerate() {
            if index % 2 == 0 {
                expanded += part;
            } else if part.is_empty() {
                expanded.push('%');
            } else if part.bytes().all(|byte| byte.is_ascii_digit()) {
                expanded.extend(["%", part, "%"]);
            } else {
                let strings = self.section("Strings").and_then(|s| s.line(part));
                expanded += strings.ok_or_else(|| part.to_owned())?.value(0);
            }
        }
        Ok(expanded)
    }
}

fn without_comment(line: &str) -> &str {
    split_unquoted(line, ';')[0]
}

/// Splits at a separator that stands outside of quotation marks.
fn split_unquoted(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c| {
        quoted ^= c == '"';
        !quoted && c == separator
    })
    .collect()
}

fn unquote(text: &str) -> String {
    let text = text.trim();
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
        .replace("\"\"", "\"")
}

#[cfg(test)]
mod tests {
    use super::Inf;

    #[test]
    fn reads_keys_lists_quotes_and_comments() {
        let inf = Inf::parse(
            "; a comment\n[One]\nKey = a, \"b;c, d\" ; and one here\n\n[two]\nfile.sys\n[ONE]\nLast=\n",
        )
        .unwrap();
        let one = inf.section("one").unwrap();
        assert_eq!(one.line("KEY").unwrap().values, ["a", "b;c, d"]);
        assert_eq!(one.value("last"), "");
        assert_eq!(inf.section("Two").unwrap().lines[0].values, ["file.sys"]);
        assert_eq!(inf.section("Two").unwrap().lines[0].key, None);
        assert_eq!(inf.sections().len(), 2);
    }

    #[test]
    fn expands_strings_and_keeps_directories() {
        let inf = Inf::parse("[Strings]\nName = \"procmon\"\n").unwrap();
        assert_eq!(
            inf.expand(r"%13%\%name%.sys 100%%").unwrap(),
            r"%13%\procmon.sys 100%"
        );
        assert_eq!(inf.expand("%Other%").unwrap_err(), "Other");
    }

    #[test]
    fn refuses_what_is_malformed() {
        for (text, message) in [
            ("key = value", "outside of any section"),
            ("[Version", "without a ]"),
            ("[Strings]\nA = \"open", "closing quotation mark"),
            ("[Strings]\nA = \"\u{e9}\"", "not ASCII"),
        ] {
            let error = Inf::parse(text).err().expect(text).to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
