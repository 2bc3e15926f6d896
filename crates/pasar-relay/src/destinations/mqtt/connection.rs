//! One connection to an MQTT broker, driven by a task that ends once nobody holds the connection.
//!
//! Nothing waits in here that its sender does not wait for: what has no PUBACK when the connection ends is
//! answered so.

use std::{collections::HashMap, time::Duration};

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf},
    sync::{Notify, mpsc, oneshot},
    time::timeout,
};

use super::packets::{Answer, Limits, Publication, Version};
use crate::{
    destination::{Network, Sent},
    destinations::broker::{Place, Stream, broken, unreachable},
};

/// Silence after which a ping is sent; one and a half times as much is the end (MQTT 5, 3.1.2.10).
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_S: u16 = 30;
/// Publications that are on their way to the connection's task.
const QUEUE: usize = 64;
/// Bytes of packets that are written at once.
const MAX_WRITE_BYTES: usize = 64 * 1024;

#[derive(Clone)]
pub(crate) struct Login {
    pub(super) place: Place,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    /// Empty: the broker picks one.
    pub(super) client_id: String,
    pub(super) version: Version,
    pub(super) max_packet_bytes: u32,
}

impl Login {
    pub(super) async fn connect(&self, network: &Network) -> Result<Connection, Sent> {
        let mut stream = self.place.connect(network).await?;
        let mut buffer = BytesMut::new();
        self.version.connect(self, KEEP_ALIVE_S, &mut buffer)?;
        stream
            .write_all_buf(&mut buffer)
            .await
            .map_err(|error| broken(&error))?;
        stream.flush().await.map_err(|error| broken(&error))?;
        let limits = loop {
            match self.version.next(&mut buffer, self)? {
                Some(Answer::Welcome(limits)) => break limits,
                Some(Answer::Goodbye(why)) => return Err(why),
                Some(Answer::Ack(..) | Answer::Other) => {}
                None => match stream.read_buf(&mut buffer).await {
                    Ok(0) => {
                        return Err(unreachable(
                            "the broker closed the connection instead of answering",
                        ));
                    }
                    Ok(_) => {}
                    Err(error) => return Err(broken(&error)),
                },
            }
        };
        Ok(Connection::start(self, network, stream, buffer, limits))
    }
}

pub(super) struct Connection(mpsc::Sender<Request>);

struct Request {
    publication: Publication,
    answer: oneshot::Sender<Sent>,
}

impl Connection {
    fn start(
        login: &Login,
        network: &Network,
        stream: Box<dyn Stream>,
        read: BytesMut,
        limits: Limits,
    ) -> Self {
        let (sender, requests) = mpsc::channel(QUEUE);
        let driver = Driver {
            login: login.clone(),
            limits,
            flight: Mutex::default(),
            landed: Notify::new(),
        };
        // It ends with the last sender, which the destination and its callers hold.
        network.spawn("MQTT connection", driver.run(stream, read, requests));
        Self(sender)
    }

    pub(super) fn is_open(&self) -> bool {
        !self.0.is_closed()
    }

    /// Resolves at the PUBACK, or when there will be none.
    pub(super) async fn publish(&self, publication: Publication) -> Sent {
        let (answer, answered) = oneshot::channel();
        let request = Request {
            publication,
            answer,
        };
        match self.0.send(request).await {
            Ok(()) => answered.await.unwrap_or_else(|_| lost()),
            Err(_) => lost(),
        }
    }
}

fn lost() -> Sent {
    unreachable("the connection to the broker was lost")
}

struct Driver {
    login: Login,
    limits: Limits,
    flight: Mutex<Flight>,
    /// A publication got its answer.
    landed: Notify,
}

/// Publications without a PUBACK, by their packet id.
#[derive(Default)]
struct Flight {
    waiting: HashMap<u16, (String, oneshot::Sender<Sent>)>,
    last_id: u16,
}

impl Flight {
    /// An id that is not in use: 1 to 65,535. There is one, as the window is smaller.
    fn next_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.waiting.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }
}

