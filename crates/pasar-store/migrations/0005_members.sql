-- Instances that share out background work among them, each as long as it moves its beat.
CREATE TABLE member (
    name        TEXT PRIMARY KEY,
    beat        BIGINT NOT NULL
) WITHOUT ROWID;
