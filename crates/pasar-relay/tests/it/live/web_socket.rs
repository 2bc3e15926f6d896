//! A WebSocket client by a library that knows nothing of ours.

use futures_util::{SinkExt, StreamExt};
use pasar_testkit::probe::soon;
use serde_json::{Value, json};
use tokio::{io::DuplexStream, sync::oneshot};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use super::system::Handed;

pub(crate) struct WebSocket {
    stream: WebSocketStream<DuplexStream>,
    credentials: Option<oneshot::Sender<()>>,
}

impl WebSocket {
    pub(crate) async fn new(handed: Handed) -> Self {
        Self {
            stream: WebSocketStream::from_raw_socket(handed.socket, Role::Client, None).await,
            credentials: Some(handed.credentials),
        }
    }

    pub(crate) async fn say(&mut self, frame: &Value) {
        self.send(Message::text(frame.to_string())).await;
    }

    pub(crate) async fn send(&mut self, message: Message) {
        soon("sending", self.stream.send(message)).await.unwrap();
    }

    /// The next message, whatever it is.
    pub(crate) async fn next(&mut self) -> Message {
        let next = soon("a frame", self.stream.next()).await;
        next.expect("the stream goes on").unwrap()
    }

    /// The next frame of the protocol.
    pub(crate) async fn hear(&mut self) -> Value {
        loop {
            match self.next().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?} came"),
            }
        }
    }

    /// Subscribes to `client` by the name `a`; answers the position from which it goes on.
    pub(crate) async fn subscribe(&mut self, more: Value) -> i64 {
        let mut subscribe = json!({"id": "a", "topics": ["client"], "format": "data"});
        let more = more.as_object().unwrap().clone();
        subscribe.as_object_mut().unwrap().extend(more);
        self.say(&json!({ "subscribe": subscribe })).await;
        let answer = self.hear().await;
        let position = answer["subscribed"]["position"].as_i64();
        position.unwrap_or_else(|| panic!("{answer}"))
    }

    /// The data of the next message, which must be a number.
    pub(crate) async fn number(&mut self) -> u64 {
        let frame = self.hear().await;
        let data = frame["message"]["data"].as_u64();
        data.unwrap_or_else(|| panic!("{frame}"))
    }

    /// The problem of the next frame.
    pub(crate) async fn problem(&mut self) -> String {
        let frame = self.hear().await;
        let kind = frame["error"]["type"].as_str();
        let kind = kind.unwrap_or_else(|| panic!("{frame}"));
        kind.trim_start_matches("/problems/").to_owned()
    }

    /// The code that it is closed with. What comes before is passed over.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.next().await {
                return frame.unwrap().code.into();
            }
        }
    }

    pub(crate) fn end_credentials(&mut self) {
        self.credentials = None;
    }
}
