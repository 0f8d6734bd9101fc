//! Colours, each for light pages and for dark ones.

use std::fmt::Write as _;

use plotters::style::RGBColor;

/// A colour in both.
#[derive(Clone, Copy, Debug)]
pub struct Colour {
    light: (u8, u8, u8),
    dark: (u8, u8, u8),
}

const fn colour(light: u32, dark: u32) -> Colour {
    Colour {
        light: parts(light),
        dark: parts(dark),
    }
}

const fn parts(colour: u32) -> (u8, u8, u8) {
    let [_, r, g, b] = colour.to_be_bytes();
    (r, g, b)
}

/// Behind everything.
pub const PAPER: Colour = colour(0xff_ffff, 0x0d_1117);
/// Text and axes.
pub const INK: Colour = colour(0x1f_2328, 0xe6_edf3);
/// Lines that guide the eye.
pub const GRID: Colour = colour(0xd8_dee4, 0x30_363d);
/// What is measured; told apart by those who see fewer colours, too.
pub const SERIES: [Colour; 4] = [
    colour(0x00_66aa, 0x58_b4f0),
    colour(0x11_7744, 0x4d_c690),
    colour(0xb4_5309, 0xf5_a742),
    colour(0x9b_2c77, 0xee_8ac0),
];

impl Colour {
    /// As it is drawn.
    pub const fn light(self) -> RGBColor {
        RGBColor(self.light.0, self.light.1, self.light.2)
    }
}

/// Has a drawing take its dark colours on pages that are dark, and gives it its
/// title for those who do not see it.
pub fn adapt(svg: &str, title: &str) -> String {
    let mut head = format!("<title>{title}</title>\n<style>@media (prefers-color-scheme: dark) {{");
    for Colour { light, dark } in [PAPER, INK, GRID].iter().chain(&SERIES) {
        let [light, dark] = [light, dark].map(|(r, g, b)| format!("#{r:02X}{g:02X}{b:02X}"));
        for what in ["fill", "stroke"] {
            // Writing to a string does not fail.
            let _ = write!(head, "\n[{what}=\"{light}\"]{{{what}:{dark}}}");
        }
    }
    head.push_str("}</style>\n");
    let end_of_tag = svg
        .find("<svg")
        .and_then(|start| Some(start + svg[start..].find('>')? + 1));
    let (tag, rest) = svg.split_at(end_of_tag.unwrap_or(0));
    format!("{tag}\n{head}{}\n", rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::adapt;

    #[test]
    fn every_colour_has_its_dark_one() {
        let svg = adapt(
            "<svg width=\"1\">\n<text fill=\"#1F2328\"/>\n</svg>",
            "A title",
        );
        assert!(svg.starts_with("<svg width=\"1\">\n<title>A title</title>\n<style>"));
        assert!(svg.contains("[fill=\"#1F2328\"]{fill:#E6EDF3}"));
        assert!(svg.ends_with("}</style>\n<text fill=\"#1F2328\"/>\n</svg>\n"));
    }
}
