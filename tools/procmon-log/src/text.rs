//! Texts that a process chose: escaped, and restored.

use crate::Malformed;

/// Whether procmon escapes `unit` wherever it stands: it would break a line, not
/// be seen, or change the order in which a line is displayed.
const fn is_escaped(unit: u16) -> bool {
    let is_control = matches!(unit, 0..0x20 | 0x7f..0xa0 | 0x2028 | 0x2029);
    let is_bidi_control = matches!(unit, 0x200e | 0x200f | 0x202a..=0x202e | 0x2066..=0x2069);
    // Code page 874 has them as control bytes.
    let is_control_by_best_fit = matches!(
        unit,
        0x203c | 0x2190..=0x2195 | 0x21a8 | 0x221f | 0x2302
            | 0x25ac | 0x25b2 | 0x25ba | 0x25bc | 0x25c4 | 0x25cb | 0x25d8 | 0x25d9
            | 0x263a..=0x263c | 0x2640 | 0x2642
            | 0x2660 | 0x2663 | 0x2665 | 0x2666 | 0x266a | 0x266b
    );
    is_control || is_bidi_control || is_control_by_best_fit
}

/// The text as procmon shows it, before it is converted to the code page.
#[must_use]
pub fn escape(text: &[u16]) -> Vec<u16> {
    let mut shown = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [unit, behind @ ..] = rest {
        rest = behind;
        match (*unit, behind) {
            (0xd800..0xdc00, [low @ 0xdc00..0xe000, behind @ ..]) => {
                shown.extend([*unit, *low]);
                rest = behind;
            }
            (BACKSLASH, _) if begins_with_escape(behind) => push_escape(&mut shown, BACKSLASH),
            (0xd800..0xe000, _) => push_escape(&mut shown, *unit),
            _ if is_escaped(*unit) => push_escape(&mut shown, *unit),
            _ => shown.push(*unit),
        }
    }
    shown
}

/// The text that procmon shows as `shown`, whose parts were joined. It can be
/// had only where the code page has all its characters.
///
/// # Errors
/// Where procmon would not have shown any text this way: a character that it
/// escapes stands for itself, or one is escaped that it does not escape.
pub fn restore(shown: &str) -> Result<Vec<u16>, Malformed> {
    let shown: Vec<u16> = shown.encode_utf16().collect();
    let mut text = Vec::with_capacity(shown.len());
    let mut rest = &shown[..];
    while let [unit, behind @ ..] = rest {
        let escaped = match *unit {
            BACKSLASH => escaped_unit(behind),
            _ => None,
        };
        text.push(escaped.unwrap_or(*unit));
        rest = match escaped {
            Some(_) => &behind[ESCAPE..],
            None => behind,
        };
    }
    if escape(&text) == shown {
        Ok(text)
    } else {
        let shown = String::from_utf16_lossy(&shown);
        Err(Malformed::new(
            "a text with other escapes than procmon's",
            shown,
        ))
    }
}

const BACKSLASH: u16 = b'\\' as u16;

/// `u` and four digits.
const ESCAPE: usize = 5;

fn push_escape(shown: &mut Vec<u16>, unit: u16) {
    shown.extend(format!(r"\u{unit:04x}").encode_utf16());
}

fn begins_with_escape(text: &[u16]) -> bool {
    escaped_unit(text).is_some()
}

/// The unit that `text` gives behind a backslash.
fn escaped_unit(text: &[u16]) -> Option<u16> {
    let escape: Vec<u8> = text
        .get(..ESCAPE)?
        .iter()
        .map(|&unit| u8::try_from(unit).ok())
        .collect::<Option<_>>()?;
    let digits = std::str::from_utf8(escape.strip_prefix(b"u")?).ok()?;
    let are_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let unit = u16::from_str_radix(digits, 16).ok()?;
    are_digits.then_some(unit)
}
