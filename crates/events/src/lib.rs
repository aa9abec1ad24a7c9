//! What is said of a change: by the directory that committed it, by Windows, and by the sync that asked for it.
//!
//! - [`Record`] is the directory's own line about one attribute value ([`Change`]) or one refused write
//!   ([`DeniedWrite`]); it carries the value itself, so that a reader need not ask for it later.
//! - [`WindowsEvent`] is the same fact as a domain controller tells it: event 5136 (with the binary part
//!   of a value hidden behind `%%14672`) and event 4662.
//! - [`Receipt`] is the sync's word for a write of its own.
//!
//! All of them are JSON Lines: [`to_line`] and [`Lines`].
//!
//! ```
//! use events::{Lines, Record};
//! let mut lines = Lines::<Record>::new("not json\n");
//! let broken = lines.next().expect("one line").unwrap_err();
//! assert_eq!(broken.line, 1);
//! ```
//!
//! Deliberately absent: what a key means (that is `keycred`) and whether a change is good (that is `detect`).

mod change;
mod format;
mod lines;
mod receipt;
mod windows;

pub use change::{
    Change, ChangedValue, DeniedWrite, ObjectName, Operation, Origin, Record, Subject,
};
pub use format::{ChangeFormat, ReceiptFormat};
pub use lines::{BrokenLine, Lines, to_line};
pub use receipt::{Receipt, ReceiptState};
pub use windows::WindowsEvent;
