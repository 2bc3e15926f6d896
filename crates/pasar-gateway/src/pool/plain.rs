//! Plain requests: whole in memory, and written by the gateway itself.

use http::{Method, request::Parts};
use pasar_chassis::{
    cause::Arrival,
    identity::{ClientAddress, Identity},
    passport::{self, Bearer},
    problem::Problem,
};

use super::{
    Pool, broken_off, is_idempotent,
    passed::Passed,
    wire::{self, Unanswered},
};
use crate::http1::fields;

/// What the service is told of who asks.
pub(crate) struct Shown {
    pub(crate) bearer: Bearer,
    pub(crate) address: ClientAddress,
    pub(crate) arrival: Arrival,
}

/// A request that is whole and can be sent as often as needed.
pub(crate) struct PlainRequest<'r> {
    pub(crate) method: &'r Method,
    /// Path and query.
    pub(crate) target: &'r str,
    /// The fields that the client sent and the service is told, as lines.
    pub(crate) lines: &'r [u8],
    pub(crate) body: &'r [u8],
    pub(crate) has_idempotency_key: bool,
}

impl Shown {
    /// As the gateway put it into the request, or a service of ours that calls another.
    pub(super) fn of(parts: &Parts) -> Result<Self, Problem> {
        let extensions = &parts.extensions;
        let bearer = extensions.get::<Bearer>().cloned();
        let bearer = bearer.unwrap_or_else(|| {
            let identity = extensions.get::<Identity>();
            identity.map_or_else(|| Bearer::of(&Identity::anonymous()), Bearer::of)
        });
        let address = extensions.get().copied();
        let arrival = extensions.get().cloned();
        Ok(Self {
            bearer,
            address: address.unwrap_or(ClientAddress(None)),
            arrival: arrival.ok_or_else(|| Problem::defect("a request has no Arrival"))?,
        })
    }
}

impl Pool {
    /// Asks as [`Self::call`] does. `out` is a buffer.
    pub(crate) async fn call_plain(
        &self,
        request: &PlainRequest<'_>,
        shown: &Shown,
        out: &mut Vec<u8>,
    ) -> Result<Passed, Problem> {
        self.0.budget.earn();
        let Shown {
            bearer,
            address,
            arrival,
        } = shown;
        let passports = &self.0.passports;
        let passport = passports.text(request.method, request.target, bearer, *address, arrival);
        let may_repeat = request.has_idempotency_key || is_idempotent(request.method);
        let mut asked = Vec::new();
        let mut tries = 0;
        loop {
            tries += 1;
            let Some((index, instance, in_flight)) = self.choose(&asked) else {
                return Err(self.nobody());
            };
            asked.push(index);
            request.write(instance.host.as_bytes(), &passport, out);
            let answered = wire::call(self.0.connect_timeout, &instance, in_flight, out).await;
            match answered {
                Ok(passed) if passed.head().is_refused => return Err(self.refused_by(&instance)),
                Ok(passed) => {
                    instance.answered(passed.status());
                    if !(may_repeat && self.is_worth_another(passed.status(), &asked)) {
                        return Ok(passed);
                    }
                }
                Err(Unanswered::NotBegun) => instance.failed(),
                Err(unanswered @ (Unanswered::Broken | Unanswered::Cut)) => {
                    // Cut while it still was sent, it does not tell who is ill: the next look does.
                    if matches!(unanswered, Unanswered::Broken) {
                        instance.failed();
                    }
                    if !(may_repeat && self.may_ask_again(&mut asked, tries)) {
                        return Err(broken_off());
                    }
                }
            }
        }
    }
}

impl PlainRequest<'_> {
    fn write(&self, host: &[u8], passport: &str, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(self.method.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.target.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        fields::write(out, "host", host);
        out.extend_from_slice(self.lines);
        fields::write(out, passport::HEADER, passport.as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.body);
    }
}
