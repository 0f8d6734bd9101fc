//! The system's code page: what the kernel's UTF-16 becomes on its way to a
//! debugger, and what the debugger shows it as.

mod table;
#[cfg(test)]
mod wine;

use std::fmt;
use std::str::FromStr;

use encoding_rs::mem;
use thiserror::Error;

use table::{PAGES, Table};

/// An ANSI code page by its Windows number, such as 65001 (UTF-8) or 936 (GBK).
///
/// Text is converted as `RtlUnicodeToMultiByteN` does it: one UTF-16 unit at a
/// time by the page's table, which holds Microsoft's best fit too (`ł` is `l`
/// in 1252, `◙` a line feed in 874). A unit that the table lacks becomes `?`;
/// so do both halves of a surrogate pair.
///
/// For 65001 there is no such table, and what [`RtlUnicodeToMultiByteN`][multi]
/// and `DbgPrint` do with a surrogate pair is not documented. If they are given
/// the whole string, as [`RtlUnicodeToUTF8N`][utf8] is, then a pair becomes one
/// character of four bytes: that is [`UTF_8`](Self::UTF_8). If they are given
/// one unit at a time, then each half is an invalid character, for which
/// `RtlUnicodeToUTF8N` writes U+FFFD: that is
/// [`UTF_8_BY_UNIT`](Self::UTF_8_BY_UNIT). A driver must not depend on either.
/// In both a unit becomes at most three bytes and only a control character
/// becomes a control byte.
///
/// [multi]: https://learn.microsoft.com/windows-hardware/drivers/ddi/ntifs/nf-ntifs-rtlunicodetomultibyten
/// [utf8]: https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-rtlunicodetoutf8n
#[derive(Clone, Copy)]
pub struct CodePage(Conversion);

#[derive(Clone, Copy)]
enum Conversion {
    Utf8,
    Utf8ByUnit,
    Table { number: u16, table: &'static Table },
}

/// A number that is not that of an ANSI code page.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "{0} is not an ANSI code page of Windows; use 65001 (UTF-8), 874, 932, 936 (GBK), 949, 950, or \
     1250 to 1258"
)]
pub struct UnknownCodePage(pub String);

impl CodePage {
    /// Page 65001, the default, converted a string at a time.
    pub const UTF_8: Self = Self(Conversion::Utf8);

    /// Page 65001, converted a UTF-16 unit at a time.
    pub const UTF_8_BY_UNIT: Self = Self(Conversion::Utf8ByUnit);

    /// The page with this Windows number; `None` where it is not the ANSI code
    /// page of any Windows system.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        if number == UTF_8_NUMBER {
            return Some(Self::UTF_8);
        }
        let page = PAGES.iter().find(|page| page.number == number)?;
        let table = page.table();
        Some(Self(Conversion::Table { number, table }))
    }

    /// Every ANSI code page, 65001 in both its readings.
    pub fn all() -> impl Iterator<Item = Self> {
        let tables = PAGES
            .iter()
            .filter_map(|page| Self::from_number(page.number));
        tables.chain([Self::UTF_8, Self::UTF_8_BY_UNIT])
    }

    /// The page's Windows number.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self.0 {
            Conversion::Utf8 | Conversion::Utf8ByUnit => UTF_8_NUMBER,
            Conversion::Table { number, .. } => number,
        }
    }

    /// Appends `units` to `output` in this page.
    pub fn encode(self, units: &[u16], output: &mut Vec<u8>) {
        match self.0 {
            Conversion::Utf8 => encode_utf8(units, output),
            Conversion::Utf8ByUnit => units.chunks(1).for_each(|unit| encode_utf8(unit, output)),
            Conversion::Table { table, .. } => table.encode(units, output),
        }
    }

    /// What a viewer on a system with this code page shows for `bytes`; U+FFFD
    /// for those that stand for no character.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> String {
        match self.0 {
            Conversion::Utf8 | Conversion::Utf8ByUnit => {
                String::from_utf8_lossy(bytes).into_owned()
            }
            Conversion::Table { table, .. } => table.decode(bytes),
        }
    }
}

