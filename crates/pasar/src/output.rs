//! What the program says on standard output and standard error. Both may be closed before everything is said, as by
//! `head`: that is no mistake of ours, and nothing to panic at.

use std::{
    fmt,
    io::{self, ErrorKind, Write as _},
    process,
};

/// As a shell tells the end by SIGPIPE, which is how others end whom nobody listens to any more.
const CLOSED: i32 = 141;
const FAILED: i32 = 1;

/// In the place of the standard library's, which panics.
macro_rules! print {
    ($($text:tt)*) => { $crate::output::say(format_args!($($text)*)) };
}

macro_rules! println {
    () => { $crate::output::say(format_args!("\n")) };
    ($($text:tt)*) => { $crate::output::say(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! eprintln {
    ($($text:tt)*) => { $crate::output::complain(format_args!("{}\n", format_args!($($text)*))) };
}

/// Ends the program if nobody listens: for commands that are done, or do only what they say.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    match try_say(text) {
        Ok(true) => {}
        Ok(false) => process::exit(CLOSED),
        Err(error) => {
            eprintln!("pasar: cannot write to standard output: {error}");
            process::exit(FAILED);
        }
    }
}

/// False if nobody listens: for commands whose work goes on all the same, or whose success says more than their text.
pub(crate) fn try_say(text: fmt::Arguments<'_>) -> io::Result<bool> {
    let mut output = io::stdout().lock();
    match output.write_fmt(text).and_then(|()| output.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// There is nowhere left to say that this failed.
pub(crate) fn complain(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}
