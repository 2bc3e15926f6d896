//! A timer that is set rarely.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use tokio::time::Sleep;

/// A timer that is moved only to an earlier time; it may fire early.
#[derive(Default)]
pub(crate) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    pub(crate) fn poll(&mut self, wake: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let wake = tokio::time::Instant::from_std(wake);
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(wake)));
        if wake < sleep.deadline() || sleep.is_elapsed() {
            sleep.as_mut().reset(wake);
        }
        sleep.as_mut().poll(cx)
    }
}
