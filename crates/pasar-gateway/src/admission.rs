//! Who makes a request, whether it is one too many, and where it goes.

use std::{sync::Arc, time::Duration};

use http::Method;
use pasar_chassis::problem::Problem;
use pasar_contracts::problem::ProblemType;
use pasar_store::cause::Actor;

use crate::{
    authentication::{Allowance, Verified},
    credential::Presented,
    forwarding::Origin,
    gateway::Gateway,
    rate_limit::Counted,
    routes::{Found, Table, Target},
};

/// What is found out about a request before a service is asked.
pub(crate) struct Admission {
    /// When the request came.
    pub(crate) began: Duration,
    pub(crate) origin: Origin,
    pub(crate) caller: Option<Arc<Verified>>,
    pub(crate) counted: Option<Counted>,
}

/// Where passwords are tried and accounts made.
const LOGIN_PATHS: [&str; 2] = ["/v1/auth/login", "/v1/auth/register"];
/// What a client is told to wait while services are still looked for.
const NOT_YET: Duration = Duration::from_secs(1);
/// Asked by machines that must always get an answer.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/grpc.health.v1.Health/Check"];

impl Admission {
    pub(crate) const fn new(began: Duration, origin: Origin) -> Self {
        Self {
            began,
            origin,
            caller: None,
            counted: None,
        }
    }

    pub(crate) fn actor(&self) -> Actor {
        self.caller
            .as_ref()
            .map_or(Actor::Anonymous, |caller| caller.identity.actor)
    }
}

impl Gateway {
    /// Whether it is known without asking who presents this: nobody, or somebody who was seen before.
    pub(crate) fn recognise(&self, admission: &mut Admission, presented: Presented<'_>) -> bool {
        match presented {
            Presented::Nothing => true,
            Presented::Unreadable => false,
            Presented::Bearer(secret) | Presented::Cookie(secret) => {
                admission.caller = self.authenticator.recall(secret);
                admission.caller.is_some()
            }
        }
    }

    /// Finds out who presents what was not recognised. 401 if that is nobody.
    pub(crate) async fn identify(
        &self,
        admission: &mut Admission,
        presented: Presented<'_>,
    ) -> Result<(), Problem> {
        let (Presented::Bearer(secret) | Presented::Cookie(secret)) = presented else {
            return Err(Problem::unauthenticated()
                .detail("expected one Authorization header: Bearer and a token or API key"));
        };
        let address = admission.origin.address;
        // Whoever guesses is held to what strangers may do.
        let exhausted = self.rate_limiter.is_exhausted(address, admission.began);
        self.enforce(exhausted.as_ref())?;
        match self.authenticator.verify(secret).await {
            Ok(verified) => admission.caller = Some(verified),
            Err(problem) if problem.kind() != ProblemType::Unauthenticated => return Err(problem),
            // A page whose session has ended goes on as a stranger until it logs in again.
            Err(_) if matches!(presented, Presented::Cookie(_)) => {}
            Err(problem) => {
                self.meters.unauthenticated.increment(1);
                admission.counted = self.rate_limiter.count_address(address, admission.began);
                return Err(problem);
            }
        }
        Ok(())
    }

    /// Counts the request against the quota of whoever makes it.
    pub(crate) fn count(
        &self,
        admission: &mut Admission,
        method: &Method,
        path: &str,
    ) -> Result<(), Problem> {
        let now = admission.began;
        let address = admission.origin.address;
        if PROBES.contains(&path) {
            return Ok(());
        }
        admission.counted = match &admission.caller {
            None => self.rate_limiter.count_address(address, now),
            Some(caller) => match &caller.allowance {
                Allowance::Unlimited => None,
                Allowance::General => self.rate_limiter.count_client(caller.client, None, now),
                Allowance::Own(own) => {
                    self.rate_limiter
                        .count_client(caller.client, Some(own), now)
                }
            },
        };
        self.enforce(admission.counted.as_ref())?;
        if *method == Method::POST && LOGIN_PATHS.contains(&path) {
            let counted = self.rate_limiter.count_login(address, now);
            admission.counted = counted.or(admission.counted.take());
            self.enforce(admission.counted.as_ref())?;
        }
        Ok(())
    }

    fn enforce(&self, counted: Option<&Counted>) -> Result<(), Problem> {
        match counted.and_then(|counted| counted.verdict.wait) {
            None => Ok(()),
            Some(wait) => {
                self.meters.limited.increment(1);
                Err(Problem::new(ProblemType::TooManyRequests).retry_after(wait))
            }
        }
    }
}

/// The service that answers a path.
pub(crate) fn target(table: &Table, path: &str) -> Result<Arc<Target>, Problem> {
    match table.find(path) {
        Found::Target(target) => Ok(target),
        Found::Nothing => Err(Problem::new(ProblemType::NotFound)),
        Found::Perhaps => Err(Problem::new(ProblemType::Unavailable)
            .detail("not all services have been reached yet, and one of them may answer this")
            .retry_after(NOT_YET)),
    }
}
