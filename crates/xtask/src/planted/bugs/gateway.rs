//! Of what the gateway reads and writes itself.

use super::Bug;

const fn bug(
    name: &'static str,
    what: &'static str,
    file: &'static str,
    changes: &'static [(&'static str, &'static str)],
) -> Bug {
    Bug {
        name,
        what,
        file,
        changes,
        package: "pasar-gateway",
        on_postgres: false,
        caught_by: "plain::",
    }
}

pub(super) const BUGS: [Bug; 6] = [
    bug(
        "plain-answer-left-over",
        "a connection to an instance is used again although something is left on it",
        "crates/pasar-gateway/src/pool/wire.rs",
        &[(
            "if self.is_cut || !self.input.is_empty() {",
            "if self.is_cut {",
        )],
    ),
    bug(
        "plain-idle-not-looked-at",
        "what an instance says while nobody asks is the answer to the next request",
        "crates/pasar-gateway/src/pool/wire.rs",
        &[(
            "let read = self.stream.try_read(&mut byte);",
            "let read: io::Result<usize> = Err(io::ErrorKind::WouldBlock.into());\n        byte[0] += 1_u8;",
        )],
    ),
    bug(
        "plain-identity-of-the-client",
        "a client says who it is",
        "crates/pasar-gateway/src/plain/kind.rs",
        &[(
            "        Kind::Reserved\n    } else {",
            "        Kind::Passed(Named::None)\n    } else {",
        )],
    ),
    bug(
        "plain-sent-again",
        "a request that may have been done is sent again",
        "crates/pasar-gateway/src/pool/plain.rs",
        &[(
            "let may_repeat = request.has_idempotency_key || is_idempotent(request.method);",
            "let may_repeat = true;",
        )],
    ),
    bug(
        "plain-ahead-forgotten",
        "what a client sends while it waits is lost",
        "crates/pasar-gateway/src/plain/client.rs",
        &[(
            "input.append(&mut self.ahead);",
            "self.ahead.clear();\n        let _ = input;",
        )],
    ),
    bug(
        "plain-nobody-waits",
        "an instance goes on for a client that has gone",
        "crates/pasar-gateway/src/plain/client.rs",
        &[(
            "if self.poll_gone(cx).is_ready() {",
            "if self.poll_gone(cx).is_ready() && patience.is_none() {",
        )],
    ),
];
