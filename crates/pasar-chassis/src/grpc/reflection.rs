//! `grpc.reflection.v1.ServerReflection`: tells clients such as grpcurl which services there are and how their
//! messages look. There are no extensions of messages.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use axum::{Router, body::Body, extract::State, routing::post};
use futures_util::{Stream, stream};
use pasar_contracts::grpc::{
    descriptors,
    reflection::{
        ErrorResponse, FileDescriptorResponse, ListServiceResponse, REFLECTION,
        ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    },
};
use prost::Message as _;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use super::{
    Code,
    frames::Incoming,
    method::{Replies, methods},
};
use crate::host::Host;

/// A question is a name.
const MAX_QUESTION_BYTES: usize = 4 * 1024;

/// The definitions, by what clients ask for.
struct Definitions {
    host: Host,
    services: Vec<String>,
    files: BTreeMap<String, FileDescriptorProto>,
    /// The file that defines a service, method, message, or enum.
    files_by_symbol: HashMap<String, String>,
}

/// The routes, for a process that offers these services.
pub fn router(host: &Host, services: &[&str]) -> Router {
    let definitions = Arc::new(Definitions::new(host, services));
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let router = Router::new()
        .route(path, post(info))
        .with_state(definitions);
    methods(host, router)
}

async fn info(State(definitions): State<Arc<Definitions>>, body: Body) -> Replies {
    let incoming = Incoming::new(body, MAX_QUESTION_BYTES);
    let tasks = definitions.host.tasks.clone();
    Replies::new(&tasks, answers(definitions, incoming))
}

/// An answer to each question. What cannot be read as one ends it.
fn answers(
    definitions: Arc<Definitions>,
    incoming: Incoming,
) -> impl Stream<Item = ServerReflectionResponse> {
    stream::unfold(
        (definitions, incoming),
        async |(definitions, mut incoming)| {
            let question: ServerReflectionRequest = incoming.next().await.ok()??;
            let answer = ServerReflectionResponse {
                valid_host: question.host.clone(),
                message_response: Some(definitions.answer(question.message_request.as_ref())),
                original_request: Some(question),
            };
            Some((answer, (definitions, incoming)))
        },
    )
}

impl Definitions {
    fn new(host: &Host, services: &[&str]) -> Self {
        let files = descriptors::files();
        let mut files_by_symbol = HashMap::new();
        for file in &files {
            for symbol in symbols(file) {
                files_by_symbol.insert(symbol, file.name().to_owned());
            }
        }
        let names: BTreeSet<_> = services.iter().copied().chain([REFLECTION]).collect();
        Self {
            host: host.clone(),
            services: names.into_iter().map(str::to_owned).collect(),
            files: files
                .into_iter()
                .map(|file| (file.name().to_owned(), file))
                .collect(),
            files_by_symbol,
        }
    }

    fn answer(&self, question: Option<&MessageRequest>) -> MessageResponse {
        let found = match question {
            Some(MessageRequest::ListServices(_)) => return self.list(),
            Some(MessageRequest::FileByFilename(name)) => self.with_imports(name),
            Some(MessageRequest::FileContainingSymbol(symbol)) => self
                .files_by_symbol
                .get(symbol.trim_start_matches('.'))
                .and_then(|name| self.with_imports(name)),
            Some(
                MessageRequest::FileContainingExtension(_)
                | MessageRequest::AllExtensionNumbersOfType(_),
            )
            | None => None,
        };
        let Some(files) = found else {
            return MessageResponse::ErrorResponse(ErrorResponse {
                error_code: i32::from(Code::NotFound as u16),
                error_message: "there is no such definition".to_owned(),
            });
        };
        MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
            file_descriptor_proto: files,
        })
    }

    fn list(&self) -> MessageResponse {
        let services = self.services.iter();
        MessageResponse::ListServicesResponse(ListServiceResponse {
            service: services
                .map(|name| ServiceResponse { name: name.clone() })
                .collect(),
        })
    }

    /// A file and what it imports, each once, encoded.
    fn with_imports(&self, name: &str) -> Option<Vec<Vec<u8>>> {
        let mut wanted = vec![self.files.get(name)?];
        let mut at = 0;
        while let Some(file) = wanted.get(at) {
            for import in &file.dependency {
                let import = self.files.get(import)?;
                if !wanted.iter().any(|file| file.name() == import.name()) {
                    wanted.push(import);
                }
            }
            at += 1;
        }
        Some(
            wanted
                .into_iter()
                .map(FileDescriptorProto::encode_to_vec)
                .collect(),
        )
    }
}

/// The full names of all that a file defines and clients look up.
fn symbols(file: &FileDescriptorProto) -> Vec<String> {
    let mut symbols = Vec::new();
    let package = file.package();
    for service in &file.service {
        let name = format!("{package}.{}", service.name());
        let methods = service.method.iter();
        symbols.extend(methods.map(|method| format!("{name}.{}", method.name())));
        symbols.push(name);
    }
    for message in &file.message_type {
        message_symbols(package, message, &mut symbols);
    }
    enum_symbols(package, &file.enum_type, &mut symbols);
    symbols
}

fn message_symbols(scope: &str, message: &DescriptorProto, symbols: &mut Vec<String>) {
    let name = format!("{scope}.{}", message.name());
    for nested in &message.nested_type {
        message_symbols(&name, nested, symbols);
    }
    enum_symbols(&name, &message.enum_type, symbols);
    symbols.push(name);
}

fn enum_symbols(scope: &str, enums: &[EnumDescriptorProto], symbols: &mut Vec<String>) {
    symbols.extend(enums.iter().map(|each| format!("{scope}.{}", each.name())));
}
