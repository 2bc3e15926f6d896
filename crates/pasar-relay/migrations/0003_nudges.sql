-- Subscriptions that an instance changed while another delivers: that one looks at them anew.
CREATE TABLE nudge (
    subscription    BLOB PRIMARY KEY,
    -- Grows with each change.
    number          BIGINT NOT NULL
) WITHOUT ROWID;
