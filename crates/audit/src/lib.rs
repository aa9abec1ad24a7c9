//! Readers of key inventories, and what they show.
//!
//! [`inventory`] finds key credentials in whatever an administrator has at hand: LDIF, the output of ldapsearch,
//! JSON of half a dozen tools, a cloud export, plain lines. [`report`] turns what was found into one stable form,
//! [`models`] names the security keys.
//!
//! ```
//! use audit::inventory::{self, Item};
//!
//! let text = b"dn: CN=Ada,DC=corp,DC=contoso,DC=com\nmsDS-KeyCredentialLink: B:22:000200\n 0001000401000000:CN=Ada,DC=corp,DC=contoso,DC=com\n";
//! let mut found = Vec::new();
//! inventory::read("users.ldif", text, &mut |item| found.push(item));
//! assert!(matches!(&found[..], [Item::Value(value)] if value.place.line == Some(2)));
//! ```
//!
//! Deliberately absent: opening files and sockets (the top floor does), and verdicts about a forest, which need
//! more than its values.

pub mod inventory;
pub mod models;
pub mod report;
