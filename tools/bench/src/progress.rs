//! What is under way, on a terminal; nothing elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// The line that shows it.
pub struct Progress(ProgressBar);

impl Progress {
    /// Nothing is under way yet.
    pub fn new() -> Self {
        let bar = ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Begins something that takes so many steps; what it gives is called at
    /// the beginning of each.
    pub fn begin(&self, what: &'static str, steps: u32) -> impl FnMut() {
        self.0.reset();
        self.0.set_message(what);
        self.0.set_length(steps.into());
        let bar = self.0.clone();
        let mut begun = 0;
        move || {
            bar.set_position(begun);
            begun += 1;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
