//! A process of the test's own, such as a payment provider that must outlive a killed system.

use std::{
    io::{self, BufRead, BufReader},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

/// A running process. It is killed when it is dropped.
pub struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts it; its standard output is read here.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or_else(no_output)?;
        Ok(Self {
            child,
            output: BufReader::new(output),
        })
    }

    /// Reads lines until one begins with `start`; answers the rest of that line.
    ///
    /// # Errors
    /// If the process ends before it says so.
    pub fn wait_for_line(&mut self, start: &str) -> io::Result<String> {
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                let message = format!("the process ended before it said {start:?}: {said}");
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            if let Some(rest) = line.strip_prefix(start) {
                return Ok(rest.trim().to_owned());
            }
            said.push_str(&line);
        }
    }

    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it at once, as a power cut would (`SIGKILL`), and waits for its end.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// Waits for its end. For processes that end in bounded time.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kill();
    }
}

fn no_output() -> io::Error {
    io::Error::other("standard output is piped, but not there")
}
