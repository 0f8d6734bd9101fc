//! Compares the tables with those that Wine installs, and generates
//! `differences.txt` from them. `cargo xtask test` runs it where Wine is.
//!
//! Wine's `c_NNN.nls` have the format of Windows' own: a header of 13 words,
//! whose first is its length and whose third is the size of a character, then
//! the length of the tables from bytes and these tables, a word that is not
//! used here, and a table from all 65,536 units.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::table::{Codes, DIFFERENCES, PAGES, Page, Units};

/// Where Debian installs them.
const FOLDER: &str = "/usr/share/wine/nls";

/// The environment variable that has `differences.txt` written anew.
const GENERATE: &str = "GENERATE_CODE_PAGES";

const HEADER: &str = "\
# What the ANSI code pages of Windows have beyond, or other than, those of the
# WHATWG Encoding Standard: FIRST[-LAST]:CODE, where the codes go up with the
# units, or FIRST[-LAST]=CODE, where all have the same. Generated: see wine.rs.
";

/// A page as Wine has it.
struct Nls {
    words: Vec<u16>,
}

impl Nls {
    fn of(page: Page) -> Self {
        let file = Path::new(FOLDER).join(format!("c_{:03}.nls", page.number));
        let bytes = fs::read(&file)
            .unwrap_or_else(|error| panic!("{}: {error}; install Wine", file.display()));
        let words: Vec<u16> = bytes
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        assert_eq!(words[1], page.number, "{}", file.display());
        Self { words }
    }

    fn bytes_table(&self) -> &[u16] {
        let start = usize::from(self.words[0]);
        &self.words[start + 1..start + usize::from(self.words[start])]
    }

    /// The code of each unit.
    fn codes(&self) -> Vec<u16> {
        let start = usize::from(self.words[0]);
        let codes = &self.words[start + usize::from(self.words[start]) + 1..];
        match self.words[2] {
            1 => codes
                .iter()
                .flat_map(|word| word.to_le_bytes())
                .map(u16::from)
                .take(1 << 16)
                .collect(),
            _ => codes[..1 << 16].to_vec(),
        }
    }

    /// The unit of each code, `None` for a lead byte with what cannot follow it.
    fn units(&self) -> Vec<(u16, Option<u16>)> {
        // For each byte its unit. Then perhaps 256 glyphs, behind their count;
        // then the number of ranges of lead bytes and, if that is not 0, for
        // each lead byte how far behind this word its trail bytes begin.
        let (bytes, rest) = self.bytes_table().split_at(256);
        let (&glyphs, rest) = rest.split_first().expect("a count of glyphs");
        let (&ranges, trails) = rest[usize::from(glyphs)..]
            .split_first()
            .expect("a count of ranges");
        let [default_unit, _, default_code] = self.words[4..7] else {
            unreachable!("three words");
        };
        let mut units = Vec::new();
        for (byte, &unit) in (0..=0xff).zip(bytes) {
            match trails.get(usize::from(byte)) {
                Some(&start) if ranges != 0 && start != 0 => {
                    let pairs = &trails[usize::from(start)..][..256];
                    units.extend((byte << 8..).zip(pairs).map(|(code, &unit)| {
                        let is_there = unit != default_unit || code == default_code;
                        (code, is_there.then_some(unit))
                    }));
                }
                _ => units.push((byte, Some(unit))),
            }
        }
        units
    }
}

/// What `codes` has other than the Standard, in runs.
fn differences(page: Page, codes: &[u16]) -> Vec<(Units, Codes)> {
    let mut runs: Vec<(Units, Codes)> = Vec::new();
    for (unit, &code) in (0..=u16::MAX).zip(codes) {
        if code == page.standard_code(unit) {
            continue;
        }
        if let Some(((first, last), run)) = runs.last_mut()
            && *last + 1 == unit
        {
            let grown = match *run {
                Codes::From(from) if code == from + (unit - *first) => Some(*run),
                Codes::Same(same) if code == same => Some(*run),
                Codes::From(from) if first == last && code == from => Some(Codes::Same(from)),
                _ => None,
            };
            if let Some(grown) = grown {
                (*last, *run) = (unit, grown);
                continue;
            }
        }
        runs.push(((unit, unit), Codes::From(code)));
    }
    runs
}

fn write(runs: &[(Units, Codes)], text: &mut String) {
    let mut column = 0;
    for ((first, last), codes) in runs {
        let units = if first == last {
            format!("{first:x}")
        } else {
            format!("{first:x}-{last:x}")
        };
        let entry = match codes {
            Codes::From(code) => format!("{units}:{code:x}"),
            Codes::Same(code) => format!("{units}={code:x}"),
        };
        if column + entry.len() > 99 {
            text.push('\n');
            column = 0;
        } else if column != 0 {
            text.push(' ');
        }
        column += entry.len() + 1;
        text.push_str(&entry);
    }
    text.push('\n');
}

#[test]
#[ignore = "needs Wine's tables; cargo xtask test runs it where Wine is installed"]
fn the_differences_are_those_of_wines_tables() {
    let mut text = HEADER.to_owned();
    for page in PAGES {
        let _ = writeln!(text, "\npage {}", page.number);
        write(&differences(page, &Nls::of(page).codes()), &mut text);
    }
    if std::env::var_os(GENERATE).is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dbg/code_page/differences.txt");
        fs::write(file, text).unwrap();
    } else {
        assert!(text == DIFFERENCES, "set {GENERATE} to write the file anew");
    }
}

#[test]
#[ignore = "needs Wine's tables; cargo xtask test runs it where Wine is installed"]
fn every_unit_and_code_is_converted_as_wines_tables_say() {
    for page in PAGES {
        let (nls, table) = (Nls::of(page), page.table());
        let codes = nls.codes();
        for unit in 0..=u16::MAX {
            assert_eq!(
                table.code(unit),
                codes[usize::from(unit)],
                "U+{unit:04x} in {}",
                page.number
            );
        }
        for (code, unit) in nls.units() {
            let bytes = code.to_be_bytes();
            let bytes = if code > 0xff { &bytes[..] } else { &bytes[1..] };
            let shown = String::from_utf16_lossy(&[unit.unwrap_or(0xfffd)]);
            assert_eq!(table.decode(bytes), shown, "{code:#x} in {}", page.number);
        }
    }
}
