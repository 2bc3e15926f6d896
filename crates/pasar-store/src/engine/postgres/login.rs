//! Beginning a session: who we are, what the session is set to, and what the server must be for us to go on.

use std::io;

use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256},
    },
    message::frontend,
};

use super::{
    error::{PgError, ServerError},
    wire::{Frame, Wire},
};
use crate::{engine::Access, place::Server};

/// The server ends a statement after so long.
const STATEMENT_LIMIT: &str = "30s";
/// And a wait for a row or a lane that another transaction holds.
const LOCK_LIMIT: &str = "2s";
/// A transaction that says nothing for so long is ended, with all that it holds: its process was stopped or is gone.
const SILENCE_LIMIT: &str = "3s";
/// The first that tells whether a transaction of another session was committed (`pg_xact_status` of `xid8`).
const OLDEST_VERSION: u32 = 13;

/// Connects and logs in; the session is ready for statements.
pub(super) fn open(server: &Server, access: Access) -> Result<Wire, PgError> {
    let connect = |error| PgError::Connect(server.to_string(), error);
    let mut wire = Wire::connect(server).map_err(connect)?;
    // Whoever writes looks rows up by their keys: one plan fits all. It is made while a table is new and empty, when
    // reading all of it looks cheap, and kept when it has grown.
    let (read_only, plan_cache_mode, scans) = match access {
        Access::Write => ("off", "force_generic_plan", "off"),
        Access::Read => ("on", "auto", "on"),
    };
    // Names in the server's lists of sessions.
    let name = format!("pasar/{}", server.schema);
    let settings = [
        ("user", server.user.as_str()),
        ("database", server.database.as_str()),
        ("application_name", name.as_str()),
        ("client_encoding", "UTF8"),
        ("search_path", server.schema.as_str()),
        ("statement_timeout", STATEMENT_LIMIT),
        ("lock_timeout", LOCK_LIMIT),
        ("idle_in_transaction_session_timeout", SILENCE_LIMIT),
        ("default_transaction_read_only", read_only),
        ("plan_cache_mode", plan_cache_mode),
        ("enable_seqscan", scans),
        ("enable_hashjoin", scans),
        ("enable_mergejoin", scans),
        ("jit", scans),
        // A machine that vanished does not keep its locks for the hours that TCP would.
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "2"),
        ("tcp_keepalives_count", "3"),
    ];
    frontend::startup_message(settings, &mut wire.out).map_err(connect)?;
    wire.flush().map_err(connect)?;
    authenticate(&mut wire, server)?;
    let mut version = None;
    loop {
        let Frame { tag, body } = wire.read().map_err(connect)?;
        match tag {
            b'S' => {
                let mut parts = body.split(|byte| *byte == 0);
                if parts.next() == Some(b"server_version") {
                    version = parts
                        .next()
                        .map(|text| String::from_utf8_lossy(text).into_owned());
                }
            }
            b'E' => return Err(PgError::Server(ServerError::read(&body))),
            b'Z' => break,
            // The key for cancelling, notices.
            _ => {}
        }
    }
    check_version(version.as_deref())?;
    Ok(wire)
}

fn check_version(version: Option<&str>) -> Result<(), PgError> {
    let text = version.unwrap_or_default();
    let major = text.split(|c: char| !c.is_ascii_digit()).next();
    match major.and_then(|major| major.parse::<u32>().ok()) {
        Some(major) if major >= OLDEST_VERSION => Ok(()),
        _ => Err(PgError::Setting(format!(
            "PostgreSQL {text} is too old; version {OLDEST_VERSION} or later is needed"
        ))),
    }
}

fn authenticate(wire: &mut Wire, server: &Server) -> Result<(), PgError> {
    const OK: u32 = 0;
    const CLEARTEXT: u32 = 3;
    const MD5: u32 = 5;
    const SASL: u32 = 10;
    let lost = |error| PgError::Connect(server.to_string(), error);
    loop {
        let (kind, body) = request(wire)?;
        match kind {
            OK => return Ok(()),
            CLEARTEXT => {
                frontend::password_message(server.password.as_bytes(), &mut wire.out)
                    .map_err(lost)?;
            }
            MD5 => {
                let salt = body.get(4..8).and_then(|salt| salt.try_into().ok());
                let salt: [u8; 4] = salt.ok_or(PgError::Protocol("a short salt"))?;
                let hash = md5_hash(server.user.as_bytes(), server.password.as_bytes(), salt);
                frontend::password_message(hash.as_bytes(), &mut wire.out).map_err(lost)?;
            }
            SASL => {
                prove(wire, server, &body[4..])?;
                continue;
            }
            _ => {
                return Err(PgError::Protocol(
                    "it wants another proof than a password; allow scram-sha-256 in pg_hba.conf",
                ));
            }
        }
        wire.flush().map_err(lost)?;
    }
}

/// SCRAM-SHA-256 (RFC 7677), which also proves the server to us.
fn prove(wire: &mut Wire, server: &Server, mechanisms: &[u8]) -> Result<(), PgError> {
    const CONTINUE: u32 = 11;
    const FINAL: u32 = 12;
    let refused = |error: io::Error| PgError::Connect(server.to_string(), error);
    let offered = |name: &str| {
        mechanisms
            .split(|byte| *byte == 0)
            .any(|one| one == name.as_bytes())
    };
    if !offered(SCRAM_SHA_256) {
        return Err(PgError::Protocol("it offers no SCRAM-SHA-256"));
    }
    let mut scram = ScramSha256::new(server.password.as_bytes(), ChannelBinding::unsupported());
    frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut wire.out)
        .map_err(refused)?;
    wire.flush().map_err(refused)?;
    let (kind, body) = request(wire)?;
    if kind != CONTINUE {
        return Err(PgError::Protocol("an unexpected step of SCRAM"));
    }
    scram.update(&body[4..]).map_err(refused)?;
    frontend::sasl_response(scram.message(), &mut wire.out).map_err(refused)?;
    wire.flush().map_err(refused)?;
    let (kind, body) = request(wire)?;
    if kind != FINAL {
        return Err(PgError::Protocol("an unexpected step of SCRAM"));
    }
    scram.finish(&body[4..]).map_err(refused)
}

/// The next request of the server for a proof.
fn request(wire: &mut Wire) -> Result<(u32, bytes::Bytes), PgError> {
    loop {
        let Frame { tag, body } = wire.read().map_err(PgError::Lost)?;
        match tag {
            b'R' => {
                let kind = body.get(..4).and_then(|kind| kind.try_into().ok());
                let kind = kind.map(u32::from_be_bytes);
                return Ok((kind.ok_or(PgError::Protocol("a short request"))?, body));
            }
            b'E' => return Err(PgError::Server(ServerError::read(&body))),
            b'N' => {}
            _ => return Err(PgError::Protocol("an unexpected message at login")),
        }
    }
}
