BEGIN TRANSACTION;
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
INSERT INTO "charge" VALUES(X'01A216C23EEC7E5399BA46CC4D49A769','tok_ok','captured',5000000,'IDR',NULL,1,'pay_01m8bc4fqcfs9skej6sh6mk9v9:authorize',1,'pay_01m8bc4fqcfs9skej6sh6mk9v9:capture',5000000,0,NULL,NULL);
INSERT INTO "charge" VALUES(X'01A216C23FBF7DE6A14B792A4A969FD0','tok_ok','captured',5000000,'IDR',NULL,1,'pay_01m8bc4fxzfqka2jvs5959d7yg:authorize',1,'pay_01m8bc4fxzfqka2jvs5959d7yg:capture',5000000,0,NULL,NULL);
INSERT INTO "charge" VALUES(X'01A216C240A173328E86486263687558','tok_declined','declined',5000000,'IDR','card_declined',1,'pay_01m8bc4g51ecs8x1j8c9hpgxar:authorize',0,'',0,0,NULL,NULL);
INSERT INTO "charge" VALUES(X'01A216C2415B79E0808D8047DE3FDDCC','tok_action','requires_action',5000000,'IDR',NULL,1,'pay_01m8bc4gavf7g813c08zf3zqec:authorize',0,'',0,0,X'E10D2960FD978A413B56B8097AFE33B0',1795678759209432);
CREATE TABLE charge_refund (
    reference         BLOB NOT NULL,
    refund_id         BLOB NOT NULL,
    -- succeeded or failed.
    state             TEXT NOT NULL,
    amount_minor      BIGINT NOT NULL,
    reason            TEXT,
    PRIMARY KEY (reference, refund_id)
) WITHOUT ROWID;
CREATE TABLE earlier_fork (
    number      BIGINT PRIMARY KEY,
    epoch       BLOB NOT NULL,
    forked_at   BIGINT NOT NULL
);
CREATE TABLE effect (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    queue       TEXT NOT NULL,
    kind        TEXT NOT NULL,
    payload     TEXT NOT NULL,
    attempts    BIGINT NOT NULL,
    due         BIGINT NOT NULL,
    last_error  TEXT,
    flow        BLOB NOT NULL,
    actor       TEXT NOT NULL,
    traceparent TEXT
);
CREATE TABLE feed (
    sequence    INTEGER PRIMARY KEY,
    id          BLOB NOT NULL,
    type        TEXT NOT NULL,
    key         TEXT NOT NULL,
    keyversion  BIGINT NOT NULL,
    time        BIGINT NOT NULL,
    flow        BLOB NOT NULL,
    causation   TEXT,
    traceparent TEXT,
    actor       TEXT NOT NULL,
    data        TEXT NOT NULL,
    private     TEXT
);
CREATE TABLE feed_head (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    head        BIGINT NOT NULL
, news BIGINT NOT NULL DEFAULT 0);
INSERT INTO "feed_head" VALUES(1,0,0);
CREATE TABLE follower_position (
    publisher   TEXT NOT NULL,
    lane        BIGINT NOT NULL,
    epoch       BLOB NOT NULL,
    sequence    BIGINT NOT NULL,
    PRIMARY KEY (publisher, lane)
) WITHOUT ROWID;
CREATE TABLE idempotency (
    actor       TEXT NOT NULL,
    command     TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    outcome     TEXT NOT NULL,
    kept_until  BIGINT NOT NULL,
    PRIMARY KEY (actor, command, key)
) WITHOUT ROWID;
CREATE TABLE lease (
    name        TEXT PRIMARY KEY,
    -- Empty when it was given up.
    holder      TEXT NOT NULL,
    term        BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE lease_beat (
    name        TEXT PRIMARY KEY,
    beat        BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE migration (
             name TEXT PRIMARY KEY, position BIGINT NOT NULL, applied_at BIGINT NOT NULL);
INSERT INTO "migration" VALUES('store/0001_store',0,1795678158089328);
INSERT INTO "migration" VALUES('store/0002_instances',1,1795678158089328);
INSERT INTO "migration" VALUES('store/0003_forks',2,1795678158089328);
INSERT INTO "migration" VALUES('sandbox/0001_books',3,1795678158089328);
CREATE TABLE parked (
    publisher   TEXT NOT NULL,
    sequence    BIGINT NOT NULL,
    lane        BIGINT NOT NULL,
    key         TEXT NOT NULL,
    event       TEXT NOT NULL,
    fault       TEXT NOT NULL,
    parked_at   BIGINT NOT NULL,
    PRIMARY KEY (publisher, sequence, lane)
) WITHOUT ROWID;
CREATE TABLE store_meta (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    service     TEXT NOT NULL,
    lanes       BIGINT NOT NULL,
    epoch       BLOB NOT NULL,
    -- The epoch before the last restore and the place where this one forked from it.
    parent      BLOB,
    forked_at   BIGINT
);
INSERT INTO "store_meta" VALUES(1,'payments',1,X'01A216C23D15790BAE8CB0C8EC8193B8',NULL,NULL);
CREATE TABLE timer (
    due         BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    key         TEXT NOT NULL,
    PRIMARY KEY (due, kind, key)
) WITHOUT ROWID;
CREATE UNIQUE INDEX feed_by_key ON feed (key, keyversion);
CREATE INDEX idempotency_by_age ON idempotency (kept_until);
DELETE FROM "sqlite_sequence";
COMMIT;