const UTF_8_NUMBER: u16 = 65001;

/// A lone surrogate is U+FFFD.
fn encode_utf8(units: &[u16], output: &mut Vec<u8>) {
    let start = output.len();
    // The most that a UTF-16 unit can become; `convert` then never stops early.
    output.resize(start + units.len() * 3, 0);
    let written = mem::convert_utf16_to_utf8(units, &mut output[start..]);
    output.truncate(start + written);
}

impl FromStr for CodePage {
    type Err = UnknownCodePage;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .ok()
            .and_then(Self::from_number)
            .ok_or_else(|| UnknownCodePage(text.to_owned()))
    }
}

impl PartialEq for CodePage {
    fn eq(&self, other: &Self) -> bool {
        let is_by_unit = |page: &Self| matches!(page.0, Conversion::Utf8ByUnit);
        self.number() == other.number() && is_by_unit(self) == is_by_unit(other)
    }
}

impl Eq for CodePage {}

impl Default for CodePage {
    fn default() -> Self {
        Self::UTF_8
    }
}

impl fmt::Debug for CodePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Conversion::Utf8ByUnit => write!(f, "CodePage({}, by unit)", self.number()),
            _ => write!(f, "CodePage({})", self.number()),
        }
    }
}

impl fmt::Display for CodePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(page: u16, units: &[u16]) -> Vec<u8> {
        let mut bytes = Vec::new();
        CodePage::from_number(page)
            .unwrap()
            .encode(units, &mut bytes);
        bytes
    }

    fn encode_text(page: u16, text: &str) -> Vec<u8> {
        encode(page, &text.encode_utf16().collect::<Vec<_>>())
    }

    #[test]
    fn pages_have_windows_bytes() {
        for (page, text, bytes) in [
            (65001, "中文€", "中文€".as_bytes()),
            (936, "中文a", b"\xd6\xd0\xce\xc4a"),
            (936, "€", b"\x80"),
            (932, "日本", b"\x93\xfa\x96\x7b"),
            (949, "한", b"\xc7\xd1"),
            (950, "繁", b"\xc1\x63"),
            (1252, "é€", b"\xe9\x80"),
            (1251, "Ж", b"\xc6"),
            (874, "ก", b"\xa1"),
        ] {
            assert_eq!(encode_text(page, text), bytes, "{text} in {page}");
            assert_eq!(
                CodePage::from_number(page).unwrap().decode(bytes),
                text,
                "{page}"
            );
        }
    }

    #[test]
    fn what_a_page_lacks_becomes_what_fits_best() {
        for (page, text, bytes) in [
            (1252, "Łódź", "L\u{f3}dz"),
            (1252, "∞", "8"),
            (874, "◙♪§¶", "\n\r\x15\x14"),
            (932, "¥", "\\"),
            (949, "₩", "\\"),
            (1250, "∖＼", r"\\"),
            (1252, "∖［＼］ｕ０", r"\[\]u0"),
            (1258, "＼", r"\"),
        ] {
            let bytes: Vec<u8> = bytes.chars().map(|byte| byte as u8).collect();
            assert_eq!(encode_text(page, text), bytes, "{text} in {page}");
        }
    }

    /// What a log must not let through: these alone, in any page.
    #[test]
    fn only_page_874_has_control_characters_as_best_fit() {
        let mut found = Vec::new();
        for page in CodePage::all() {
            for unit in 0..=u16::MAX {
                let mut bytes = Vec::new();
                page.encode(&[unit], &mut bytes);
                if bytes.iter().any(u8::is_ascii_control) && bytes != unit.to_le_bytes()[..1] {
                    found.push((page.number(), unit));
                }
            }
        }
        let units = [
            0xa7, 0xb6, 0x203c, 0x2190, 0x2191, 0x2192, 0x2193, 0x2194, 0x2195, 0x21a8, 0x221f,
            0x2302, 0x25ac, 0x25b2, 0x25ba, 0x25bc, 0x25c4, 0x25cb, 0x25d8, 0x25d9, 0x263a, 0x263b,
            0x263c, 0x2640, 0x2642, 0x2660, 0x2663, 0x2665, 0x2666, 0x266a, 0x266b,
        ];
        assert_eq!(found, units.map(|unit| (874, unit)));
    }

    #[test]
    fn what_a_page_lacks_is_one_question_mark_a_unit() {
        assert_eq!(encode_text(1252, "a中b"), b"a?b");
        assert_eq!(encode_text(936, "a\u{1f600}b"), b"a??b");
        assert_eq!(encode_text(65001, "a\u{1f600}b"), "a\u{1f600}b".as_bytes());
    }

    #[test]
    fn lone_surrogates_are_marked() {
        for (page, mark) in [(65001, "\u{fffd}"), (936, "?"), (1252, "?")] {
            let expected = [b"a", mark.as_bytes(), b"b"].concat();
            assert_eq!(encode(page, &[97, 0xd800, 98]), expected, "{page}");
            assert_eq!(encode(page, &[97, 0xdc00, 98]), expected, "{page}");
        }
    }

    #[test]
    fn unknown_pages_are_refused_by_number() {
        for page in ["0", "437", "1200", "12345", "99999", "utf8", ""] {
            assert_eq!(
                page.parse::<CodePage>().unwrap_err(),
                UnknownCodePage(page.to_owned())
            );
        }
    }

    /// Where Wine is not installed, this notices a table that has changed.
    #[test]
    fn every_page_is_whole() {
        let pages = CodePage::all().take(PAGES.len());
        let sums = pages.map(|page| {
            let mut bytes = Vec::new();
            (0..=u16::MAX).for_each(|unit| page.encode(&[unit], &mut bytes));
            (page.number(), crc32(&bytes))
        });
        let whole = [
            (874, 0x335c_988a),
            (932, 0xd946_a7bf),
            (936, 0x858f_a272),
            (949, 0x713b_52a8),
            (950, 0x29b9_17c1),
            (1250, 0x5ed7_97f3),
            (1251, 0x1536_50a4),
            (1252, 0x4820_a1b5),
            (1253, 0xed4f_8dfc),
            (1254, 0xa2ba_7f10),
            (1255, 0x63ad_22bb),
            (1256, 0x0b0c_e8a5),
            (1257, 0xbc79_486b),
            (1258, 0xb269_3c2a),
        ];
        assert_eq!(sums.collect::<Vec<_>>(), whole);
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |sum, &byte| {
            (0..8).fold(sum ^ u32::from(byte), |sum, _| {
                sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 }
            })
        })
    }

    proptest! {
        #[test]
        fn utf8_agrees_with_the_standard_library(units: Vec<u16>) {
            prop_assert_eq!(encode(65001, &units), String::from_utf16_lossy(&units).into_bytes());
        }

        #[test]
        fn both_readings_of_65001_agree_but_for_surrogates(units: Vec<u16>) {
            let (mut whole, mut by_unit) = (Vec::new(), Vec::new());
            CodePage::UTF_8.encode(&units, &mut whole);
            CodePage::UTF_8_BY_UNIT.encode(&units, &mut by_unit);
            prop_assert!(whole.len().max(by_unit.len()) <= 3 * units.len());
            let has_surrogates = units.iter().any(|unit| (0xd800..0xe000).contains(unit));
            prop_assert!(has_surrogates || whole == by_unit);
        }

        #[test]
        fn every_unit_is_accounted_for_in_a_single_byte_page(units: Vec<u16>) {
            prop_assert_eq!(encode(1252, &units).len(), units.len());
        }
    }
}
