//! The system's code page: what the kernel's UTF-16 becomes on its way to a
//! debugger, and what the debugger shows it as.

use std::fmt;
use std::str::FromStr;

use encoding_rs::{EncoderResult, Encoding, mem};
use oem_cp::code_table::{DECODING_TABLE_CP_MAP, ENCODING_TABLE_CP_MAP};
use oem_cp::code_table_type::TableType;
use thiserror::Error;

/// What a Windows code page prints for a character that it does not have.
const UNMAPPABLE: u8 = b'?';

/// A code page by its Windows number, such as 65001 (UTF-8) or 936 (GBK).
///
/// A character that the page lacks becomes `?`, one for each UTF-16 unit, as
/// `RtlUnicodeToMultiByteN` writes it. The "best fit" pairs that Windows has
/// for some pages (`ł` to `l` in 1252, say) are not modelled: they become `?`
/// too. Pages 932, 936, 949 and 950 are those of the WHATWG Encoding Standard,
/// which hold a few characters more than Windows' own.
#[derive(Clone, Copy)]
pub struct CodePage {
    number: u16,
    table: Table,
}

#[derive(Clone, Copy)]
enum Table {
    Utf8,
    Ansi(&'static Encoding),
    Oem(&'static oem_cp::OEMCPHashMap<char, u8>, &'static TableType),
}

/// A code page number that cannot be a Windows system's, or is not known here.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "code page {0} is not known here; use 65001 (UTF-8), 936 (GBK), 932, 949, 950, 874, 1250 to \
     1258, or an OEM page such as 437 or 850"
)]
pub struct UnknownCodePage(pub String);

impl CodePage {
    /// Page 65001, the default.
    pub const UTF_8: Self = Self {
        number: 65001,
        table: Table::Utf8,
    };

    /// The page with this Windows number; `None` where no Windows system can be
    /// set to it, or it is not known here.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        let table = match number {
            65001 => Table::Utf8,
            874 | 932 | 936 | 949 | 950 | 1250..=1258 => {
                Table::Ansi(codepage::to_encoding(number)?)
            }
            _ => Table::Oem(
                ENCODING_TABLE_CP_MAP.get(&number)?,
                DECODING_TABLE_CP_MAP.get(&number)?,
            ),
        };
        Some(Self { number, table })
    }

    /// The page's Windows number.
    #[must_use]
    pub fn number(self) -> u16 {
        self.number
    }

    /// Appends `units` to `output` in this page.
    ///
    /// A lone surrogate is U+FFFD in UTF-8 and `?` elsewhere.
    pub fn encode(self, units: &[u16], output: &mut Vec<u8>) {
        match self.table {
            Table::Utf8 => encode_utf8(units, output),
            Table::Ansi(encoding) => encode_ansi(encoding, units, output),
            Table::Oem(table, _) => output.extend(units.iter().map(|&unit| oem_byte(table, unit))),
        }
    }

    /// What a viewer on a system with this code page shows for `bytes`.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> String {
        match self.table {
            Table::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Table::Ansi(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
            Table::Oem(_, table) => table.decode_string_lossy(bytes),
        }
    }
}

fn encode_utf8(units: &[u16], output: &mut Vec<u8>) {
    let start = output.len();
    // The most that a UTF-16 unit can become; `convert` then never stops early.
    output.resize(start + units.len() * 3, 0);
    let written = mem::convert_utf16_to_utf8(units, &mut output[start..]);
    output.truncate(start + written);
}

fn encode_ansi(encoding: &'static Encoding, mut units: &[u16], output: &mut Vec<u8>) {
    let mut encoder = encoding.new_encoder();
    let mut piece = [0; 256];
    loop {
        let (result, read, written) =
            encoder.encode_from_utf16_without_replacement(units, &mut piece, true);
        output.extend_from_slice(&piece[..written]);
        units = &units[read..];
        match result {
            EncoderResult::InputEmpty => return,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(character) => {
                output.extend(std::iter::repeat_n(UNMAPPABLE, character.len_utf16()));
            }
        }
    }
}

fn oem_byte(table: &oem_cp::OEMCPHashMap<char, u8>, unit: u16) -> u8 {
    match u8::try_from(unit) {
        Ok(ascii) if ascii.is_ascii() => ascii,
        _ => char::from_u32(u32::from(unit))
            .and_then(|character| table.get(&character).copied())
            .unwrap_or(UNMAPPABLE),
    }
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
        self.number == other.number
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
        write!(f, "CodePage({})", self.number)
    }
}

impl fmt::Display for CodePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
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
            (437, "é█", b"\x82\xdb"),
            (850, "ø", b"\x9b"),
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
    fn what_a_page_lacks_is_one_question_mark_a_unit() {
        assert_eq!(encode_text(1252, "a中b"), b"a?b");
        assert_eq!(encode_text(936, "a\u{1f600}b"), b"a??b");
        assert_eq!(encode_text(437, "a\u{1f600}中b"), b"a???b");
        assert_eq!(encode_text(65001, "a\u{1f600}b"), "a\u{1f600}b".as_bytes());
    }

    #[test]
    fn lone_surrogates_are_marked() {
        for (page, mark) in [(65001, "\u{fffd}"), (936, "?"), (437, "?"), (1252, "?")] {
            let expected = [b"a", mark.as_bytes(), b"b"].concat();
            assert_eq!(encode(page, &[97, 0xd800, 98]), expected, "{page}");
            assert_eq!(encode(page, &[97, 0xdc00, 98]), expected, "{page}");
        }
    }

    #[test]
    fn unknown_pages_are_refused_by_number() {
        for page in ["0", "1200", "12345", "99999", "utf8", ""] {
            assert_eq!(
                page.parse::<CodePage>().unwrap_err(),
                UnknownCodePage(page.to_owned())
            );
        }
    }

    proptest! {
        #[test]
        fn utf8_agrees_with_the_standard_library(units: Vec<u16>) {
            prop_assert_eq!(encode(65001, &units), String::from_utf16_lossy(&units).into_bytes());
        }

        #[test]
        fn every_unit_is_accounted_for_in_a_single_byte_page(units: Vec<u16>) {
            prop_assert_eq!(encode(437, &units).len(), units.len());
            prop_assert_eq!(encode(1252, &units).len(), units.len());
        }
    }
}
