//! Who does a kind of background work where several processes share a database: one at a time.
//!
//! The holder moves a beat; who wants the lease watches that beat by its own clock and takes it by compare-and-set
//! once it stood still. No clock is compared between machines. How long that is, is for the caller to say.

use crate::{
    context::Context,
    fault::Fault,
    lane::{Answer, Class, LaneKey},
    store::Store,
    tx::Tx,
};

/// The right to a kind of work, for one term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    name: &'static str,
    /// Absent where no other process can have the database.
    term: Option<i64>,
}

/// A lease as it stood at one moment. Two that are equal say that nobody moved it in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub holder: String,
    term: i64,
    beat: i64,
}

impl Lease {
    /// Of work that only this process can do.
    #[must_use]
    pub const fn sole(name: &'static str) -> Self {
        Self { name, term: None }
    }

    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl Seen {
    /// Whether its last holder gave it up.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.holder.is_empty()
    }
}

impl Context<'_> {
    /// Fails with [`Fault::LeaseLost`] unless the lease is still held at its term when this commits. What is
    /// written because somebody holds a lease begins with this.
    pub fn holding(&mut self, lease: &Lease) -> Result<(), Fault> {
        if self.is_holding(lease)? {
            Ok(())
        } else {
            Err(Fault::LeaseLost(lease.name))
        }
    }

    /// The same as an answer, for what is to be written in another way by whoever lost it.
    pub fn is_holding(&mut self, lease: &Lease) -> Result<bool, Fault> {
        if self.pending.leases.contains(lease) {
            return Ok(true);
        }
        let is_held = is_held(self, lease)?;
        if is_held {
            self.pending.leases.push(lease.clone());
        }
        Ok(is_held)
    }
}

impl Store {
    /// Who holds a lease; `None` if nobody ever did.
    pub async fn lease(&self, name: &'static str) -> Result<Option<Seen>, Fault> {
        self.read(move |tx| find(tx, name)).await
    }

    /// Takes a lease that stands as it was seen. `None` if it was moved or taken since.
    pub fn take_lease(
        &self,
        name: &'static str,
        holder: &str,
        seen: Option<Seen>,
    ) -> Answer<Option<Lease>> {
        let holder = holder.to_owned();
        self.keep_lease(move |ctx| take(ctx, name, &holder, seen.as_ref()))
    }

    /// Says that its holder lives; false if the lease was lost.
    pub fn beat_lease(&self, lease: &Lease) -> Answer<bool> {
        let lease = lease.clone();
        self.keep_lease(move |ctx| beat(ctx, &lease))
    }

    /// Lets the next one take it at once.
    pub fn give_up_lease(&self, lease: &Lease) -> Answer<()> {
        let lease = lease.clone();
        self.keep_lease(move |ctx| give_up(ctx, &lease))
    }

    fn keep_lease<T: Send + 'static>(
        &self,
        command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Answer<T> {
        self.write(LaneKey::ZERO, Class::Internal, self.own_cause(), command)
    }
}

fn find(tx: &Tx<'_>, name: &'static str) -> Result<Option<Seen>, Fault> {
    tx.query_opt(
        "SELECT lease.holder, lease.term, lease_beat.beat
         FROM lease JOIN lease_beat ON lease_beat.name = lease.name WHERE lease.name = ?1",
        &[&name],
        |row| {
            Ok(Seen {
                holder: row.get(0)?,
                term: row.get(1)?,
                beat: row.get(2)?,
            })
        },
    )
}

fn is_held(tx: &Tx<'_>, lease: &Lease) -> Result<bool, Fault> {
    let Some(term) = lease.term else {
        return Ok(true);
    };
    let sql = if tx.connection().has_many_writers() {
        // Whoever takes it waits until this is committed.
        "SELECT 1 FROM lease WHERE name = ?1 AND term = ?2 AND holder <> '' FOR SHARE"
    } else {
        "SELECT 1 FROM lease WHERE name = ?1 AND term = ?2 AND holder <> ''"
    };
    let held = tx.query_opt(sql, &[&lease.name, &term], |row| row.get::<i64>(0))?;
    Ok(held.is_some())
}

fn take(
    tx: &Tx<'_>,
    name: &'static str,
    holder: &str,
    seen: Option<&Seen>,
) -> Result<Option<Lease>, Fault> {
    let term = match seen {
        None => {
            let new = tx.execute(
                "INSERT INTO lease (name, holder, term) VALUES (?1, ?2, 1) ON CONFLICT (name) DO NOTHING",
                &[&name, &holder],
            )?;
            if new == 1 {
                tx.execute(
                    "INSERT INTO lease_beat (name, beat) VALUES (?1, 0)",
                    &[&name],
                )?;
            }
            (new == 1).then_some(1)
        }
        Some(seen) => {
            let taken = tx.execute(
                "UPDATE lease SET holder = ?2, term = term + 1 WHERE name = ?1 AND term = ?3
                 AND EXISTS (SELECT 1 FROM lease_beat WHERE name = ?1 AND beat = ?4)",
                &[&name, &holder, &seen.term, &seen.beat],
            )?;
            (taken == 1).then_some(seen.term + 1)
        }
    };
    Ok(term.map(|term| Lease {
        name,
        term: Some(term),
    }))
}

fn beat(tx: &Tx<'_>, lease: &Lease) -> Result<bool, Fault> {
    let held = is_held(tx, lease)?;
    if held {
        tx.execute(
            "UPDATE lease_beat SET beat = beat + 1 WHERE name = ?1",
            &[&lease.name],
        )?;
    }
    Ok(held)
}

fn give_up(tx: &Tx<'_>, lease: &Lease) -> Result<(), Fault> {
    if let Some(term) = lease.term {
        tx.execute(
            "UPDATE lease SET holder = '' WHERE name = ?1 AND term = ?2",
            &[&lease.name, &term],
        )?;
    }
    Ok(())
}
