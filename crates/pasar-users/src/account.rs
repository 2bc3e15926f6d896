//! What makes an account: email addresses, names, passwords as text, roles. Pure rules.

use std::fmt;

use pasar_contracts::api::users::{MAX_NAME_CHARS, MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS, Role};

/// A normalised email address: trimmed, in lower case, of a shape that mail could be sent to.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Email(String);

/// A password that may be set. Its text is never printed.
#[derive(Clone)]
pub(crate) struct NewPassword(String);

/// What an account or key is called: 1 to 200 characters, without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

/// At least one role, sorted, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Roles(Vec<Role>);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidAccount {
    #[error("expected an email address like sari@example.com, at most {MAX_EMAIL_BYTES} bytes")]
    Email,
    #[error("expected {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters")]
    Password,
    #[error("expected 1 to {MAX_NAME_CHARS} characters, no control characters")]
    Name,
    #[error("expected at least one role")]
    Roles,
}

/// RFC 5321, section 4.5.3.1: the longest path less its brackets.
const MAX_EMAIL_BYTES: usize = 254;
const MAX_LOCAL_BYTES: usize = 64;

impl Email {
    /// What an address is looked up by. Says nothing about whether there could be such an address.
    pub(crate) fn normalise(text: &str) -> String {
        text.trim().to_lowercase()
    }

    pub(crate) fn parse(text: &str) -> Result<Self, InvalidAccount> {
        let email = Self::normalise(text);
        let (local, domain) = email.rsplit_once('@').ok_or(InvalidAccount::Email)?;
        let labels = || domain.split('.');
        let valid = email.len() <= MAX_EMAIL_BYTES
            && (1..=MAX_LOCAL_BYTES).contains(&local.len())
            && local.chars().all(is_local)
            && labels().all(|label| !label.is_empty() && label.chars().all(is_label))
            && labels().all(|label| !label.starts_with('-') && !label.ends_with('-'));
        if valid {
            Ok(Self(email))
        } else {
            Err(InvalidAccount::Email)
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_local(character: char) -> bool {
    !character.is_control() && !character.is_whitespace() && !"@\"(),:;<>[]\\".contains(character)
}

fn is_label(character: char) -> bool {
    character.is_alphanumeric() || character == '-'
}

impl NewPassword {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidAccount> {
        let characters = text.chars().take(MAX_PASSWORD_CHARS + 1).count();
        if (MIN_PASSWORD_CHARS..=MAX_PASSWORD_CHARS).contains(&characters) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAccount::Password)
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

impl Name {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidAccount> {
        let name = text.trim();
        let characters = name.chars().take(MAX_NAME_CHARS + 1).count();
        if (1..=MAX_NAME_CHARS).contains(&characters) && !name.chars().any(char::is_control) {
            Ok(Self(name.to_owned()))
        } else {
            Err(InvalidAccount::Name)
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Roles {
    pub(crate) fn parse(roles: &[Role]) -> Result<Self, InvalidAccount> {
        if roles.is_empty() || roles.len() > Role::ALL.len() {
            return Err(InvalidAccount::Roles);
        }
        let mut roles = roles.to_vec();
        roles.sort_unstable();
        roles.dedup();
        Ok(Self(roles))
    }

    pub(crate) fn one(role: Role) -> Self {
        Self(vec![role])
    }

    pub(crate) fn as_slice(&self) -> &[Role] {
        &self.0
    }
}

impl fmt::Debug for Email {
    /// Personal data stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(..)")
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_normalised_so_that_it_has_one_account() {
        let email = Email::parse("  Sari.Dewi@Example.COM ").unwrap();
        assert_eq!(email.as_str(), "sari.dewi@example.com");
        assert_eq!(
            Email::parse("admin@localhost").unwrap().as_str(),
            "admin@localhost"
        );
    }

    #[test]
    fn what_no_mail_could_be_sent_to_is_no_address() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}", vec!["label"; 60].join("."));
        for text in [
            "",
            "@",
            "a@",
            "@b",
            "sari",
            "a b@c.d",
            "a@b@c",
            "a@b..c",
            "a@.b",
            "a@-b.c",
            "a\n@b.c",
            "a@b.c\u{0}",
            "<a@b.c>",
            &long,
            &longer,
        ] {
            assert_eq!(Email::parse(text), Err(InvalidAccount::Email), "{text:?}");
        }
    }

    #[test]
    fn a_passwords_length_is_counted_in_characters() {
        let accepted = |text: &str| NewPassword::parse(text).is_ok();
        assert!(!accepted("1234567"));
        assert!(accepted("12345678"));
        assert!(accepted("ååååååå "));
        assert!(accepted(&"é".repeat(256)));
        assert!(!accepted(&"é".repeat(257)));
    }

    #[test]
    fn roles_are_sorted_and_there_is_at_least_one() {
        let roles = Roles::parse(&[Role::Admin, Role::Customer, Role::Admin]).unwrap();
        assert_eq!(roles.as_slice(), [Role::Customer, Role::Admin]);
        assert_eq!(Roles::parse(&[]), Err(InvalidAccount::Roles));
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{0,80}") {
            let once = Email::normalise(&text);
            prop_assert_eq!(Email::normalise(&once), once);
        }

        #[test]
        fn an_accepted_address_is_accepted_as_it_was_stored(text in "[ A-Za-zİß.@+-]{0,40}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email));
            }
        }
    }
}
