//! Ways to a server that fail: one on which a commit is cut, one that can be closed and opened.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

/// What becomes of the first COMMIT that is sent through a wire.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Cut {
    /// It never arrives.
    Before,
    /// It arrives, and its answer does not.
    After,
    /// It never arrives, and its transaction's number was given again to another, which was committed. So says the
    /// server whenever it is asked.
    Reused,
}

/// A row of one column as PostgreSQL sends it (protocol 3.0, DataRow).
fn row_of(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap();
    let mut row = vec![b'D'];
    row.extend((4 + 2 + 4 + length).to_be_bytes());
    row.extend(1_u16.to_be_bytes());
    row.extend(length.to_be_bytes());
    row.extend(text.as_bytes());
    row
}

fn replace(bytes: &mut Vec<u8>, old: &[u8], new: &[u8]) {
    if let Some(place) = bytes.windows(old.len()).position(|window| window == old) {
        bytes.splice(place..place + old.len(), new.iter().copied());
    }
}

/// A way to the server on which the first commit is cut. Its port.
pub(crate) fn cut_wire(to: u16, cut: Cut) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let is_cut = Arc::new(AtomicU32::new(0));
    thread::spawn(move || {
        while let Ok((near, _)) = listener.accept() {
            let far = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let (back_from, back_to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
            let silent = Arc::new(AtomicU32::new(0));
            let (hush, is_cut) = (Arc::clone(&silent), Arc::clone(&is_cut));
            thread::spawn(move || {
                forward(back_from, back_to, |bytes| {
                    if cut == Cut::Reused {
                        replace(bytes, &row_of("aborted"), &row_of("committed"));
                    }
                    silent.load(Ordering::SeqCst) == 0
                });
            });
            thread::spawn(move || {
                forward(near, far, |bytes| {
                    let commits = bytes.windows(7).any(|window| window == b"COMMIT\0")
                        && bytes.windows(9).any(|window| window == b"feed_head");
                    if !commits || is_cut.fetch_add(1, Ordering::SeqCst) > 0 {
                        return true;
                    }
                    hush.store(1, Ordering::SeqCst);
                    cut == Cut::After
                });
            });
        }
    });
    port
}

/// Carries bytes, changed or not, until it is told not to, or an end closes; then both are closed.
fn forward(mut from: TcpStream, mut to: TcpStream, mut carries: impl FnMut(&mut Vec<u8>) -> bool) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let mut bytes = buffer[..count].to_vec();
        if !carries(&mut bytes) || to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// A way to the server that can be closed.
pub(crate) struct Gate {
    pub(crate) port: u16,
    pub(crate) open: Arc<AtomicU32>,
    connections: Arc<std::sync::Mutex<Vec<TcpStream>>>,
}

impl Gate {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gate = Self {
            port: listener.local_addr().unwrap().port(),
            open: Arc::new(AtomicU32::new(1)),
            connections: Arc::default(),
        };
        let (open, connections) = (Arc::clone(&gate.open), Arc::clone(&gate.connections));
        thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                if open.load(Ordering::SeqCst) == 0 {
                    continue;
                }
                let far = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let (from, to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
                connections.lock().unwrap().push(near.try_clone().unwrap());
                thread::spawn(move || forward(from, to, |_| true));
                thread::spawn(move || forward(near, far, |_| true));
            }
        });
        gate
    }

    pub(crate) fn close(&self) {
        self.open.store(0, Ordering::SeqCst);
        for connection in self.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}
