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
INSERT INTO "feed" VALUES(1,X'01A216C23CED7198AF03FE47137445BE','location.changed.v1','location:loc_01m8bc4f7dfhkb5grvk75sj8hc',1,1795678158061741,X'01A216C23CED794B8FFB0BA4CC19132C',NULL,NULL,'service:inventory','{"location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","name":"Main","time_zone":"Asia/Jakarta","cut_off_minutes":240,"currency":"IDR","starts_unpaid":false,"is_default":true}',NULL);
INSERT INTO "feed" VALUES(2,X'01A216C23D8E7BBA9A908D21E65DC2A3','product.changed.v1','product:kopi-susu',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"kopi-susu","name":"Palm sugar milk coffee","names":{"en":"Palm sugar milk coffee","id":"Kopi susu gula aren"},"price":{"amount_minor":2500000,"currency":"IDR"},"tax_rate":1100,"category":"coffee","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(3,X'01A216C23D8E736D8BA7B39606416266','product.changed.v1','product:espresso',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"espresso","name":"Espresso","names":{"en":"Espresso","id":"Espreso"},"price":{"amount_minor":1800000,"currency":"IDR"},"tax_rate":1100,"category":"coffee","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(4,X'01A216C23D8E77189205FBE5188F750E','product.changed.v1','product:americano',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"americano","name":"Americano","names":{"en":"Americano","id":"Americano"},"price":{"amount_minor":2200000,"currency":"IDR"},"tax_rate":1100,"category":"coffee","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(5,X'01A216C23D8E738CBA4A34CD975310C6','product.changed.v1','product:cappuccino',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"cappuccino","name":"Cappuccino","names":{"en":"Cappuccino","id":"Kapucino"},"price":{"amount_minor":2800000,"currency":"IDR"},"tax_rate":1100,"category":"coffee","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(6,X'01A216C23D8E79DEA77594F3B5C79F00','product.changed.v1','product:tubruk',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"tubruk","name":"Javanese coffee","names":{"en":"Javanese coffee","id":"Kopi tubruk"},"price":{"amount_minor":1500000,"currency":"IDR"},"tax_rate":1100,"category":"coffee","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(7,X'01A216C23D8E7C06B973D35DBDFEF8A8','product.changed.v1','product:teh-tarik',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"teh-tarik","name":"Pulled milk tea","names":{"en":"Pulled milk tea","id":"Teh tarik"},"price":{"amount_minor":2000000,"currency":"IDR"},"tax_rate":1100,"category":"tea","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(8,X'01A216C23D8E71CE87D8D958E4871691','product.changed.v1','product:es-teh',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"es-teh","name":"Iced tea","names":{"en":"Iced tea","id":"Es teh manis"},"price":{"amount_minor":1000000,"currency":"IDR"},"tax_rate":1100,"category":"tea","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(9,X'01A216C23D8E7739868FB34A8078CC2C','product.changed.v1','product:wedang-jahe',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"wedang-jahe","name":"Hot ginger","names":{"en":"Hot ginger","id":"Wedang jahe"},"price":{"amount_minor":1600000,"currency":"IDR"},"tax_rate":1100,"category":"tea","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(10,X'01A216C23D8E72BA9C16AA5B457D6860','product.changed.v1','product:jus-alpukat',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"jus-alpukat","name":"Avocado juice","names":{"en":"Avocado juice","id":"Jus alpukat"},"price":{"amount_minor":2400000,"currency":"IDR"},"tax_rate":1100,"category":"juice","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(11,X'01A216C23D8E7EAF9B841240323DAC7E','product.changed.v1','product:jus-jeruk',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"jus-jeruk","name":"Orange juice","names":{"en":"Orange juice","id":"Jus jeruk"},"price":{"amount_minor":2000000,"currency":"IDR"},"tax_rate":1100,"category":"juice","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(12,X'01A216C23D8E75ABBDC64245C2B3E2AE','product.changed.v1','product:roti-bakar',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"roti-bakar","name":"Toast with chocolate","names":{"en":"Toast with chocolate","id":"Roti bakar cokelat"},"price":{"amount_minor":2200000,"currency":"IDR"},"tax_rate":1100,"category":"food","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(13,X'01A216C23D8E7E8193AD2528BD1C2E4B','product.changed.v1','product:pisang-goreng',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"pisang-goreng","name":"Fried banana","names":{"en":"Fried banana","id":"Pisang goreng"},"price":{"amount_minor":1500000,"currency":"IDR"},"tax_rate":1100,"category":"food","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(14,X'01A216C23D8E7B92B3199FEB3CBDC8B9','product.changed.v1','product:nasi-goreng',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"nasi-goreng","name":"Fried rice","names":{"en":"Fried rice","id":"Nasi goreng"},"price":{"amount_minor":3800000,"currency":"IDR"},"tax_rate":1100,"category":"food","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(15,X'01A216C23D8E710ABBBE251D57A271D9','product.changed.v1','product:mie-goreng',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"mie-goreng","name":"Fried noodles","names":{"en":"Fried noodles","id":"Mie goreng"},"price":{"amount_minor":3500000,"currency":"IDR"},"tax_rate":1100,"category":"food","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(16,X'01A216C23D8E7E15AE04BA3217DFC483','product.changed.v1','product:klepon',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"klepon","name":"Palm sugar rice balls","names":{"en":"Palm sugar rice balls","id":"Klepon"},"price":{"amount_minor":1200000,"currency":"IDR"},"tax_rate":1100,"category":"sweets","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(17,X'01A216C23D8E79AEA8C5991B3A7D33CD','product.changed.v1','product:kue-lapis',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"kue-lapis","name":"Layer cake","names":{"en":"Layer cake","id":"Kue lapis"},"price":{"amount_minor":1400000,"currency":"IDR"},"tax_rate":1100,"category":"sweets","track_stock":true,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(18,X'01A216C23D8E7B01AE481B86AD2FB767','product.changed.v1','product:air-putih',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"air-putih","name":"Water","names":{"en":"Water","id":"Air putih"},"price":{"amount_minor":500000,"currency":"IDR"},"tax_rate":1100,"category":"other","track_stock":false,"orderable":true}',NULL);
INSERT INTO "feed" VALUES(19,X'01A216C23D8E7098B634C74BD002D183','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:kopi-susu',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"kopi-susu","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":200,"on_hand":200}',NULL);
INSERT INTO "feed" VALUES(20,X'01A216C23D8E7172825880E1DA735FE5','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:espresso',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"espresso","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":200,"on_hand":200}',NULL);
INSERT INTO "feed" VALUES(21,X'01A216C23D8E77D990AF8F02EC9982B2','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:americano',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"americano","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":200,"on_hand":200}',NULL);
INSERT INTO "feed" VALUES(22,X'01A216C23D8E7F23A2AA7185835908B2','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:cappuccino',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"cappuccino","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":200,"on_hand":200}',NULL);
INSERT INTO "feed" VALUES(23,X'01A216C23D8E748EA5AAE6279230C2E7','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:tubruk',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"tubruk","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":200,"on_hand":200}',NULL);
INSERT INTO "feed" VALUES(24,X'01A216C23D8E7A86A08186A493FE48A3','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:teh-tarik',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"teh-tarik","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":150,"on_hand":150}',NULL);
INSERT INTO "feed" VALUES(25,X'01A216C23D8E7B36B2188DF291CBED8D','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:es-teh',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"es-teh","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":150,"on_hand":150}',NULL);
INSERT INTO "feed" VALUES(26,X'01A216C23D8E779BA9BEF46FD13D2820','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:wedang-jahe',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"wedang-jahe","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":80,"on_hand":80}',NULL);
INSERT INTO "feed" VALUES(27,X'01A216C23D8E7DE2B9DED6215F95B8C8','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:jus-alpukat',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"jus-alpukat","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":60,"on_hand":60}',NULL);
INSERT INTO "feed" VALUES(28,X'01A216C23D8E76E09652F3B75DD977C3','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:jus-jeruk',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"jus-jeruk","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":60,"on_hand":60}',NULL);
INSERT INTO "feed" VALUES(29,X'01A216C23D8E74929DF77195B285EA61','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:roti-bakar',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"roti-bakar","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":50,"on_hand":50}',NULL);
INSERT INTO "feed" VALUES(30,X'01A216C23D8E7D8F95B9925182D193FF','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:pisang-goreng',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"pisang-goreng","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":60,"on_hand":60}',NULL);
INSERT INTO "feed" VALUES(31,X'01A216C23D8E74199135A393F5B73AA2','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:nasi-goreng',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"nasi-goreng","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":40,"on_hand":40}',NULL);
INSERT INTO "feed" VALUES(32,X'01A216C23D8E7E8FA1BDCEF87E3E5038','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:mie-goreng',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"mie-goreng","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":40,"on_hand":40}',NULL);
INSERT INTO "feed" VALUES(33,X'01A216C23D8E76F49CA3EBC1F08C0D31','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:klepon',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"klepon","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":45,"on_hand":45}',NULL);
INSERT INTO "feed" VALUES(34,X'01A216C23D8E75E7AAF991DCEE483B19','stock.received.v1','stock:loc_01m8bc4f7dfhkb5grvk75sj8hc:kue-lapis',1,1795678158222851,X'01A216C23D8D75A08BDFC5B362ED04C1',NULL,NULL,'operator','{"sku":"kue-lapis","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","quantity":30,"on_hand":30}',NULL);
INSERT INTO "feed" VALUES(35,X'01A216C23EF97C5EBD319B6ECCF97CFD','stock.reserved.v1','ord_01m8bc4fqcfs9skej6sh6mk9v9',1,1795678158585676,X'01A216C23EEB7AEC98FFA0748DE4869E','evt_01m8bc4fqje7ft4srcenhs1emw',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4fqcfs9skej6sh6mk9v9","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","reservation_id":"rsv_01m8bc4fqsf2q9hfxjnvj4bxd8","expires_at":"2026-11-26T07:54:18.578563Z"}',NULL);
INSERT INTO "feed" VALUES(36,X'01A216C23F22718197345466747EDFF9','stock.sold.v1','ord_01m8bc4fqcfs9skej6sh6mk9v9',2,1795678158626325,X'01A216C23EEB7AEC98FFA0748DE4869E','evt_01m8bc4frheftbshrwzr8xketz',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4fqcfs9skej6sh6mk9v9","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","reservation_id":"rsv_01m8bc4fqsf2q9hfxjnvj4bxd8"}',NULL);
INSERT INTO "feed" VALUES(37,X'01A216C23FC07A22B39FD7210E2509C1','stock.reserved.v1','ord_01m8bc4fxzfqka2jvs5959d7yg',1,1795678158784218,X'01A216C23FBF7C4C9E78795B3AF1C987','evt_01m8bc4fxzfegs2671n3bntfce',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4fxzfqka2jvs5959d7yg","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","reservation_id":"rsv_01m8bc4fy0epg8cmbd0yvycchj","expires_at":"2026-11-26T07:54:18.783448Z"}',NULL);
INSERT INTO "feed" VALUES(38,X'01A216C23FD17DF8BE2736461AB7C436','stock.sold.v1','ord_01m8bc4fxzfqka2jvs5959d7yg',2,1795678158801164,X'01A216C23FBF7C4C9E78795B3AF1C987','evt_01m8bc4fygfte8b841h66v2ebt',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4fxzfqka2jvs5959d7yg","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","reservation_id":"rsv_01m8bc4fy0epg8cmbd0yvycchj"}',NULL);
INSERT INTO "feed" VALUES(39,X'01A216C240A273EFB4A87BAB3DF69C95','stock.reserved.v1','ord_01m8bc4g51ecs8x1j8c9hpgxar',1,1795678159010671,X'01A216C240A07E449FF2B8CDCBB5C0D0','evt_01m8bc4g51edxrxjkm02nw1cdj',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4g51ecs8x1j8c9hpgxar","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","reservation_id":"rsv_01m8bc4g52e9s9r75ttts8jb76","expires_at":"2026-11-26T07:54:19.009039Z"}',NULL);
INSERT INTO "feed" VALUES(40,X'01A216C240A5739AA36D96C6F73C661C','stock.released.v1','ord_01m8bc4g51ecs8x1j8c9hpgxar',2,1795678159013025,X'01A216C240A07E449FF2B8CDCBB5C0D0','evt_01m8bc4g54f7fafvy7cpnttg3f',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4g51ecs8x1j8c9hpgxar","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","undone":"reservation"}',NULL);
INSERT INTO "feed" VALUES(41,X'01A216C241687C54B78D0E09A67EDCE3','stock.reserved.v1','ord_01m8bc4gavf7g813c08zf3zqec',1,1795678159208054,X'01A216C2415B7EE492F682D24F953EC8','evt_01m8bc4gavfk8t9jwn7qsggwgs',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4gavf7g813c08zf3zqec","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","reservation_id":"rsv_01m8bc4gb8e6xa4kj12mf7c8rb","expires_at":"2026-11-26T07:54:19.195229Z"}',NULL);
INSERT INTO "feed" VALUES(42,X'01A216C242457C3EB77730143D6AC1EB','stock.reserved.v1','ord_01m8bc4gj1epds2xf7wmg7sqcw',1,1795678159429365,X'01A216C24241709F951BBD5C12189BBD','evt_01m8bc4gj1ea9ss56wts57nv1h',NULL,'key:key_01m8bc4fchf8psjd3h7m52t3yr:usr_01m8bc4fchf2jbeb20hm061mtj','{"order_id":"ord_01m8bc4gj1epds2xf7wmg7sqcw","location_id":"loc_01m8bc4f7dfhkb5grvk75sj8hc","reservation_id":"rsv_01m8bc4gj5e0t8d82wa2jxf6rz","expires_at":"2026-11-26T07:54:19.425506Z"}',NULL);
CREATE TABLE feed_head (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    head        BIGINT NOT NULL
, news BIGINT NOT NULL DEFAULT 0);
INSERT INTO "feed_head" VALUES(1,42,10);
CREATE TABLE follower_position (
    publisher   TEXT NOT NULL,
    lane        BIGINT NOT NULL,
    epoch       BLOB NOT NULL,
    sequence    BIGINT NOT NULL,
    PRIMARY KEY (publisher, lane)
) WITHOUT ROWID;
INSERT INTO "follower_position" VALUES('orders',0,X'01A216C23C987D8283DE86A0EE519F5C',18);
CREATE TABLE idempotency (
    actor       TEXT NOT NULL,
    command     TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    outcome     TEXT NOT NULL,
    kept_until  BIGINT NOT NULL,
    PRIMARY KEY (actor, command, key)
) WITHOUT ROWID;
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
    id              BLOB PRIMARY KEY,
    name            TEXT NOT NULL,
    time_zone       TEXT NOT NULL,
    cut_off_minutes BIGINT NOT NULL CHECK (cut_off_minutes BETWEEN 0 AND 1439),
    currency        TEXT NOT NULL,
    starts_unpaid   BIGINT NOT NULL CHECK (starts_unpaid IN (0, 1)),
    is_default      BIGINT NOT NULL CHECK (is_default IN (0, 1)),
    keyversion      BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO "location" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','Main','Asia/Jakarta',240,'IDR',0,1,1);
CREATE TABLE migration (
             name TEXT PRIMARY KEY, position BIGINT NOT NULL, applied_at BIGINT NOT NULL);
INSERT INTO "migration" VALUES('store/0001_store',0,1795678157969347);
INSERT INTO "migration" VALUES('store/0002_instances',1,1795678157969347);
INSERT INTO "migration" VALUES('store/0003_forks',2,1795678157969347);
INSERT INTO "migration" VALUES('0001_inventory',3,1795678157969347);
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
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','americano',1,'intake',200,200,NULL,'demo','operator',1795678158222851);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','cappuccino',1,'intake',200,200,NULL,'demo','operator',1795678158222851);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','es-teh',1,'intake',150,150,NULL,'demo','operator',1795678158222851);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','espresso',1,'intake',200,200,NULL,'demo','operator',1795678158222851);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','jus-alpukat',1,'intake',60,60,NULL,'demo','operator',1795678158222851);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','jus-jeruk',1,'intake',60,60,NULL,'demo','operator',1795678158222851);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','klepon',1,'intake',45,45,NULL,'demo','operator',1795678158222851);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','kopi-susu',1,'intake',200,200,NULL,'demo','operator',1795678158222851);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','kopi-susu',2,'sale',-2,198,X'01A216C23EEC7E5399BA46CC4D49A769',NULL,NULL,1795678158626325);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','kopi-susu',3,'sale',-2,196,X'01A216C23FBF7DE6A14B792A4A969FD0',NULL,NULL,1795678158801164);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','kue-lapis',1,'intake',30,30,NULL,'demo','operator',1795678158222851);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','mie-goreng',1,'intake',40,40,NULL,'demo','operator',1795678158222851);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','nasi-goreng',1,'intake',40,40,NULL,'demo','operator',1795678158222851);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','pisang-goreng',1,'intake',60,60,NULL,'demo','operator',1795678158222851);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','roti-bakar',1,'intake',50,50,NULL,'demo','operator',1795678158222851);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','teh-tarik',1,'intake',150,150,NULL,'demo','operator',1795678158222851);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','tubruk',1,'intake',200,200,NULL,'demo','operator',1795678158222851);
INSERT INTO "movement" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','wedang-jahe',1,'intake',80,80,NULL,'demo','operator',1795678158222851);
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
INSERT INTO "product" VALUES('air-putih','Water','{"en":"Water","id":"Air putih"}',500000,'IDR',1100,'other',0,0,'air-putih
water
water
air putih',1);
INSERT INTO "product" VALUES('americano','Americano','{"en":"Americano","id":"Americano"}',2200000,'IDR',1100,'coffee',1,0,'americano
americano
americano
americano',1);
INSERT INTO "product" VALUES('cappuccino','Cappuccino','{"en":"Cappuccino","id":"Kapucino"}',2800000,'IDR',1100,'coffee',1,0,'cappuccino
cappuccino
cappuccino
kapucino',1);
INSERT INTO "product" VALUES('es-teh','Iced tea','{"en":"Iced tea","id":"Es teh manis"}',1000000,'IDR',1100,'tea',1,0,'es-teh
iced tea
iced tea
es teh manis',1);
INSERT INTO "product" VALUES('espresso','Espresso','{"en":"Espresso","id":"Espreso"}',1800000,'IDR',1100,'coffee',1,0,'espresso
espresso
espresso
espreso',1);
INSERT INTO "product" VALUES('jus-alpukat','Avocado juice','{"en":"Avocado juice","id":"Jus alpukat"}',2400000,'IDR',1100,'juice',1,0,'jus-alpukat
avocado juice
avocado juice
jus alpukat',1);
INSERT INTO "product" VALUES('jus-jeruk','Orange juice','{"en":"Orange juice","id":"Jus jeruk"}',2000000,'IDR',1100,'juice',1,0,'jus-jeruk
orange juice
orange juice
jus jeruk',1);
INSERT INTO "product" VALUES('klepon','Palm sugar rice balls','{"en":"Palm sugar rice balls","id":"Klepon"}',1200000,'IDR',1100,'sweets',1,0,'klepon
palm sugar rice balls
palm sugar rice balls
klepon',1);
INSERT INTO "product" VALUES('kopi-susu','Palm sugar milk coffee','{"en":"Palm sugar milk coffee","id":"Kopi susu gula aren"}',2500000,'IDR',1100,'coffee',1,0,'kopi-susu
palm sugar milk coffee
palm sugar milk coffee
kopi susu gula aren',1);
INSERT INTO "product" VALUES('kue-lapis','Layer cake','{"en":"Layer cake","id":"Kue lapis"}',1400000,'IDR',1100,'sweets',1,0,'kue-lapis
layer cake
layer cake
kue lapis',1);
INSERT INTO "product" VALUES('mie-goreng','Fried noodles','{"en":"Fried noodles","id":"Mie goreng"}',3500000,'IDR',1100,'food',1,0,'mie-goreng
fried noodles
fried noodles
mie goreng',1);
INSERT INTO "product" VALUES('nasi-goreng','Fried rice','{"en":"Fried rice","id":"Nasi goreng"}',3800000,'IDR',1100,'food',1,0,'nasi-goreng
fried rice
fried rice
nasi goreng',1);
INSERT INTO "product" VALUES('pisang-goreng','Fried banana','{"en":"Fried banana","id":"Pisang goreng"}',1500000,'IDR',1100,'food',1,0,'pisang-goreng
fried banana
fried banana
pisang goreng',1);
INSERT INTO "product" VALUES('roti-bakar','Toast with chocolate','{"en":"Toast with chocolate","id":"Roti bakar cokelat"}',2200000,'IDR',1100,'food',1,0,'roti-bakar
toast with chocolate
toast with chocolate
roti bakar cokelat',1);
INSERT INTO "product" VALUES('teh-tarik','Pulled milk tea','{"en":"Pulled milk tea","id":"Teh tarik"}',2000000,'IDR',1100,'tea',1,0,'teh-tarik
pulled milk tea
pulled milk tea
teh tarik',1);
INSERT INTO "product" VALUES('tubruk','Javanese coffee','{"en":"Javanese coffee","id":"Kopi tubruk"}',1500000,'IDR',1100,'coffee',1,0,'tubruk
javanese coffee
javanese coffee
kopi tubruk',1);
INSERT INTO "product" VALUES('wedang-jahe','Hot ginger','{"en":"Hot ginger","id":"Wedang jahe"}',1600000,'IDR',1100,'tea',1,0,'wedang-jahe
hot ginger
hot ginger
wedang jahe',1);
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
INSERT INTO "reservation" VALUES(X'01A216C23EEC7E5399BA46CC4D49A769',X'01A216C23EF978AE98BFB2AEE445F5A8',X'01A216C23CED7C66B2C31B99CB99222C','sold','[{"sku":"kopi-susu","quantity":2}]',1795679658578563,X'01A216C23EEB7AEC98FFA0748DE4869E',2);
INSERT INTO "reservation" VALUES(X'01A216C23FBF7DE6A14B792A4A969FD0',X'01A216C23FC075A086516D07B7E63232',X'01A216C23CED7C66B2C31B99CB99222C','sold','[{"sku":"kopi-susu","quantity":2}]',1795679658783448,X'01A216C23FBF7C4C9E78795B3AF1C987',2);
INSERT INTO "reservation" VALUES(X'01A216C240A173328E86486263687558',X'01A216C240A272729C1CBAD6B2892CE6',X'01A216C23CED7C66B2C31B99CB99222C','released','[{"sku":"kopi-susu","quantity":2}]',1795679659009039,X'01A216C240A07E449FF2B8CDCBB5C0D0',2);
INSERT INTO "reservation" VALUES(X'01A216C2415B79E0808D8047DE3FDDCC',X'01A216C2416871BAA24E41151E76230B',X'01A216C23CED7C66B2C31B99CB99222C','held','[{"sku":"kopi-susu","quantity":2}]',1795679659195229,X'01A216C2415B7EE492F682D24F953EC8',1);
INSERT INTO "reservation" VALUES(X'01A216C24241759B9175E7E5207CDD9C',X'01A216C24245703486A05C50A5D79B1F',X'01A216C23CED7C66B2C31B99CB99222C','held','[{"sku":"kopi-susu","quantity":2}]',1795679659425506,X'01A216C24241709F951BBD5C12189BBD',1);
CREATE TABLE sold_out (
    sku             TEXT NOT NULL,
    location        BLOB NOT NULL,
    until           BIGINT NOT NULL,
    PRIMARY KEY (sku, location)
) WITHOUT ROWID;
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
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','americano',200,0,1,1);
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','cappuccino',200,0,1,1);
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','es-teh',150,0,1,1);
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','espresso',200,0,1,1);
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','jus-alpukat',60,0,1,1);
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','jus-jeruk',60,0,1,1);
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','klepon',45,0,1,1);
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','kopi-susu',196,4,3,1);
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','kue-lapis',30,0,1,1);
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','mie-goreng',40,0,1,1);
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','nasi-goreng',40,0,1,1);
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','pisang-goreng',60,0,1,1);
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','roti-bakar',50,0,1,1);
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','teh-tarik',150,0,1,1);
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','tubruk',200,0,1,1);
INSERT INTO "stock" VALUES(X'01A216C23CED7C66B2C31B99CB99222C','wedang-jahe',80,0,1,1);
CREATE TABLE stock_return (
    order_id        BLOB NOT NULL,
    refund_id       BLOB NOT NULL,
    lines           TEXT NOT NULL,
    PRIMARY KEY (order_id, refund_id)
) WITHOUT ROWID;
CREATE TABLE store_meta (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    service     TEXT NOT NULL,
    lanes       BIGINT NOT NULL,
    epoch       BLOB NOT NULL,
    -- The epoch before the last restore and the place where this one forked from it.
    parent      BLOB,
    forked_at   BIGINT
);
INSERT INTO "store_meta" VALUES(1,'inventory',1,X'01A216C23C987F9BB7E0342A5BCC62C6',NULL,NULL);
CREATE TABLE timer (
    due         BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    key         TEXT NOT NULL,
    PRIMARY KEY (due, kind, key)
) WITHOUT ROWID;
INSERT INTO "timer" VALUES(1795679659195229,'reservation_expiry','ord_01m8bc4gavf7g813c08zf3zqec');
INSERT INTO "timer" VALUES(1795679659425506,'reservation_expiry','ord_01m8bc4gj1epds2xf7wmg7sqcw');
CREATE UNIQUE INDEX feed_by_key ON feed (key, keyversion);
CREATE INDEX idempotency_by_age ON idempotency (kept_until);
CREATE UNIQUE INDEX location_default ON location (is_default) WHERE is_default = 1;
CREATE INDEX reservation_held ON reservation (location) WHERE state = 'held';
DELETE FROM "sqlite_sequence";
COMMIT;