//! The key feed: a page from where a reader stands.

use cloud_api::devicekeys::{DeltaUser, RemovedReason};

use super::Cloud;
use crate::caller::Caller;
use crate::core::delta::{DeltaToken, StaleToken};
use crate::error::Error;
use crate::store::{FeedPage, FeedUser, Head, Store};

/// A page of the feed, and the token of what comes after.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) users: Vec<DeltaUser>,
    /// For `$skiptoken` when there is more, for `$deltatoken` when this page is the last.
    pub(crate) token: DeltaToken,
    pub(crate) is_last: bool,
}

/// Where a reader wants to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// At the beginning, with so many users on a page.
    Beginning(u16),
    /// Now: no users, only a token.
    Now(u16),
    /// Where it stood.
    Token(DeltaToken),
}

impl Cloud {
    /// Gives a page of the feed.
    pub(crate) fn delta(&self, caller: &Caller, from: From) -> Result<Page, Error> {
        caller.must_read_keys()?;
        let now = self.now();
        self.store().read(|db| {
            let epoch = Store::tenant(db)?.epoch;
            let head = Store::head(db)?;
            let start = |page_users, at: Head, floor| DeltaToken {
                epoch,
                cursor: at.seq,
                mark: at.mark,
                floor,
                issued: now,
                page_users,
            };
            let token = match from {
                From::Beginning(page_users) => start(page_users, Head::default(), head.seq),
                From::Now(page_users) => {
                    return Ok(Page {
                        users: Vec::new(),
                        token: start(page_users, head, 0),
                        is_last: true,
                    });
                }
                From::Token(token) => token,
            };
            token.check(epoch, now)?;
            let cursor = Head {
                seq: token.cursor,
                mark: token.mark,
            };
            if !Store::has_line(db, cursor)? {
                return Err(StaleToken::UnknownChange.into());
            }
            let page = Store::feed(db, cursor, token.floor, token.page_users)?;
            let token = after(&token, &page, now);
            Ok(Page {
                is_last: page.is_last,
                users: page
                    .users
                    .into_iter()
                    .map(|user| to_wire(db, user))
                    .collect::<Result<_, _>>()?,
                token,
            })
        })
    }
}

/// The token of what comes after a page.
fn after(token: &DeltaToken, page: &FeedPage, now: types::Timestamp) -> DeltaToken {
    let moved = DeltaToken {
        cursor: page.reached.seq,
        mark: page.reached.mark,
        ..*token
    };
    if page.is_last {
        DeltaToken {
            floor: 0,
            issued: now,
            ..moved
        }
    } else {
        // A slow enumeration keeps the age of its first page: users that it has met may be deleted and forgotten
        // while it lasts.
        moved
    }
}

fn to_wire(db: &rusqlite::Connection, user: FeedUser) -> Result<DeltaUser, Error> {
    let row = match user {
        FeedUser::Gone(id) => return Ok(DeltaUser::gone(id, RemovedReason::Deleted)),
        FeedUser::Present(row) => row,
    };
    let keys = Store::keys_of(db, row.id)?;
    Ok(DeltaUser {
        id: row.id.to_string(),
        removed: None,
        user_principal_name: Some(row.user_principal_name),
        display_name: Some(row.display_name),
        account_enabled: Some(row.account_enabled),
        on_premises: row.on_premises,
        searchable_device_key: Some(keys.into_iter().map(|row| row.key).collect()),
    })
}
