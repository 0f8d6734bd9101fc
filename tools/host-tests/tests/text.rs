//! Lines of text: what they show, where they are cut, and that the text can be
//! had back from them.

use host_tests::text::{BUILT_UNITS, LINE_BYTES, Lines};
use proptest::prelude::*;

/// The lines of a text as the kernel would be given them.
fn shown(text: &[u16]) -> Vec<Vec<u16>> {
    let mut lines = Vec::new();
    let mut rest = Lines::of(text);
    while let Some(units) = rest.next_line() {
        lines.push(units.to_vec());
    }
    lines
}

/// Undoes the escapes, as a reader of the log would.
fn undone(shown: &[u16]) -> Vec<u16> {
    let mut text = Vec::new();
    let mut rest = shown;
    while let Some((&unit, after)) = rest.split_first() {
        let escaped = (unit == u16::from(b'\\') && after.first() == Some(&u16::from(b'u')))
            .then(|| after.get(1..5))
            .flatten()
            .and_then(|digits| String::from_utf16(digits).ok())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .map(|digits| u16::from_str_radix(&digits, 16).unwrap());
        if let Some(unit) = escaped {
            text.push(unit);
            rest = &after[5..];
        } else {
            text.push(unit);
            rest = after;
        }
    }
    text
}

fn one_line(text: &str) -> String {
    let text: Vec<u16> = text.encode_utf16().collect();
    let lines = shown(&text);
    assert_eq!(lines.len(), 1, "{lines:?}");
    String::from_utf16(&lines[0]).unwrap()
}

fn breaks_a_line(unit: u16) -> bool {
    matches!(unit, 0..0x20 | 0x7f..0xa0 | 0x2028 | 0x2029)
}

#[test]
fn ordinary_text_is_shown_as_it_is() {
    for text in [
        r"\??\C:\Windows\SysWOW64\notepad.exe",
        r#""C:\Program Files\x.exe" /a %n%s %wZ 100%"#,
        r"\??\C:\用户\程序.exe",
        r"\??\Z:\usr\bin\ls",
        r"C:\u12 C:\u12g4 \",
        "emoji 😀 end",
    ] {
        assert_eq!(one_line(text), text);
    }
}

#[test]
fn ordinary_text_is_not_copied() {
    let text: Vec<u16> = r"C:\plain text".encode_utf16().collect();
    let mut lines = Lines::of(&text);
    assert!(std::ptr::eq(
        lines.next_line().unwrap(),
        &raw const text[..]
    ));
}

#[test]
fn what_could_begin_a_line_is_escaped() {
    assert_eq!(one_line("a\nb\r\tc\0"), r"a\u000ab\u000d\u0009c\u0000");
    assert_eq!(
        one_line("\u{7f}\u{85}\u{2028}\u{2029}"),
        r"\u007f\u0085\u2028\u2029"
    );
}

#[test]
fn a_half_of_a_surrogate_pair_is_escaped() {
    assert_eq!(
        shown(&[0xd83d, 0x61]),
        [r"\ud83da".encode_utf16().collect::<Vec<_>>()]
    );
    assert_eq!(
        shown(&[0xde00]),
        [r"\ude00".encode_utf16().collect::<Vec<_>>()]
    );
}

#[test]
fn text_that_looks_like_an_escape_is_escaped() {
    assert_eq!(one_line(r"C:\u000a"), r"C:\u005cu000a");
    assert_eq!(one_line(r"C:\uBEEF"), r"C:\u005cuBEEF");
}

#[test]
fn an_escape_look_alike_cut_by_the_end_of_a_line_is_escaped() {
    for before in LINE_BYTES - 12..=LINE_BYTES {
        for first in ["a", "文", "\n"] {
            let text: Vec<u16> = format!("{first}{}{}", "a".repeat(before), r"\u000a")
                .encode_utf16()
                .collect();
            assert_eq!(undone(&shown(&text).concat()), text);
        }
    }
}

#[test]
fn an_empty_text_has_no_lines() {
    assert!(shown(&[]).is_empty());
    assert_eq!(Lines::of(&[]).count_left(), 0);
}

#[test]
fn lines_are_filled_to_the_last_byte() {
    for (unit, per_line) in [
        ('a', LINE_BYTES),
        ('文', LINE_BYTES / 3),
        ('\n', BUILT_UNITS / 6),
    ] {
        let unit = u16::try_from(u32::from(unit)).unwrap();
        assert_eq!(shown(&vec![unit; per_line]).len(), 1);
        assert_eq!(shown(&vec![unit; per_line + 1]).len(), 2);
        assert_eq!(
            Lines::of(&vec![unit; 32_767]).count_left(),
            32_767_usize.div_ceil(per_line)
        );
    }
}

#[test]
fn a_pair_is_never_cut() {
    for before in 0..8 {
        let text: Vec<u16> = "a"
            .repeat(before)
            .chars()
            .chain("😀".repeat(400).chars())
            .collect::<String>()
            .encode_utf16()
            .collect();
        for line in shown(&text) {
            String::from_utf16(&line).expect("every line is whole by itself");
        }
    }
}

fn any_text() -> impl Strategy<Value = Vec<u16>> {
    let unit = prop_oneof![
        4 => 0x20_u16..0x7f,
        2 => Just(u16::from(b'\\')),
        2 => Just(u16::from(b'u')),
        2 => prop_oneof![Just(0x30_u16), Just(0x61), Just(0x46)],
        1 => 0_u16..0x20,
        1 => any::<u16>(),
        1 => 0xd7ff_u16..0xe001,
    ];
    prop::collection::vec(unit, 0..2_000)
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_breaks_a_line(text in any_text()) {
        let lines = shown(&text);
        prop_assert_eq!(lines.len(), Lines::of(&text).count_left());
        let mut restored = Vec::new();
        for line in &lines {
            let bytes: usize = line.iter().map(|&unit| if unit < 0x80 { 1 } else { 3 }).sum();
            prop_assert!(bytes <= LINE_BYTES);
            prop_assert!(!line.iter().copied().any(breaks_a_line));
            restored.extend(undone(line));
        }
        prop_assert_eq!(&restored, &text);
        prop_assert_eq!(&undone(&lines.concat()), &text);
    }
}
