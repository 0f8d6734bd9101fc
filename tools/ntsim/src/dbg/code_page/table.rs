//! The two tables of an ANSI code page other than UTF-8: what each UTF-16 unit
//! is converted to, and what each code is shown as.
//!
//! Most of them is the page as the WHATWG Encoding Standard has it, which
//! `encoding_rs` implements. `differences.txt` holds what Windows does
//! otherwise: best fit, private-use characters, and characters that only the
//! Standard's version of a page has. It is generated from the tables that Wine
//! installs, which are equal to those that Microsoft published as
//! `bestfitNNN.txt` (<https://www.unicode.org/Public/MAPPINGS/VENDORS/MICSFT/WindowsBestFit/>);
//! `wine.rs` generates it and compares it.

use std::sync::OnceLock;

use encoding_rs::{
    BIG5, EUC_KR, EncoderResult, Encoding, GBK, SHIFT_JIS, WINDOWS_874, WINDOWS_1250, WINDOWS_1251,
    WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1255, WINDOWS_1256, WINDOWS_1257,
    WINDOWS_1258,
};

/// The code of a unit that a page lacks: the default character of all of them.
pub const DEFAULT: u16 = b'?' as u16;

pub const DIFFERENCES: &str = include_str!("differences.txt");

/// What bytes that stand for no character are shown as.
const NO_CHARACTER: u16 = 0xfffd;

/// One code for each UTF-16 unit, and the reverse. A code above 0xff is two
/// bytes, the high one first.
pub struct Table {
    codes: Box<[u16]>,
    units: Box<[u16]>,
    is_lead: fn(u8) -> bool,
}

/// The pages that have tables, by their Windows numbers.
pub const PAGES: [Page; 14] = [
    Page::new(874, WINDOWS_874),
    Page::new(932, SHIFT_JIS),
    Page::new(936, GBK),
    Page::new(949, EUC_KR),
    Page::new(950, BIG5),
    Page::new(1250, WINDOWS_1250),
    Page::new(1251, WINDOWS_1251),
    Page::new(1252, WINDOWS_1252),
    Page::new(1253, WINDOWS_1253),
    Page::new(1254, WINDOWS_1254),
    Page::new(1255, WINDOWS_1255),
    Page::new(1256, WINDOWS_1256),
    Page::new(1257, WINDOWS_1257),
    Page::new(1258, WINDOWS_1258),
];

/// A page and its counterpart in the Encoding Standard.
#[derive(Clone, Copy)]
pub struct Page {
    pub number: u16,
    standard: &'static Encoding,
}

impl Page {
    const fn new(number: u16, standard: &'static Encoding) -> Self {
        Self { number, standard }
    }

    /// The page's tables, which are built when they are first asked for.
    pub fn table(self) -> &'static Table {
        static TABLES: [OnceLock<Table>; PAGES.len()] = [const { OnceLock::new() }; PAGES.len()];
        let index = PAGES
            .iter()
            .position(|page| page.number == self.number)
            .expect("a page of the list");
        TABLES[index].get_or_init(|| Table::of(self))
    }

    /// The code that the Standard has for `unit`.
    pub fn standard_code(self, unit: u16) -> u16 {
        let mut bytes = [0; 8];
        let (result, _, written) = self
            .standard
            .new_encoder()
            .encode_from_utf16_without_replacement(&[unit], &mut bytes, true);
        match (result, &bytes[..written]) {
            (EncoderResult::InputEmpty, &[byte]) => byte.into(),
            (EncoderResult::InputEmpty, &[lead, trail]) => u16::from_be_bytes([lead, trail]),
            _ => DEFAULT,
        }
    }

    /// The unit that the Standard has for `code`.
    fn standard_unit(self, code: u16) -> u16 {
        let [lead, trail] = code.to_be_bytes();
        let bytes: &[u8] = if lead == 0 { &[trail] } else { &[lead, trail] };
        let text = self
            .standard
            .decode_without_bom_handling_and_without_replacement(bytes);
        let mut units = text.iter().flat_map(|text| text.encode_utf16());
        match (units.next(), units.next()) {
            (Some(unit), None) => unit,
            _ => NO_CHARACTER,
        }
    }

    fn lead_bytes(self) -> fn(u8) -> bool {
        match self.number {
            932 => |byte| matches!(byte, 0x81..=0x9f | 0xe0..=0xfc),
            936 | 949 | 950 => |byte| matches!(byte, 0x81..=0xfe),
            _ => |_| false,
        }
    }
}

