-- How far the feed is trimmed: up to there it holds only what a new follower needs.
ALTER TABLE store_meta ADD COLUMN trimmed BIGINT NOT NULL DEFAULT 0;

-- The place of the snapshot that a follower begins with; 0 for none. Before that place it reads the snapshot.
ALTER TABLE follower_position ADD COLUMN snapshot BIGINT NOT NULL DEFAULT 0;
