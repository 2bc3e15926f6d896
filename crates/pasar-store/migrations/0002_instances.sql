-- What several processes on one database need of each other.

-- Grows with every group that others may have to hear of, whether it tells events or not.
ALTER TABLE feed_head ADD COLUMN news BIGINT NOT NULL DEFAULT 0;

-- Who does a kind of background work. The term grows each time somebody takes it over.
CREATE TABLE lease (
    name        TEXT PRIMARY KEY,
    -- Empty when it was given up.
    holder      TEXT NOT NULL,
    term        BIGINT NOT NULL
) WITHOUT ROWID;

-- Moved by the holder as long as it lives. Apart from the lease, so that checking a term waits for no beat.
CREATE TABLE lease_beat (
    name        TEXT PRIMARY KEY,
    beat        BIGINT NOT NULL
) WITHOUT ROWID;
