//! A client of one kind of stream, which comes back with its last place whenever the stream ends or breaks.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _, future, stream, stream::BoxStream};
use pasar_contracts::grpc::relay::{Reply, SubscribeReply, SubscribeRequest};
use pasar_testkit::probe::soon;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};
use tonic::{client::Grpc, codegen::http::uri::PathAndQuery, transport::Endpoint};
use tonic_prost::ProstCodec;

use crate::{api::Api, system::System};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sse,
    WebSocket,
    Grpc,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Sse, Self::WebSocket, Self::Grpc];
}

/// What came over a stream.
enum Told {
    /// It goes on after this place.
    Place(i64),
    Message {
        place: i64,
        id: String,
    },
    Gap,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The ids of all messages as they came, repeats included.
    pub(super) messages: Vec<String>,
    pub(super) gaps: usize,
    /// How often it came back with a place.
    pub(super) resumed: usize,
    place: Option<i64>,
}

/// It ends when it is dropped.
pub(super) struct Client {
    pub(super) kind: Kind,
    seen: watch::Sender<Seen>,
    task: JoinHandle<()>,
}

/// How it is reached.
struct Way {
    kind: Kind,
    api: Api,
    url: String,
    key: String,
    topic: &'static str,
}

const PATIENCE: Duration = Duration::from_secs(60);
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// Longer than the test: streams are not to end by themselves.
const NO_TIMEOUT: Duration = Duration::from_secs(3600);

