-- The log: every message once, in the order of commits. `first` is the oldest position that may be kept.
CREATE TABLE log (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    head        BIGINT NOT NULL,
    first       BIGINT NOT NULL,
    -- Bytes of data of the messages that are kept.
    bytes       BIGINT NOT NULL
);
INSERT INTO log (one, head, first, bytes) VALUES (1, 0, 1, 0);

CREATE TABLE message (
    position     INTEGER PRIMARY KEY,
    topic        TEXT NOT NULL,
    id           TEXT NOT NULL,
    type         TEXT NOT NULL,
    source       TEXT NOT NULL,
    subject      TEXT,
    key          TEXT,
    -- When the sender says that it happened, and when it was accepted.
    time         BIGINT NOT NULL,
    accepted_at  BIGINT NOT NULL,
    flow         BLOB NOT NULL,
    causation    TEXT,
    traceparent  TEXT,
    actor        TEXT NOT NULL,
    -- Of events of services alone: where they stood in their feed.
    keyversion   BIGINT,
    epoch        BLOB,
    sequence     BIGINT,
    -- Absent for application/json.
    content_type TEXT,
    data         BLOB NOT NULL,
    -- Other CloudEvents attributes, as a JSON object.
    extensions   TEXT
);
-- The id first: a flow is also looked for by a message's id alone.
CREATE UNIQUE INDEX message_by_id ON message (id, topic);
CREATE INDEX message_by_flow ON message (flow);
-- Finds the flow that an aggregate began in.
CREATE INDEX message_first_of_key ON message (key) WHERE keyversion = 1;

CREATE TABLE subscription (
    id               BLOB PRIMARY KEY,
    owner            TEXT NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('active', 'paused', 'disabled')),
    disabled_because TEXT,
    -- SubscriptionInput as JSON, its destination without secrets.
    spec             TEXT NOT NULL,
    -- The destination's secrets as JSON, sealed; absent if it has none.
    secrets          BLOB,
    -- Where in the destination they belong, as a JSON array of JSON pointers.
    secret_places    TEXT NOT NULL,
    -- The name under which the configuration declares it.
    declared         TEXT UNIQUE,
    created_at       BIGINT NOT NULL,
    -- Grows with every change of this row; `keyversion` with every event about the subscription.
    version          BIGINT NOT NULL,
    keyversion       BIGINT NOT NULL
) WITHOUT ROWID;

-- What moves with every delivery, apart from what rarely does.
CREATE TABLE progress (
    subscription  BLOB PRIMARY KEY,
    -- Everything up to here is delivered, in `retry` or in `dead_letter`.
    position      BIGINT NOT NULL,
    -- It takes part in the shared watermark: its true position is the greater of both.
    attached      BIGINT NOT NULL,
    failing_since BIGINT
) WITHOUT ROWID;

-- Everything up to here was matched, and handed to the subscriptions that are attached and resolved by them.
CREATE TABLE watermark (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    position    BIGINT NOT NULL
);
INSERT INTO watermark (one, position) VALUES (1, 0);

-- Deliveries that wait to be tried again, or behind one of the same key that does (`held`).
CREATE TABLE retry (
    subscription BLOB NOT NULL,
    position     BIGINT NOT NULL,
    key          TEXT,
    attempts     BIGINT NOT NULL,
    due          BIGINT NOT NULL,
    held         BIGINT NOT NULL,
    -- When it first failed.
    since        BIGINT NOT NULL,
    last_error   TEXT,
    PRIMARY KEY (subscription, position)
) WITHOUT ROWID;
CREATE INDEX retry_by_due ON retry (subscription, due) WHERE held = 0;
CREATE INDEX retry_by_key ON retry (subscription, key, position);
CREATE INDEX retry_by_position ON retry (position);

CREATE TABLE dead_letter (
    subscription BLOB NOT NULL,
    position     BIGINT NOT NULL,
    attempts     BIGINT NOT NULL,
    last_error   TEXT NOT NULL,
    since        BIGINT NOT NULL,
    PRIMARY KEY (subscription, position)
) WITHOUT ROWID;
CREATE INDEX dead_letter_by_position ON dead_letter (position);

-- What was tried. History: it outlives its subscription and its message. Position 0 is a test message.
CREATE TABLE attempt (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription BLOB NOT NULL,
    position     BIGINT NOT NULL,
    attempt      BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    took_us      BIGINT NOT NULL,
    delivered    BIGINT NOT NULL,
    status       BIGINT,
    detail       TEXT,
    next_at      BIGINT
);
CREATE INDEX attempt_by_subscription ON attempt (subscription, number);
CREATE INDEX attempt_by_position ON attempt (position);

-- Stretches of the log that are delivered once more, a page at a time.
CREATE TABLE replay (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription BLOB NOT NULL,
    after        BIGINT NOT NULL,
    upto         BIGINT NOT NULL,
    -- Only the dead letters of the stretch.
    dead_letters BIGINT NOT NULL
);
CREATE INDEX replay_by_subscription ON replay (subscription, number);
