-- Accounts. A deleted one keeps its row: the id alone, under which its orders stay.
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
-- Each start asks whether there is an admin.
CREATE INDEX users_admins ON users (id) WHERE roles LIKE '%"admin"%';

-- A login: a family of refresh tokens of which the newest is known by its hash.
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
CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- Refresh tokens that were changed for their successor within the grace.
CREATE TABLE superseded_tokens (
    session_id    BLOB NOT NULL,
    generation    BIGINT NOT NULL,
    superseded_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, generation)
) WITHOUT ROWID;

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
CREATE INDEX api_keys_by_user ON api_keys (user_id, id);

CREATE TABLE signing_keys (
    kid          TEXT PRIMARY KEY,
    -- Ed25519: the public key, and the private one encrypted under the keyring.
    public_key   BLOB NOT NULL,
    sealed_seed  BLOB NOT NULL,
    created_at   BIGINT NOT NULL,
    -- It is published from the start and signs from here on, until the next one does.
    signs_from   BIGINT NOT NULL
);

-- Who did what, when, from where. Ids are in the order of time.
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
CREATE INDEX audit_by_user ON audit (user_id, id);
