//! In the store and the services of the shop.

use super::Bug;

const CRASH: &str = "crash::orders_survive_kill_9";

pub(super) const BUGS: [Bug; 11] = [
    Bug {
        name: "answer-before-commit",
        what: "a caller is told that it is done while the disk is still at work",
        file: "crates/pasar-store/src/group.rs",
        changes: &[
            (
                "fn commit(&self, jobs: &mut [Box<dyn Job>])",
                "fn commit(&self, jobs: &mut Vec<Box<dyn Job>>)",
            ),
            (
                "fn pass(&self, jobs: &mut [Box<dyn Job>], run: Run)",
                "fn pass(&self, jobs: &mut Vec<Box<dyn Job>>, run: Run)",
            ),
            (
                "        self.finish(pending, results)\n",
                "        for (job, result) in jobs.drain(..).zip(results.drain(..)) {\n\
                 \x20           job.answer(result);\n        }\n\
                 \x20       std::thread::park_timeout(std::time::Duration::from_millis(5));\n\
                 \x20       self.finish(pending, results)\n",
            ),
        ],
        package: "pasar",
        on_postgres: false,
        caught_by: CRASH,
    },
    Bug {
        name: "commit-not-synced",
        what: "a commit is in the log and not yet on the disk when its callers are answered",
        file: "crates/pasar-store/src/engine/sqlite.rs",
        changes: &[(
            r#"pragma("synchronous", &"FULL")"#,
            r#"pragma("synchronous", &"NORMAL")"#,
        )],
        package: "pasar",
        on_postgres: false,
        caught_by: "crash::orders_survive_power_cuts",
    },
    Bug {
        name: "effects-without-position",
        what: "a follower's writes are committed, its position only now and then",
        file: "crates/pasar-store/src/follower.rs",
        changes: &[(
            "UPDATE follower_position SET sequence = ?5\n         WHERE publisher = ?1 AND lane = ?2 AND epoch = ?3 AND sequence = ?4",
            "UPDATE follower_position SET sequence = CASE WHEN ?5 % 64 = 0 THEN ?5 ELSE sequence END\n         WHERE publisher = ?1 AND lane = ?2 AND epoch = ?3 AND ?4 <= ?5",
        )],
        package: "pasar",
        on_postgres: false,
        caught_by: CRASH,
    },
    Bug {
        name: "position-without-effects",
        what: "a follower's position is committed, what it was to do now and then is not",
        file: "crates/pasar-store/src/follower.rs",
        changes: &[(
            "        context.enter(event.cause(publisher));\n        react(context, event)?;",
            "        if event.sequence % 97 == 0 {\n            continue;\n        }\n        context.enter(event.cause(publisher));\n        react(context, event)?;",
        )],
        package: "pasar",
        on_postgres: false,
        caught_by: CRASH,
    },
    Bug {
        name: "capture-repeated",
        what: "a capture that is repeated after a crash goes under another idempotency key",
        file: "crates/pasar-payments/src/effects/work.rs",
        changes: &[(
            "None => format!(\"{}:{operation}\", self.payment_id),",
            "None => format!(\"{}:{operation}:{}\", self.payment_id, std::process::id()),",
        )],
        package: "pasar",
        on_postgres: false,
        caught_by: CRASH,
    },
    Bug {
        name: "state-without-event",
        what: "a change of state is committed, its event now and then is not",
        file: "crates/pasar-store/src/context.rs",
        changes: &[(
            "        let id = self.new_id();\n        self.pending.events.push",
            "        let id = self.new_id();\n        if keyversion == 5 {\n            return Ok(());\n        }\n        self.pending.events.push",
        )],
        package: "pasar",
        on_postgres: false,
        caught_by: "walk::an_order_goes",
    },
    Bug {
        name: "key-forgotten",
        what: "the same idempotency key makes a second order",
        file: "crates/pasar-store/src/idempotency.rs",
        changes: &[(
            "AND key = ?3 AND kept_until > ?4",
            "AND key = ?3 AND kept_until < ?4",
        )],
        package: "pasar",
        on_postgres: false,
        caught_by: "money::the_same_key",
    },
    Bug {
        name: "stock-oversold",
        what: "units are held without looking whether they are free",
        file: "crates/pasar-inventory/src/tables/stock/shelf.rs",
        changes: &[(
            "let has_room = self.read.is_some() && self.available() >= quantity;",
            "let has_room = self.read.is_some();\n        if self.available() < quantity {\n            self.now.on_hand = self.now.reserved + quantity;\n        }",
        )],
        package: "pasar",
        on_postgres: false,
        caught_by: "stock::",
    },
    Bug {
        name: "stock-kept",
        what: "a released reservation keeps its units",
        file: "crates/pasar-inventory/src/tables/stock.rs",
        changes: &[(
            "UPDATE stock SET reserved = reserved - ?3\n         WHERE",
            "UPDATE stock SET reserved = reserved - 0 * ?3\n         WHERE",
        )],
        package: "pasar",
        on_postgres: false,
        caught_by: "stock::a_declined",
    },
    Bug {
        name: "refund-not-booked",
        what: "money is given back and the ledger does not know",
        file: "crates/pasar-payments/src/commands/change.rs",
        changes: &[(
            "    tables::ledger::post(ctx, &posting)?;\n    let event = PaymentRefunded {",
            "    let _ = posting;\n    let event = PaymentRefunded {",
        )],
        package: "pasar",
        on_postgres: false,
        caught_by: "money::refunds_never",
    },
    Bug {
        name: "order-seen-by-others",
        what: "whoever has an account sees any order",
        file: "crates/pasar-orders/src/api.rs",
        changes: &[(
            "self.is_staff() || (order.customer.is_some()",
            "self.0.user_id().is_some() || (order.customer.is_some()",
        )],
        package: "pasar",
        on_postgres: false,
        caught_by: "roles::every_operation",
    },
];
