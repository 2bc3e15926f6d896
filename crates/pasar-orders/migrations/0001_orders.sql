-- Orders, what is given back for them, and the copies of inventory's catalogue that price them.

CREATE TABLE orders (
    id             BLOB PRIMARY KEY,
    -- Of the row: each update names the one it read. `keyversion` is of the feed.
    version        BIGINT NOT NULL,
    keyversion     BIGINT NOT NULL,
    flow           BLOB NOT NULL,
    location_id    BLOB NOT NULL,
    -- The business day at the location, YYYY-MM-DD; numbers begin at 1 on each.
    day            TEXT NOT NULL,
    number         BIGINT NOT NULL CHECK (number > 0),
    customer_id    BLOB,
    -- The stage of the process; the first four are `placed` on the wire.
    stage          TEXT NOT NULL,
    stock          TEXT NOT NULL,
    payment        TEXT NOT NULL,
    method         TEXT NOT NULL,
    cash           BIGINT NOT NULL,
    -- While cancelling: which leg holds nothing any more.
    stock_answered BIGINT NOT NULL,
    money_answered BIGINT NOT NULL,
    -- JSON: [{sku, name, quantity, unit_price, tax_rate}]
    lines          TEXT NOT NULL,
    note           TEXT,
    currency       TEXT NOT NULL,
    -- In minor units of the currency, like all amounts here. The tax is part of the total.
    tax            BIGINT NOT NULL,
    total          BIGINT NOT NULL CHECK (total >= 0),
    captured       BIGINT NOT NULL,
    refunded       BIGINT NOT NULL,
    refunding      BIGINT NOT NULL,
    -- JSON: what the customer must do to pay
    next_action    TEXT,
    -- JSON: {reason, restock, by_staff, shortages}
    cancellation   TEXT,
    -- When time itself moves the order: while it is placed, confirmed and unpaid, or ready.
    deadline       BIGINT,
    placed_at      BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    -- Null while its own stock and money are in flight.
    settled_at     BIGINT,
    CHECK (captured <= total AND refunded + refunding <= captured)
);
CREATE UNIQUE INDEX orders_by_number ON orders (location_id, day, number);
CREATE INDEX orders_by_customer ON orders (customer_id, id) WHERE customer_id IS NOT NULL;
-- What a customer has in flight; all that is in flight.
CREATE INDEX orders_unsettled ON orders (customer_id) WHERE settled_at IS NULL;
-- The kitchen's lists and the board.
CREATE INDEX orders_by_stage ON orders (stage, id, location_id) WHERE settled_at IS NOT NULL;

CREATE TABLE refund (
    order_id       BLOB NOT NULL,
    id             BLOB NOT NULL,
    amount         BIGINT NOT NULL CHECK (amount > 0),
    state          TEXT NOT NULL,
    -- JSON: [{sku, quantity}]
    lines          TEXT NOT NULL,
    restock        BIGINT NOT NULL,
    reason         TEXT NOT NULL,
    requested_at   BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (order_id, id)
);

-- The last number given at a location on a business day.
CREATE TABLE last_number (
    location_id    BLOB NOT NULL,
    day            TEXT NOT NULL,
    number         BIGINT NOT NULL,
    PRIMARY KEY (location_id, day)
);

-- Copies, kept by following inventory. `version` is the keyversion of the newest event taken.
CREATE TABLE product (
    sku            TEXT PRIMARY KEY,
    version        BIGINT NOT NULL,
    name           TEXT NOT NULL,
    price          BIGINT NOT NULL,
    currency       TEXT NOT NULL,
    tax_rate       BIGINT NOT NULL,
    orderable      BIGINT NOT NULL,
    -- JSON: the locations where it is sold out today
    sold_out_at    TEXT
);

CREATE TABLE location (
    id             BLOB PRIMARY KEY,
    version        BIGINT NOT NULL,
    time_zone      TEXT NOT NULL,
    cut_off_minutes BIGINT NOT NULL,
    currency       TEXT NOT NULL,
    starts_unpaid  BIGINT NOT NULL,
    is_default     BIGINT NOT NULL
);
