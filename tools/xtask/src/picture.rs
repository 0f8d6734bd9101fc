//! `cargo xtask picture`: draws the log as it looks on screen.
//!
//! The lines are those of a run of the driver, not of a hand that typed them.

use std::fs;
use std::io::{self, Write as _};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::arch::Arch;
use crate::build::{self, Profile};
use crate::cross::Cross;
use crate::{repository, run};

/// Run the driver's demo and draw its log as docs/log.svg
#[derive(Args)]
pub struct Picture {}

// Of the picture, in its own units.
const LINE_HEIGHT: usize = 20;
const CHARACTER_WIDTH: usize = 8;
const MARGIN: usize = 12;
/// The height of the bar with the window's title.
const TITLE: usize = 30;
/// The column in which a line's text begins, after its number and time.
const TEXT_COLUMN: usize = 24;

impl Picture {
    /// Carries the verb out.
    pub fn execute(self) -> Result<()> {
        let Self {} = self;
        let ntsim = run::build_ntsim()?;
        let image = build::driver(&Cross::new(Arch::X64)?, Profile::Release)?;
        let output = Command::new(ntsim)
            .arg("run")
            .arg(image)
            .args(["--demo", "--for", "10"])
            .output()
            .context("cannot start ntsim")?;
        if !output.status.success() {
            io::stderr().write_all(&output.stderr)?;
            bail!(
                "the demo failed ({}); its messages are above",
                output.status
            );
        }
        let log = String::from_utf8(output.stdout).context("the log is not UTF-8")?;
        let file = repository::root().join("docs/log.svg");
        fs::write(&file, draw(&log)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        println!("{}", file.display());
        Ok(())
    }
}

/// The picture of a log whose lines are a number, seconds and a text, with tabs
/// between them.
fn draw(log: &str) -> Result<String> {
    let lines: Vec<[&str; 3]> = log
        .lines()
        .map(|line| {
            let mut parts = line.splitn(3, '\t');
            let mut part = || parts.next();
            match (part(), part(), part()) {
                (Some(number), Some(time), Some(text)) => Ok([number, time, text]),
                _ => bail!("not a line of the log: {line:?}"),
            }
        })
        .collect::<Result<_>>()?;
    let columns = lines.iter().map(|[.., text]| columns(text)).max();
    let columns = columns.context("the log is empty")?;
    let width = 2 * MARGIN + (TEXT_COLUMN + columns) * CHARACTER_WIDTH;
    let height = TITLE + 2 * MARGIN + lines.len() * LINE_HEIGHT;

    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="Consolas, Menlo, 'DejaVu Sans Mono', monospace" font-size="13">
<title>The log of procmon.sys</title>
<rect width="{width}" height="{height}" rx="6" fill="#ffffff" stroke="#b0b0b0"/>
<path d="M0 {TITLE}V6a6 6 0 0 1 6-6H{right}a6 6 0 0 1 6 6V{TITLE}z" fill="#e7edf5"/>
<text x="{MARGIN}" y="20" fill="#333333">procmon.sys: what DbgPrint says</text>
"##,
        right = width - 6,
    );
    for (index, [number, time, text]) in lines.into_iter().enumerate() {
        let y = TITLE + MARGIN + index * LINE_HEIGHT + 14;
        let x = MARGIN + TEXT_COLUMN * CHARACTER_WIDTH;
        let time_x = MARGIN + 10 * CHARACTER_WIDTH;
        let (color, text) = (color(text), escape(text));
        svg += &[
            &format!(r#"<text y="{y}" xml:space="preserve">"#),
            &format!(r##"<tspan x="{MARGIN}" fill="#808080">{number}</tspan>"##) as &str,
            &format!(r##"<tspan x="{time_x}" fill="#808080">{time}</tspan>"##),
            &format!(r#"<tspan x="{x}" fill="{color}">{text}</tspan></text>"#),
            "\n",
        ]
        .concat();
    }
    svg += "</svg>\n";
    Ok(svg)
}

/// What tells the kinds of lines apart at a glance.
fn color(text: &str) -> &'static str {
    match text.split([' ', ']']).next() {
        Some("[Create") => "#0b6e2d",
        Some("[Destroy") => "#a3261f",
        Some("[procmon") => "#1f4fa3",
        _ => "#222222",
    }
}

/// How wide a text is: Chinese characters take two columns.
fn columns(text: &str) -> usize {
    text.chars()
        .map(|c| if c >= '\u{1100}' { 2 } else { 1 })
        .sum()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::draw;

    #[test]
    fn text_stays_text() {
        let svg = draw("00000001\t0.5\t[CommandLine 0x4] a & b <c> 你好\n").unwrap();
        assert!(svg.contains(">[CommandLine 0x4] a &amp; b &lt;c&gt; 你好</tspan>"));
        assert!(svg.contains(">0.5</tspan>"));
    }

    #[test]
    fn every_line_has_its_place() {
        let svg = draw("1\t0.1\t[Create] x\n2\t0.2\t[Destroy] y\n").unwrap();
        assert_eq!(svg.matches("<text y=").count(), 2);
        assert!(svg.contains(r#"<text y="56""#) && svg.contains(r#"<text y="76""#));
    }

    #[test]
    fn what_is_no_log_is_refused() {
        assert!(draw("").is_err());
        assert!(draw("ntsim: something else\n").is_err());
    }
}
