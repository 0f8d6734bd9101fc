//! Whatever the driver prints of a text, no ANSI code page makes a control
//! character of it.
//!
//! The driver's list of such characters is held to Microsoft's tables.

use host_tests::text::Lines;
use ntsim::CodePage;

/// The pages of Windows' ANSI systems.
const PAGES: [u16; 15] = [
    874, 932, 936, 949, 950, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258, 65001,
];

/// How the driver prints one unit.
fn printed(unit: u16) -> Vec<u16> {
    let text = [unit];
    Lines::of(&text).next_line().unwrap().to_vec()
}

fn bytes(page: CodePage, unit: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    page.encode(&[unit], &mut bytes);
    bytes
}

/// Whether a byte ends a line, or changes what a terminal does with it.
///
/// The C1 controls are characters of the pages whose tables give them: only a
/// unit that is a C1 control itself becomes one.
fn is_control(byte: u8) -> bool {
    byte.is_ascii_control()
}

#[test]
fn the_pages_are_those_of_windows() {
    let mut pages: Vec<u16> = CodePage::all().map(CodePage::number).collect();
    pages.dedup();
    assert_eq!(pages, PAGES);
}

#[test]
fn no_page_makes_a_control_of_what_is_printed() {
    for page in CodePage::all() {
        for unit in 0..=u16::MAX {
            if printed(unit) != [unit] {
                continue;
            }
            let controls: Vec<u8> = bytes(page, unit)
                .into_iter()
                .filter(|&byte| is_control(byte))
                .collect();
            let stays = match (page.number(), unit) {
                (874, 0xa7) => &[0x15_u8][..],
                (874, 0xb6) => &[0x14],
                _ => &[],
            };
            assert_eq!(
                controls,
                stays,
                "U+{unit:04X} on code page {}",
                page.number()
            );
        }
    }
}

/// Nothing is escaped for best fit that no table asks for.
#[test]
fn what_is_escaped_for_best_fit_is_a_control_on_some_page() {
    for unit in 0x2070..0x2f00 {
        if printed(unit) != [unit] {
            let is_control =
                CodePage::all().any(|page| bytes(page, unit).iter().any(|&byte| is_control(byte)));
            assert!(is_control, "U+{unit:04X}");
        }
    }
}

#[test]
fn every_unit_of_the_other_classes_is_escaped() {
    let controls = (0..0x20).chain(0x7f..0xa0).chain([0x2028, 0x2029]);
    let bidi = [0x200e, 0x200f]
        .into_iter()
        .chain(0x202a..0x202f)
        .chain(0x2066..0x206a);
    for unit in controls.chain(bidi).chain(0xd800..0xe000) {
        let escape: Vec<u16> = format!(r"\u{unit:04x}").encode_utf16().collect();
        assert_eq!(printed(unit), escape);
    }
}
