//! What goes on beside the requests: the sweep, and looking for signing keys that others have made.

use std::time::Duration;

use pasar_chassis::{duty::Duty, feed::trimming, host::Host, problem::Chain, timers};
use pasar_contracts::event::Service;
use pasar_store::{
    cause::{Actor, Cause},
    fault::Fault,
    lane::{Class, LaneKey},
    store::Store,
};
use pasar_types::id::FlowId;

use crate::{
    commands::{
        rotate_signing_key::{Reason, RotateSigningKey, rotate_signing_key},
        sweep::{self, Sweep, sweep},
    },
    config::Config,
    signing_key::{PUBLISHED_AHEAD, SigningKeys},
    tables::signing_keys,
};

/// How often signing keys are looked for: well within the time that they are listed before they sign.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const _: () = assert!(LOOK_EVERY.as_secs() * 2 <= PUBLISHED_AHEAD.as_secs());

/// Why there are no keys to sign with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysUnavailable {
    #[error("the signing keys cannot be read")]
    Fault(#[from] Fault),
    #[error("the signing keys were sealed under another keyring: restore it, or rotate the keys")]
    OtherKeyring,
}

/// Makes the first signing key if there is none, and sees to it that the sweep comes.
pub(crate) async fn prepare(host: &Host, store: &Store) -> Result<(), Fault> {
    let command = RotateSigningKey {
        keyring: host.keyring.clone(),
        reason: Reason::FirstStart,
    };
    let flow = FlowId::from_uuid(host.ids.uuid_v7(host.clock.now()));
    let cause = Cause::new(Actor::Service(Service::Users), flow);
    store
        .write(LaneKey::ZERO, Class::Internal, cause, move |ctx| {
            rotate_signing_key(ctx, &command)?;
            sweep::set_timer(ctx)
        })
        .await
}

/// Takes over the keys as they are stored now.
pub(crate) async fn load(
    host: &Host,
    store: &Store,
    keys: &SigningKeys,
) -> Result<(), KeysUnavailable> {
    let stored = store.read(signing_keys::all).await?;
    keys.load(&stored, &host.keyring)
        .map_err(|_| KeysUnavailable::OtherKeyring)
}

/// Starts the sweep and the watch on the keys.
pub(crate) fn spawn(host: &Host, store: &Store, keys: SigningKeys, config: &Config) {
    let command = Sweep {
        keyring: host.keyring.clone(),
        signing_key_age: config.signing_key_age(),
        audit_kept: config.audit_kept(),
    };
    let handler = move |ctx: &mut pasar_store::context::Context<'_>, kind: &str| match kind {
        sweep::TIMER => sweep(ctx, &command),
        other => Err(Fault::Corrupt(format!("no timer is called {other}"))),
    };
    let duty = Duty::start(host, store);
    trimming::spawn(host, &duty, store);
    timers::spawn(
        host,
        &duty,
        store.clone(),
        || std::future::ready(()),
        |_, _| LaneKey::ZERO,
        move |ctx, kind, _, _| handler(ctx, kind),
    );
    let (watch, store) = (host.clone(), store.clone());
    host.tasks.spawn("signing keys", async move {
        tokio::select! {
            () = watch.tasks.draining() => {}
            () = look_for_keys(&watch, &store, &keys) => {}
        }
    });
}

async fn look_for_keys(host: &Host, store: &Store, keys: &SigningKeys) {
    loop {
        let due = host.clock.now() + LOOK_EVERY;
        while host.clock.now() < due {
            host.sleeper.sleep_until(due).await;
        }
        if let Err(error) = load(host, store, keys).await {
            tracing::error!(error = %Chain(&error), "signing keys cannot be taken over");
        }
    }
}
