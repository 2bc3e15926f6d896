//! Whether a process takes requests, as it says itself.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::ensure;

use crate::servers::process::look_again_soon;

/// From its start on.
const START_LIMIT: Duration = Duration::from_secs(60);
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Waits until `/readyz` on a port says so, for as long as the process runs.
pub(super) fn wait(port: u16, runs: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let began = Instant::now();
    while !is_ready(port).unwrap_or(false) {
        ensure!(runs()?, "it ended");
        ensure!(
            began.elapsed() < START_LIMIT,
            "it is not ready after {} s",
            START_LIMIT.as_secs()
        );
        look_again_soon();
    }
    Ok(())
}

fn is_ready(port: u16) -> io::Result<bool> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_LIMIT)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.set_write_timeout(Some(ANSWER_LIMIT))?;
    write!(
        stream,
        "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(&status == b"HTTP/1.1 200")
}
