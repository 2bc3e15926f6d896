-- How often a replay asked for a delivery that waits. What was under way when one more asked does not resolve it.
ALTER TABLE retry ADD COLUMN asked BIGINT NOT NULL DEFAULT 0;
