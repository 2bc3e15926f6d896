-- The sandbox's own books: what a real provider would know, kept apart from what payments believes.

CREATE TABLE charge (
    -- The payment's id.
    reference         BLOB PRIMARY KEY,
    -- The token, which decides how the charge behaves.
    token             TEXT NOT NULL,
    -- requires_action, authorized, captured, declined or voided.
    state             TEXT NOT NULL,
    amount_minor      BIGINT NOT NULL,
    currency          TEXT NOT NULL,
    reason            TEXT,
    -- Calls that took effect under different idempotency keys: more than one is a double charge.
    authorizations    BIGINT NOT NULL,
    authorize_key     TEXT NOT NULL,
    captures          BIGINT NOT NULL,
    capture_key       TEXT NOT NULL,
    captured_minor    BIGINT NOT NULL,
    refunded_minor    BIGINT NOT NULL,
    -- What the action's address must carry, and until when.
    action_secret     BLOB,
    action_expires_at BIGINT
) WITHOUT ROWID;

CREATE TABLE charge_refund (
    reference         BLOB NOT NULL,
    refund_id         BLOB NOT NULL,
    -- succeeded or failed.
    state             TEXT NOT NULL,
    amount_minor      BIGINT NOT NULL,
    reason            TEXT,
    PRIMARY KEY (reference, refund_id)
) WITHOUT ROWID;
