//! `pasar.users.v1.Users`: what REST does, over gRPC.

use axum::{Router, extract::State, routing::post};
use pasar_chassis::{
    grpc::method::{Message, Reply, methods},
    host::Host,
    problem::Problem,
};
use pasar_contracts::grpc::{
    parsed,
    users::{
        GetSessionRequest, MeRequest, SessionStatus, User, VerifiedApiKey, VerifyApiKeyRequest,
    },
};

use super::{
    Shared,
    caller::{Account, Service},
};

pub(super) fn routes(host: &Host, api: Shared) -> Router {
    let routes = Router::new()
        .route("/pasar.users.v1.Users/Me", post(me))
        .route("/pasar.users.v1.Users/VerifyApiKey", post(verify_api_key))
        .route("/pasar.users.v1.Users/GetSession", post(get_session))
        .with_state(api);
    methods(host, routes)
}

async fn me(
    State(api): State<Shared>,
    account: Account,
    Message(MeRequest {}): Message<MeRequest>,
) -> Result<Reply<User>, Problem> {
    let user = api.account(&account).await?;
    let version = user.version;
    Ok(Reply(User::new(user.into_user(), version)))
}

async fn verify_api_key(
    State(api): State<Shared>,
    service: Service,
    Message(request): Message<VerifyApiKeyRequest>,
) -> Result<Reply<VerifiedApiKey>, Problem> {
    let verified = api.verified(&request.api_key, service).await?;
    Ok(Reply(verified.into()))
}

async fn get_session(
    State(api): State<Shared>,
    _: Service,
    Message(request): Message<GetSessionRequest>,
) -> Result<Reply<SessionStatus>, Problem> {
    let id = parsed("id", &request.id)?;
    Ok(Reply(api.session(id).await?.into()))
}
