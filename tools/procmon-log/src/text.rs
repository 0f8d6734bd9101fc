//! Texts that a process chose: shown with escapes, and had back.

use crate::Malformed;
use crate::line::breaks_a_line;

/// Undoes the escapes of a text whose parts were joined.
///
/// # Errors
/// Where procmon would not have shown any text this way: a character that it
/// escapes stands for itself, or one is escaped that it does not escape.
pub fn restore(shown: &str) -> Result<Vec<u16>, Malformed> {
    let mut text = Vec::with_capacity(shown.len());
    let mut rest = shown;
    let mut last_escape = None;
    while let Some(character) = rest.chars().next() {
        if let Some(digits) = escape(rest) {
            let unit = u16::from_str_radix(digits, 16)
                .map_err(|_| Malformed::new("not an escape", rest))?;
            rest = &rest[ESCAPE..];
            let is_lower_case = !digits.bytes().any(|digit| digit.is_ascii_uppercase());
            if !is_lower_case || !is_escaped(unit, last_escape, rest) {
                return Err(Malformed::new("an escape that needs none", digits));
            }
            text.push(unit);
            last_escape = Some(unit);
        } else {
            if breaks_a_line(character) {
                return Err(Malformed::new("a character that needs an escape", rest));
            }
            text.extend_from_slice(character.encode_utf16(&mut [0; 2]));
            rest = &rest[character.len_utf8()..];
            last_escape = None;
        }
    }
    Ok(text)
}

const ESCAPE: usize = r"\u0000".len();

/// The digits of the escape that `text` begins with.
fn escape(text: &str) -> Option<&str> {
    let digits = text.strip_prefix(r"\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then_some(digits)
}

/// Whether procmon escapes `unit` between the escape `before` and `after`.
fn is_escaped(unit: u16, before: Option<u16>, after: &str) -> bool {
    match unit {
        // It would have looked like the start of an escape.
        0x5c => escape(&format!(r"\{}", after.get(..5).unwrap_or_default())).is_some(),
        // With its other half it is a character, which is shown.
        0xdc00..0xe000 => !before.is_some_and(|before| (0xd800..0xdc00).contains(&before)),
        0xd800..0xdc00 => true,
        _ => char::from_u32(unit.into()).is_some_and(breaks_a_line),
    }
}
