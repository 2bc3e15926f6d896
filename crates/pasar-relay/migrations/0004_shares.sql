-- Deliveries are shared out among instances, by subscription. The place of share 0 is `watermark`; a database that was
-- made for several shares has the places of the others here.
CREATE TABLE share (
    number      BIGINT PRIMARY KEY,
    watermark   BIGINT NOT NULL
) WITHOUT ROWID;
ALTER TABLE progress ADD COLUMN share BIGINT NOT NULL DEFAULT 0;
-- Whose holder has to look at the subscription anew.
ALTER TABLE nudge ADD COLUMN share BIGINT NOT NULL DEFAULT 0;
