//! gRPC over TLS through the whole program, by a client library that knows the authority.

use std::{fs, path::Path};

use pasar_contracts::grpc::relay::{
    PublishReply, PublishRequest, Reply, SubscribeReply, SubscribeRequest,
};
use pasar_testkit::{probe::soon, process::Process};
use tempfile::TempDir;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    metadata::MetadataValue,
    transport::{Certificate, Channel, ClientTlsConfig},
};
use tonic_prost::ProstCodec;

use crate::system::{Folder, ready_at};

const NAME: &str = "pasar.example";

/// The program behind a certificate of its own.
struct Secure {
    folder: Folder,
    _process: Process,
    url: String,
    /// PEM.
    certificate: String,
    _files: TempDir,
}

impl Secure {
    fn start() -> Self {
        let files = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        let write = |name: &str, text: String| {
            let path = files.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let certificate = write("cert.pem", made.cert.pem());
        let key = write("key.pem", made.key_pair.serialize_pem());
        let shown = Path::display;
        let folder = Folder::new(&format!(
            "[gateway.tls]\ncertificate = '{}'\nkey = '{}'\n",
            shown(&certificate),
            shown(&key)
        ));
        let mut process = Process::start(&mut folder.command()).unwrap();
        let url = ready_at(&mut process).unwrap_or_else(|error| {
            folder.print_log();
            panic!("{error}");
        });
        Self {
            folder,
            _process: process,
            url,
            certificate: made.cert.pem(),
            _files: files,
        }
    }

    async fn channel(&self, authority: &str) -> Result<Channel, tonic::transport::Error> {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(authority))
            .domain_name(NAME);
        let endpoint = Channel::from_shared(self.url.clone()).unwrap();
        endpoint.tls_config(tls).unwrap().connect().await
    }

    /// With the key of a role.
    fn with_key<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let key = format!("Bearer {}", self.folder.key("INTEGRATOR"));
        let key = MetadataValue::try_from(key).unwrap();
        request.metadata_mut().insert("authorization", key);
        request
    }
}

async fn publish(
    client: &mut Grpc<Channel>,
    request: Request<PublishRequest>,
) -> Result<String, Status> {
    client.ready().await.unwrap();
    let codec: ProstCodec<PublishRequest, PublishReply> = ProstCodec::default();
    let path = PathAndQuery::from_static("/pasar.relay.v1.Relay/Publish");
    Ok(client.unary(request, path, codec).await?.into_inner().id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_knows_the_authority_publishes_and_subscribes_over_tls() {
    let secure = Secure::start();
    assert!(secure.url.starts_with("https://"), "{}", secure.url);
    let channel = secure.channel(&secure.certificate).await.unwrap();
    let mut client = Grpc::new(channel);
    let topics = SubscribeRequest {
        topics: vec!["shop.*".to_owned()],
        ..SubscribeRequest::default()
    };
    client.ready().await.unwrap();
    let codec: ProstCodec<SubscribeRequest, SubscribeReply> = ProstCodec::default();
    let path = PathAndQuery::from_static("/pasar.relay.v1.Relay/Subscribe");
    let call = client.server_streaming(secure.with_key(topics), path, codec);
    let mut stream = call.await.unwrap().into_inner();
    let first = soon("the place", stream.message()).await.unwrap().unwrap();
    assert!(matches!(first.reply, Some(Reply::Position(_))), "{first:?}");
    let message = |id: &str| PublishRequest {
        topic: "shop.one".to_owned(),
        id: id.to_owned(),
        data: b"\"halo\"".to_vec(),
        ..PublishRequest::default()
    };
    for id in ["one", "two"] {
        let sent = publish(&mut client, secure.with_key(message(id))).await;
        assert_eq!(sent.unwrap(), id);
        let next = soon("the message", stream.message()).await.unwrap();
        let Some(Reply::Message(got)) = next.unwrap().reply else {
            panic!("no message");
        };
        assert_eq!((&*got.id, &got.data[..]), (id, &b"\"halo\""[..]));
    }
    // What is refused is said as gRPC says it, over TLS too.
    let refused = publish(&mut client, Request::new(message("three"))).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_knows_another_authority_says_nothing() {
    let secure = Secure::start();
    let other = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    assert!(secure.channel(&other.cert.pem()).await.is_err());
}
