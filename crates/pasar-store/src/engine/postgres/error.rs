//! What can go wrong with PostgreSQL, and what each means for whoever waits.

use std::{io, sync::Arc};

use crate::{
    engine::touched,
    fault::{EngineError, Fault},
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum PgError {
    #[error("cannot connect to {0}")]
    Connect(String, #[source] io::Error),
    #[error("the connection to the database is lost")]
    Lost(#[source] io::Error),
    #[error("{0}")]
    Server(ServerError),
    /// Another instance is in the lane, for longer than a group takes.
    #[error("another instance holds the lane")]
    LaneHeld,
    #[error("the server does not speak as expected: {0}")]
    Protocol(&'static str),
    #[error("{1} rows of {0} changed where one was meant")]
    Touched(&'static str, u64),
    /// A setting under which what is answered might not last.
    #[error("{0}")]
    Setting(String),
}

/// What the server said. Its DETAIL is left out: it quotes rows.
#[derive(Debug, thiserror::Error)]
#[error("{message} (SQLSTATE {code})")]
pub(crate) struct ServerError {
    pub(crate) code: String,
    pub(crate) message: String,
    /// The session ends with it.
    pub(crate) fatal: bool,
}

pub(super) const SERIALIZATION: &str = "40001";
pub(super) const DEADLOCK: &str = "40P01";
pub(super) const LOCK_TIMEOUT: &str = "55P03";

impl PgError {
    /// Nothing more can be said over this connection.
    pub(super) const fn ends_session(&self) -> bool {
        match self {
            Self::Connect(..) | Self::Lost(_) | Self::Protocol(_) | Self::Setting(_) => true,
            Self::Server(error) => error.fatal,
            Self::LaneHeld | Self::Touched(..) => false,
        }
    }
}

impl ServerError {
    /// The body of an ErrorResponse: fields of a letter and a text.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut error = Self {
            code: String::new(),
            message: String::new(),
            fatal: false,
        };
        let fields = body.split(|byte| *byte == 0);
        for field in fields.filter(|field| !field.is_empty()) {
            let text = || String::from_utf8_lossy(&field[1..]).into_owned();
            match field[0] {
                b'C' => error.code = text(),
                b'M' => error.message = text(),
                // Never translated, unlike `S`.
                b'V' => error.fatal = matches!(&field[1..], b"FATAL" | b"PANIC"),
                _ => {}
            }
        }
        error
    }

    /// The server cannot be used now, whatever is asked.
    fn is_unavailable(&self) -> bool {
        // Connection exceptions; too many connections, out of memory; shutting down or starting up.
        ["08", "53", "57P"]
            .iter()
            .any(|class| self.code.starts_with(class))
            || self.fatal
    }
}

pub(super) fn fault(error: PgError) -> Fault {
    match &error {
        PgError::Server(server) if server.is_unavailable() => Fault::Unavailable(opaque(error)),
        PgError::Server(server) if server.code.starts_with("23") => {
            Fault::Constraint(opaque(error))
        }
        PgError::Touched(what, rows) => touched(what, *rows),
        PgError::Connect(..) | PgError::Lost(_) | PgError::LaneHeld => {
            Fault::Unavailable(opaque(error))
        }
        PgError::Server(_) | PgError::Protocol(_) | PgError::Setting(_) => {
            Fault::Database(opaque(error))
        }
    }
}

fn opaque(error: PgError) -> EngineError {
    EngineError(Arc::new(error))
}

/// Transactions were in each other's way: the same commands, one by one, may well succeed.
pub(crate) fn is_contention(fault: &Fault) -> bool {
    matches!(of(fault), Some(PgError::Server(error))
        if [SERIALIZATION, DEADLOCK, LOCK_TIMEOUT].contains(&error.code.as_str()))
}

/// The connection went away under a group, so that nothing of it stands.
pub(crate) fn is_lost(fault: &Fault) -> bool {
    of(fault).is_some_and(|error| {
        matches!(error, PgError::Lost(_)) || matches!(error, PgError::Server(error) if error.fatal)
    })
}

/// What to do about a database that cannot be opened.
pub(crate) fn advice(fault: &Fault, database: &str) -> Option<String> {
    let advice = match of(fault)? {
        PgError::Connect(..) => {
            "check that PostgreSQL runs there and that the host, port and sslmode of its URL are right"
                .to_owned()
        }
        PgError::Server(error) => match error.code.as_str() {
            "28P01" | "28000" => {
                "check the user and the password in its URL, and pg_hba.conf of the server".to_owned()
            }
            "3D000" => format!("there is no such database; run: CREATE DATABASE \"{database}\""),
            "42501" => format!(
                "its user may not; run: GRANT ALL ON DATABASE \"{database}\" TO it, and make it the owner of the schema"
            ),
            "53300" => "the server has no connection left; raise max_connections".to_owned(),
            _ => return None,
        },
        _ => return None,
    };
    Some(advice)
}

fn of(fault: &Fault) -> Option<&PgError> {
    match fault {
        Fault::Database(EngineError(source))
        | Fault::Unavailable(EngineError(source))
        | Fault::Constraint(EngineError(source)) => source.downcast_ref(),
        _ => None,
    }
}
