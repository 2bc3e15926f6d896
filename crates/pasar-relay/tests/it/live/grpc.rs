//! gRPC by a client library, over HTTP/2 without TLS.

use std::net::SocketAddr;

use pasar_chassis::identity::{ClientAddress, Identity};
use pasar_contracts::grpc::relay::{
    Gap, PublishReply, PublishRequest, Reply, SubscribeReply, SubscribeRequest,
};
use pasar_testkit::{
    identities::{admin, anonymous, customer},
    probe::soon,
};
use tokio::net::TcpListener;
use tonic::{Code, Streaming, client::Grpc, codegen::http::uri::PathAndQuery, transport::Channel};
use tonic_prost::ProstCodec;

use super::system::System;

struct Client(Grpc<Channel>);

impl Client {
    async fn connect(system: &System, identity: Identity) -> Self {
        let address = serve(system, identity).await;
        let channel = Channel::from_shared(format!("http://{address}")).unwrap();
        Self(Grpc::new(channel.connect().await.unwrap()))
    }

    async fn publish(&mut self, request: PublishRequest) -> Result<String, tonic::Status> {
        self.0.ready().await.unwrap();
        let codec: ProstCodec<PublishRequest, PublishReply> = ProstCodec::default();
        let path = PathAndQuery::from_static("/pasar.relay.v1.Relay/Publish");
        let call = self.0.unary(tonic::Request::new(request), path, codec);
        Ok(call.await?.into_inner().id)
    }

    async fn subscribe(
        &mut self,
        request: SubscribeRequest,
    ) -> Result<Streaming<SubscribeReply>, tonic::Status> {
        self.0.ready().await.unwrap();
        let codec: ProstCodec<SubscribeRequest, SubscribeReply> = ProstCodec::default();
        let path = PathAndQuery::from_static("/pasar.relay.v1.Relay/Subscribe");
        let call = self
            .0
            .server_streaming(tonic::Request::new(request), path, codec);
        Ok(call.await?.into_inner())
    }
}

/// Serves the relay as the gateway would, to one caller.
async fn serve(system: &System, identity: Identity) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = system
        .router()
        .layer(axum::Extension(identity))
        .layer(axum::Extension(ClientAddress(Some([192, 0, 2, 1].into()))));
    let host = &system.host.host;
    pasar_chassis::http::serve(
        host,
        listener,
        router,
        &pasar_chassis::http::Limits::default(),
    );
    address
}

fn topics(topics: &[&str], position: Option<i64>) -> SubscribeRequest {
    SubscribeRequest {
        topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
        position,
        ..SubscribeRequest::default()
    }
}

async fn next(stream: &mut Streaming<SubscribeReply>) -> Reply {
    let reply = soon("a reply", stream.message()).await.unwrap();
    reply.expect("the stream goes on").reply.unwrap()
}

#[tokio::test]
async fn what_is_published_reaches_those_who_subscribed() {
    let system = System::start().await;
    let mut client = Client::connect(&system, admin()).await;
    let mut stream = client
        .subscribe(topics(&["client", "shop.*"], None))
        .await
        .unwrap();
    assert_eq!(next(&mut stream).await, Reply::Position(0));
    let request = PublishRequest {
        topic: "shop.one".to_owned(),
        r#type: "thing.sold".to_owned(),
        key: "k".to_owned(),
        id: "mine".to_owned(),
        data: b"{\"a\": 1}".to_vec(),
    };
    assert_eq!(client.publish(request.clone()).await.unwrap(), "mine");
    let Reply::Message(message) = next(&mut stream).await else {
        panic!("no message");
    };
    assert_eq!((message.position, &*message.topic), (1, "shop.one"));
    assert_eq!((&*message.r#type, &*message.key), ("thing.sold", "k"));
    let data: serde_json::Value = serde_json::from_slice(&message.data).unwrap();
    assert_eq!(data, serde_json::json!({"a": 1}));
    // The same id again is the same message; for another it is refused.
    assert_eq!(client.publish(request.clone()).await.unwrap(), "mine");
    let other = PublishRequest {
        data: b"2".to_vec(),
        ..request
    };
    assert_eq!(
        client.publish(other).await.unwrap_err().code(),
        Code::AlreadyExists
    );
}

#[tokio::test]
async fn a_stream_goes_on_after_a_position_and_tells_gaps() {
    let system = System::start().await;
    for number in 1..=5 {
        system.post(number).await;
    }
    system.trim(3).await;
    let system = system.restart().await;
    let mut client = Client::connect(&system, admin()).await;
    let mut stream = client
        .subscribe(topics(&["client"], Some(1)))
        .await
        .unwrap();
    assert_eq!(next(&mut stream).await, Reply::Position(1));
    assert_eq!(
        next(&mut stream).await,
        Reply::Gap(Gap { after: 1, upto: 2 })
    );
    for number in 3..=5 {
        let Reply::Message(message) = next(&mut stream).await else {
            panic!("no message");
        };
        assert_eq!(message.position, number);
    }
}

#[tokio::test]
async fn refusals_are_statuses_of_grpc_that_name_the_problem() {
    let system = System::start().await;
    let mut stranger = Client::connect(&system, anonymous()).await;
    let refused = stranger
        .subscribe(topics(&["client"], None))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(
        refused.metadata().get("pasar-problem").unwrap(),
        "unauthenticated"
    );
    let mut customer = Client::connect(&system, customer(1)).await;
    let refused = customer
        .subscribe(topics(&["client"], None))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("subscribe:client"), "{refused}");
    let mut admin = Client::connect(&system, admin()).await;
    for bad in [
        topics(&[], None),
        topics(&["a..b"], None),
        topics(&["client"], Some(-1)),
    ] {
        let refused = admin.subscribe(bad).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    for (topic, data, code) in [
        ("client", &b"not json"[..], Code::InvalidArgument),
        ("client", b"", Code::InvalidArgument),
        ("a..b", b"1", Code::InvalidArgument),
        ("orders", b"1", Code::PermissionDenied),
    ] {
        let request = PublishRequest {
            topic: topic.to_owned(),
            data: data.to_vec(),
            ..PublishRequest::default()
        };
        assert_eq!(admin.publish(request).await.unwrap_err().code(), code);
    }
}
