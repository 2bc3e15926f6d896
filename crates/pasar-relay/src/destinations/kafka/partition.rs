//! Writes the records of one partition: what waits while a batch is under way is the next batch, so there is
//! no lingering where there is no load, and the order is that of the calls.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use rskafka::{
    chrono::{DateTime, Utc},
    client::{
        error::{Error, ProtocolError},
        partition::{Compression, PartitionClient},
    },
    record::Record,
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    destination::{Network, Parcel, Sent},
    destinations::attributes::attributes,
    message::Message,
};

/// Records that wait for the batch under way.
const QUEUE: usize = 1_024;
/// Bytes of one batch, about: Kafka takes 1 MiB by default.
const MAX_BATCH_BYTES: usize = 512 * 1024;
const MAX_BATCH: usize = 500;
/// Bytes that a record takes beside its body, about.
const OVERHEAD_BYTES: usize = 1_024;

pub(super) struct Partition(mpsc::Sender<Request>);

struct Request {
    message: Arc<Message>,
    body: Bytes,
    content_type: Arc<str>,
    answer: oneshot::Sender<Result<Sent, Arc<Error>>>,
}

impl Partition {
    pub(super) fn start(client: PartitionClient, network: &Network) -> Self {
        let (sender, requests) = mpsc::channel(QUEUE);
        // It ends with the last sender, which the destination and its callers hold.
        let writing = write(client, network.attempt_timeout, requests);
        network.spawn("Kafka partition", writing);
        Self(sender)
    }

    pub(super) fn is_open(&self) -> bool {
        !self.0.is_closed()
    }

    pub(super) async fn produce(&self, parcel: &Parcel) -> Result<Sent, Arc<Error>> {
        let (answer, answered) = oneshot::channel();
        let request = Request {
            message: Arc::clone(&parcel.message),
            body: parcel.body.clone(),
            content_type: Arc::clone(&parcel.content_type),
            answer,
        };
        if self.0.send(request).await.is_err() {
            return Err(Arc::new(Error::Timeout));
        }
        answered
            .await
            .unwrap_or_else(|_| Err(Arc::new(Error::Timeout)))
    }
}

async fn write(client: PartitionClient, timeout: Duration, mut requests: mpsc::Receiver<Request>) {
    let mut ready = Vec::new();
    while requests.recv_many(&mut ready, MAX_BATCH).await > 0 {
        ready.retain(|request| !request.answer.is_closed());
        while !ready.is_empty() {
            let mut bytes = 0;
            let count = ready
                .iter()
                .take_while(|request| {
                    bytes += request.body.len() + OVERHEAD_BYTES;
                    bytes <= MAX_BATCH_BYTES
                })
                .count();
            let batch: Vec<_> = ready.drain(..count.max(1)).collect();
            produce(&client, timeout, batch).await;
        }
    }
}

/// A batch that is too large may hold records that are not: then one goes after the other.
async fn produce(client: &PartitionClient, timeout: Duration, batch: Vec<Request>) {
    let result = write_batch(client, timeout, &batch).await;
    if batch.len() > 1 && result.as_ref().is_err_and(is_too_large) {
        for request in batch {
            let alone = [request];
            let result = write_batch(client, timeout, &alone).await;
            answer(client, result, alone);
        }
        return;
    }
    answer(client, result, batch);
}

async fn write_batch(
    client: &PartitionClient,
    timeout: Duration,
    batch: &[Request],
) -> Result<Vec<i64>, Error> {
    let records = batch.iter().map(Request::record).collect();
    tokio::time::timeout(timeout, client.produce(records, Compression::NoCompression))
        .await
        .unwrap_or(Err(Error::Timeout))
}

fn answer(
    client: &PartitionClient,
    result: Result<Vec<i64>, Error>,
    batch: impl IntoIterator<Item = Request>,
) {
    match result {
        Ok(offsets) => {
            for (request, offset) in batch.into_iter().zip(offsets) {
                let detail = format!("partition {}, offset {offset}", client.partition());
                // Nobody may wait for it any more.
                let _ = request.answer.send(Ok(Sent::Delivered {
                    status: None,
                    detail: Some(detail),
                }));
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for request in batch {
                let _ = request.answer.send(Err(Arc::clone(&error)));
            }
        }
    }
}

fn is_too_large(error: &Error) -> bool {
    matches!(
        error,
        Error::ServerError {
            protocol_error: ProtocolError::MessageTooLarge | ProtocolError::RecordListTooLarge,
            ..
        }
    )
}

impl Request {
    /// The Kafka binding of CloudEvents: attributes are headers called `ce_..`.
    fn record(&self) -> Record {
        let mut headers: BTreeMap<_, _> = attributes(&self.message)
            .into_iter()
            .map(|(name, text)| (format!("ce_{name}"), text.into_owned().into_bytes()))
            .collect();
        headers.insert(
            "content-type".to_owned(),
            self.content_type.as_bytes().to_vec(),
        );
        let micros = self.message.time.as_micros();
        Record {
            key: self.message.key.as_ref().map(|key| key.as_bytes().to_vec()),
            value: Some(self.body.to_vec()),
            headers,
            timestamp: DateTime::<Utc>::from_timestamp_micros(micros).unwrap_or_default(),
        }
    }
}
