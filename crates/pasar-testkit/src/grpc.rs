//! Calls of gRPC methods through a router, as the gateway passes them on.

use axum::body::Body;
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use bytes::{Buf, BytesMut};
use http::{HeaderMap, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use pasar_chassis::grpc::{MEDIA_TYPE, PREFIX_BYTES, prefix};
use prost::Message;
use serde_json::Value;
use tower::ServiceExt;

use crate::{client::Call, probe::soon};

/// What a call ended with that brought no message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refused {
    /// The canonical code.
    pub code: u16,
    pub message: String,
    /// The slug of the problem's type.
    pub problem: String,
    /// The problem's document; null if there is none.
    pub document: Value,
    pub metadata: HeaderMap,
}

/// The messages of an answer, as they come.
pub struct Replies {
    body: Body,
    waiting: BytesMut,
    end: Option<Refused>,
}

impl Call {
    /// The one message of a call.
    pub fn message(self, message: &impl Message) -> Self {
        let message = message.encode_to_vec();
        let framed = [&prefix(message.len())[..], &message].concat();
        self.header(CONTENT_TYPE.as_str(), MEDIA_TYPE).body(framed)
    }

    /// The one message of the answer.
    ///
    /// # Panics
    /// If it is not one, or not followed by OK.
    pub async fn reply<M: Message + Default>(self) -> Result<M, Refused> {
        let mut replies = self.replies().await?;
        let Some(reply) = replies.next().await else {
            return Err(replies.end.expect("an answer ends with an outcome"));
        };
        assert!(
            replies.next::<M>().await.is_none(),
            "there are two messages"
        );
        assert_eq!(replies.end().code, 0);
        Ok(reply)
    }

    /// The answer, unless it ended before its first message.
    ///
    /// # Panics
    /// If it does not speak gRPC.
    pub async fn replies(self) -> Result<Replies, Refused> {
        let (router, request) = self.arrive();
        let Ok(response) = router.oneshot(request).await;
        let (parts, body) = response.into_parts();
        assert_eq!(parts.headers[CONTENT_TYPE], MEDIA_TYPE, "{parts:?}");
        if parts.headers.contains_key("grpc-status") {
            return Err(Refused::read(parts.headers));
        }
        Ok(Replies {
            body,
            waiting: BytesMut::new(),
            end: None,
        })
    }

    /// The code of a refusal; 0 for an answer, however it goes on.
    pub async fn outcome(self) -> u16 {
        match self.replies().await {
            Ok(_) => 0,
            Err(refused) => refused.code,
        }
    }
}

impl Replies {
    /// The next message; `None` at the end.
    ///
    /// # Panics
    /// If it breaks off, or does not come in a minute.
    pub async fn next<M: Message + Default>(&mut self) -> Option<M> {
        loop {
            if let Some(message) = self.take() {
                return Some(message);
            }
            let frame = soon("a message", self.body.frame()).await?;
            match frame.expect("the answer goes on").into_data() {
                Ok(data) => self.waiting.extend_from_slice(&data),
                Err(frame) => {
                    let trailers = frame.into_trailers().expect("it is data or trailers");
                    self.end = Some(Refused::read(trailers));
                    return None;
                }
            }
        }
    }

    /// What it ended with.
    ///
    /// # Panics
    /// If it has not ended.
    #[must_use]
    pub fn end(&self) -> &Refused {
        self.end.as_ref().expect("it has ended")
    }

    fn take<M: Message + Default>(&mut self) -> Option<M> {
        let prefix = self.waiting.first_chunk::<PREFIX_BYTES>()?;
        let [_, a, b, c, d] = *prefix;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if self.waiting.len() < PREFIX_BYTES + length {
            return None;
        }
        self.waiting.advance(PREFIX_BYTES);
        let message = self.waiting.split_to(length);
        Some(M::decode(message).expect("the message is the method's"))
    }
}

impl Refused {
    fn read(metadata: HeaderMap) -> Self {
        let text = |name: &str| {
            let value = metadata.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let document = BASE64_STANDARD_NO_PAD.decode(text("pasar-problem-bin"));
        Self {
            code: text("grpc-status").parse().expect("an outcome is a number"),
            message: text("grpc-message"),
            problem: text("pasar-problem"),
            document: serde_json::from_slice(&document.unwrap_or_default()).unwrap_or_default(),
            metadata,
        }
    }
}
