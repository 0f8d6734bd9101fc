//! The lines that the pages show are lines of the log, and the READMEs show
//! every field.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bstr::BStr;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::Line;
use crate::pass::Pass;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The pages at the top level, in `docs` and in each folder of `tools`.
fn pages() -> Vec<PathBuf> {
    let list = |folder: PathBuf| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let tools = list(root().join("tools"));
    let folders = tools.into_iter().filter(|path| path.is_dir());
    [root(), root().join("docs"), root().join("tools")]
        .into_iter()
        .chain(folders)
        .flat_map(list)
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// Code of a page that looks like a line of the log or a part of one, behind the
/// columns that `ntsim run` prints.
fn shown(page: &str) -> Vec<String> {
    let mut shown = Vec::new();
    let mut is_block = false;
    for event in Parser::new_ext(page, Options::ENABLE_GFM | Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => is_block = true,
            Event::End(TagEnd::CodeBlock) => is_block = false,
            Event::Code(code) => shown.push(code.into_string()),
            Event::Text(text) if is_block => shown.extend(text.lines().map(|line| {
                let line = line.rsplit('\t').next().unwrap_or(line);
                line.to_owned()
            })),
            _ => {}
        }
    }
    shown.retain(|code| is_of_the_log(code));
    shown
}

/// Whether `code` begins with a label that lines of the log have.
fn is_of_the_log(code: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic();
    let length = code
        .strip_prefix('[')
        .and_then(|rest| rest.find(|c| !is_letter(c)));
    length.is_some_and(|length| {
        let label = &code[..=length];
        literals().any(|text| text.trim_start().starts_with(label))
    })
}

/// Everything that a line of any kind may have besides its fields.
fn literals() -> impl Iterator<Item = String> {
    Line::kinds()
        .into_iter()
        .flat_map(|line| Parts::of(line).0.into_keys())
}

/// What a line has besides its fields, and whether it is there.
#[derive(Default)]
struct Parts(BTreeMap<String, bool>);

impl Parts {
    fn of(mut line: Line<'_>) -> Self {
        let mut parts = Self::default();
        let _ = line.pass(&mut parts);
        parts
    }
}

impl<'a> Pass<'a> for Parts {
    fn flag(&mut self, text: &str, is_there: &mut bool) {
        self.0.insert(text.to_owned(), *is_there);
    }

    fn alternative(&mut self, _: &str, _: &mut bool) {}

    fn digits(&mut self, _: u32, _: &mut u64) -> Option<()> {
        Some(())
    }

    fn digit(&mut self, _: &mut u64) -> Option<()> {
        Some(())
    }

    fn word(&mut self, _: &mut &'a str) -> Option<()> {
        Some(())
    }

    fn text_before(&mut self, _: &str, _: &mut &'a BStr) -> Option<()> {
        Some(())
    }
}

/// What the letters of the grammar stand for.
const PLACEHOLDERS: [(&str, &str); 17] = [
    ("CALL", "ZwClose"),
    ("STATUS", "0xc0000001"),
    ("P", "0x4"),
    ("Q", "0x4"),
    ("C", "0x4"),
    ("T", "0x4"),
    ("X", "0x4"),
    ("L", "0x4"),
    ("K", "0x4"),
    ("U", "S-1-5-18"),
    ("I", "medium"),
    ("S", "1"),
    ("M", "1"),
    ("A", "1"),
    ("B", "1"),
    ("i", "1"),
    ("n", "2"),
];

/// `grammar` with its letters replaced.
fn example(grammar: &str) -> String {
    let mut example = String::new();
    let mut rest = grammar;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric());
        let (word, behind) = rest.split_at(match length {
            None => rest.len(),
            Some(0) => first.len_utf8(),
            Some(length) => length,
        });
        let value = PLACEHOLDERS.iter().find(|(letters, _)| *letters == word);
        example.push_str(value.map_or(word, |(_, value)| value));
        rest = behind;
    }
    example
}

/// Lines that `shown` may stand for, with their ends: it, the grammar's letters
/// replaced, or what the ellipsis leaves out.
fn candidates(shown: &str) -> Vec<String> {
    let example = example(shown);
    [
        shown.to_owned(),
        example.clone(),
        example.replace(" …", ""),
        example.replace('…', "1"),
        example.replace('…', "ZwClose 0xc0000001"),
    ]
    .map(|line| line + "\n")
    .to_vec()
}

/// Whether `shown` is a field, or what a line begins with.
fn is_mentioned(shown: &str) -> bool {
    let mention = shown.trim_end_matches(']');
    let is_one = shown.matches('[').count() == 1;
    literals().any(|text| {
        let is_field = is_one && text.starts_with(" [") && shown.starts_with(&text[1..]);
        is_field || text.trim_start().starts_with(mention)
    })
}

#[test]
fn every_line_that_a_page_shows_is_one_of_the_log() {
    let mut count = 0;
    for page in pages() {
        for shown in shown(&fs::read_to_string(&page).unwrap()) {
            let is_line = candidates(&shown)
                .iter()
                .any(|line| Line::parse(line.as_bytes()).is_ok());
            assert!(
                is_line || is_mentioned(&shown),
                "{}: {shown}",
                page.display()
            );
            count += usize::from(is_line);
        }
    }
    assert!(count > 20, "only {count} lines");
}

#[test]
fn the_readmes_show_every_field() {
    for readme in ["README.md", "README.zh-CN.md"] {
        let page = fs::read_to_string(root().join(readme)).unwrap();
        let mut parts: BTreeMap<String, bool> =
            literals().map(|literal| (literal, false)).collect();
        for shown in shown(&page) {
            for line in candidates(&shown) {
                if let Ok(line) = Line::parse(line.as_bytes()) {
                    for (part, is_there) in Parts::of(line).0 {
                        *parts.entry(part).or_default() |= is_there;
                    }
                }
            }
        }
        parts.retain(|_, is_there| !*is_there);
        assert!(
            parts.is_empty(),
            "{readme} does not show {:?}",
            parts.keys()
        );
    }
}
