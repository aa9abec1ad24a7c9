//! Hashes of bearer tokens and temporary access passes.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension, params};
use types::{Guid, Timestamp};

use super::{Store, Text, Ticks, guid_text};
use crate::core::token::{FreshToken, TokenId};
use crate::error::Error;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Administrator,
    Sync,
    Session(Guid),
    TemporaryAccessPass(Guid),
}

/// A stored token.
#[derive(Debug)]
pub(crate) struct TokenRow {
    pub(crate) kind: TokenKind,
    pub(crate) name: String,
    pub(crate) secret_hash: Vec<u8>,
    pub(crate) expires: Option<Timestamp>,
}

impl TokenKind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Administrator => "admin",
            Self::Sync => "sync",
            Self::Session(_) => "user",
            Self::TemporaryAccessPass(_) => "tap",
        }
    }

    fn user(self) -> Option<Guid> {
        match self {
            Self::Session(user) | Self::TemporaryAccessPass(user) => Some(user),
            Self::Administrator | Self::Sync => None,
        }
    }
}

struct Word(String);

impl FromSql for Word {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str().map(|word| Self(word.to_owned()))
    }
}

impl Store {
    /// Keeps a token, and forgets expired ones.
    pub(crate) fn insert_token(
        db: &Connection,
        token: &FreshToken,
        kind: TokenKind,
        name: &str,
        now: Timestamp,
        expires: Option<Timestamp>,
    ) -> Result<(), Error> {
        db.prepare_cached("DELETE FROM token WHERE expires < ?1")?
            .execute([now.ticks()])?;
        db.prepare_cached(
            "INSERT INTO token (id, kind, user, name, secret_hash, created, expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            token.id,
            kind.word(),
            guid_text(kind.user()),
            name,
            token.secret_hash,
            now.ticks(),
            expires.map(Timestamp::ticks),
        ])?;
        Ok(())
    }

    /// The token with this id, if any.
    pub(crate) fn token(db: &Connection, id: TokenId) -> Result<Option<TokenRow>, Error> {
        let row = db
            .prepare_cached(
                "SELECT kind, user, name, secret_hash, expires FROM token WHERE id = ?1",
            )?
            .query_row([id], |row| {
                let word = row.get::<_, Word>(0)?.0;
                let user = row.get::<_, Option<Text<Guid>>>(1)?.map(|user| user.0);
                let kind = match (word.as_str(), user) {
                    ("admin", None) => TokenKind::Administrator,
                    ("sync", None) => TokenKind::Sync,
                    ("user", Some(user)) => TokenKind::Session(user),
                    ("tap", Some(user)) => TokenKind::TemporaryAccessPass(user),
                    _ => return Err(FromSqlError::InvalidType.into()),
                };
                Ok(TokenRow {
                    kind,
                    name: row.get(2)?,
                    secret_hash: row.get(3)?,
                    expires: row.get::<_, Option<Ticks>>(4)?.map(|at| at.0),
                })
            })
            .optional()?;
        Ok(row)
    }

    /// Removes a token; whether it was there.
    pub(crate) fn remove_token(db: &Connection, id: TokenId) -> Result<bool, Error> {
        Ok(db.execute("DELETE FROM token WHERE id = ?1", [id])? == 1)
    }
}
