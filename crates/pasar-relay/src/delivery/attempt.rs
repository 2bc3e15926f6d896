//! One try to send one message.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use pasar_store::crash::{self, CrashPoint};
use pasar_types::{id::SubscriptionId, time::Timestamp};

use super::{encodings::Encodings, job::Job};
use crate::{
    destination::{Destination, Failure, InvalidSettings, Next, Parcel, Sent},
    subscription::Spec,
};

/// A destination that keeps its own timeout never takes so long; one that does not is cut off.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(300);

/// One try. Whatever a destination does, this ends.
pub(crate) async fn attempt(
    id: SubscriptionId,
    encodings: &Encodings,
    spec: &Spec,
    destination: Result<Arc<dyn Destination>, InvalidSettings>,
    job: &Job,
    at: Timestamp,
) -> Sent {
    let destination = match destination {
        Ok(destination) => destination,
        Err(invalid) => return failed(invalid.to_string()),
    };
    let encoded = encodings.get(&job.message, spec.format);
    let parcel = Parcel {
        subscription: id,
        message: Arc::clone(&job.message),
        body: encoded.body.clone(),
        content_type: Arc::clone(&encoded.content_type),
        attempt: job.attempts + 1,
        at,
    };
    crash::at(CrashPoint::EffectStarted);
    let sending = AssertUnwindSafe(destination.send(&parcel)).catch_unwind();
    let sent = match tokio::time::timeout(LONGEST_ATTEMPT, sending).await {
        Ok(Ok(sent)) => sent,
        Ok(Err(_)) => {
            tracing::error!(subscription = %id, kind = spec.kind.name(), "a destination panicked");
            failed("the relay failed; its log says how".to_owned())
        }
        Err(_) => Sent::Unreachable("no answer".to_owned()),
    };
    crash::at(CrashPoint::ProviderAnswered);
    sent
}

const fn failed(detail: String) -> Sent {
    Sent::Failed(Failure {
        status: None,
        detail,
        next: Next::Retry,
    })
}
