BEGIN TRANSACTION;
CREATE TABLE api_keys (
    id           BLOB PRIMARY KEY,
    user_id      BLOB NOT NULL,
    name         TEXT NOT NULL,
    -- SHA-256 of the secret.
    secret_hash  BLOB NOT NULL,
    -- JSON lists.
    roles        TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    -- JSON; absent for the general limit.
    rate_limit   TEXT,
    -- The key that asked for it; absent if a person did. It is revoked with that one.
    made_by      BLOB,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT
) WITHOUT ROWID;
INSERT INTO "api_keys" VALUES(X'01A216C23D917A2D9934713D0A2D0FD8',X'01A216C23D9178A4B72C408D0060D352','demo customer',X'9A3EFFA1FF8881BD0880143B26D3F48E73174DF20674884047D2BA5717F15BA3','["customer"]','[]','"unlimited"',NULL,1795678158225453,1795678158571797,NULL);
INSERT INTO "api_keys" VALUES(X'01A216C23D927A6D993829E1126874EE',X'01A216C23D927142900EA23144C1616B','demo kiosk',X'A11C05FD89524985251C1EE72850BE07E0E435EA249C74E662110CFE1601D617','["kiosk"]','[]','"unlimited"',NULL,1795678158226528,NULL,NULL);
INSERT INTO "api_keys" VALUES(X'01A216C23D93738BA8370B00DEA1A5F9',X'01A216C23D9371958C9A1F773045E90A','demo staff',X'23643063E4CD393EA7AEDFA870A5CA70B625D700710706B176972AAFB9C63508','["staff"]','["publish:client"]','"unlimited"',NULL,1795678158227405,NULL,NULL);
INSERT INTO "api_keys" VALUES(X'01A216C23D93765CA011C98CFC050BCA',X'01A216C23D937840991E506DFF7A57BE','demo admin',X'2C5001D07F069535BC562DBAE67266A3C06EAFC0C6DD6BBEBF9A7D1151CEED65','["admin"]','[]','"unlimited"',NULL,1795678158227878,NULL,NULL);
INSERT INTO "api_keys" VALUES(X'01A216C23D947D739C7EDC11530C5F2E',X'01A216C23D947FD28CEA72981C452478','demo integrator',X'AADAA6F6881B1E0D1C94420D02590D488688949168B8E64F82DB87865DB4287A','["integrator"]','["feed:*","publish:*","subscribe:*"]','"unlimited"',NULL,1795678158228315,1795678158561049,NULL);
CREATE TABLE audit (
    id      BLOB PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    user_id BLOB,
    source  TEXT,
    -- JSON.
    details TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "audit" VALUES(X'01A216C23CE3739E846225254766529F',1795678158051687,'operator','user.provisioned',X'01A216C23CE3708A92DE8274413E3DB8',NULL,'{"roles":["admin"]}');
INSERT INTO "audit" VALUES(X'01A216C23CE67E78889C97ED9A698F35',1795678158054386,'service:users','signing_key.rotated',NULL,NULL,'{"reason":"first start"}');
INSERT INTO "audit" VALUES(X'01A216C23D9174E4BB91BAAC695BED8B',1795678158225453,'operator','user.provisioned',X'01A216C23D9178A4B72C408D0060D352',NULL,'{"roles":["customer"]}');
INSERT INTO "audit" VALUES(X'01A216C23D917809A454556187913C35',1795678158225453,'operator','api_key.created',X'01A216C23D9178A4B72C408D0060D352',NULL,'{"api_key_id":"key_01m8bc4fchf8psjd3h7m52t3yr","roles":["customer"]}');
INSERT INTO "audit" VALUES(X'01A216C23D92752A9F37B95491F22C23',1795678158226528,'operator','api_key.created',X'01A216C23D927142900EA23144C1616B',NULL,'{"api_key_id":"key_01m8bc4fcjf9psje19w496gx7e","roles":["kiosk"]}');
INSERT INTO "audit" VALUES(X'01A216C23D927DC386ECD77DB770EAB6',1795678158226528,'operator','user.provisioned',X'01A216C23D927142900EA23144C1616B',NULL,'{"roles":["kiosk"]}');
INSERT INTO "audit" VALUES(X'01A216C23D9375A7BF18E311D63E1193',1795678158227405,'operator','user.provisioned',X'01A216C23D9371958C9A1F773045E90A',NULL,'{"roles":["staff"]}');
INSERT INTO "audit" VALUES(X'01A216C23D9376F8AEB6D4119D80C4EA',1795678158227878,'operator','api_key.created',X'01A216C23D937840991E506DFF7A57BE',NULL,'{"api_key_id":"key_01m8bc4fckesea04e9hky0a2ya","roles":["admin"]}');
INSERT INTO "audit" VALUES(X'01A216C23D9377EB836D2D749D1F4628',1795678158227878,'operator','user.provisioned',X'01A216C23D937840991E506DFF7A57BE',NULL,'{"roles":["admin"]}');
INSERT INTO "audit" VALUES(X'01A216C23D937CB3947CCD02FC0362CE',1795678158227405,'operator','api_key.created',X'01A216C23D9371958C9A1F773045E90A',NULL,'{"api_key_id":"key_01m8bc4fckee5tgdrb03fa39fs","roles":["staff"]}');
INSERT INTO "audit" VALUES(X'01A216C23D9471C8A60245282ABB7F43',1795678158228315,'operator','user.provisioned',X'01A216C23D947FD28CEA72981C452478',NULL,'{"roles":["integrator"]}');
INSERT INTO "audit" VALUES(X'01A216C23D9472A1ACFDC57FF6E64922',1795678158228315,'operator','api_key.created',X'01A216C23D947FD28CEA72981C452478',NULL,'{"api_key_id":"key_01m8bc4fcmfnssrzpw259grqse","roles":["integrator"]}');
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
INSERT INTO "feed" VALUES(1,X'01A216C23CE3747CA837EAE1D059ED89','user.registered.v1','usr_01m8bc4f73e2595qm2eh0kwfdr',1,1795678158051687,X'01A216C23CE37C13B34B63AE82918DFB',NULL,NULL,'operator','{"user_id":"usr_01m8bc4f73e2595qm2eh0kwfdr","roles":["admin"]}',NULL);
INSERT INTO "feed" VALUES(2,X'01A216C23D9170099F2912F45EF997DF','user.registered.v1','usr_01m8bc4fchf2jbeb20hm061mtj',1,1795678158225453,X'01A216C23D91730E97545BBFB6F5C97C',NULL,NULL,'operator','{"user_id":"usr_01m8bc4fchf2jbeb20hm061mtj","roles":["customer"]}',NULL);
INSERT INTO "feed" VALUES(3,X'01A216C23D9175D3B6711DF7D44925CB','api_key.created.v1','usr_01m8bc4fchf2jbeb20hm061mtj',2,1795678158225453,X'01A216C23D91730E97545BBFB6F5C97C',NULL,NULL,'operator','{"user_id":"usr_01m8bc4fchf2jbeb20hm061mtj","api_key_id":"key_01m8bc4fchf8psjd3h7m52t3yr","scopes":[]}',NULL);
INSERT INTO "feed" VALUES(4,X'01A216C23D927DDDBFD615C7CD67BBFF','user.registered.v1','usr_01m8bc4fcje51903n2652c2rbb',1,1795678158226528,X'01A216C23D927A728A09BC45EA9469DD',NULL,NULL,'operator','{"user_id":"usr_01m8bc4fcje51903n2652c2rbb","roles":["kiosk"]}',NULL);
INSERT INTO "feed" VALUES(5,X'01A216C23D927284A5F3946F78DF3179','api_key.created.v1','usr_01m8bc4fcje51903n2652c2rbb',2,1795678158226528,X'01A216C23D927A728A09BC45EA9469DD',NULL,NULL,'operator','{"user_id":"usr_01m8bc4fcje51903n2652c2rbb","api_key_id":"key_01m8bc4fcjf9psje19w496gx7e","scopes":[]}',NULL);
INSERT INTO "feed" VALUES(6,X'01A216C23D937233AB808653F68D3607','user.registered.v1','usr_01m8bc4fcke6ars6gzewr4bt8a',1,1795678158227405,X'01A216C23D937993B34440AD1A533457',NULL,NULL,'operator','{"user_id":"usr_01m8bc4fcke6ars6gzewr4bt8a","roles":["staff"]}',NULL);
INSERT INTO "feed" VALUES(7,X'01A216C23D937E349655B0A8208B7C20','api_key.created.v1','usr_01m8bc4fcke6ars6gzewr4bt8a',2,1795678158227405,X'01A216C23D937993B34440AD1A533457',NULL,NULL,'operator','{"user_id":"usr_01m8bc4fcke6ars6gzewr4bt8a","api_key_id":"key_01m8bc4fckee5tgdrb03fa39fs","scopes":["publish:client"]}',NULL);
INSERT INTO "feed" VALUES(8,X'01A216C23D93797A9ABB5EDD265B0795','user.registered.v1','usr_01m8bc4fckf109j7jgdqzqmnxy',1,1795678158227878,X'01A216C23D9371FAA70BA3753EAA7350',NULL,NULL,'operator','{"user_id":"usr_01m8bc4fckf109j7jgdqzqmnxy","roles":["admin"]}',NULL);
INSERT INTO "feed" VALUES(9,X'01A216C23D937C5CB85D6F57ED952B92','api_key.created.v1','usr_01m8bc4fckf109j7jgdqzqmnxy',2,1795678158227878,X'01A216C23D9371FAA70BA3753EAA7350',NULL,NULL,'operator','{"user_id":"usr_01m8bc4fckf109j7jgdqzqmnxy","api_key_id":"key_01m8bc4fckesea04e9hky0a2ya","scopes":[]}',NULL);
INSERT INTO "feed" VALUES(10,X'01A216C23D94788A8B6314E73F78CF5B','user.registered.v1','usr_01m8bc4fcmfz98stkjk0e4a93r',1,1795678158228315,X'01A216C23D947267928524ED4135030B',NULL,NULL,'operator','{"user_id":"usr_01m8bc4fcmfz98stkjk0e4a93r","roles":["integrator"]}',NULL);
INSERT INTO "feed" VALUES(11,X'01A216C23D947AE6B01BBC804B0CC257','api_key.created.v1','usr_01m8bc4fcmfz98stkjk0e4a93r',2,1795678158228315,X'01A216C23D947267928524ED4135030B',NULL,NULL,'operator','{"user_id":"usr_01m8bc4fcmfz98stkjk0e4a93r","api_key_id":"key_01m8bc4fcmfnssrzpw259grqse","scopes":["feed:*","publish:*","subscribe:*"]}',NULL);
CREATE TABLE feed_head (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    head        BIGINT NOT NULL
, news BIGINT NOT NULL DEFAULT 0);
INSERT INTO "feed_head" VALUES(1,11,6);
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
INSERT INTO "migration" VALUES('store/0001_store',0,1795678157959431);
INSERT INTO "migration" VALUES('store/0002_instances',1,1795678157959431);
INSERT INTO "migration" VALUES('store/0003_forks',2,1795678157959431);
INSERT INTO "migration" VALUES('0001_users',3,1795678157959431);
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
CREATE TABLE sessions (
    id                BLOB PRIMARY KEY,
    user_id           BLOB NOT NULL,
    generation        BIGINT NOT NULL CHECK (generation >= 0),
    token_hash        BLOB NOT NULL,
    started_at        BIGINT NOT NULL,
    last_refreshed_at BIGINT NOT NULL,
    -- When it ends by itself; once it has ended, when it ended.
    expires_at        BIGINT NOT NULL,
    source            TEXT,
    user_agent        TEXT,
    ended             TEXT
) WITHOUT ROWID;
CREATE TABLE signing_keys (
    kid          TEXT PRIMARY KEY,
    -- Ed25519: the public key, and the private one encrypted under the keyring.
    public_key   BLOB NOT NULL,
    sealed_seed  BLOB NOT NULL,
    created_at   BIGINT NOT NULL,
    -- It is published from the start and signs from here on, until the next one does.
    signs_from   BIGINT NOT NULL
);
INSERT INTO "signing_keys" VALUES('iqbPD-vDBa8s_iGYRVYxGo2sAW1CCsQZPHBHY1oqYV0',X'74DE3D2DD4F1D1A9C78C587C26727EE774F8ED51BB9EC002413A553171E29771',X'0100000001DB76E20FB4514166A6FF81F3EDA2069B15F7B27D8A89B854E4C84101530E829D26B6168915E5B7DEEFDC6EEFF11C0C3F74A15B1FDABACE7F34155477',1795678158054386,1795678158054386);
CREATE TABLE store_meta (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    service     TEXT NOT NULL,
    lanes       BIGINT NOT NULL,
    epoch       BLOB NOT NULL,
    -- The epoch before the last restore and the place where this one forked from it.
    parent      BLOB,
    forked_at   BIGINT
);
INSERT INTO "store_meta" VALUES(1,'users',1,X'01A216C23C95798BBEDB728F1170E2F3',NULL,NULL);
CREATE TABLE superseded_tokens (
    session_id    BLOB NOT NULL,
    generation    BIGINT NOT NULL,
    superseded_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, generation)
) WITHOUT ROWID;
CREATE TABLE timer (
    due         BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    key         TEXT NOT NULL,
    PRIMARY KEY (due, kind, key)
) WITHOUT ROWID;
INSERT INTO "timer" VALUES(1795680000000000,'sweep','');
CREATE TABLE users (
    id            BLOB PRIMARY KEY,
    -- Normalised; absent for machines and the deleted.
    email         TEXT UNIQUE,
    -- The operator's own name for a machine; absent for people.
    machine       TEXT UNIQUE,
    name          TEXT NOT NULL,
    -- PHC string of argon2id; absent for machines and the deleted.
    password_hash TEXT,
    -- JSON list, sorted.
    roles         TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    deleted_at    BIGINT,
    version       BIGINT NOT NULL CHECK (version >= 1),
    -- Events emitted under this user's id.
    keyversion    BIGINT NOT NULL CHECK (keyversion >= 1)
) WITHOUT ROWID;
INSERT INTO "users" VALUES(X'01A216C23CE3708A92DE8274413E3DB8','admin@localhost',NULL,'Admin','$argon2id$v=19$m=19456,t=2,p=1$gccmRCUN2C8HKxIx6y+9gg$DZZTLbkstKlLUbarJJAOSgDqiLjhSCBSEnFtPLbtNEE','["admin"]',1795678158051687,1795678158051687,NULL,1,1);
INSERT INTO "users" VALUES(X'01A216C23D9178A4B72C408D0060D352',NULL,'demo customer','demo customer',NULL,'["customer"]',1795678158225453,1795678158225453,NULL,1,2);
INSERT INTO "users" VALUES(X'01A216C23D927142900EA23144C1616B',NULL,'demo kiosk','demo kiosk',NULL,'["kiosk"]',1795678158226528,1795678158226528,NULL,1,2);
INSERT INTO "users" VALUES(X'01A216C23D9371958C9A1F773045E90A',NULL,'demo staff','demo staff',NULL,'["staff"]',1795678158227405,1795678158227405,NULL,1,2);
INSERT INTO "users" VALUES(X'01A216C23D937840991E506DFF7A57BE',NULL,'demo admin','demo admin',NULL,'["admin"]',1795678158227878,1795678158227878,NULL,1,2);
INSERT INTO "users" VALUES(X'01A216C23D947FD28CEA72981C452478',NULL,'demo integrator','demo integrator',NULL,'["integrator"]',1795678158228315,1795678158228315,NULL,1,2);
CREATE UNIQUE INDEX feed_by_key ON feed (key, keyversion);
CREATE INDEX idempotency_by_age ON idempotency (kept_until);
CREATE INDEX users_admins ON users (id) WHERE roles LIKE '%"admin"%';
CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX api_keys_by_user ON api_keys (user_id, id);
CREATE INDEX audit_by_user ON audit (user_id, id);
DELETE FROM "sqlite_sequence";
COMMIT;