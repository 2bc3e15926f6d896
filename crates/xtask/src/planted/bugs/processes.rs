//! Between processes, and where several of them share a database.

use super::Bug;

pub(super) const BUGS: [Bug; 12] = [
    Bug {
        name: "feed-resumed-late",
        what: "a follower of a feed over HTTP that comes back misses an event",
        file: "crates/pasar-chassis/src/feed.rs",
        changes: &[(
            "Some(id) => served.resume(id)?,",
            "Some(id) => served.resume(id)? + 1,",
        )],
        package: "pasar",
        on_postgres: false,
        caught_by: "processes::a_feed_is_followed",
    },
    Bug {
        name: "feed-told-to-anyone",
        what: "whoever has no credentials learns where a feed is, and what is in it",
        file: "crates/pasar-chassis/src/feed.rs",
        changes: &[(
            "    if identity.is_anonymous() {\n        return Err(Problem::unauthenticated());",
            "    if identity.is_anonymous() {\n        return Ok(false);",
        )],
        package: "pasar",
        on_postgres: false,
        caught_by: "processes::a_feed_is_followed",
    },
    Bug {
        name: "passport-not-verified",
        what: "a service believes who asks although the passport is signed with another key",
        file: "crates/pasar-chassis/src/passport.rs",
        changes: &[(
            "if !self.0.keys.iter().any(is_signed) {",
            "if !self.0.keys.iter().any(|key| is_signed(key) || !text.is_empty()) {",
        )],
        package: "pasar",
        on_postgres: false,
        caught_by: "processes::processes_with_different_keyrings",
    },
    Bug {
        name: "repeated-although-begun",
        what: "a request that may not happen twice is sent to another instance after it was sent to one",
        file: "crates/pasar-gateway/src/pool.rs",
        changes: &[(
            "match again.as_ref().filter(|again| again.is_idempotent()) {",
            "match again.as_ref() {",
        )],
        package: "pasar-gateway",
        on_postgres: false,
        caught_by: "pool::a_request_that_broke_off",
    },
    Bug {
        name: "claimed-identity-passed",
        what: "what a client says in the headers of our own identities reaches a service",
        file: "crates/pasar-gateway/src/forwarding.rs",
        changes: &[(
            "    name.starts_with(OWN_PREFIX)\n        || name.starts_with(FORWARDING_PREFIX)",
            "    let _ = OWN_PREFIX;\n    name.starts_with(FORWARDING_PREFIX)",
        )],
        package: "pasar-gateway",
        on_postgres: false,
        caught_by: "forwarding::what_a_client_says",
    },
    Bug {
        name: "health-not-told",
        what: "whoever watches a process's health by gRPC is not told that a follower cannot go on",
        file: "crates/pasar-chassis/src/health.rs",
        changes: &[(
            "                _ = alarms.changed() => {}\n",
            "                _ = alarms.changed(), if ready => {}\n",
        )],
        package: "pasar-chassis",
        on_postgres: false,
        caught_by: "grpc_health::a_watch_tells_of_an_alarm",
    },
    Bug {
        name: "commit-unknown-answered",
        what: "a commit of which nobody can say what became is answered as if it stood",
        file: "crates/pasar-store/src/engine/postgres/tail.rs",
        changes: &[(
            "                    return Err(TailFault::Unknown);\n",
            "                    return Ok(None);\n",
        )],
        package: "pasar-store",
        on_postgres: true,
        caught_by: "server_losses::what_became_of_a_commit_without_events",
    },
    Bug {
        name: "commit-number-believed",
        what: "a lost commit is taken to stand because its transaction's number was committed, by another",
        file: "crates/pasar-store/src/engine/postgres/tail.rs",
        changes: &[(
            "match is_there(connection, event) {",
            "match is_there(connection, event).map(|_| true) {",
        )],
        package: "pasar-store",
        on_postgres: true,
        caught_by: "server_losses::a_commit_whose_number",
    },
    Bug {
        name: "lane-not-locked",
        what: "two instances write in one lane at the same time",
        file: "crates/pasar-store/src/engine/postgres.rs",
        changes: &[(
            "self.begin(&[Control::Begin, Control::Lane(lock), Control::Xid])",
            "let _ = lock;\n        self.begin(&[Control::Begin, Control::Xid])",
        )],
        package: "pasar-store",
        on_postgres: true,
        caught_by: "server::an_instance_waits_for_another",
    },
    Bug {
        name: "fence-not-checked",
        what: "an instance that was relieved goes on to write what only the one on duty may",
        file: "crates/pasar-store/src/lease.rs",
        changes: &[(
            "        if is_held(self, lease)? {\n            Ok(())",
            "        if is_held(self, lease)? || lease.term.is_some() {\n            Ok(())",
        )],
        package: "pasar-store",
        on_postgres: false,
        caught_by: "leases::who_lost_it",
    },
    Bug {
        name: "fence-not-held",
        what: "a lease is taken between the look at it and the commit of what was written because of it",
        file: "crates/pasar-store/src/lease.rs",
        changes: &[("AND holder <> '' FOR SHARE\"", "AND holder <> ''\"")],
        package: "pasar-store",
        on_postgres: true,
        caught_by: "server::a_lease_is_not_taken_from_under",
    },
    Bug {
        name: "zero-character-stored",
        what: "a file takes a text that PostgreSQL refuses",
        file: "crates/pasar-store/src/engine.rs",
        changes: &[(
            "Value::Text(text) if text.contains('\\0') => Err",
            "Value::Text(text) if text == \"\\0\" => Err",
        )],
        package: "pasar-store",
        on_postgres: false,
        caught_by: "groups::a_text_with_a_zero_character",
    },
];
