//! The guard for a client that connects by itself. rskafka takes the addresses of brokers from a broker's
//! answer, so it is told to connect through this SOCKS5 proxy (RFC 1928) in our own process, which asks the
//! guard about each.
//!
//! It listens on loopback, for processes of the same user only, and goes where the guard lets it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

use crate::{
    destination::{Network, Sent},
    destinations::broker::not_connected,
};

/// Connections at once: one a partition, and one to ask.
const MAX_CONNECTIONS: usize = 1_024;
/// How long the words before a connection may take.
const GREETING_LIMIT: Duration = Duration::from_secs(5);

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const GRANTED: u8 = 0;
const HOST_UNREACHABLE: u8 = 4;

pub(super) struct Proxy {
    address: SocketAddr,
    /// Why the last connection was not made.
    refusal: Arc<Mutex<Option<Sent>>>,
    task: AbortHandle,
}

impl Proxy {
    /// Listens on a free port; ends, with its connections, when dropped.
    pub(super) async fn start(network: &Network) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let refusal = Arc::default();
        let carrier = Carrier {
            network: network.clone(),
            refusal: Arc::clone(&refusal),
        };
        let task = network.spawn("Kafka connections", accept(listener, Arc::new(carrier)));
        Ok(Self {
            address,
            refusal,
            task,
        })
    }

    /// What rskafka connects to.
    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn refusal(&self) -> Option<Sent> {
        self.refusal.lock().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, carrier: Arc<Carrier>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                // An error is that of one connection, or passes once others are closed.
                if let Ok((stream, peer)) = accepted {
                    let carrier = Arc::clone(&carrier);
                    connections.spawn(async move { carrier.carry(stream, peer).await });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

struct Carrier {
    network: Network,
    refusal: Arc<Mutex<Option<Sent>>>,
}

impl Carrier {
    async fn carry(&self, mut near: TcpStream, peer: SocketAddr) -> io::Result<()> {
        if !is_our_user(peer, near.local_addr()?) {
            return Ok(());
        }
        near.set_nodelay(true)?;
        let (host, port) = tokio::time::timeout(GREETING_LIMIT, greet(&mut near)).await??;
        let limit = self.network.connect_timeout;
        match self.network.guard.connect(&host, port, limit).await {
            Ok(mut far) => {
                *self.refusal.lock() = None;
                answer(&mut near, GRANTED).await?;
                copy_bidirectional(&mut near, &mut far).await?;
            }
            Err(error) => {
                *self.refusal.lock() = Some(not_connected(&error));
                answer(&mut near, HOST_UNREACHABLE).await?;
            }
        }
        Ok(())
    }
}

/// Where the client wants to go.
async fn greet(stream: &mut TcpStream) -> io::Result<(String, u16)> {
    let no = || io::Error::from(io::ErrorKind::InvalidData);
    let mut head = [0; 2];
    stream.read_exact(&mut head).await?;
    let mut methods = vec![0; head[1].into()];
    stream.read_exact(&mut methods).await?;
    if head[0] != VERSION || !methods.contains(&NO_LOGIN) {
        return Err(no());
    }
    stream.write_all(&[VERSION, NO_LOGIN]).await?;
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    if request[..2] != [VERSION, CONNECT] {
        return Err(no());
    }
    let host = match request[3] {
        IPV4 => Ipv4Addr::from(stream.read_u32().await?).to_string(),
        NAME => {
            let mut name = vec![0; stream.read_u8().await?.into()];
            stream.read_exact(&mut name).await?;
            String::from_utf8(name).map_err(|_| no())?
        }
        _ => return Err(no()),
    };
    Ok((host, stream.read_u16().await?))
}

async fn answer(stream: &mut TcpStream, code: u8) -> io::Result<()> {
    // The address that we connected from is nobody's business.
    let reply = [VERSION, code, 0, IPV4, 0, 0, 0, 0, 0, 0];
    stream.write_all(&reply).await
}

/// Whether the other end of a loopback connection belongs to the user that this process runs as, as far as
/// the system tells.
#[cfg(target_os = "linux")]
fn is_our_user(peer: SocketAddr, own: SocketAddr) -> bool {
    use std::{fs, os::unix::fs::MetadataExt as _};

    let (SocketAddr::V4(peer), SocketAddr::V4(own)) = (peer, own) else {
        return false;
    };
    let hex = |it: std::net::SocketAddrV4| {
        format!(
            "{:08X}:{:04X}",
            u32::from_le_bytes(it.ip().octets()),
            it.port()
        )
    };
    let (peer, own) = (hex(peer), hex(own));
    let (Ok(user), Ok(table)) = (
        fs::metadata("/proc/self"),
        fs::read_to_string("/proc/net/tcp"),
    ) else {
        return true;
    };
    // Fields: number, local address, remote address, state, queues, timer, retransmits, user, ..
    table.lines().any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields.get(1) == Some(&peer.as_str())
            && fields.get(2) == Some(&own.as_str())
            && fields.get(7) == Some(&user.uid().to_string().as_str())
    })
}

#[cfg(not(target_os = "linux"))]
fn is_our_user(_: SocketAddr, _: SocketAddr) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use pasar_feed::tasks::Tasks;

    use super::*;
    use crate::destinations::guard::Guard;

    fn network(guard: Guard) -> Network {
        Network {
            guard,
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(5),
            tasks: Tasks::new(),
        }
    }

    async fn ask(proxy: &Proxy, port: u16) -> (TcpStream, u8) {
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        stream.write_all(&[5, 1, 0]).await.unwrap();
        let mut chosen = [0; 2];
        stream.read_exact(&mut chosen).await.unwrap();
        assert_eq!(chosen, [5, 0]);
        let mut request = vec![5, 1, 0, 3, 9];
        request.extend_from_slice(b"127.0.0.1");
        request.extend_from_slice(&port.to_be_bytes());
        stream.write_all(&request).await.unwrap();
        let mut reply = [0; 10];
        stream.read_exact(&mut reply).await.unwrap();
        (stream, reply[1])
    }

    #[tokio::test]
    async fn the_proxy_goes_where_the_guard_lets_it() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = server.local_addr().unwrap().port();
        let proxy = Proxy::start(&network(Guard::open())).await.unwrap();
        let (mut stream, code) = ask(&proxy, port).await;
        assert_eq!(code, GRANTED);
        let (mut far, _) = server.accept().await.unwrap();
        stream.write_all(b"to").await.unwrap();
        let mut bytes = [0; 2];
        far.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"to");
    }

    #[tokio::test]
    async fn the_proxy_connects_to_nothing_that_the_guard_refuses() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = server.local_addr().unwrap().port();
        let proxy = Proxy::start(&network(Guard::closed(Vec::new())))
            .await
            .unwrap();
        let (_stream, code) = ask(&proxy, port).await;
        assert_eq!(code, HOST_UNREACHABLE);
        assert!(matches!(proxy.refusal(), Some(Sent::Failed(_))));
        let nothing = tokio::time::timeout(Duration::from_millis(50), server.accept()).await;
        assert!(nothing.is_err());
    }
}
