//! A receiver of webhooks that checks their signatures and prints them.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use pasar_chassis::signature::{self, Secret};
use pasar_store::clock::{Clock as _, SystemClock};
use tokio::net::TcpListener;

pub(super) async fn run(bind: SocketAddr, secret: &Secret) -> anyhow::Result<()> {
    let listener = TcpListener::bind(bind)
        .await
        .with_context(|| format!("cannot listen on {bind}; name another address with --bind"))?;
    let url = format!("http://{}/", listener.local_addr()?);
    println!(
        "subscribe {url} with this secret; deliveries are shown as they come (Ctrl-C ends it)"
    );
    let stopped = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(listener, router(secret.clone()))
        .with_graceful_shutdown(stopped)
        .await
        .context("the receiver broke; start it again")
}

fn router(secret: Secret) -> Router {
    Router::new().fallback(receive).with_state(Arc::new(secret))
}

/// 204 for what is signed right; 401 for all else, which the sender then tries again and shows.
async fn receive(
    State(secret): State<Arc<Secret>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let secrets = std::slice::from_ref(&*secret);
    match signature::verify(secrets, &headers, &body, SystemClock.now()) {
        Ok(_) => {
            let text = String::from_utf8_lossy(&body);
            println!("signed right  {}", super::line(&text));
            (StatusCode::NO_CONTENT, String::new())
        }
        Err(rejected) => {
            println!("REFUSED: {rejected}");
            (StatusCode::UNAUTHORIZED, rejected.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn only_what_is_signed_right_is_taken() {
        let secret = Secret::from_bytes(&[7; 32]).unwrap();
        let other = Secret::from_bytes(&[8; 32]).unwrap();
        for (signer, status) in [(&secret, 204), (&other, 401)] {
            let mut request = Request::post("/hook").body(Body::from("halo")).unwrap();
            *request.headers_mut() =
                signature::headers(signer, "msg_1", SystemClock.now(), b"halo");
            let answer = router(secret.clone()).oneshot(request).await.unwrap();
            assert_eq!(answer.status(), status);
        }
    }
}
