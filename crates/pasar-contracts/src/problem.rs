//! The problem types that an answer can carry (RFC 9457): stable names, a status and a title each.
//!
//! The `type` on the wire is `/problems/{slug}`; docs and OpenAPI list them from here.

use serde::{Deserialize, Serialize};

macro_rules! problems {
    ($($(#[doc = $doc:literal])+ $variant:ident $status:literal $slug:literal $title:literal;)*) => {
        /// What went wrong, by its stable name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ProblemType {
            $($(#[doc = $doc])+ #[serde(rename = $slug)] $variant,)*
        }

        impl ProblemType {
            /// Every type there is, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug,)* }
            }

            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// When it occurs and what the caller can do about it.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+),)* }
            }
        }
    };
}

problems! {
    /// The request could not be read at all: malformed JSON, header or path. Mend it; a repeat fails again.
    InvalidRequest 400 "invalid-request" "The request cannot be read";
    /// This call needs an `Idempotency-Key` header: 1 to 255 visible characters, new for each new intention.
    IdempotencyKeyMissing 400 "idempotency-key-missing" "An Idempotency-Key is required";
    /// No credentials, or they are not valid (any more). Log in or refresh the token.
    Unauthenticated 401 "unauthenticated" "Authentication is required";
    /// Email or password is wrong.
    InvalidCredentials 401 "invalid-credentials" "Email or password is wrong";
    /// The credentials are valid but do not allow this.
    Forbidden 403 "forbidden" "Not allowed";
    /// There is no such thing, or it is not yours to see.
    NotFound 404 "not-found" "Not found";
    /// The path exists, but not with this method; `Allow` lists those that do.
    MethodNotAllowed 405 "method-not-allowed" "Method not allowed";
    /// The body did not arrive in time. Send it again, over a better line or in smaller parts.
    RequestTimeout 408 "request-timeout" "The request took too long to arrive";
    /// Something changed at the same time. Read it again and decide anew.
    Conflict 409 "conflict" "Conflict with the current state";
    /// The order's state forbids this move; `state` tells the state.
    StateForbids 409 "state-forbids" "The state forbids this";
    /// The total differs from `expected_total`; `total` tells the new one.
    PriceChanged 409 "price-changed" "The price has changed";
    /// The email address already has an account.
    EmailTaken 409 "email-taken" "The email address is taken";
    /// The last admin can neither be deleted nor lose the role. Make another user an admin first.
    LastAdmin 409 "last-admin" "There must be an admin";
    /// The user has as many API keys as a user may have. Revoke one first.
    TooManyApiKeys 409 "too-many-api-keys" "Too many API keys";
    /// More would be given back than was captured; `refundable` tells what is left.
    RefundExceedsCaptured 409 "refund-exceeds-captured" "The refund exceeds what was captured";
    /// The count is below what is reserved; `orders` names the orders that hold it.
    CountBelowReserved 409 "count-below-reserved" "The count is below what is reserved";
    /// Nobody counts this product (`track_stock` is false), so it has no stock to change.
    NotCounted 409 "not-counted" "The product is not counted";
    /// The id stands for another message on this topic already. Use a new id for a new message.
    MessageIdReused 409 "message-id-reused" "The message id was used for another message";
    /// The configuration declares this subscription, so only the configuration changes it. Change it there and
    /// start again.
    Declared 409 "declared" "Declared in the configuration";
    /// The feed was restored to an earlier state than you have followed: your place may be about what never happened. `head` says
    /// where the epochs forked; decide what to keep, then follow from there.
    FeedDiverged 409 "feed-diverged" "The feed was restored to an earlier state";
    /// The events that are asked for are not kept any more; `trimmed` tells from where on the feed goes. Whoever is new begins with
    /// the `snapshot`; whoever has followed it before has missed something, and begins anew.
    FeedTrimmed 410 "feed-trimmed" "The feed is trimmed";
    /// What happened is not kept any more, as the order ended long ago. The order itself is there: read it.
    NoLongerKept 410 "no-longer-kept" "It is not kept any more";
    /// `If-Match` names another version than the current one. Read it again.
    PreconditionFailed 412 "precondition-failed" "The precondition failed";
    /// The body, or a header, is larger than allowed.
    PayloadTooLarge 413 "payload-too-large" "The request is too large";
    /// The path and query together are longer than allowed.
    UriTooLong 414 "uri-too-long" "The URI is too long";
    /// The body must be `application/json` (or what the operation says).
    UnsupportedMediaType 415 "unsupported-media-type" "Unsupported media type";
    /// The request can be read, but a value in it is not acceptable; `errors` names field and reason.
    ValidationFailed 422 "validation-failed" "A value is not acceptable";
    /// The same key was used before with another request. Use a new key for a new intention.
    IdempotencyKeyReused 422 "idempotency-key-reused" "The Idempotency-Key was used for another request";
    /// A line names a product that does not exist; `skus` names them.
    UnknownSku 422 "unknown-sku" "Unknown product";
    /// A line names a product that cannot be ordered now; `skus` names them.
    NotOrderable 422 "not-orderable" "The product cannot be ordered now";
    /// Too many requests; wait as `Retry-After` says.
    TooManyRequests 429 "too-many-requests" "Too many requests";
    /// The customer has too many unsettled orders; wait until one is settled.
    TooManyUnsettledOrders 429 "too-many-unsettled-orders" "Too many unsettled orders";
    /// The headers are too many, or together larger than allowed.
    HeadersTooLarge 431 "headers-too-large" "The headers are too large";
    /// A defect on our side. Nothing was changed; a repeat with the same key is safe.
    Internal 500 "internal" "Something went wrong on our side";
    /// The system takes no new work for the moment; wait as `Retry-After` says and repeat with the same key.
    Overloaded 503 "overloaded" "Too busy at the moment";
    /// A part of the system cannot be reached. Repeat with the same key.
    Unavailable 503 "unavailable" "Temporarily unavailable";
    /// Whether the request took effect is not known. Repeat it with the same key to find out.
    OutcomeUnknown 503 "outcome-unknown" "The outcome is not known yet";
    /// The service did not answer in time. Repeat with the same key.
    Timeout 504 "timeout" "No answer in time";
}
