//! Characters that a code page prints as others: best fit.

use ntsim::CodePage;

/// Units that are printed as an ASCII character which they are not.
#[derive(Debug, Default)]
pub struct LookAlikes {
    /// As a control character.
    controls: Vec<u16>,
    /// As a backslash.
    backslashes: Vec<u16>,
    /// As another character with a meaning in the log.
    grammar: Vec<u16>,
    /// As anything else.
    others: Vec<u16>,
}

/// What escapes and fields are made of.
const GRAMMAR: &[u8] = b"[]=.,/ %ux0123456789abcdef";

impl LookAlikes {
    /// Those of `code_page`; UTF-8 has none.
    pub fn of(code_page: CodePage) -> Self {
        let mut units = Self::default();
        let mut printed = Vec::new();
        for unit in 0x80..=u16::MAX {
            printed.clear();
            code_page.encode(&[unit], &mut printed);
            match printed[..] {
                [b'?'] => {}
                [byte] if byte.is_ascii_control() => units.controls.push(unit),
                [b'\\'] => units.backslashes.push(unit),
                [byte] if GRAMMAR.contains(&byte) => units.grammar.push(unit),
                [byte] if byte.is_ascii() => units.others.push(unit),
                _ => {}
            }
        }
        units
    }

    /// One of a kind: of the next kind where there is none, and any other
    /// character where there is none of any.
    pub fn pick(&self, kind: u8, index: u8) -> Option<u16> {
        let kinds = [
            &self.controls,
            &self.backslashes,
            &self.grammar,
            &self.others,
        ];
        let some = kinds
            .iter()
            .cycle()
            .skip(usize::from(kind) % kinds.len())
            .take(kinds.len())
            .find(|units| !units.is_empty());
        let index = usize::from(index);
        some.map_or_else(
            || u16::try_from(0xff01 + index).ok(),
            |units| units.get(index * units.len() / 256).copied(),
        )
    }
}
