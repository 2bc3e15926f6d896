//! Where the sandbox's customer acts: the page that `next_action` leads to, and what its buttons do.
//! The address itself is the proof that one may.

use axum::{extract::State, response::Html};
use pasar_chassis::{
    cause::RequestCause,
    extract::{Json, Path, Query},
    openapi::{CommonProblems, ConflictProblem, NotFoundProblem},
    problem::Problem,
};
use pasar_contracts::{
    api::payments::{ActionQuery, ProviderNotice, SandboxAction},
    problem::ProblemType,
};
use pasar_store::{
    fault::Fault,
    lane::{Class, LaneKey},
};

use super::{Api, TAG};
use crate::{
    commands::receive_notice::{ReceiveNotice, receive_notice},
    config::SANDBOX,
    sandbox::{Sandbox, books::Acted, page},
};

/// The sandbox's page for its customer.
#[utoipa::path(
    get, path = "/v1/sandbox/actions/{id}", operation_id = "showSandboxAction", tag = TAG,
    params(("id" = String, Path, example = "pay_01h455vb4pex5vsknk084sn02q.00112233445566778899aabbccddeeff")),
    responses(
        (status = 200, description = "A page with two buttons", body = String, content_type = "text/html"),
        CommonProblems,
    ),
)]
pub(super) async fn show_sandbox_action(_id: Path<String>) -> Html<&'static str> {
    Html(page::ACTION)
}

/// The customer completes or declines what the sandbox asked for.
#[utoipa::path(
    post, path = "/v1/sandbox/actions/{id}", operation_id = "endSandboxAction", tag = TAG,
    params(
        ("id" = String, Path, example = "pay_01h455vb4pex5vsknk084sn02q.00112233445566778899aabbccddeeff"),
        ActionQuery,
    ),
    responses(
        (status = 200, description = "What became of the payment", body = SandboxAction),
        CommonProblems, NotFoundProblem, ConflictProblem,
    ),
)]
pub(super) async fn end_sandbox_action(
    State(api): State<Api>,
    RequestCause(cause): RequestCause,
    Path(id): Path<String>,
    Query(query): Query<ActionQuery>,
) -> Result<Json<SandboxAction>, Problem> {
    let defect = || Problem::from(Fault::Bug("a sandbox's route without a sandbox".to_owned()));
    let sandbox: &Sandbox = api.methods.sandbox().ok_or_else(defect)?;
    let outcome = query.outcome.unwrap_or_default();
    let (payment_id, answer) = match sandbox.act(&id, outcome, cause.clone()).await? {
        Acted::Done { payment_id, answer } => (payment_id, answer),
        Acted::NotFound => return Err(Problem::new(ProblemType::NotFound)),
        Acted::TooLate => {
            return Err(Problem::new(ProblemType::StateForbids)
                .detail("the action was done before, or its time is over"));
        }
    };
    // Should this not be reached, the payment's own look-up finds it.
    let command = ReceiveNotice {
        provider: SANDBOX.to_owned(),
        id: format!("action:{payment_id}"),
        notice: ProviderNotice {
            reference: payment_id,
            refund_id: None,
            answer: answer.clone(),
        },
    };
    let lane = LaneKey::of(payment_id.as_bytes());
    api.store
        .write(lane, Class::Internal, cause, move |ctx| {
            receive_notice(ctx, command.clone())
        })
        .await?;
    Ok(Json(SandboxAction { payment_id, answer }))
}
