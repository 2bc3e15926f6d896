CREATE TABLE location (
    id              BLOB PRIMARY KEY,
    name            TEXT NOT NULL,
    time_zone       TEXT NOT NULL,
    cut_off_minutes BIGINT NOT NULL CHECK (cut_off_minutes BETWEEN 0 AND 1439),
    currency        TEXT NOT NULL,
    starts_unpaid   BIGINT NOT NULL CHECK (starts_unpaid IN (0, 1)),
    is_default      BIGINT NOT NULL CHECK (is_default IN (0, 1)),
    keyversion      BIGINT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX location_default ON location (is_default) WHERE is_default = 1;

CREATE TABLE product (
    sku             TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    -- By language tag, as JSON.
    names           TEXT NOT NULL,
    amount_minor    BIGINT NOT NULL CHECK (amount_minor >= 0),
    currency        TEXT NOT NULL,
    tax_rate        BIGINT NOT NULL CHECK (tax_rate BETWEEN 0 AND 10000),
    -- Empty for none.
    category        TEXT NOT NULL,
    track_stock     BIGINT NOT NULL CHECK (track_stock IN (0, 1)),
    withdrawn       BIGINT NOT NULL CHECK (withdrawn IN (0, 1)),
    -- SKU and names in lower case.
    search          TEXT NOT NULL,
    keyversion      BIGINT NOT NULL
) WITHOUT ROWID;

-- What is sold out until the business day of its location ends. Written from the products' lane.
CREATE TABLE sold_out (
    sku             TEXT NOT NULL,
    location        BLOB NOT NULL,
    until           BIGINT NOT NULL,
    PRIMARY KEY (sku, location)
) WITHOUT ROWID;

-- Overselling is impossible while this holds: what orders hold is part of what is there.
CREATE TABLE stock (
    location        BLOB NOT NULL,
    sku             TEXT NOT NULL,
    on_hand         BIGINT NOT NULL,
    reserved        BIGINT NOT NULL,
    -- Number of the latest movement.
    moved           BIGINT NOT NULL,
    -- Of the events about intakes and adjustments.
    keyversion      BIGINT NOT NULL,
    PRIMARY KEY (location, sku),
    CHECK (reserved >= 0 AND reserved <= on_hand)
) WITHOUT ROWID;

-- The ledger: rows are added, never changed. on_hand of the stock is the sum of the changes.
CREATE TABLE movement (
    location        BLOB NOT NULL,
    sku             TEXT NOT NULL,
    number          BIGINT NOT NULL,
    kind            TEXT NOT NULL CHECK (kind IN ('intake', 'count', 'write_off', 'sale', 'return')),
    change          BIGINT NOT NULL,
    on_hand         BIGINT NOT NULL CHECK (on_hand >= 0),
    order_id        BLOB,
    reason          TEXT,
    actor           TEXT,
    at              BIGINT NOT NULL,
    PRIMARY KEY (location, sku, number)
) WITHOUT ROWID;

-- One row an order, whatever became of it; a released one without lines is a tombstone.
CREATE TABLE reservation (
    order_id        BLOB PRIMARY KEY,
    id              BLOB NOT NULL,
    location        BLOB NOT NULL,
    state           TEXT NOT NULL CHECK
        (state IN ('held', 'refused', 'sold', 'sale_kept', 'restocked', 'released', 'expired')),
    -- Counted products and units, as JSON.
    lines           TEXT NOT NULL,
    -- When the safety net takes it back; also names its timer.
    expires_at      BIGINT,
    flow            BLOB NOT NULL,
    keyversion      BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX reservation_held ON reservation (location) WHERE state = 'held';

-- What refunds brought back to stock, once a refund.
CREATE TABLE stock_return (
    order_id        BLOB NOT NULL,
    refund_id       BLOB NOT NULL,
    lines           TEXT NOT NULL,
    PRIMARY KEY (order_id, refund_id)
) WITHOUT ROWID;
