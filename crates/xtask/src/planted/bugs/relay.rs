//! In the relay.

use super::Bug;

pub(super) const BUGS: [Bug; 8] = [
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
        package: "pasar-relay",
        on_postgres: false,
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
        package: "pasar-relay",
        on_postgres: false,
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
        package: "pasar-relay",
        on_postgres: false,
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
        package: "pasar",
        on_postgres: false,
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
        package: "pasar-relay",
        on_postgres: false,
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
        package: "pasar",
        on_postgres: false,
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
        package: "pasar",
        on_postgres: false,
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
        package: "pasar",
        on_postgres: false,
        caught_by: "relay_outages::nats_jetstream",
    },
];
