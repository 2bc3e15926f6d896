//! Prepared statements of a session: how one is known again, and the types of its arguments.

use std::{borrow::Cow, sync::Arc};

use super::{
    arg::{Arg, BYTEA, INT8, Oid, TEXT, UNKNOWN},
    merge, script,
};

/// A statement is known by where its text lies: texts are static.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    at: usize,
    length: usize,
    form: Form,
}

/// What becomes of a text of SQL.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// It is run for one row of arguments.
    One,
    /// For many, given as a list for each argument.
    Many,
    /// Once, for all keys in the list that is its first argument.
    Among,
}

pub(super) struct Statement {
    pub(super) name: String,
    /// As given, and once the server has described it, as it takes them.
    pub(super) types: Vec<Oid>,
    pub(super) columns: Arc<[Oid]>,
}

impl Key {
    pub(super) fn of(sql: &'static str, form: Form) -> Self {
        Self {
            at: sql.as_ptr().addr(),
            length: sql.len(),
            form,
        }
    }
}

impl Form {
    /// The text that is sent. `None` if there is none for so many arguments.
    pub(super) fn text(self, sql: &'static str, arguments: usize) -> Option<Cow<'static, str>> {
        match self {
            Self::One => script::numbered(sql),
            Self::Many => merge::for_many(sql, arguments).map(Cow::Owned),
            Self::Among => merge::among(sql).map(Cow::Owned),
        }
    }
}

impl Statement {
    pub(super) fn new(number: u64, args: &[Arg<'_>], before: Option<&Self>) -> Self {
        Self {
            name: format!("s{number}"),
            types: types(args, before),
            columns: Arc::from([]),
        }
    }

    pub(super) fn fits(&self, args: &[Arg<'_>]) -> bool {
        self.types.len() == args.len()
            && self.types.iter().zip(args).all(|(known, arg)| {
                let oid = arg.oid();
                oid == UNKNOWN || oid == *known
            })
    }

    /// Whether lists can be made of its arguments.
    pub(super) fn has_plain_types(&self) -> bool {
        let is_plain = |oid: &Oid| [INT8, TEXT, BYTEA].contains(oid);
        !self.types.is_empty() && self.types.iter().all(is_plain)
    }
}

/// Nulls say nothing about their type; what an earlier call said still holds.
fn types(args: &[Arg<'_>], before: Option<&Statement>) -> Vec<Oid> {
    let before = before.map_or(&[][..], |before| &before.types);
    args.iter()
        .enumerate()
        .map(|(index, arg)| match arg.oid() {
            UNKNOWN => before.get(index).copied().unwrap_or(UNKNOWN),
            oid => oid,
        })
        .collect()
}
