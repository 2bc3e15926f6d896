//! What a process says of itself by gRPC: whether it serves, and what. In every shape that processes have.

use futures_util::stream;
use pasar_contracts::grpc::{
    health::{HEALTH, HealthCheckRequest, HealthCheckResponse, ServingStatus},
    reflection::{
        REFLECTION, ServerReflectionRequest, ServerReflectionResponse,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    },
    users::{MeRequest, User},
};
use pasar_testkit::{probe::soon, process::Process};
use tonic::{Code, Request, Status, Streaming, client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;

use super::Client;
use crate::system::{Folder, Shape, System, ready_at};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_learns_what_there_is_and_whether_it_serves() {
    let system = System::start();
    let anyone = Client::new(&system, None);
    for service in ["", "pasar.orders.v1.Orders", "pasar.relay.v1.Relay"] {
        let status = check(&anyone, service).await;
        assert_eq!(status.unwrap(), ServingStatus::Serving, "{service}");
    }
    let unknown = check(&anyone, "nobody").await;
    assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
    let mut watch = watch(&anyone, "nobody").await;
    let status = soon("a status", watch.message()).await.unwrap().unwrap();
    assert_eq!(status.status(), ServingStatus::ServiceUnknown);

    let answers = reflect(
        &anyone,
        vec![
            MessageRequest::ListServices(String::new()),
            MessageRequest::FileContainingSymbol("pasar.orders.v1.Orders".to_owned()),
            MessageRequest::FileByFilename("pasar/types/v1/types.proto".to_owned()),
            MessageRequest::FileContainingSymbol("nobody.v1.Nothing".to_owned()),
        ],
    )
    .await;
    assert_eq!(
        listed(&answers[0]),
        [
            REFLECTION,
            "pasar.inventory.v1.Inventory",
            "pasar.orders.v1.Orders",
            "pasar.payments.v1.Payments",
            "pasar.relay.v1.Relay",
            "pasar.users.v1.Users",
        ]
    );
    for (answer, files) in [(&answers[1], 3), (&answers[2], 1)] {
        let MessageResponse::FileDescriptorResponse(found) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(found.file_descriptor_proto.len(), files);
    }
    assert!(matches!(answers[3], MessageResponse::ErrorResponse(_)));
}

/// What runs in a process of its own, and what it offers.
const OFFERED: [(&str, &str); 5] = [
    ("users", "pasar.users.v1.Users"),
    ("inventory", "pasar.inventory.v1.Inventory"),
    ("orders", "pasar.orders.v1.Orders"),
    ("payments", "pasar.payments.v1.Payments"),
    ("relay", "pasar.relay.v1.Relay"),
];

fn at(system: &System, service: &'static str) -> Client {
    let port = system.folder().port(service, 0);
    Client::at(&format!("http://127.0.0.1:{port}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_of_one_service_says_the_same_of_itself_and_of_nothing_else() {
    let system = System::start_in(Folder::of_shape(Shape::Apart, ""));
    for (service, offered) in OFFERED {
        let anyone = at(&system, service);
        for name in ["", HEALTH, offered] {
            let status = check(&anyone, name).await;
            assert_eq!(status.unwrap(), ServingStatus::Serving, "{service}: {name}");
        }
        let others = OFFERED.into_iter().filter(|(other, _)| *other != service);
        for (_, other) in others {
            let unknown = check(&anyone, other).await;
            assert_eq!(unknown.unwrap_err().code(), Code::NotFound, "{service}");
        }
        let asked = vec![
            MessageRequest::ListServices(String::new()),
            MessageRequest::FileContainingSymbol(offered.to_owned()),
        ];
        let answers = reflect(&anyone, asked).await;
        assert_eq!(listed(&answers[0]), [REFLECTION, offered]);
        assert!(matches!(
            answers[1],
            MessageResponse::FileDescriptorResponse(_)
        ));
        // What it does is for the gateway to ask.
        let refused = anyone.call::<_, User>("/pasar.users.v1.Users/Me", MeRequest {});
        let code = refused.await.unwrap_err().code();
        assert_eq!(code, Code::Unauthenticated, "{service}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_of_one_service_serves_no_more_once_it_is_told_to_end() {
    let mut system = System::start_in(Folder::of_shape(Shape::Apart, ""));
    for (service, offered) in OFFERED {
        let anyone = at(&system, service);
        let mut watches = [watch(&anyone, "").await, watch(&anyone, offered).await];
        for watch in &mut watches {
            let status = soon("a status", watch.message()).await.unwrap().unwrap();
            assert_eq!(status.status(), ServingStatus::Serving, "{service}");
        }
        system.signal_instance(service, 0, "-TERM");
        for watch in &mut watches {
            let status = soon("its end", watch.message()).await.unwrap().unwrap();
            assert_eq!(status.status(), ServingStatus::NotServing, "{service}");
        }
        // It still answers for the while that gateways have to notice.
        let status = check(&anyone, offered).await;
        assert_eq!(status.unwrap(), ServingStatus::NotServing, "{service}");
        for watch in &mut watches {
            let end = soon("the last word", watch.message()).await;
            assert_eq!(end.unwrap_err().code(), Code::Unavailable, "{service}");
        }
        tokio::task::block_in_place(|| {
            system.end_instance(service, 0);
            system.revive_instance(service, 0);
        });
        let status = check(&at(&system, service), offered).await;
        assert_eq!(status.unwrap(), ServingStatus::Serving, "{service}");
    }
}

/// Each service of a process has an address of its own, and each says only what is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_of_two_services_answers_for_each_at_its_own_address() {
    let folder = Folder::of_shape(Shape::Apart, "");
    let mut process = Process::start(&mut folder.command_of_all(&["orders", "payments"])).unwrap();
    ready_at(&mut process).unwrap_or_else(|error| {
        folder.print_log();
        panic!("{error}");
    });
    for (service, offered) in [OFFERED[2], OFFERED[3]] {
        let port = folder.port(service, 0);
        let anyone = Client::at(&format!("http://127.0.0.1:{port}"));
        for name in ["", offered] {
            let status = check(&anyone, name).await;
            assert_eq!(status.unwrap(), ServingStatus::Serving, "{service}: {name}");
        }
        let asked = vec![MessageRequest::ListServices(String::new())];
        let answers = reflect(&anyone, asked).await;
        assert_eq!(listed(&answers[0]), [REFLECTION, offered]);
    }
}

async fn check(client: &Client, service: &str) -> Result<ServingStatus, Status> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let path = format!("/{HEALTH}/Check");
    let health: HealthCheckResponse = client.call(&path, request).await?;
    Ok(health.status())
}

async fn watch(client: &Client, service: &str) -> Streaming<HealthCheckResponse> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let path = format!("/{HEALTH}/Watch");
    client.follow(&path, request).await.unwrap()
}

fn listed(answer: &MessageResponse) -> Vec<&str> {
    let MessageResponse::ListServicesResponse(services) = answer else {
        panic!("{answer:?}");
    };
    let services = services.service.iter();
    services.map(|each| &*each.name).collect()
}

async fn reflect(client: &Client, questions: Vec<MessageRequest>) -> Vec<MessageResponse> {
    let mut grpc = Grpc::new(client.channel.clone());
    soon("a connection", grpc.ready()).await.unwrap();
    let questions = questions
        .into_iter()
        .map(|question| ServerReflectionRequest {
            host: String::new(),
            message_request: Some(question),
        });
    let questions: Vec<_> = questions.collect();
    let codec: ProstCodec<ServerReflectionRequest, ServerReflectionResponse> =
        ProstCodec::default();
    let path = PathAndQuery::try_from(format!("/{REFLECTION}/ServerReflectionInfo")).unwrap();
    let request = Request::new(stream::iter(questions));
    let mut answers = grpc
        .streaming(request, path, codec)
        .await
        .unwrap()
        .into_inner();
    let mut all = Vec::new();
    while let Some(answer) = soon("an answer", answers.message()).await.unwrap() {
        all.push(answer.message_response.unwrap());
    }
    all
}
