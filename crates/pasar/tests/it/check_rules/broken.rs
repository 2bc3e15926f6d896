//! What breaks a copy of the data for each rule.

/// One statement that breaks a copy, and what must be said of it.
pub(super) struct Broken {
    pub(super) database: &'static str,
    pub(super) sql: &'static str,
    pub(super) rule: &'static str,
    /// Part of the row's name.
    pub(super) row: &'static str,
}

pub(super) const BROKEN: [Broken; 43] = [
    Broken {
        database: "orders",
        sql: "DELETE FROM feed WHERE sequence = 3",
        rule: "feed",
        row: "orders feed 3",
    },
    Broken {
        database: "users",
        sql: "UPDATE feed_head SET head = head + 1",
        rule: "feed",
        row: "users feed_head",
    },
    Broken {
        database: "payments",
        sql: "UPDATE feed SET keyversion = keyversion + 7 WHERE sequence = 2",
        rule: "key-versions",
        row: "payments feed 2",
    },
    Broken {
        database: "inventory",
        sql: "UPDATE follower_position SET sequence = sequence + 1000",
        rule: "positions",
        row: "inventory follower_position of orders",
    },
    Broken {
        database: "orders",
        sql: "UPDATE store_meta SET trimmed = 100000",
        rule: "positions",
        row: "inventory follower_position of orders",
    },
    Broken {
        database: "orders",
        sql: "UPDATE follower_position SET epoch = zeroblob(16) WHERE publisher = 'payments'",
        rule: "positions",
        row: "orders follower_position of payments",
    },
    Broken {
        database: "payments",
        sql: "INSERT INTO parked (publisher, sequence, lane, key, event, fault, parked_at)
              VALUES ('orders', 5, 0, 'ord_x', '{}', 'it did not fit', 0)",
        rule: "parked",
        row: "payments parked orders 5",
    },
    Broken {
        database: "orders",
        sql: "UPDATE orders SET keyversion = keyversion + 1 WHERE number = 1",
        rule: "row-versions",
        row: "orders orders ord_",
    },
    Broken {
        database: "inventory",
        sql: "UPDATE product SET keyversion = keyversion - 1 WHERE sku = 'rule-tea'",
        rule: "row-versions",
        row: "inventory product product:rule-tea",
    },
    Broken {
        database: "inventory",
        sql: "UPDATE stock SET on_hand = on_hand + 1 WHERE sku = 'rule-tea'",
        rule: "stock-movements",
        row: " rule-tea",
    },
    Broken {
        database: "inventory",
        sql: "UPDATE movement SET change = change - 1 WHERE kind = 'sale' AND sku = 'rule-tea'
              AND number = 2",
        rule: "stock-movements",
        row: " rule-tea 2",
    },
    Broken {
        database: "inventory",
        sql: "DELETE FROM movement WHERE sku = 'rule-tea' AND number = 2",
        rule: "stock-movements",
        row: " rule-tea",
    },
    Broken {
        database: "inventory",
        sql: "UPDATE feed SET type = 'stock.unheard_of.v1'
              WHERE sequence = (SELECT MIN(sequence) FROM feed WHERE type = 'stock.sold.v1')",
        rule: "stock-events",
        row: " rule-tea",
    },
    Broken {
        database: "inventory",
        sql: "UPDATE stock SET reserved = reserved + 1 WHERE sku = 'rule-tea'",
        rule: "stock-reserved",
        row: " rule-tea",
    },
    Broken {
        database: "inventory",
        sql: "UPDATE reservation SET state = 'held' WHERE order_id =
              (SELECT order_id FROM reservation WHERE state = 'sold' LIMIT 1)",
        rule: "reservations",
        row: "inventory reservation ord_",
    },
    Broken {
        database: "orders",
        sql: "DELETE FROM orders WHERE number = 1",
        rule: "reservations",
        row: "inventory reservation ord_",
    },
    Broken {
        database: "payments",
        sql: "UPDATE ledger_entry SET amount_minor = amount_minor + 1 WHERE sequence = 1",
        rule: "ledger-balance",
        row: "payments ledger_entry ltx_",
    },
    Broken {
        database: "payments",
        sql: "DELETE FROM ledger_entry WHERE transaction_id =
              (SELECT transaction_id FROM ledger_entry WHERE sequence = 1)",
        rule: "ledger-payments",
        row: "payments payment pay_",
    },
    Broken {
        database: "payments",
        sql: "UPDATE payment SET state = 'voided' WHERE id =
              (SELECT id FROM payment WHERE state = 'captured' LIMIT 1)",
        rule: "payments",
        row: "payments payment pay_",
    },
    Broken {
        database: "orders",
        sql: "UPDATE orders SET total = total + 1 WHERE number = 1",
        rule: "payments",
        row: "payments payment pay_",
    },
    Broken {
        database: "sandbox",
        sql: "UPDATE charge SET captured_minor = captured_minor - 1 WHERE reference =
              (SELECT reference FROM charge WHERE state = 'captured' LIMIT 1)",
        rule: "provider",
        row: "sandbox charge pay_",
    },
    Broken {
        database: "sandbox",
        sql: "DELETE FROM charge WHERE reference =
              (SELECT reference FROM charge WHERE state = 'captured' LIMIT 1)",
        rule: "provider",
        row: "payments payment pay_",
    },
    Broken {
        database: "sandbox",
        sql: "UPDATE charge SET captures = 2 WHERE reference =
              (SELECT reference FROM charge WHERE state = 'captured' LIMIT 1)",
        rule: "captured-once",
        row: "sandbox charge pay_",
    },
    Broken {
        database: "orders",
        sql: "UPDATE orders SET stage = 'cancelling', settled_at = NULL WHERE number = 1",
        rule: "settled",
        row: "orders orders ord_",
    },
    Broken {
        database: "orders",
        sql: "DELETE FROM timer WHERE kind = 'pay_by'",
        rule: "settled",
        row: "orders orders ord_",
    },
    Broken {
        database: "relay",
        sql: "DELETE FROM message WHERE position = 3",
        rule: "log",
        row: "relay message 3",
    },
    Broken {
        database: "relay",
        sql: "UPDATE log SET head = head + 1",
        rule: "log",
        row: "relay message ",
    },
    Broken {
        database: "relay",
        sql: "UPDATE log SET head = head - 1",
        rule: "log",
        row: "relay log",
    },
    Broken {
        database: "relay",
        sql: "UPDATE log SET bytes = bytes + 1",
        rule: "log-bytes",
        row: "relay log",
    },
    Broken {
        database: "relay",
        sql: "DELETE FROM message WHERE position =
              (SELECT position FROM message WHERE topic = 'orders' AND sequence = 3)",
        rule: "copied",
        row: "orders feed 3",
    },
    Broken {
        database: "relay",
        sql: "UPDATE message SET sequence = sequence - 1 WHERE position =
              (SELECT MAX(position) FROM message WHERE topic = 'orders')",
        rule: "copied",
        row: "relay message ",
    },
    Broken {
        database: "relay",
        sql: "UPDATE message SET keyversion = keyversion + 7 WHERE position = 2",
        rule: "copied",
        row: "relay message 2",
    },
    Broken {
        database: "relay",
        sql: "UPDATE follower_position SET sequence = sequence - 1 WHERE publisher = 'inventory'",
        rule: "copied",
        row: "relay follower_position of inventory",
    },
    Broken {
        database: "relay",
        sql: "DELETE FROM message WHERE position =
              (SELECT MAX(position) FROM message WHERE topic = 'payments')",
        rule: "copied",
        row: "relay follower_position of payments",
    },
    Broken {
        database: "relay",
        sql: "UPDATE subscription SET keyversion = keyversion + 1",
        rule: "row-versions",
        row: "relay subscription sub_",
    },
    Broken {
        database: "relay",
        sql: "UPDATE watermark SET position = 1000000",
        rule: "progress",
        row: "relay watermark",
    },
    Broken {
        database: "relay",
        sql: "UPDATE progress SET share = 3",
        rule: "progress",
        row: "relay progress of sub_",
    },
    Broken {
        database: "relay",
        sql: "UPDATE progress SET position = 1000000",
        rule: "progress",
        row: "relay progress of sub_",
    },
    Broken {
        database: "relay",
        sql: "DELETE FROM progress",
        rule: "progress",
        row: "relay progress of sub_",
    },
    Broken {
        database: "relay",
        sql: "DELETE FROM subscription",
        rule: "deliveries",
        row: "relay retry ",
    },
    Broken {
        database: "relay",
        sql: "DELETE FROM retry WHERE held = 0",
        rule: "deliveries",
        row: "relay retry ",
    },
    Broken {
        database: "relay",
        sql: "UPDATE dead_letter SET position = 1000000",
        rule: "deliveries",
        row: "relay dead_letter 1000000",
    },
    Broken {
        database: "relay",
        sql: "UPDATE attempt SET position = 1000000",
        rule: "deliveries",
        row: "relay attempt 1",
    },
];
