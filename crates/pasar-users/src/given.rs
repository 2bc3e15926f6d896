//! What command tests begin with, and how they look at what came of it.

use std::{cell::RefCell, fmt::Display, sync::Arc, time::Duration};

use pasar_chassis::keyring::Keyring;
use pasar_contracts::{api::users::Role, event::Service};
use pasar_store::{
    cause::{Actor, Cause},
    clock::{Clock, ManualClock},
    context::Context,
    fault::Fault,
    ids::{Ids, SeededIds},
    lane::{Class, LaneKey},
    store::{Executor, Store, StoreOptions},
    tx::Row,
};
use pasar_testkit::fresh::Folder;
use pasar_types::{
    id::{ApiKeyId, FlowId, SessionId, UserId},
    time::Timestamp,
};

use crate::{
    MIGRATIONS,
    account::{Email, Name, Roles},
    api_key::{FullKey, Scopes},
    commands::{
        create_api_key::{self, CreateApiKey, Maker},
        log_in::{self, LogIn},
        provision_key::{self, ProvisionKey},
        register_user::{self, RegisterUser},
    },
    config::{Config, SessionLives},
    refresh_token::{RefreshToken, RefreshTokens},
    source::Origin,
    tables::{sessions, users},
};

/// The password hash of everybody who was `registered`.
pub(crate) const HASH: &str = "$argon2id$sari";

/// A users database on one thread, at a time that stands still, with ids that repeat.
pub(crate) struct Given {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) keyring: Keyring,
    names: RefCell<Vec<(String, String)>>,
    seen: RefCell<i64>,
    sessions: RefCell<u32>,
    _folder: Folder,
}

pub(crate) struct LoggedIn {
    pub(crate) session: SessionId,
    pub(crate) token: RefreshToken,
}

pub(crate) fn origin() -> Origin {
    Origin {
        source: Some("203.0.113.0/24".to_owned()),
        user_agent: Some("Mozilla/5.0".to_owned()),
    }
}

pub(crate) fn lives() -> SessionLives {
    Config::default().lives()
}

impl Given {
    pub(crate) fn nothing() -> Self {
        let folder = Folder::new();
        let clock = Arc::new(ManualClock::default());
        let ids: Arc<dyn Ids> = Arc::new(SeededIds::new(7));
        let place = folder.place(Service::Users);
        let injected = Arc::<ManualClock>::clone(&clock);
        let mut options = StoreOptions::at(
            Service::Users,
            place,
            MIGRATIONS,
            injected,
            Arc::clone(&ids),
        );
        options.executor = Executor::Inline;
        Self {
            store: Store::open(options).unwrap(),
            clock,
            keyring: Keyring::ephemeral(&*ids),
            names: RefCell::default(),
            seen: RefCell::new(0),
            sessions: RefCell::new(0),
            _folder: folder,
        }
    }

