BEGIN TRANSACTION;
CREATE TABLE attempt (
    payment_id        BLOB NOT NULL,
    operation         TEXT NOT NULL,
    failures          BIGINT NOT NULL,
    last_error        TEXT NOT NULL,
    first_failed_at   BIGINT NOT NULL,
    last_failed_at    BIGINT NOT NULL,
    PRIMARY KEY (payment_id, operation)
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
INSERT INTO "effect" VALUES(7,'pay_01m8bc4gj1epds2xf7wmg7sqcw','authorize','{"payment_id":"pay_01m8bc4gj1epds2xf7wmg7sqcw","operation":"authorize","method":"sandbox","amount":{"amount_minor":5000000,"currency":"IDR"},"token":"tok_slow","intended_at":"2026-11-26T07:29:19.429826Z"}',0,1795678159429826,NULL,X'01A216C24241709F951BBD5C12189BBD','key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj',NULL);
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
INSERT INTO "feed" VALUES(1,X'01A216C23EFA7AC9B8972A9C9EDA3777','payment.initiated.v1','ord_01m8bc4fqcfs9skej6sh6mk9v9',1,1795678158586093,X'01A216C23EEB7AEC98FFA0748DE4869E','evt_01m8bc4fqje7ft4srcenhs1emw',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"payment_id":"pay_01m8bc4fqcfs9skej6sh6mk9v9","order_id":"ord_01m8bc4fqcfs9skej6sh6mk9v9","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","amount":{"amount_minor":5000000,"currency":"IDR"},"method":"sandbox"}',NULL);
INSERT INTO "feed" VALUES(2,X'01A216C23EFD78D98FFB34A28A821AC1','payment.authorized.v1','ord_01m8bc4fqcfs9skej6sh6mk9v9',2,1795678158589227,X'01A216C23EEB7AEC98FFA0748DE4869E','effect:1',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"payment_id":"pay_01m8bc4fqcfs9skej6sh6mk9v9","order_id":"ord_01m8bc4fqcfs9skej6sh6mk9v9","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","amount":{"amount_minor":5000000,"currency":"IDR"}}',NULL);
INSERT INTO "feed" VALUES(3,X'01A216C23F0C7E99BFA904E9D45A4A4C','payment.captured.v1','ord_01m8bc4fqcfs9skej6sh6mk9v9',3,1795678158604693,X'01A216C23EEB7AEC98FFA0748DE4869E','effect:2',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"payment_id":"pay_01m8bc4fqcfs9skej6sh6mk9v9","order_id":"ord_01m8bc4fqcfs9skej6sh6mk9v9","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","amount":{"amount_minor":5000000,"currency":"IDR"}}',NULL);
INSERT INTO "feed" VALUES(4,X'01A216C23FC57C5E958013FDE56DB10D','payment.initiated.v1','ord_01m8bc4fxzfqka2jvs5959d7yg',1,1795678158789024,X'01A216C23FBF7C4C9E78795B3AF1C987','evt_01m8bc4fxzfegs2671n3bntfce',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"payment_id":"pay_01m8bc4fxzfqka2jvs5959d7yg","order_id":"ord_01m8bc4fxzfqka2jvs5959d7yg","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","amount":{"amount_minor":5000000,"currency":"IDR"},"method":"sandbox"}',NULL);
INSERT INTO "feed" VALUES(5,X'01A216C23FCF769EA3DCD4107BD6D460','payment.authorized.v1','ord_01m8bc4fxzfqka2jvs5959d7yg',2,1795678158799046,X'01A216C23FBF7C4C9E78795B3AF1C987','effect:3',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"payment_id":"pay_01m8bc4fxzfqka2jvs5959d7yg","order_id":"ord_01m8bc4fxzfqka2jvs5959d7yg","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","amount":{"amount_minor":5000000,"currency":"IDR"}}',NULL);
INSERT INTO "feed" VALUES(6,X'01A216C23FD07CF89AD17B8FA7F5581D','payment.captured.v1','ord_01m8bc4fxzfqka2jvs5959d7yg',3,1795678158800350,X'01A216C23FBF7C4C9E78795B3AF1C987','effect:4',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"payment_id":"pay_01m8bc4fxzfqka2jvs5959d7yg","order_id":"ord_01m8bc4fxzfqka2jvs5959d7yg","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","amount":{"amount_minor":5000000,"currency":"IDR"}}',NULL);
INSERT INTO "feed" VALUES(7,X'01A216C240A275D5B86D0547B525A242','payment.initiated.v1','ord_01m8bc4g51ecs8x1j8c9hpgxar',1,1795678159010433,X'01A216C240A07E449FF2B8CDCBB5C0D0','evt_01m8bc4g51edxrxjkm02nw1cdj',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"payment_id":"pay_01m8bc4g51ecs8x1j8c9hpgxar","order_id":"ord_01m8bc4g51ecs8x1j8c9hpgxar","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","amount":{"amount_minor":5000000,"currency":"IDR"},"method":"sandbox"}',NULL);
INSERT INTO "feed" VALUES(8,X'01A216C240A37952BD6F04448EEC4565','payment.declined.v1','ord_01m8bc4g51ecs8x1j8c9hpgxar',2,1795678159011841,X'01A216C240A07E449FF2B8CDCBB5C0D0','effect:5',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"payment_id":"pay_01m8bc4g51ecs8x1j8c9hpgxar","order_id":"ord_01m8bc4g51ecs8x1j8c9hpgxar","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","reason":"card_declined"}',NULL);
INSERT INTO "feed" VALUES(9,X'01A216C240A47E1399C5E308F2B8ADD2','payment.voided.v1','ord_01m8bc4g51ecs8x1j8c9hpgxar',3,1795678159012642,X'01A216C240A07E449FF2B8CDCBB5C0D0','evt_01m8bc4g54f7fafvy7cpnttg3f',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"payment_id":"pay_01m8bc4g51ecs8x1j8c9hpgxar","order_id":"ord_01m8bc4g51ecs8x1j8c9hpgxar","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","reason":"nothing"}',NULL);
INSERT INTO "feed" VALUES(10,X'01A216C24168791CAEDD596DE4078320','payment.initiated.v1','ord_01m8bc4gavf7g813c08zf3zqec',1,1795678159208516,X'01A216C2415B7EE492F682D24F953EC8','evt_01m8bc4gavfk8t9jwn7qsggwgs',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"payment_id":"pay_01m8bc4gavf7g813c08zf3zqec","order_id":"ord_01m8bc4gavf7g813c08zf3zqec","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","amount":{"amount_minor":5000000,"currency":"IDR"},"method":"sandbox"}',NULL);
INSERT INTO "feed" VALUES(11,X'01A216C241697EE19C27B001AA328A0E','payment.requires_action.v1','ord_01m8bc4gavf7g813c08zf3zqec',2,1795678159209798,X'01A216C2415B7EE492F682D24F953EC8','effect:6',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"payment_id":"pay_01m8bc4gavf7g813c08zf3zqec","order_id":"ord_01m8bc4gavf7g813c08zf3zqec","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","expires_at":"2026-11-26T07:39:19.209432Z"}','{"type":"redirect","url":"http://127.0.0.1:18090/v1/sandbox/actions/pay_01m8bc4gavf7g813c08zf3zqec.e10d2960fd978a413b56b8097afe33b0","expires_at":"2026-11-26T07:39:19.209432Z"}');
INSERT INTO "feed" VALUES(12,X'01A216C2424576DBA562B8A30BFEEC3C','payment.initiated.v1','ord_01m8bc4gj1epds2xf7wmg7sqcw',1,1795678159429826,X'01A216C24241709F951BBD5C12189BBD','evt_01m8bc4gj1ea9ss56wts57nv1h',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"payment_id":"pay_01m8bc4gj1epds2xf7wmg7sqcw","order_id":"ord_01m8bc4gj1epds2xf7wmg7sqcw","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","amount":{"amount_minor":5000000,"currency":"IDR"},"method":"sandbox"}',NULL);
CREATE TABLE feed_head (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    head        BIGINT NOT NULL
, news BIGINT NOT NULL DEFAULT 0);
INSERT INTO "feed_head" VALUES(1,12,12);
CREATE TABLE follower_position (
    publisher   TEXT NOT NULL,
    lane        BIGINT NOT NULL,
    epoch       BLOB NOT NULL,
    sequence    BIGINT NOT NULL,
    PRIMARY KEY (publisher, lane)
) WITHOUT ROWID;
INSERT INTO "follower_position" VALUES('orders',0,X'01A216C23C987D8283DE86A0EE519F5C',18);
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
INSERT INTO "ledger_entry" VALUES(1,X'01A216C23F0C77F7B41F5B0CB65D8AC1','provider:sandbox',5000000,'IDR',X'01A216C23EEC7E5399BA46CC4D49A769',NULL,1795678158604693);
INSERT INTO "ledger_entry" VALUES(2,X'01A216C23F0C77F7B41F5B0CB65D8AC1','sales',-5000000,'IDR',X'01A216C23EEC7E5399BA46CC4D49A769',NULL,1795678158604693);
INSERT INTO "ledger_entry" VALUES(3,X'01A216C23FD07EE18D28555875A3BB85','provider:sandbox',5000000,'IDR',X'01A216C23FBF7DE6A14B792A4A969FD0',NULL,1795678158800350);
INSERT INTO "ledger_entry" VALUES(4,X'01A216C23FD07EE18D28555875A3BB85','sales',-5000000,'IDR',X'01A216C23FBF7DE6A14B792A4A969FD0',NULL,1795678158800350);
CREATE TABLE migration (
             name TEXT PRIMARY KEY, position BIGINT NOT NULL, applied_at BIGINT NOT NULL);
INSERT INTO "migration" VALUES('store/0001_store',0,1795678157957125);
INSERT INTO "migration" VALUES('store/0002_instances',1,1795678157957125);
INSERT INTO "migration" VALUES('store/0003_forks',2,1795678157957125);
INSERT INTO "migration" VALUES('payments/0001_payments',3,1795678157957125);
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
INSERT INTO "payment" VALUES(X'01A216C23EEC7E5399BA46CC4D49A769',X'01A216C23CED7C66B2C31B99CB99222C',X'01A216C23EEB7AEC98FFA0748DE4869E','sandbox',5000000,'IDR','captured','capture',0,NULL,0,5000000,0,0,NULL,NULL,0,NULL,3,4,1795678158586093,1795678158604693,1795678158589227,1795678158604693);
INSERT INTO "payment" VALUES(X'01A216C23FBF7DE6A14B792A4A969FD0',X'01A216C23CED7C66B2C31B99CB99222C',X'01A216C23FBF7C4C9E78795B3AF1C987','sandbox',5000000,'IDR','captured','capture',0,NULL,0,5000000,0,0,NULL,NULL,0,NULL,3,4,1795678158789024,1795678158800350,1795678158799046,1795678158800350);
INSERT INTO "payment" VALUES(X'01A216C240A173328E86486263687558',X'01A216C23CED7C66B2C31B99CB99222C',X'01A216C240A07E449FF2B8CDCBB5C0D0','sandbox',5000000,'IDR','declined','undo',1,NULL,0,0,0,0,'card_declined',NULL,0,NULL,3,3,1795678159010433,1795678159012642,NULL,NULL);
INSERT INTO "payment" VALUES(X'01A216C2415B79E0808D8047DE3FDDCC',X'01A216C23CED7C66B2C31B99CB99222C',X'01A216C2415B7EE492F682D24F953EC8','sandbox',5000000,'IDR','requires_action','hold',0,NULL,0,0,0,0,NULL,1795678759209432,0,NULL,2,2,1795678159208516,1795678159209798,NULL,NULL);
INSERT INTO "payment" VALUES(X'01A216C24241759B9175E7E5207CDD9C',X'01A216C23CED7C66B2C31B99CB99222C',X'01A216C24241709F951BBD5C12189BBD','sandbox',5000000,'IDR','pending','hold',0,'authorize',0,0,0,0,NULL,NULL,0,NULL,1,1,1795678159429826,1795678159429826,NULL,NULL);
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
CREATE TABLE store_meta (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    service     TEXT NOT NULL,
    lanes       BIGINT NOT NULL,
    epoch       BLOB NOT NULL,
    -- The epoch before the last restore and the place where this one forked from it.
    parent      BLOB,
    forked_at   BIGINT
);
INSERT INTO "store_meta" VALUES(1,'payments',1,X'01A216C23C987798B71B6E73C7BC04D8',NULL,NULL);
CREATE TABLE timer (
    due         BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    key         TEXT NOT NULL,
    PRIMARY KEY (due, kind, key)
) WITHOUT ROWID;
INSERT INTO "timer" VALUES(1795678189209798,'look_up_payment','pay_01m8bc4gavf7g813c08zf3zqec');
CREATE UNIQUE INDEX feed_by_key ON feed (key, keyversion);
CREATE INDEX idempotency_by_age ON idempotency (kept_until);
CREATE INDEX notice_by_age ON notice (received_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('effect',7);
COMMIT;