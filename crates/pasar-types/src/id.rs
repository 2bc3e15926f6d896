//! Ids that say what they are: a prefix and a UUIDv7, written as TypeID
//! (TypeID specification 0.3: `ord_01h455vb4pex5vsknk084sn02q`), stored as 16 bytes.

use std::{cmp::Ordering, fmt, hash, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use type_safe_id::{StaticType, TypeSafeId};
use uuid::Uuid;

/// What an id names. The prefix is part of the wire format and never changes.
pub trait Kind: StaticType + 'static {}

/// An id of one kind. Ids of different kinds do not mix.
pub struct Id<K> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

/// Why a text is not an id of the wanted kind.
#[derive(Debug, thiserror::Error)]
#[error("expected an id like {expected}_01h455vb4pex5vsknk084sn02q, got {got:?}")]
pub struct InvalidId {
    expected: &'static str,
    got: String,
}

impl<K: Kind> Id<K> {
    pub const PREFIX: &'static str = K::TYPE;

    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self {
            uuid,
            kind: PhantomData,
        }
    }

    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::from_uuid(Uuid::from_bytes(bytes))
    }

    #[must_use]
    pub const fn uuid(&self) -> Uuid {
        self.uuid
    }

    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.uuid.as_bytes()
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Id<K> {}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}

impl<K> Eq for Id<K> {}

impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}

impl<K> hash::Hash for Id<K> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TypeSafeId::<K>::from_uuid(self.uuid).fmt(f)
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse::<TypeSafeId<K>>()
            .map(|id| Self::from_uuid(id.uuid()))
            .map_err(|_| InvalidId {
                expected: K::TYPE,
                got: text.chars().take(64).collect(),
            })
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
impl<K: Kind> utoipa::PartialSchema for Id<K> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(format!(
                "^{}_[0-7][0-9abcdefghjkmnpqrstvwxyz]{{25}}$",
                K::TYPE
            )))
            .examples([format!("{}_01h455vb4pex5vsknk084sn02q", K::TYPE)])
            .build()
            .into()
    }
}

#[cfg(feature = "openapi")]
impl<K: Kind> utoipa::ToSchema for Id<K> {
    fn name() -> std::borrow::Cow<'static, str> {
        std::borrow::Cow::Owned(format!("Id_{}", K::TYPE))
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $alias:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        pub struct $kind;
        impl StaticType for $kind {
            const TYPE: &'static str = $prefix;
        }
        impl Kind for $kind {}
        $(#[$doc])*
        pub type $alias = Id<$kind>;
    )*};
}

kinds! {
    /// A person or machine with an account.
    User UserId "usr";
    /// One login: a family of refresh tokens.
    Session SessionId "ses";
    /// An API key; the secret is not part of its id.
    ApiKey ApiKeyId "key";
    /// One line of the audit trail.
    AuditEntry AuditEntryId "aud";
    /// A counter with its own stock, numbers and business day.
    Location LocationId "loc";
    /// A customer's order.
    Order OrderId "ord";
    /// The money side of one order: its intent.
    Payment PaymentId "pay";
    /// Money given back for an order.
    Refund RefundId "rfd";
    /// Stock held for one order.
    Reservation ReservationId "rsv";
    /// One entry of the stock ledger.
    Movement MovementId "mov";
    /// One balanced set of entries in the money ledger.
    LedgerTransaction LedgerTransactionId "ltx";
    /// One published event.
    Event EventId "evt";
    /// Everything that follows from one order or message: the correlation id.
    Flow FlowId "flw";
    /// A message given to the relay.
    Message MessageId "msg";
    /// Which messages go to which destination, and how.
    Subscription SubscriptionId "sub";
    /// A piece of work outside the transaction.
    Effect EffectId "eff";
    /// The life of a feed between two restores.
    Epoch EpochId "epo";
    /// One HTTP request.
    Request RequestId "req";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text_form() {
        let id = OrderId::from_uuid(Uuid::from_u128(0x0188_a5eb_5f9b_7ccb_a7e6_7500_8e42_9c17));
        let text = id.to_string();
        assert!(text.starts_with("ord_"), "{text}");
        assert_eq!(text.parse::<OrderId>().unwrap(), id);
    }

    /// Valid example of the TypeID specification's test vectors.
    #[test]
    fn the_specifications_vector_is_met() {
        let id = OrderId::from_uuid("01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap());
        assert_eq!(id.to_string(), "ord_01h455vb4pex5vsknk084sn02q");
    }

    #[test]
    fn another_kinds_id_is_refused_and_the_message_says_what_was_expected() {
        let error = "pay_01h455vb4pex5vsknk084sn02q"
            .parse::<OrderId>()
            .unwrap_err();
        assert!(error.to_string().contains("ord_"), "{error}");
        assert!("ord_81h455vb4pex5vsknk084sn02q".parse::<OrderId>().is_err());
        assert!("".parse::<OrderId>().is_err());
    }
}
