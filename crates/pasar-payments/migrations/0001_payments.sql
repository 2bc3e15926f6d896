-- One payment an order: its id is the order's own UUID under another prefix, so one key serves both.

CREATE TABLE payment (
    id                BLOB PRIMARY KEY,
    location_id       BLOB NOT NULL,
    flow              BLOB NOT NULL,
    -- Name of the configured provider; empty for the tombstone of an order that was cancelled first.
    method            TEXT NOT NULL,
    amount_minor      BIGINT NOT NULL CHECK (amount_minor >= 0),
    currency          TEXT NOT NULL,
    state             TEXT NOT NULL,
    -- What its order wants of it: hold, capture or undo.
    goal              TEXT NOT NULL,
    -- Its order asked to cancel, which is answered once.
    cancelling          BIGINT NOT NULL,
    -- The operation that its one effect asks of the provider.
    in_flight         TEXT,
    -- The provider is to let go of what it holds, whatever the order wants.
    letting_go        BIGINT NOT NULL,
    captured_minor    BIGINT NOT NULL,
    refunded_minor    BIGINT NOT NULL CHECK (refunded_minor >= 0),
    refunding_minor   BIGINT NOT NULL CHECK (refunding_minor >= 0),
    -- The provider's code for a refusal.
    reason            TEXT,
    action_expires_at BIGINT,
    -- Refusals of the refund that a cancelled order asked for, and when it is asked for again.
    refusals          BIGINT NOT NULL,
    resting_until     BIGINT,
    -- Events published so far, and the row's own version.
    keyversion        BIGINT NOT NULL,
    version           BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    authorized_at     BIGINT,
    captured_at       BIGINT,
    CHECK (captured_minor IN (0, amount_minor)),
    CHECK (refunded_minor + refunding_minor <= captured_minor)
) WITHOUT ROWID;

CREATE TABLE refund (
    payment_id        BLOB NOT NULL,
    id                BLOB NOT NULL,
    amount_minor      BIGINT NOT NULL,
    state             TEXT NOT NULL,
    reason            TEXT,
    requested_at      BIGINT NOT NULL,
    ended_at          BIGINT,
    PRIMARY KEY (payment_id, id)
) WITHOUT ROWID;

-- Append-only. The entries of a transaction add up to zero in each currency.
CREATE TABLE ledger_entry (
    sequence          INTEGER PRIMARY KEY,
    transaction_id    BLOB NOT NULL,
    account           TEXT NOT NULL,
    amount_minor      BIGINT NOT NULL,
    currency          TEXT NOT NULL,
    payment_id        BLOB NOT NULL,
    refund_id         BLOB,
    at                BIGINT NOT NULL
);

-- Tries that brought no usable answer, one row an operation: a smooth payment has none.
CREATE TABLE attempt (
    payment_id        BLOB NOT NULL,
    operation         TEXT NOT NULL,
    failures          BIGINT NOT NULL,
    last_error        TEXT NOT NULL,
    first_failed_at   BIGINT NOT NULL,
    last_failed_at    BIGINT NOT NULL,
    PRIMARY KEY (payment_id, operation)
) WITHOUT ROWID;

-- What providers told without being asked, each once.
CREATE TABLE notice (
    provider          TEXT NOT NULL,
    id                TEXT NOT NULL,
    reference         BLOB NOT NULL,
    refund_id         BLOB,
    answer            TEXT NOT NULL,
    matched           BIGINT NOT NULL,
    received_at       BIGINT NOT NULL,
    PRIMARY KEY (provider, id)
) WITHOUT ROWID;
CREATE INDEX notice_by_age ON notice (received_at);
