//! The bugs that stay worth planting: where each goes, and which test must catch it.

use anyhow::ensure;

pub(crate) struct Bug {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) file: &'static str,
    /// Pieces of the file, each there once, and what takes their place.
    pub(crate) changes: &'static [(&'static str, &'static str)],
    /// Tests of the whole system whose names begin so.
    pub(crate) caught_by: &'static str,
}

const CRASH: &str = "crash::orders_survive_kill_9";

pub(crate) const BUGS: [Bug; 19] = [
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
        caught_by: "money::the_same_key",
    },
    Bug {
        name: "stock-oversold",
        what: "units are held without looking whether they are free",
        file: "crates/pasar-inventory/src/tables/stock.rs",
        changes: &[(
            "UPDATE stock SET reserved = reserved + ?3\n         WHERE location = ?1 AND sku = ?2 AND on_hand - reserved >= ?3",
            "UPDATE stock SET reserved = reserved + ?3, on_hand = MAX(on_hand, reserved + ?3)\n         WHERE location = ?1 AND sku = ?2 AND ?3 > 0",
        )],
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
        caught_by: "roles::every_operation",
    },
    Bug {
        name: "redirect-followed",
        what: "a destination's answer sends the relay on to another address",
        file: "crates/pasar-relay/src/destinations/rest.rs",
        changes: &[(
            "                Ok(answer) => answers::answered(&answer, &self.hidden, parcel.at),\n",
            "                Ok(answer) => {\n\
             \x20                   let location = answer.headers.get(http::header::LOCATION);\n\
             \x20                   let location = location.and_then(|to| to.to_str().ok()?.parse::<http::Uri>().ok());\n\
             \x20                   if let Some(authority) = location.as_ref().and_then(http::Uri::authority) {\n\
             \x20                       drop(tokio::net::TcpStream::connect(authority.as_str()).await);\n\
             \x20                   }\n\
             \x20                   answers::answered(&answer, &self.hidden, parcel.at)\n\
             \x20               }\n",
        )],
        caught_by: "guard::a_redirect_to",
    },
    Bug {
        name: "literal-not-guarded",
        what: "an address that is written out is connected to without a look at it",
        file: "crates/pasar-relay/src/destinations/guard.rs",
        changes: &[(
            "            Some(address) => vec![SocketAddr::new(address, port)],\n",
            "            Some(address) => return Ok(vec![SocketAddr::new(address, port)]),\n",
        )],
        caught_by: "guard::no_form_of",
    },
    Bug {
        name: "position-before-delivery",
        what: "a subscription's position passes messages that are still on their way",
        file: "crates/pasar-relay/src/delivery/courier.rs",
        changes: &[(
            "        match [unresolved, read, waiting].into_iter()",
            "        let _ = unresolved;\n        match [read, waiting].into_iter()",
        )],
        caught_by: "delivery::restarts::what_was_in_flight",
    },
    Bug {
        name: "watermark-ahead",
        what: "the shared watermark passes messages that a subscription has not resolved",
        file: "crates/pasar-relay/src/delivery/board.rs",
        changes: &[(
            "floors.fold(self.dispatched(), i64::min)",
            "floors.fold(self.dispatched(), |level, _| level)",
        )],
        caught_by: "relay_crash::",
    },
    Bug {
        name: "key-released-early",
        what: "the next message of a key is sent before the success of the one before it is stored",
        file: "crates/pasar-relay/src/delivery/courier/sending.rs",
        changes: &[(
            "        self.finished.push(item);\n",
            "        if let Some(key) = &item.message.key {\n\
             \x20           for place in self.keys.leave(key) {\n\
             \x20               self.put(place);\n\
             \x20           }\n\
             \x20       }\n\
             \x20       self.finished.push(item);\n",
        )],
        caught_by: "delivery::ordering::the_next_of_a_key",
    },
    Bug {
        name: "window-ignored",
        what: "more deliveries are in flight than the subscription allows",
        file: "crates/pasar-relay/src/delivery/courier.rs",
        changes: &[(
            "Ordering::None | Ordering::Key => self.spec.concurrency.into(),",
            "Ordering::None | Ordering::Key => usize::from(self.spec.concurrency) * 8,",
        )],
        caught_by: "relay_crash_brokers::redis_channel",
    },
    Bug {
        name: "outage-counted",
        what: "a broker that is down costs attempts",
        file: "crates/pasar-relay/src/delivery/courier/sending.rs",
        changes: &[(
            "            && kind.outage_is_free()\n",
            "            && kind.outage_is_free()\n            && ended.job.message.position % 7 == 0\n",
        )],
        caught_by: "relay_outages::redis_stream",
    },
    Bug {
        name: "in-flight-forgotten",
        what: "what was in flight when a broker went down is not sent again",
        file: "crates/pasar-relay/src/delivery/courier/sending.rs",
        changes: &[(
            "                self.ready.insert((position, false), ended.job);\n",
            "                drop(ended.job);\n",
        )],
        caught_by: "relay_outages::nats_jetstream",
    },
];

impl Bug {
    /// The file with the bug in it.
    pub(crate) fn planted(&self, whole: &str) -> anyhow::Result<String> {
        let mut text = whole.to_owned();
        for (old, new) in self.changes {
            let found = text.matches(old).count();
            ensure!(
                found == 1,
                "{}: {found} times in {}: {old}",
                self.name,
                self.file
            );
            text = text.replace(old, new);
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn every_bug_still_finds_its_place() {
        let workspace = Workspace::find().unwrap();
        for bug in &BUGS {
            let whole = fs::read_to_string(workspace.root().join(bug.file)).unwrap();
            bug.planted(&whole).unwrap();
        }
    }
}
