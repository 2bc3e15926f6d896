//! Who we are towards a NATS server. It asks with a number that is signed where a key is used.

use async_nats::{Auth, AuthError};
use nkeys::KeyPair;

use super::Settings;
use crate::{
    destination::InvalidSettings,
    destinations::{
        broker::check_credentials,
        settings::{check_text, invalid},
    },
};

/// Bytes of a token or seed, and of a credentials file.
const MAX_KEY_BYTES: usize = 4_096;
const MAX_CREDENTIALS_BYTES: usize = 16 * 1024;
const DEFAULT_INBOX: &str = "_INBOX";

#[derive(Clone)]
pub(crate) struct Login {
    who: Who,
    pub(super) inbox_prefix: String,
    /// Certificates to trust beside the public ones.
    pub(super) ca: Option<String>,
}

/// Secrets: no `Debug`.
#[derive(Clone)]
enum Who {
    Nobody,
    User {
        username: String,
        password: Option<String>,
    },
    Token(String),
    Key {
        seed: String,
        /// Signed by an operator, where users are not in the server's configuration.
        jwt: Option<String>,
    },
}

impl Login {
    pub(super) fn read(settings: Settings) -> Result<Self, InvalidSettings> {
        check_credentials(settings.username.as_deref(), settings.password.as_deref())?;
        let given = [
            ("/username", settings.username.is_some()),
            ("/token", settings.token.is_some()),
            ("/nkey", settings.nkey.is_some()),
            ("/credentials", settings.credentials.is_some()),
        ];
        let mut given = given.iter().filter(|(_, is_given)| *is_given);
        let (_, second) = (given.next(), given.next());
        if let Some((pointer, _)) = second {
            return Err(invalid(
                pointer,
                "expected one of username, token, nkey and credentials",
            ));
        }
        let who = if let Some(username) = settings.username {
            Who::User {
                username,
                password: settings.password,
            }
        } else if let Some(token) = settings.token {
            check_text("/token", &token, MAX_KEY_BYTES)?;
            Who::Token(token)
        } else if let Some(seed) = settings.nkey {
            check_seed("/nkey", &seed)?;
            Who::Key { seed, jwt: None }
        } else if let Some(credentials) = settings.credentials {
            from_file(&credentials)?
        } else {
            Who::Nobody
        };
        Ok(Self {
            who,
            inbox_prefix: settings
                .inbox_prefix
                .unwrap_or_else(|| DEFAULT_INBOX.to_owned()),
            ca: settings.ca,
        })
    }

    /// What the server wants to know. `nonce` is its number.
    pub(super) fn answer(&self, nonce: &[u8]) -> Result<Auth, AuthError> {
        let mut auth = Auth::new();
        match &self.who {
            Who::Nobody => {}
            Who::User { username, password } => {
                auth.username = Some(username.clone());
                auth.password.clone_from(password);
            }
            Who::Token(token) => auth.token = Some(token.clone()),
            Who::Key { seed, jwt } => {
                let pair = KeyPair::from_seed(seed).map_err(AuthError::new)?;
                auth.signature = Some(pair.sign(nonce).map_err(AuthError::new)?);
                match jwt {
                    Some(jwt) => auth.jwt = Some(jwt.clone()),
                    None => auth.nkey = Some(pair.public_key()),
                }
            }
        }
        Ok(auth)
    }
}

fn check_seed(pointer: &str, seed: &str) -> Result<(), InvalidSettings> {
    check_text(pointer, seed, MAX_KEY_BYTES)?;
    KeyPair::from_seed(seed)
        .map(drop)
        .map_err(|_| invalid(pointer, "expected the seed of a user's key, SU.."))
}

/// The parts of a credentials file stand between lines of dashes.
fn from_file(text: &str) -> Result<Who, InvalidSettings> {
    let refuse = || {
        invalid(
            "/credentials",
            "expected the text of a credentials file, with USER JWT and USER NKEY SEED",
        )
    };
    if text.len() > MAX_CREDENTIALS_BYTES {
        return Err(refuse());
    }
    let part = |name: &str| {
        let mut lines = text.lines().map(str::trim);
        lines.find(|line| line.starts_with("--") && line.contains(name))?;
        lines.find(|line| !line.is_empty()).map(str::to_owned)
    };
    let jwt = part("USER JWT").ok_or_else(refuse)?;
    let seed = part("USER NKEY SEED").ok_or_else(refuse)?;
    check_seed("/credentials", &seed)?;
    Ok(Who::Key {
        seed,
        jwt: Some(jwt),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credentials_file_is_read() {
        let seed = KeyPair::new_user().seed().unwrap();
        let text = format!(
            "-----BEGIN NATS USER JWT-----\nthe.jwt\n------END NATS USER JWT------\n\n\
             **** IMPORTANT ****\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        let login = Login {
            who: from_file(&text).ok().unwrap(),
            inbox_prefix: String::new(),
            ca: None,
        };
        let auth = login.answer(b"nonce").unwrap();
        assert_eq!(auth.jwt.as_deref(), Some("the.jwt"));
        let pair = KeyPair::from_seed(&seed).unwrap();
        pair.verify(b"nonce", &auth.signature.unwrap()).unwrap();
    }
}
