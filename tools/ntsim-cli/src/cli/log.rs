//! The log as `DbgView` shows it: a number, the time, the text.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use ntsim::CodePage;
use ntsim::dbg::{DebugMessage, DebugOutput};
use serde_json::{Value, json};

/// Where everything that belongs on standard output goes, line by line.
pub struct Log {
    style: Style,
    code_page: CodePage,
    start: Instant,
    lines: AtomicU64,
    /// The reader has gone, as with `| head`.
    closed: AtomicBool,
    writer: Mutex<Writer>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Terminal,
    Text,
    Json,
}

struct Writer {
    output: io::BufWriter<Box<dyn Write + Send>>,
    /// Text that has not come to its end of line yet.
    unfinished: Vec<u8>,
}

impl Log {
    /// A log on standard output.
    pub fn new(json: bool, code_page: CodePage) -> Self {
        let stdout = io::stdout();
        let style = match (json, stdout.is_terminal()) {
            (true, _) => Style::Json,
            (false, true) => Style::Terminal,
            (false, false) => Style::Text,
        };
        Self::to(Box::new(stdout), style, code_page)
    }

    fn to(output: Box<dyn Write + Send>, style: Style, code_page: CodePage) -> Self {
        Self {
            style,
            code_page,
            start: Instant::now(),
            lines: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            writer: Mutex::new(Writer {
                output: io::BufWriter::new(output),
                unfinished: Vec::new(),
            }),
        }
    }

    /// Lines printed by drivers so far.
    pub fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// Whether nobody reads the log any more.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Writes an object of the JSON log; nothing in the other styles.
    pub fn object(&self, object: impl FnOnce() -> Value) {
        if self.style == Style::Json {
            self.with_writer(|writer| writeln!(writer.output, "{}", object()));
        }
    }

    /// Shows what was written so far. Events call it when there is nothing
    /// else to do, so that a burst is not slowed down by the terminal.
    pub fn flush(&self) {
        self.with_writer(|writer| writer.output.flush());
    }

    /// Ends the log: text without an end of line is a line too.
    pub fn finish(&self) {
        self.with_writer(|writer| {
            let rest = std::mem::take(&mut writer.unfinished);
            if !rest.is_empty() {
                self.line(writer, &rest)?;
            }
            writer.output.flush()
        });
    }

    fn with_writer(&self, write: impl FnOnce(&mut Writer) -> io::Result<()>) {
        let mut writer = self
            .writer
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Err(error) = write(&mut writer)
            && !self.closed.swap(true, Ordering::Relaxed)
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            eprintln!("ntsim: cannot write the log: {error}");
        }
    }

    fn line(&self, writer: &mut Writer, text: &[u8]) -> io::Result<()> {
        let number = self.lines.fetch_add(1, Ordering::Relaxed) + 1;
        let seconds = self.start.elapsed().as_secs_f64();
        let text = self
            .code_page
            .decode(text.strip_suffix(b"\r").unwrap_or(text));
        match self.style {
            Style::Text => writeln!(writer.output, "{number:08}\t{seconds:.8}\t{text}"),
            Style::Terminal => {
                let text: String = text.chars().map(visible).collect();
                writeln!(writer.output, "{number:08}\t{seconds:.8}\t{text}")
            }
            Style::Json => {
                let line = json!({
                    "type": "line", "number": number, "time": seconds, "text": text,
                });
                writeln!(writer.output, "{line}")
            }
        }
    }
}

/// A control character as its picture, so that no driver's text can command
/// the terminal.
fn visible(character: char) -> char {
    match character {
        '\t' => '\t',
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(character)).unwrap_or(' '),
        '\x7f'..='\u{9f}' => '\u{fffd}',
        other => other,
    }
}

impl DebugOutput for Log {
    fn print(&self, message: &DebugMessage<'_>) {
        self.with_writer(|writer| {
            let mut rest = message.text;
            while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
                if writer.unfinished.is_empty() {
                    self.line(writer, &rest[..end])?;
                } else {
                    let mut line = std::mem::take(&mut writer.unfinished);
                    line.extend_from_slice(&rest[..end]);
                    self.line(writer, &line)?;
                }
                rest = &rest[end + 1..];
            }
            writer.unfinished.extend_from_slice(rest);
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(style: Style, code_page: u16, texts: &[&[u8]]) -> (Log, String) {
        let output = Shared::default();
        let page = CodePage::from_number(code_page).unwrap();
        let log = Log::to(Box::new(output.clone()), style, page);
        for text in texts {
            log.print(&DebugMessage {
                component: 101,
                level: 3,
                text,
            });
        }
        log.finish();
        let bytes = output.0.lock().unwrap().clone();
        (log, String::from_utf8(bytes).unwrap())
    }

    /// Numbers and texts, without the times.
    fn texts(output: &str) -> Vec<(u32, &str)> {
        output
            .lines()
            .map(|line| {
                let mut columns = line.splitn(3, '\t');
                let number = columns.next().unwrap().parse().unwrap();
                let time = columns.next().unwrap();
                assert_eq!(time.split_once('.').unwrap().1.len(), 8, "{time}");
                (number, columns.next().unwrap())
            })
            .collect()
    }

    #[test]
    fn calls_become_numbered_lines() {
        let (log, output) = log(
            Style::Text,
            65001,
            &[b"one\n", b"tw", b"o\r\nthree\nfo", b"ur"],
        );
        assert_eq!(
            texts(&output),
            [(1, "one"), (2, "two"), (3, "three"), (4, "four")]
        );
        assert_eq!(log.lines(), 4);
        assert!(!log.is_closed());
    }

    #[test]
    fn text_is_shown_as_the_code_page_says() {
        let (_, output) = log(Style::Text, 936, &[b"\xd6\xd0\xce\xc4\n"]);
        assert_eq!(texts(&output), [(1, "中文")]);
    }

    #[test]
    fn a_terminal_is_not_commanded_by_a_driver() {
        let text: &[&[u8]] = &["a\x1b[2J\tb\u{9b}\n".as_bytes()];
        assert_eq!(
            texts(&log(Style::Terminal, 65001, text).1),
            [(1, "a␛[2J\tb\u{fffd}")]
        );
        assert_eq!(
            texts(&log(Style::Text, 65001, text).1),
            [(1, "a\x1b[2J\tb\u{9b}")]
        );
    }

    #[test]
    fn json_is_one_object_a_line() {
        let (_, output) = log(Style::Json, 65001, &[b"say \"hi\"\n"]);
        let object: Value = serde_json::from_str(&output).unwrap();
        assert_eq!(object["text"], "say \"hi\"");
        assert_eq!(object["number"], 1);
        assert_eq!(object["type"], "line");
    }

    #[test]
    fn a_reader_that_has_gone_is_noticed() {
        let log = Log::to(Box::new(Broken), Style::Text, CodePage::UTF_8);
        assert!(!log.is_closed());
        log.print(&DebugMessage {
            component: 101,
            level: 3,
            text: b"lost\n",
        });
        log.flush();
        assert!(log.is_closed());
    }
}
