//! One charge in the sandbox's books, and how its token makes it behave.

use pasar_contracts::{api::payments::ProviderAnswer, events::payments::NextAction};
use pasar_types::{id::PaymentId, money::Money, time::Timestamp};

/// What a token makes a charge do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    Ok,
    Declined,
    /// Takes its time before it is authorised.
    Slow,
    /// Is authorised, but the answer is lost.
    Timeout,
    /// The customer must follow a redirect.
    Action,
    /// The customer must scan a code, and has paid at once then.
    Qr,
    CaptureFails,
    /// Is captured, but the answer is lost.
    CaptureTimeout,
    RefundFails,
    /// Any other token: declined, and not written down.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    RequiresAction,
    Authorized,
    Captured,
    Declined,
    Voided,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Charge {
    pub reference: PaymentId,
    pub behaviour: Behaviour,
    pub state: State,
    pub amount: Money,
    pub reason: Option<String>,
    /// Authorisations under different keys.
    pub authorizations: i64,
    pub authorize_key: String,
    /// Captures under different keys.
    pub captures: i64,
    pub capture_key: String,
    pub captured_minor: i64,
    pub refunded_minor: i64,
    pub action: Option<Action>,
}

/// What the customer must do, behind an address that nobody can guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    pub secret: [u8; 16],
    pub expires_at: Timestamp,
}

impl Behaviour {
    pub const ALL: &[Self] = &[
        Self::Ok,
        Self::Declined,
        Self::Slow,
        Self::Timeout,
        Self::Action,
        Self::Qr,
        Self::CaptureFails,
        Self::CaptureTimeout,
        Self::RefundFails,
        Self::Unknown,
    ];

    /// The token that asks for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "tok_ok",
            Self::Declined => "tok_declined",
            Self::Slow => "tok_slow",
            Self::Timeout => "tok_timeout",
            Self::Action => "tok_action",
            Self::Qr => "tok_qr",
            Self::CaptureFails => "tok_capture_fails",
            Self::CaptureTimeout => "tok_capture_timeout",
            Self::RefundFails => "tok_refund_fails",
            Self::Unknown => "unknown",
        }
    }

    #[must_use]
    pub fn of_token(token: &str) -> Self {
        Self::ALL
            .iter()
            .copied()
            .find(|behaviour| behaviour.as_str() == token)
            .unwrap_or(Self::Unknown)
    }
}

impl State {
    pub const ALL: &[Self] = &[
        Self::RequiresAction,
        Self::Authorized,
        Self::Captured,
        Self::Declined,
        Self::Voided,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequiresAction => "requires_action",
            Self::Authorized => "authorized",
            Self::Captured => "captured",
            Self::Declined => "declined",
            Self::Voided => "voided",
        }
    }
}

impl Charge {
    /// A charge that was asked for now, under a key.
    #[must_use]
    pub fn new(
        reference: PaymentId,
        behaviour: Behaviour,
        amount: Money,
        authorize_key: String,
    ) -> Self {
        let (state, reason) = match behaviour {
            Behaviour::Declined => (State::Declined, Some("card_declined")),
            Behaviour::Unknown => (State::Declined, Some("unknown_token")),
            Behaviour::Action | Behaviour::Qr => (State::RequiresAction, None),
            Behaviour::Ok
            | Behaviour::Slow
            | Behaviour::Timeout
            | Behaviour::CaptureFails
            | Behaviour::CaptureTimeout
            | Behaviour::RefundFails => (State::Authorized, None),
        };
        Self {
            reference,
            behaviour,
            state,
            amount,
            reason: reason.map(str::to_owned),
            authorizations: 1,
            authorize_key,
            captures: 0,
            capture_key: String::new(),
            captured_minor: 0,
            refunded_minor: 0,
            action: None,
        }
    }

    /// Stands for a reference that was voided before it was heard of, and refuses it later.
    #[must_use]
    pub fn tombstone(reference: PaymentId, amount: Money) -> Self {
        Self {
            state: State::Voided,
            authorizations: 0,
            reason: None,
            ..Self::new(reference, Behaviour::Unknown, amount, String::new())
        }
    }

    /// An action whose time is over has lapsed, whoever looks.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> State {
        match (self.state, self.action) {
            (State::RequiresAction, Some(action)) if action.expires_at <= now => State::Voided,
            (state, _) => state,
        }
    }

    /// What a look-up is told.
    #[must_use]
    pub fn answer(&self, public_url: &str, now: Timestamp) -> ProviderAnswer {
        match (self.state_at(now), self.action) {
            (State::Authorized, _) => ProviderAnswer::Authorized,
            (State::Captured, _) => ProviderAnswer::Captured,
            (State::Declined, _) => ProviderAnswer::Declined {
                reason: self.reason.clone().unwrap_or_default(),
            },
            (State::RequiresAction, Some(action)) => ProviderAnswer::RequiresAction {
                next_action: self.next_action(action, public_url),
            },
            (State::Voided | State::RequiresAction, _) => ProviderAnswer::Voided,
        }
    }

    /// Takes the whole amount under a key: once more for every key that is new.
    pub fn capture(&mut self, key: &str) {
        if self.capture_key != key {
            self.captures += 1;
            self.captured_minor += self.amount.amount_minor;
            key.clone_into(&mut self.capture_key);
        }
        self.state = State::Captured;
    }

    fn next_action(&self, action: Action, public_url: &str) -> NextAction {
        let id = action_id(self.reference, &action.secret);
        let url = format!("{public_url}/v1/sandbox/actions/{id}");
        let expires_at = action.expires_at;
        match self.behaviour {
            Behaviour::Qr => NextAction::Qr {
                payload: url,
                expires_at,
            },
            _ => NextAction::Redirect { url, expires_at },
        }
    }
}

/// The name of an action in its address: which charge, and the proof that one was told of it.
#[must_use]
pub fn action_id(reference: PaymentId, secret: &[u8; 16]) -> String {
    format!("{reference}.{:032x}", u128::from_be_bytes(*secret))
}

/// Reads an action's name.
#[must_use]
pub fn parse_action_id(id: &str) -> Option<(PaymentId, [u8; 16])> {
    let (reference, secret) = id.split_once('.')?;
    let plain = secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
    let secret = plain
        .then(|| u128::from_str_radix(secret, 16).ok())
        .flatten()?;
    Some((reference.parse().ok()?, secret.to_be_bytes()))
}