    pub(crate) fn run<T: Send + 'static>(
        &self,
        command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> T {
        let cause = Cause::new(Actor::Anonymous, FlowId::from_bytes([1; 16]));
        let answer = self.store.write(LaneKey::ZERO, Class::New, cause, command);
        while self.store.run_group(1) > 0 {}
        answer.wait().unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Ids of later things are greater from here on: they are in the order of time to the millisecond.
    fn later(&self) {
        self.clock.advance(Duration::from_millis(1));
    }

    /// From now on this id is shown by that name.
    pub(crate) fn call(&self, id: impl Display, name: &str) {
        self.names
            .borrow_mut()
            .push((id.to_string(), name.to_owned()));
    }

    pub(crate) fn registered(&self, name: &str) -> UserId {
        self.registered_as(name, &format!("{name}@example.com"))
    }

    pub(crate) fn registered_as(&self, name: &str, email: &str) -> UserId {
        self.later();
        let command = RegisterUser {
            email: Email::parse(email).unwrap(),
            name: Name::parse("Sari").unwrap(),
            password_hash: HASH.to_owned(),
            origin: origin(),
        };
        let outcome = self.run(move |ctx| register_user::register_user(ctx, &command));
        let register_user::Outcome::Registered(user) = outcome else {
            panic!("{email} is taken");
        };
        self.call(user.id, name);
        user.id
    }

    pub(crate) fn admin(&self, name: &str) -> UserId {
        let user = self.registered(name);
        self.run(move |ctx| {
            let row = users::find(ctx, user)?.expect("it was registered");
            users::update(
                ctx,
                &users::UserRow {
                    roles: vec![Role::Admin],
                    ..row
                },
            )
        });
        user
    }

    pub(crate) fn machine(&self, name: &str, roles: &[Role]) -> FullKey {
        self.later();
        let command = ProvisionKey {
            machine: Name::parse(name).unwrap(),
            roles: Roles::parse(roles).unwrap(),
            scopes: Scopes::default(),
            rate_limit: None,
            key: None,
        };
        match self.run(move |ctx| provision_key::provision_key(ctx, &command)) {
            provision_key::Outcome::Provisioned(key) => key,
            _ => panic!("{name} cannot be provisioned"),
        }
    }

    pub(crate) fn logged_in(&self, user: UserId) -> LoggedIn {
        self.later();
        let command = LogIn {
            user,
            checked_hash: HASH.to_owned(),
            rehashed: None,
            lives: lives(),
            origin: origin(),
        };
        let outcome = self.run(move |ctx| log_in::log_in(ctx, &command));
        let log_in::Outcome::LoggedIn { session, token, .. } = outcome else {
            panic!("the password was right");
        };
        let number = {
            let mut sessions = self.sessions.borrow_mut();
            *sessions += 1;
            *sessions
        };
        self.call(session, &format!("session {number}"));
        LoggedIn { session, token }
    }

    pub(crate) fn key(&self, owner: UserId, name: &str) -> FullKey {
        self.later();
        let command = CreateApiKey {
            owner,
            name: Name::parse(name).unwrap(),
            roles: Roles::one(Role::Customer),
            scopes: Scopes::default(),
            rate_limit: None,
            maker: Maker {
                roles: vec![Role::Customer],
                key: None,
            },
            origin: origin(),
        };
        match self.run(move |ctx| create_api_key::create_api_key(ctx, &command)) {
            create_api_key::Outcome::Created { key, .. } => {
                self.call(key.id, &format!("key {name}"));
                key
            }
            _ => panic!("{name} cannot be created"),
        }
    }

    pub(crate) fn successor(&self, token: &RefreshToken) -> RefreshToken {
        RefreshTokens::new(&self.keyring).successor(token)
    }

    /// The events since this was asked last, a line each.
    pub(crate) fn events(&self) -> String {
        let after = self.seen.replace(self.store.head());
        let events = self.store.events_after(after, 1_000).unwrap();
        let lines: Vec<String> = events
            .iter()
            .map(|event| {
                format!(
                    "{} v{} {} {}",
                    event.key, event.keyversion, event.event_type, event.data
                )
            })
            .collect();
        self.named(lines.join("\n"))
    }

    /// What the tables hold now, a line a row, times as days since the start.
    pub(crate) fn rows(&self) -> String {
        let rows = self.all_rows();
        self.named(rows)
    }

    /// Everything, as it is stored: to look for what must not be there.
    pub(crate) fn dump(&self) -> String {
        let feed = self.store.events_after(0, 10_000).unwrap();
        let events: Vec<_> = feed.iter().map(|event| event.data.clone()).collect();
        format!("{}\n{}", self.all_rows(), events.join("\n"))
    }

    /// Whole rows, without what differs from run to run.
    fn all_rows(&self) -> String {
        let tables: [&'static str; 4] = [
            "SELECT 'user', id, 0, coalesce(email, machine, '-') || ', ' || name || ', ' || roles
                    || CASE WHEN deleted_at IS NULL THEN '' ELSE ', deleted' END
                    || ', ' || coalesce(password_hash, 'no password')
                    || ', version ' || version || ', events ' || keyversion
             FROM users ORDER BY id",
            "SELECT 'session', id, user_id, 'generation ' || generation || coalesce(', ' || source, '')
                    || coalesce(', ' || user_agent, '') || coalesce(', ended: ' || ended, '')
                    || ', ' || (SELECT count(*) FROM superseded_tokens WHERE session_id = id) || ' used'
             FROM sessions ORDER BY id",
            "SELECT 'key', id, user_id, name || ', ' || roles || ', ' || scopes
                    || coalesce(', ' || rate_limit, '')
                    || CASE WHEN revoked_at IS NULL THEN '' ELSE ', revoked' END
             FROM api_keys ORDER BY id",
            "SELECT 'audit', user_id, 0, action || ' ' || coalesce(source, 'nowhere') || ' ' || details
             FROM audit ORDER BY at, action, details, user_id NULLS FIRST",
        ];
        let rows = tables.map(|sql| {
            self.store
                .read_now(|tx| tx.query_all(sql, &[], row))
                .unwrap()
        });
        rows.concat().join("\n")
    }

    fn named(&self, text: String) -> String {
        self.names
            .borrow()
            .iter()
            .fold(text, |text, (id, name)| text.replace(id, name))
    }
}

/// Many sessions at once, past what a user may have.
pub(crate) fn start_sessions(ctx: &mut Context<'_>, user: UserId, count: u32) -> Result<(), Fault> {
    for _ in 0..count {
        let id = ctx.new_id();
        let session = sessions::NewSession {
            id,
            user_id: user,
            token_hash: [0; 32],
            expires_at: ctx.now() + Duration::from_secs(1),
            origin: &origin(),
        };
        sessions::insert(ctx, &session)?;
    }
    Ok(())
}

fn row(row: &Row<'_>) -> Result<String, Fault> {
    let (table, text) = (row.get::<String>(0)?, row.get::<String>(3)?);
    Ok(match table.as_str() {
        "user" => format!("{}: {text}", row.get::<UserId>(1)?),
        "session" => format!(
            "{} of {}: {text}",
            row.get::<SessionId>(1)?,
            row.get::<UserId>(2)?
        ),
        "key" => format!(
            "{} of {}: {text}",
            row.get::<ApiKeyId>(1)?,
            row.get::<UserId>(2)?
        ),
        _ => {
            let user: Option<UserId> = row.get(1)?;
            let user = user.map_or("nobody".to_owned(), |user| user.to_string());
            format!("audit of {user}: {text}")
        }
    })
}