impl Table {
    fn of(page: Page) -> Self {
        let mut codes: Box<[u16]> = (0..=u16::MAX)
            .map(|unit| page.standard_code(unit))
            .collect();
        for (units, code) in differences(page.number) {
            code.fill(&mut codes[usize::from(units.0)..=usize::from(units.1)]);
        }
        let is_lead = page.lead_bytes();
        let is_there = |unit: u16| codes[usize::from(unit)] != DEFAULT || unit == DEFAULT;
        let mut units: Box<[u16]> = (0..=u16::MAX)
            .map(|code| match code.to_be_bytes() {
                [0, _] => page.standard_unit(code),
                [lead, _] if is_lead(lead) => page.standard_unit(code),
                _ => NO_CHARACTER,
            })
            .map(|unit| if is_there(unit) { unit } else { NO_CHARACTER })
            .collect();
        // Several units may share a code. It is shown as the one that the Standard
        // has for it; where that is none or has another code in Windows, as the
        // last one: Windows shows bytes without a character as private-use
        // characters, which come after all that have a best fit.
        for unit in (0..=u16::MAX).rev() {
            let code = usize::from(codes[usize::from(unit)]);
            if usize::from(codes[usize::from(units[code])]) != code {
                units[code] = unit;
            }
        }
        Self {
            codes,
            units,
            is_lead,
        }
    }

    pub fn code(&self, unit: u16) -> u16 {
        self.codes[usize::from(unit)]
    }

    pub fn encode(&self, units: &[u16], output: &mut Vec<u8>) {
        for &unit in units {
            match self.code(unit).to_be_bytes() {
                [0, byte] => output.push(byte),
                bytes => output.extend(bytes),
            }
        }
    }

    pub fn decode(&self, bytes: &[u8]) -> String {
        let mut units = Vec::with_capacity(bytes.len());
        let mut rest = bytes.iter();
        while let Some(&byte) = rest.next() {
            let code = if (self.is_lead)(byte) {
                // At the end of a text it stands for nothing.
                u16::from_be_bytes([byte, rest.next().copied().unwrap_or(0)])
            } else {
                byte.into()
            };
            units.push(self.units[usize::from(code)]);
        }
        String::from_utf16_lossy(&units)
    }
}

/// The codes of consecutive units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    /// The same for all.
    Same(u16),
    /// One more for each.
    From(u16),
}

impl Codes {
    fn fill(self, codes: &mut [u16]) {
        match self {
            Self::Same(code) => codes.fill(code),
            Self::From(first) => codes
                .iter_mut()
                .zip(first..=u16::MAX)
                .for_each(|(code, next)| *code = next),
        }
    }
}

/// The first unit and the last.
pub type Units = (u16, u16);

/// What is different in `page`. Below its heading are entries
/// `FIRST[-LAST]:CODE`, or with `=` where all units have the same code.
fn differences(page: u16) -> impl Iterator<Item = (Units, Codes)> {
    let header = format!("page {page}");
    DIFFERENCES
        .lines()
        .skip_while(move |line| *line != header)
        .skip(1)
        .take_while(|line| !line.starts_with("page "))
        .flat_map(str::split_whitespace)
        .map(|entry| parse(entry).unwrap_or_else(|| panic!("{entry} in differences.txt")))
}

fn parse(entry: &str) -> Option<(Units, Codes)> {
    let hex = |text| u16::from_str_radix(text, 16).ok();
    let (units, code) = entry.split_once([':', '='])?;
    let code = hex(code)?;
    let codes = if entry.contains('=') {
        Codes::Same(code)
    } else {
        Codes::From(code)
    };
    let (first, last) = units.split_once('-').unwrap_or((units, units));
    Some(((hex(first)?, hex(last)?), codes))
}
