//! Which instances share out a kind of work among them. Each moves a beat as long as it lives; who has fallen silent
//! is judged by whoever looks, by its own clock.

use crate::{
    fault::Fault,
    lane::{Answer, Class, LaneKey},
    store::Store,
    tx::Tx,
};

/// An instance as it stood at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub beat: i64,
}

impl Store {
    /// All that have ever beaten and were not taken off the list, by name.
    pub async fn members(&self) -> Result<Vec<Member>, Fault> {
        self.read(list).await
    }

    /// Says that an instance lives, the first time also that there is one.
    pub fn beat_member(&self, name: &str) -> Answer<()> {
        let name = name.to_owned();
        self.write(
            LaneKey::ZERO,
            Class::Internal,
            self.own_cause(),
            move |ctx| beat(ctx, &name),
        )
    }

    /// Takes instances off the list, if their beats stand as they were seen. One that lives comes back with its next beat.
    pub fn forget_members(&self, seen: Vec<Member>) -> Answer<()> {
        self.write(
            LaneKey::ZERO,
            Class::Internal,
            self.own_cause(),
            move |ctx| seen.iter().try_for_each(|member| forget(ctx, member)),
        )
    }
}

fn list(tx: &Tx<'_>) -> Result<Vec<Member>, Fault> {
    tx.query_all("SELECT name, beat FROM member ORDER BY name", &[], |row| {
        Ok(Member {
            name: row.get(0)?,
            beat: row.get(1)?,
        })
    })
}

fn beat(tx: &Tx<'_>, name: &str) -> Result<(), Fault> {
    tx.execute(
        "INSERT INTO member (name, beat) VALUES (?1, 1)
         ON CONFLICT (name) DO UPDATE SET beat = member.beat + 1",
        &[&name],
    )?;
    Ok(())
}

fn forget(tx: &Tx<'_>, member: &Member) -> Result<(), Fault> {
    tx.execute(
        "DELETE FROM member WHERE name = ?1 AND beat = ?2",
        &[&member.name, &member.beat],
    )?;
    Ok(())
}
