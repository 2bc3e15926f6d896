//! Requests that no client library would send.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends bytes and reads until the server closes or nothing comes for a moment.
pub(crate) async fn send(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(bytes.as_ref()).await.unwrap();
    read(&mut socket).await
}

/// Reads until the server closes or nothing comes for a moment.
pub(crate) async fn read(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(Ok(length @ 1..)) =
        tokio::time::timeout(Duration::from_millis(250), socket.read(&mut buffer)).await
    {
        answer.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Whether the server closes the connection within a time.
pub(crate) async fn is_closed_within(socket: &mut TcpStream, time: Duration) -> bool {
    let closed = async {
        let mut buffer = [0; 1024];
        while let Ok(1..) = socket.read(&mut buffer).await {}
    };
    tokio::time::timeout(time, closed).await.is_ok()
}

/// The statuses of the answers in a raw text.
pub(crate) fn statuses(answers: &str) -> Vec<u16> {
    let lines = answers.split("HTTP/1.1 ").skip(1);
    lines
        .filter_map(|line| line.get(..3)?.parse().ok())
        .collect()
}
