//! A broker that is killed, with a reader for each ordering.

use std::marker::PhantomData;

use pasar_testkit::{
    ends::{Access, End, new_name},
    servers::{Server, Wire},
};
use serde_json::Value;

use super::{Far, ORDERINGS};
use crate::relay_reader::{Came, Reader};

pub(super) struct Broker<E> {
    server: Server,
    /// Between the relay and a server that forgets what nobody read: it stays cut until the readers are back.
    wire: Option<Wire>,
    names: Vec<String>,
    readers: Vec<Reader>,
    /// What came before the kill.
    before: Vec<Vec<Came>>,
    kind: PhantomData<E>,
}

impl<E: End> Far for Broker<E> {
    const COSTS_ATTEMPTS: bool = false;

    async fn start() -> Option<Self> {
        let server = Server::alone(E::SERVER).await?;
        let wire = match E::SURVIVES_KILL {
            true => None,
            false => Some(Wire::to(server.port).await),
        };
        let mut broker = Self {
            server,
            wire,
            names: ORDERINGS.map(|_| new_name("")).into(),
            readers: Vec::new(),
            before: Vec::new(),
            kind: PhantomData,
        };
        broker.listen().await;
        Some(broker)
    }

    fn settings(&self, ordering: usize) -> Value {
        let mut access = Access::plain(&self.server);
        if let Some(wire) = &self.wire {
            access.port = wire.port();
        }
        E::settings(&access, &self.names[ordering])
    }

    async fn kill(&mut self) {
        self.server.kill().await;
        if let Some(wire) = &self.wire {
            wire.cut();
        }
    }

    async fn start_again(&mut self) {
        // They have read what there was: their connections broke long ago.
        self.before = self.readers.iter().map(Reader::came).collect();
        self.readers.clear();
        self.server.start().await;
        self.listen().await;
        if let Some(wire) = &self.wire {
            wire.mend();
        }
    }

    /// A reader that begins anew may read again what it read before.
    fn came(&self, ordering: usize) -> Vec<Came> {
        let before = self.before.get(ordering).into_iter().flatten().copied();
        before.chain(self.readers[ordering].came()).collect()
    }
}

impl<E: End> Broker<E> {
    async fn listen(&mut self) {
        for name in &self.names {
            self.readers
                .push(Reader::of(E::listen(&self.server, name).await));
        }
    }
}
