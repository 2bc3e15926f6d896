//! A service's database opened for reading alone, while the process that writes it may be running.
//!
//! For programs that hold several services' databases against each other. It changes nothing, not
//! even the schema: a database of another version is refused.

use pasar_contracts::event::Service;

use crate::{
    engine::{self, Access, Connection},
    fault::Fault,
    migration::{self, Migration},
    place::Place,
    tx::Tx,
};

/// One database, for one thread.
pub struct Inspector {
    service: Service,
    connection: Connection,
}

#[derive(Debug, thiserror::Error)]
#[error("failed to look into the database of {service} at {place}: {advice}")]
pub struct InspectError {
    service: Service,
    place: Place,
    advice: String,
    #[source]
    source: Fault,
}

impl Inspector {
    /// Opens a database that exists and has exactly these steps.
    pub fn open(
        service: Service,
        place: impl Into<Place>,
        migrations: &[Migration],
    ) -> Result<Self, InspectError> {
        let place = place.into();
        let open = || {
            let connection = Connection::open(&place, Access::Read)?;
            migration::verify(&connection, migrations)?;
            Ok(connection)
        };
        match open() {
            Ok(connection) => Ok(Self {
                service,
                connection,
            }),
            Err(source) => Err(InspectError {
                service,
                advice: engine::open_error(&source, &place),
                place,
                source,
            }),
        }
    }

    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }

    /// Reads one consistent snapshot. Short and bounded: while it lasts, the writer's log grows.
    pub fn read<T>(&self, query: impl FnOnce(&Tx<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        self.connection.begin_read()?;
        let result = query(&Tx::new(&self.connection, self.service));
        let ended = self.connection.commit();
        let value = result?;
        ended?;
        Ok(value)
    }
}
