//! Progress bars for work that takes a while. They show nothing when the output is not a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const BAR: &str = "{msg} {bar:32} {human_pos}/{human_len}  {per_sec}  {eta} left";

/// A bar over `length` things.
pub(crate) fn bar(length: usize, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template(BAR).expect("the template is a constant that parses");
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    ProgressBar::new(length)
        .with_style(style)
        .with_message(what)
}

/// A sign of life for work whose length is not known.
pub(crate) fn spinner(what: impl Into<String>) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what.into());
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}
