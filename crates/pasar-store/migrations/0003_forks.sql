-- The forks of a feed before the one that store_meta names, so that a follower of any earlier epoch can tell
-- whether it may go on.

CREATE TABLE earlier_fork (
    number      BIGINT PRIMARY KEY,
    epoch       BLOB NOT NULL,
    forked_at   BIGINT NOT NULL
);
