BEGIN TRANSACTION;
CREATE TABLE earlier_fork (
    number      BIGINT PRIMARY KEY,
    epoch       BLOB NOT NULL,
    forked_at   BIGINT NOT NULL
);
CREATE TABLE effect (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    queue       TEXT NOT NULL,
    kind        TEXT NOT NULL,
    payload     TEXT NOT NULL,
    attempts    BIGINT NOT NULL,
    due         BIGINT NOT NULL,
    last_error  TEXT,
    flow        BLOB NOT NULL,
    actor       TEXT NOT NULL,
    traceparent TEXT
);
CREATE TABLE feed (
    sequence    INTEGER PRIMARY KEY,
    id          BLOB NOT NULL,
    type        TEXT NOT NULL,
    key         TEXT NOT NULL,
    keyversion  BIGINT NOT NULL,
    time        BIGINT NOT NULL,
    flow        BLOB NOT NULL,
    causation   TEXT,
    traceparent TEXT,
    actor       TEXT NOT NULL,
    data        TEXT NOT NULL,
    private     TEXT
);
INSERT INTO "feed" VALUES(1,X'01A216C23EF271DFA2670C756390BA9C','order.placed.v1','ord_01m8bc4fqcfs9skej6sh6mk9v9',1,1795678158578563,X'01A216C23EEB7AEC98FFA0748DE4869E','req_01m8bc4fqbfbp9hzx0ej6y91my',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4fqcfs9skej6sh6mk9v9","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":1,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj","lines":[{"sku":"kopi-susu","quantity":2,"unit_price":{"amount_minor":2500000,"currency":"IDR"},"tax_rate":1100,"total":{"amount_minor":5000000,"currency":"IDR"}}],"total":{"amount_minor":5000000,"currency":"IDR"},"method":"sandbox","deadline":"2026-11-26T07:44:18.578563Z"}','{"token":"tok_ok"}');
INSERT INTO "feed" VALUES(2,X'01A216C23EFA7130B4466506380707DC','order.stock_reserved.v1','ord_01m8bc4fqcfs9skej6sh6mk9v9',2,1795678158586704,X'01A216C23EEB7AEC98FFA0748DE4869E','evt_01m8bc4fqsfhfbtccvdv6fjz7x',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4fqcfs9skej6sh6mk9v9","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":1,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj"}',NULL);
INSERT INTO "feed" VALUES(3,X'01A216C23F027A269466AF3A9C15BE19','order.secured.v1','ord_01m8bc4fqcfs9skej6sh6mk9v9',3,1795678158594132,X'01A216C23EEB7AEC98FFA0748DE4869E','evt_01m8bc4fqxf3crzysmma5846p1',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4fqcfs9skej6sh6mk9v9","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":1,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj"}',NULL);
INSERT INTO "feed" VALUES(4,X'01A216C23F1173F4BCC71CFE11D9BB5F','order.confirmed.v1','ord_01m8bc4fqcfs9skej6sh6mk9v9',4,1795678158609915,X'01A216C23EEB7AEC98FFA0748DE4869E','evt_01m8bc4frcftcvza84x7a5mjjc',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4fqcfs9skej6sh6mk9v9","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":1,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj","paid":true}',NULL);
INSERT INTO "feed" VALUES(5,X'01A216C23F2D73F49F13071D708CA34B','order.stock_sold.v1','ord_01m8bc4fqcfs9skej6sh6mk9v9',5,1795678158637799,X'01A216C23EEB7AEC98FFA0748DE4869E','evt_01m8bc4fs2e60sed2mcst7xqzs',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4fqcfs9skej6sh6mk9v9","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":1,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj"}',NULL);
INSERT INTO "feed" VALUES(6,X'01A216C23FBF7BA19118E1A8D75D3D8E','order.placed.v1','ord_01m8bc4fxzfqka2jvs5959d7yg',1,1795678158783448,X'01A216C23FBF7C4C9E78795B3AF1C987','req_01m8bc4fxzfh69wy3sbcxf3jc7',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4fxzfqka2jvs5959d7yg","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":2,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj","lines":[{"sku":"kopi-susu","quantity":2,"unit_price":{"amount_minor":2500000,"currency":"IDR"},"tax_rate":1100,"total":{"amount_minor":5000000,"currency":"IDR"}}],"total":{"amount_minor":5000000,"currency":"IDR"},"method":"sandbox","deadline":"2026-11-26T07:44:18.783448Z"}','{"token":"tok_ok"}');
INSERT INTO "feed" VALUES(7,X'01A216C23FC075D58BC813E2E5798590','order.stock_reserved.v1','ord_01m8bc4fxzfqka2jvs5959d7yg',2,1795678158784659,X'01A216C23FBF7C4C9E78795B3AF1C987','evt_01m8bc4fy0f8hb77yq4472a2e1',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4fxzfqka2jvs5959d7yg","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":2,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj"}',NULL);
INSERT INTO "feed" VALUES(8,X'01A216C23FCF795189655351BB139D0F','order.secured.v1','ord_01m8bc4fxzfqka2jvs5959d7yg',3,1795678158799381,X'01A216C23FBF7C4C9E78795B3AF1C987','evt_01m8bc4fyfetfa7q6m21xxdn30',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4fxzfqka2jvs5959d7yg","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":2,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj"}',NULL);
INSERT INTO "feed" VALUES(9,X'01A216C23FD07E9C85A081898DB1397A','order.confirmed.v1','ord_01m8bc4fxzfqka2jvs5959d7yg',4,1795678158800629,X'01A216C23FBF7C4C9E78795B3AF1C987','evt_01m8bc4fygfkw9nmbvhykzap0x',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4fxzfqka2jvs5959d7yg","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":2,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj","paid":true}',NULL);
INSERT INTO "feed" VALUES(10,X'01A216C23FD17B04941A8A94A506F82A','order.stock_sold.v1','ord_01m8bc4fxzfqka2jvs5959d7yg',5,1795678158801724,X'01A216C23FBF7C4C9E78795B3AF1C987','evt_01m8bc4fyhfqwbw9sp8rdbfh1p',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4fxzfqka2jvs5959d7yg","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":2,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj"}',NULL);
INSERT INTO "feed" VALUES(11,X'01A216C240A1737B8ECA7400ABC0B1B2','order.placed.v1','ord_01m8bc4g51ecs8x1j8c9hpgxar',1,1795678159009039,X'01A216C240A07E449FF2B8CDCBB5C0D0','req_01m8bc4g50fs29zwnrsq5vbg6g',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4g51ecs8x1j8c9hpgxar","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":3,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj","lines":[{"sku":"kopi-susu","quantity":2,"unit_price":{"amount_minor":2500000,"currency":"IDR"},"tax_rate":1100,"total":{"amount_minor":5000000,"currency":"IDR"}}],"total":{"amount_minor":5000000,"currency":"IDR"},"method":"sandbox","deadline":"2026-11-26T07:44:19.009039Z"}','{"token":"tok_declined"}');
INSERT INTO "feed" VALUES(12,X'01A216C240A37A10BA4FC6393171207B','order.stock_reserved.v1','ord_01m8bc4g51ecs8x1j8c9hpgxar',2,1795678159011412,X'01A216C240A07E449FF2B8CDCBB5C0D0','evt_01m8bc4g52efqv9a3vncyzd74n',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4g51ecs8x1j8c9hpgxar","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":3,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj"}',NULL);
INSERT INTO "feed" VALUES(13,X'01A216C240A479DEA7EFC765ABAD406F','order.cancelling.v1','ord_01m8bc4g51ecs8x1j8c9hpgxar',3,1795678159012249,X'01A216C240A07E449FF2B8CDCBB5C0D0','evt_01m8bc4g53f59btvr48j7erhb5',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4g51ecs8x1j8c9hpgxar","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":3,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj","reason":"payment_declined","restock":true,"by_staff":false}',NULL);
INSERT INTO "feed" VALUES(14,X'01A216C240A67349918D2F1A33CA671E','order.cancelled.v1','ord_01m8bc4g51ecs8x1j8c9hpgxar',4,1795678159014338,X'01A216C240A07E449FF2B8CDCBB5C0D0','evt_01m8bc4g55eeda6vcprvvkrsgw',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4g51ecs8x1j8c9hpgxar","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":3,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj","reason":"payment_declined"}',NULL);
INSERT INTO "feed" VALUES(15,X'01A216C2415B7CD1A4CB953DF3087219','order.placed.v1','ord_01m8bc4gavf7g813c08zf3zqec',1,1795678159195229,X'01A216C2415B7EE492F682D24F953EC8','req_01m8bc4gavfvj95xm2t97safp8',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4gavf7g813c08zf3zqec","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":4,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj","lines":[{"sku":"kopi-susu","quantity":2,"unit_price":{"amount_minor":2500000,"currency":"IDR"},"tax_rate":1100,"total":{"amount_minor":5000000,"currency":"IDR"}}],"total":{"amount_minor":5000000,"currency":"IDR"},"method":"sandbox","deadline":"2026-11-26T07:44:19.195229Z"}','{"token":"tok_action"}');
INSERT INTO "feed" VALUES(16,X'01A216C2416874379BBB68310E61EA21','order.stock_reserved.v1','ord_01m8bc4gavf7g813c08zf3zqec',2,1795678159208925,X'01A216C2415B7EE492F682D24F953EC8','evt_01m8bc4gb8fhabf38e16k7xq73',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4gavf7g813c08zf3zqec","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":4,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj"}',NULL);
INSERT INTO "feed" VALUES(17,X'01A216C2416A712E878D4CAD33BD4746','order.action_required.v1','ord_01m8bc4gavf7g813c08zf3zqec',3,1795678159210647,X'01A216C2415B7EE492F682D24F953EC8','evt_01m8bc4gb9fvgsr9xg06n352ge',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4gavf7g813c08zf3zqec","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":4,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj","expires_at":"2026-11-26T07:39:19.209432Z"}','{"type":"redirect","url":"http://127.0.0.1:18090/v1/sandbox/actions/pay_01m8bc4gavf7g813c08zf3zqec.e10d2960fd978a413b56b8097afe33b0","expires_at":"2026-11-26T07:39:19.209432Z"}');
INSERT INTO "feed" VALUES(18,X'01A216C2424172939C94DCD64A7AEC31','order.placed.v1','ord_01m8bc4gj1epds2xf7wmg7sqcw',1,1795678159425506,X'01A216C24241709F951BBD5C12189BBD','req_01m8bc4gj1e2fsa6xxbg91h6xx',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4gj1epds2xf7wmg7sqcw","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":5,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj","lines":[{"sku":"kopi-susu","quantity":2,"unit_price":{"amount_minor":2500000,"currency":"IDR"},"tax_rate":1100,"total":{"amount_minor":5000000,"currency":"IDR"}}],"total":{"amount_minor":5000000,"currency":"IDR"},"method":"sandbox","deadline":"2026-11-26T07:44:19.425506Z"}','{"token":"tok_slow"}');
INSERT INTO "feed" VALUES(19,X'01A216C242467C2983545F8570AB7199','order.stock_reserved.v1','ord_01m8bc4gj1epds2xf7wmg7sqcw',2,1795678159430413,X'01A216C24241709F951BBD5C12189BBD','evt_01m8bc4gj5fgzbexsg2gypngfb',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4gj1epds2xf7wmg7sqcw","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","number":5,"customer_id":"usr_01m8bc4fchf2jbeb20hm061mtj"}',NULL);
CREATE TABLE feed_head (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    head        BIGINT NOT NULL
, news BIGINT NOT NULL DEFAULT 0);
INSERT INTO "feed_head" VALUES(1,19,19);
CREATE TABLE follower_position (
    publisher   TEXT NOT NULL,
    lane        BIGINT NOT NULL,
    epoch       BLOB NOT NULL,
    sequence    BIGINT NOT NULL,
    PRIMARY KEY (publisher, lane)
) WITHOUT ROWID;
INSERT INTO "follower_position" VALUES('inventory',0,X'01A216C23C987F9BB7E0342A5BCC62C6',42);
INSERT INTO "follower_position" VALUES('payments',0,X'01A216C23C987798B71B6E73C7BC04D8',11);
CREATE TABLE idempotency (
    actor       TEXT NOT NULL,
    command     TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    outcome     TEXT NOT NULL,
    kept_until  BIGINT NOT NULL,
    PRIMARY KEY (actor, command, key)
) WITHOUT ROWID;
INSERT INTO "idempotency" VALUES('key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','place_order','action',X'2BC166A60A3984D168181D98DBE286788B096E48918A349E859FCC858CC02558','{"kept":"placed","order":"ord_01m8bc4gavf7g813c08zf3zqec"}',1795764559195229);
INSERT INTO "idempotency" VALUES('key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','place_order','collected',X'301C32BFB5F3186D6B625A51AA2972DDCD6F6AD2D6CF8406AF0D6D129C1DF9A4','{"kept":"placed","order":"ord_01m8bc4fxzfqka2jvs5959d7yg"}',1795764558783448);
INSERT INTO "idempotency" VALUES('key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','place_order','declined',X'5DF2B6AD9672EBBDF3A559FAEF8B5D3FF738E64618B06FA7124FCEA4AC9B17EF','{"kept":"placed","order":"ord_01m8bc4g51ecs8x1j8c9hpgxar"}',1795764559009039);
INSERT INTO "idempotency" VALUES('key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','place_order','done',X'301C32BFB5F3186D6B625A51AA2972DDCD6F6AD2D6CF8406AF0D6D129C1DF9A4','{"kept":"placed","order":"ord_01m8bc4fqcfs9skej6sh6mk9v9"}',1795764558578563);
INSERT INTO "idempotency" VALUES('key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','place_order','slow',X'13D73B77EFEA66C575D5848C4BD87CF03CA2194631F2F5F5A5474835F34E3F82','{"kept":"placed","order":"ord_01m8bc4gj1epds2xf7wmg7sqcw"}',1795764559425506);
CREATE TABLE last_number (
    location_id    BLOB NOT NULL,
    day            TEXT NOT NULL,
    number         BIGINT NOT NULL,
    PRIMARY KEY (location_id, day)
);
INSERT INTO "last_number" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','2026-11-26',5);
CREATE TABLE lease (
    name        TEXT PRIMARY KEY,
    -- Empty when it was given up.
    holder      TEXT NOT NULL,
    term        BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE lease_beat (
    name        TEXT PRIMARY KEY,
    beat        BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE location (
    id             BLOB PRIMARY KEY,
    version        BIGINT NOT NULL,
    time_zone      TEXT NOT NULL,
    cut_off_minutes BIGINT NOT NULL,
    currency       TEXT NOT NULL,
    starts_unpaid  BIGINT NOT NULL,
    is_default     BIGINT NOT NULL
);
INSERT INTO "location" VALUES(X'01A216C23CED7C66B2C31B99CB99222C',1,'Asia/Jakarta',240,'IDR',0,1);
CREATE TABLE migration (
             name TEXT PRIMARY KEY, position BIGINT NOT NULL, applied_at BIGINT NOT NULL);
INSERT INTO "migration" VALUES('store/0001_store',0,1795678157960468);
INSERT INTO "migration" VALUES('store/0002_instances',1,1795678157960468);
INSERT INTO "migration" VALUES('store/0003_forks',2,1795678157960468);
INSERT INTO "migration" VALUES('0001_orders',3,1795678157960468);
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
INSERT INTO "orders" VALUES(X'01A216C23EEC7E5399BA46CC4D49A769',5,5,X'01A216C23EEB7AEC98FFA0748DE4869E',X'01A216C23CED7C66B2C31B99CB99222C','2026-11-26',1,X'01A216C23D9178A4B72C408D0060D352','confirmed','sold','captured','sandbox',0,0,0,'[{"sku":"kopi-susu","name":"Palm sugar milk coffee","quantity":2,"unit_price":2500000,"tax_rate":1100}]',NULL,'IDR',495495,5000000,5000000,0,0,NULL,NULL,NULL,1795678158578563,1795678158637799,1795678158609915);
INSERT INTO "orders" VALUES(X'01A216C23FBF7DE6A14B792A4A969FD0',5,5,X'01A216C23FBF7C4C9E78795B3AF1C987',X'01A216C23CED7C66B2C31B99CB99222C','2026-11-26',2,X'01A216C23D9178A4B72C408D0060D352','confirmed','sold','captured','sandbox',0,0,0,'[{"sku":"kopi-susu","name":"Palm sugar milk coffee","quantity":2,"unit_price":2500000,"tax_rate":1100}]',NULL,'IDR',495495,5000000,5000000,0,0,NULL,NULL,NULL,1795678158783448,1795678158801724,1795678158800629);
INSERT INTO "orders" VALUES(X'01A216C240A173328E86486263687558',4,4,X'01A216C240A07E449FF2B8CDCBB5C0D0',X'01A216C23CED7C66B2C31B99CB99222C','2026-11-26',3,X'01A216C23D9178A4B72C408D0060D352','cancelled','released','declined','sandbox',0,1,1,'[{"sku":"kopi-susu","name":"Palm sugar milk coffee","quantity":2,"unit_price":2500000,"tax_rate":1100}]',NULL,'IDR',495495,5000000,0,0,0,NULL,'{"reason":"payment_declined","restock":true,"by_staff":false}',NULL,1795678159009039,1795678159014338,1795678159014338);
INSERT INTO "orders" VALUES(X'01A216C2415B79E0808D8047DE3FDDCC',3,3,X'01A216C2415B7EE492F682D24F953EC8',X'01A216C23CED7C66B2C31B99CB99222C','2026-11-26',4,X'01A216C23D9178A4B72C408D0060D352','stock_held','reserved','requires_action','sandbox',0,0,0,'[{"sku":"kopi-susu","name":"Palm sugar milk coffee","quantity":2,"unit_price":2500000,"tax_rate":1100}]',NULL,'IDR',495495,5000000,0,0,0,'{"type":"redirect","url":"http://127.0.0.1:18090/v1/sandbox/actions/pay_01m8bc4gavf7g813c08zf3zqec.e10d2960fd978a413b56b8097afe33b0","expires_at":"2026-11-26T07:39:19.209432Z"}',NULL,1795679059195229,1795678159195229,1795678159210647,NULL);
INSERT INTO "orders" VALUES(X'01A216C24241759B9175E7E5207CDD9C',2,2,X'01A216C24241709F951BBD5C12189BBD',X'01A216C23CED7C66B2C31B99CB99222C','2026-11-26',5,X'01A216C23D9178A4B72C408D0060D352','stock_held','reserved','pending','sandbox',0,0,0,'[{"sku":"kopi-susu","name":"Palm sugar milk coffee","quantity":2,"unit_price":2500000,"tax_rate":1100}]',NULL,'IDR',495495,5000000,0,0,0,NULL,NULL,1795679059425506,1795678159425506,1795678159430413,NULL);
CREATE TABLE parked (
    publisher   TEXT NOT NULL,
    sequence    BIGINT NOT NULL,
    lane        BIGINT NOT NULL,
    key         TEXT NOT NULL,
    event       TEXT NOT NULL,
    fault       TEXT NOT NULL,
    parked_at   BIGINT NOT NULL,
    PRIMARY KEY (publisher, sequence, lane)
) WITHOUT ROWID;
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
INSERT INTO "product" VALUES('kopi-susu',1,'Palm sugar milk coffee',2500000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('espresso',1,'Espresso',1800000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('americano',1,'Americano',2200000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('cappuccino',1,'Cappuccino',2800000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('tubruk',1,'Javanese coffee',1500000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('teh-tarik',1,'Pulled milk tea',2000000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('es-teh',1,'Iced tea',1000000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('wedang-jahe',1,'Hot ginger',1600000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('jus-alpukat',1,'Avocado juice',2400000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('jus-jeruk',1,'Orange juice',2000000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('roti-bakar',1,'Toast with chocolate',2200000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('pisang-goreng',1,'Fried banana',1500000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('nasi-goreng',1,'Fried rice',3800000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('mie-goreng',1,'Fried noodles',3500000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('klepon',1,'Palm sugar rice balls',1200000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('kue-lapis',1,'Layer cake',1400000,'IDR',1100,1,NULL);
INSERT INTO "product" VALUES('air-putih',1,'Water',500000,'IDR',1100,1,NULL);
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
CREATE TABLE store_meta (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    service     TEXT NOT NULL,
    lanes       BIGINT NOT NULL,
    epoch       BLOB NOT NULL,
    -- The epoch before the last restore and the place where this one forked from it.
    parent      BLOB,
    forked_at   BIGINT
);
INSERT INTO "store_meta" VALUES(1,'orders',1,X'01A216C23C987D8283DE86A0EE519F5C',NULL,NULL);
CREATE TABLE timer (
    due         BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    key         TEXT NOT NULL,
    PRIMARY KEY (due, kind, key)
) WITHOUT ROWID;
INSERT INTO "timer" VALUES(1795679059195229,'deadline','ord_01m8bc4gavf7g813c08zf3zqec/loc_01m8bc4f7dfhkb5grvk75sj8hc');
INSERT INTO "timer" VALUES(1795679059425506,'deadline','ord_01m8bc4gj1epds2xf7wmg7sqcw/loc_01m8bc4f7dfhkb5grvk75sj8hc');
CREATE UNIQUE INDEX feed_by_key ON feed (key, keyversion);
CREATE INDEX idempotency_by_age ON idempotency (kept_until);
CREATE UNIQUE INDEX orders_by_number ON orders (location_id, day, number);
CREATE INDEX orders_by_customer ON orders (customer_id, id) WHERE customer_id IS NOT NULL;
CREATE INDEX orders_unsettled ON orders (customer_id) WHERE settled_at IS NULL;
CREATE INDEX orders_by_stage ON orders (stage, id, location_id) WHERE settled_at IS NOT NULL;
DELETE FROM "sqlite_sequence";
COMMIT;