impl Driver {
    async fn run(
        self,
        stream: Box<dyn Stream>,
        read: BytesMut,
        mut requests: mpsc::Receiver<Request>,
    ) {
        let (reader, writer) = tokio::io::split(stream);
        let why = tokio::select! {
            why = self.read(reader, read) => why,
            why = self.write(writer, &mut requests) => why,
        };
        requests.close();
        for (_, (_, answer)) in self.flight.lock().waiting.drain() {
            let _ = answer.send(why.clone());
        }
        while let Some(request) = requests.recv().await {
            let _ = request.answer.send(why.clone());
        }
    }

    /// Reads until the connection ends; gives why.
    async fn read(&self, mut reader: ReadHalf<Box<dyn Stream>>, mut input: BytesMut) -> Sent {
        loop {
            loop {
                match self.login.version.next(&mut input, &self.login) {
                    Ok(Some(Answer::Ack(id, reason))) => self.land(id, reason),
                    Ok(Some(Answer::Goodbye(why))) | Err(why) => return why,
                    Ok(Some(Answer::Welcome(_) | Answer::Other)) => {}
                    Ok(None) => break,
                }
            }
            match timeout(KEEP_ALIVE * 3 / 2, reader.read_buf(&mut input)).await {
                Ok(Ok(0)) => return unreachable("the broker closed the connection"),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return broken(&error),
                Err(_) => return unreachable("the broker is silent"),
            }
        }
    }

    fn land(&self, id: u16, reason: u8) {
        let landed = self.flight.lock().waiting.remove(&id);
        if let Some((topic, answer)) = landed {
            // Nobody may wait for it any more.
            let _ = answer.send(self.login.acked(reason, &topic));
            self.landed.notify_one();
        }
    }

    /// Writes until nobody wants to publish any more, or the connection ends; gives why.
    async fn write(
        &self,
        mut writer: WriteHalf<Box<dyn Stream>>,
        requests: &mut mpsc::Receiver<Request>,
    ) -> Sent {
        let mut out = BytesMut::new();
        let mut is_over = false;
        while !is_over {
            self.room().await;
            match timeout(KEEP_ALIVE, requests.recv()).await {
                Ok(Some(request)) => self.take(request, &mut out),
                Ok(None) => {
                    Version::goodbye(&mut out);
                    is_over = true;
                }
                Err(_) => Version::ping(&mut out),
            }
            while out.len() < MAX_WRITE_BYTES && self.has_room() {
                match requests.try_recv() {
                    Ok(request) => self.take(request, &mut out),
                    Err(_) => break,
                }
            }
            let writing = async {
                writer.write_all_buf(&mut out).await?;
                writer.flush().await
            };
            match timeout(KEEP_ALIVE, writing).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return broken(&error),
                Err(_) => return unreachable("the broker reads nothing"),
            }
        }
        lost()
    }

    fn take(&self, request: Request, out: &mut BytesMut) {
        if request.answer.is_closed() {
            return;
        }
        let topic = request.publication.topic.clone();
        let mut flight = self.flight.lock();
        let id = flight.next_id();
        let most = self.limits.max_packet_bytes;
        match self
            .login
            .version
            .publish(request.publication, id, most, out)
        {
            Ok(()) => {
                flight.waiting.insert(id, (topic, request.answer));
            }
            Err(why) => {
                let _ = request.answer.send(why);
            }
        }
    }

    fn has_room(&self) -> bool {
        self.flight.lock().waiting.len() < usize::from(self.limits.window)
    }

    async fn room(&self) {
        while !self.has_room() {
            // One answer in between is remembered, and wakes at once.
            self.landed.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_not_used_twice_and_never_zero() {
        let mut flight = Flight {
            last_id: u16::MAX - 1,
            ..Flight::default()
        };
        let (one, _) = oneshot::channel();
        flight.waiting.insert(1, (String::new(), one));
        assert_eq!(flight.next_id(), u16::MAX);
        assert_eq!(flight.next_id(), 2);
    }
}
