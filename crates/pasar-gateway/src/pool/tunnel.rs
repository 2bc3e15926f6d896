//! Requests that leave HTTP, such as a WebSocket: once the instance agrees, bytes pass both ways as they come.

use std::time::Duration;

use axum::{body::Body, response::Response};
use http::{Request, StatusCode, header::HOST};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pasar_chassis::handover::{Ended, Socket, TakesOver};
use pasar_feed::tasks::Tasks;

use super::{
    Tried,
    instance::{InFlight, Instance},
};

/// Opens a connection for this request alone.
pub(super) async fn open(
    connect_timeout: Duration,
    tasks: &Tasks,
    instance: &Instance,
    in_flight: InFlight,
    mut request: Request<Body>,
) -> Tried {
    request.headers_mut().insert(HOST, instance.host.clone());
    let Ok(stream) = instance.connect(connect_timeout).await else {
        return Tried::NotBegun(request);
    };
    let Ok((mut sender, driver)) = http1::handshake(TokioIo::new(stream)).await else {
        return Tried::NotBegun(request);
    };
    tasks.spawn("connection to be upgraded", async move {
        if let Err(error) = driver.with_upgrades().await {
            tracing::debug!(%error, "a connection to an instance ended");
        }
    });
    request.extensions_mut().clear();
    let mut response = match sender.try_send_request(request).await {
        Ok(response) => response,
        Err(mut error) => return error.take_message().map_or(Tried::Broken, Tried::NotBegun),
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        // Refused, or answered by HTTP: the sender is held until the body is read.
        return Tried::Answered(super::fields::from_upstream(response.map(Body::new)));
    }
    let upgrade = hyper::upgrade::on(&mut response);
    let draining = tasks.clone();
    let takes_over = TakesOver::new(move |client: Socket, ended: Ended| async move {
        let _in_flight = in_flight;
        let Ok(upgraded) = upgrade.await else {
            return;
        };
        let passing = pass(client, TokioIo::new(upgraded));
        tokio::select! {
            () = passing => {}
            () = ended => {}
            () = draining.draining() => {}
        }
    });
    let (parts, _) = response.into_parts();
    let mut response = Response::from_parts(parts, Body::empty());
    response
        .headers_mut()
        .remove(pasar_chassis::cause::FLOW_HEADER);
    response.extensions_mut().insert(takes_over);
    Tried::Answered(response)
}

/// Until both ends have closed, or one is gone. What one end does not take, the other is not asked for.
async fn pass(mut client: Socket, mut instance: TokioIo<hyper::upgrade::Upgraded>) {
    let passed = tokio::io::copy_bidirectional(&mut client, &mut instance).await;
    if let Err(error) = passed {
        tracing::debug!(%error, "an upgraded connection ended");
    }
}