impl Client {
    /// Hears what comes later than this returns.
    pub(super) async fn start(kind: Kind, system: &System, topic: &'static str) -> Self {
        let way = Way {
            kind,
            api: system.api("INTEGRATOR"),
            url: system.url().to_owned(),
            key: system.folder().key("INTEGRATOR"),
            topic,
        };
        let seen = watch::Sender::new(Seen::default());
        let noting = seen.clone();
        let task = tokio::spawn(async move {
            loop {
                let place = noting.borrow().place;
                if let Some(stream) = way.open(place).await {
                    if place.is_some() {
                        noting.send_modify(|seen| seen.resumed += 1);
                    }
                    stream
                        .for_each(|told| {
                            noting.send_modify(|seen| seen.note(told));
                            future::ready(())
                        })
                        .await;
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        });
        let mut first = seen.subscribe();
        let placed = first.wait_for(|seen| seen.place.is_some());
        drop(soon("the first place", placed).await.unwrap());
        Self { kind, seen, task }
    }

    /// What it saw once this message has come.
    pub(super) async fn until(self, id: &str) -> Seen {
        let mut seen = self.seen.subscribe();
        let came = seen.wait_for(|seen| seen.messages.iter().any(|seen| seen == id));
        match tokio::time::timeout(PATIENCE, came).await {
            Ok(seen) => seen.unwrap().clone(),
            Err(_) => panic!(
                "{:?}: {id} did not come: {:?}",
                self.kind,
                self.seen.borrow()
            ),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    fn note(&mut self, told: Told) {
        match told {
            Told::Place(place) => self.place = Some(place),
            Told::Message { place, id } => {
                self.place = Some(place);
                self.messages.push(id);
            }
            Told::Gap => self.gaps += 1,
        }
    }
}

impl Way {
    /// What comes until the stream ends or breaks; `None` if nobody serves it now.
    async fn open(&self, after: Option<i64>) -> Option<BoxStream<'static, Told>> {
        match self.kind {
            Kind::Sse => self.sse(after).await,
            Kind::WebSocket => self.web_socket(after).await,
            Kind::Grpc => self.grpc(after).await,
        }
    }

    async fn sse(&self, after: Option<i64>) -> Option<BoxStream<'static, Told>> {
        let path = format!("/v1/streams/{}?format=data", self.topic);
        let mut request = self.api.request(Method::GET, &path).timeout(NO_TIMEOUT);
        if let Some(place) = after {
            request = request.header("last-event-id", place.to_string());
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        assert!(matches!(status, 200 | 502..=504), "{status}");
        if status != 200 {
            return None;
        }
        let pieces = response.bytes_stream();
        let blocks = stream::unfold((pieces, Vec::new()), async |(mut pieces, mut unread)| {
            loop {
                if let Some(end) = unread.windows(2).position(|two| two == b"\n\n") {
                    let block: Vec<u8> = unread.drain(..end + 2).collect();
                    return Some((block, (pieces, unread)));
                }
                // What is cut off by the kill is no event.
                unread.extend_from_slice(&pieces.next().await?.ok()?);
            }
        });
        let told = blocks.filter_map(async |block| of_block(&String::from_utf8(block).unwrap()));
        Some(told.boxed())
    }

    async fn web_socket(&self, after: Option<i64>) -> Option<BoxStream<'static, Told>> {
        let request = self.api.request(Method::GET, "/v1/ws").timeout(NO_TIMEOUT);
        let request = request
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let response = request.send().await.ok()?;
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            assert!(matches!(status.as_u16(), 502..=504), "{status}");
            return None;
        }
        let socket = response.upgrade().await.ok()?;
        let mut socket = WebSocketStream::from_raw_socket(socket, Role::Client, None).await;
        let subscribe =
            json!({ "id": "a", "topics": [self.topic], "format": "data", "position": after });
        let frame = json!({ "subscribe": subscribe }).to_string();
        socket.send(Message::text(frame)).await.ok()?;
        let frames = socket.take_while(|frame| future::ready(frame.is_ok()));
        let told = frames.filter_map(async |frame| match frame.ok()? {
            Message::Text(text) => Some(of_frame(&serde_json::from_str(&text).unwrap())),
            _ => None,
        });
        Some(told.boxed())
    }

    async fn grpc(&self, after: Option<i64>) -> Option<BoxStream<'static, Told>> {
        let channel = Endpoint::from_shared(self.url.clone()).unwrap();
        let mut grpc = Grpc::new(channel.connect().await.ok()?);
        grpc.ready().await.ok()?;
        let mut request = tonic::Request::new(SubscribeRequest {
            topics: vec![self.topic.to_owned()],
            position: after,
            ..SubscribeRequest::default()
        });
        let key = format!("Bearer {}", self.key).parse().unwrap();
        request.metadata_mut().insert("authorization", key);
        let codec: ProstCodec<SubscribeRequest, SubscribeReply> = ProstCodec::default();
        let path = PathAndQuery::from_static("/pasar.relay.v1.Relay/Subscribe");
        let answered = grpc.server_streaming(request, path, codec).await;
        let replies = match answered {
            Ok(replies) => replies.into_inner(),
            Err(status) => {
                let code = status.code();
                assert_eq!(code, tonic::Code::Unavailable, "{status:?}");
                return None;
            }
        };
        // The connection lives as long as what comes over it.
        let replies = stream::unfold((replies, Arc::new(grpc)), async |(mut replies, grpc)| {
            let reply = replies.message().await.ok()??;
            Some((reply, (replies, grpc)))
        });
        Some(replies.map(of_reply).boxed())
    }
}

fn of_block(block: &str) -> Option<Told> {
    let field = |name: &str| {
        let mut lines = block.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let place = field("id").and_then(|id| id.parse().ok());
    match (field("event"), field("data")) {
        (Some("gap"), _) => Some(Told::Gap),
        (_, Some(data)) => Some(Told::Message {
            place: place.expect("a message has a place"),
            id: serde_json::from_str(data).unwrap(),
        }),
        (_, None) => place.map(Told::Place),
    }
}

fn of_frame(frame: &Value) -> Told {
    if let Some(place) = frame["subscribed"]["position"].as_i64() {
        return Told::Place(place);
    }
    if frame["gap"].is_object() {
        return Told::Gap;
    }
    let message = &frame["message"];
    let (place, data) = (message["position"].as_i64(), message["data"].as_str());
    let (Some(place), Some(data)) = (place, data) else {
        panic!("{frame} came");
    };
    Told::Message {
        place,
        id: data.to_owned(),
    }
}

fn of_reply(reply: SubscribeReply) -> Told {
    match reply.reply.expect("a reply says something") {
        Reply::Position(place) => Told::Place(place),
        Reply::Gap(_) => Told::Gap,
        Reply::Message(message) => Told::Message {
            place: message.position,
            id: serde_json::from_slice(&message.data).unwrap(),
        },
    }
}
