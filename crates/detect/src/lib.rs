//! Tells a legitimate writeback of key credentials from a planted key, and says why.
//!
//! [`read::changes`] reads change events of any origin (the directory's own records, Windows' event 5136 in the
//! shapes that log shippers give it) into [`Sighting`]s. [`judge`] weighs each one against a [`Baseline`]: which
//! accounts synchronise, what the sync says that it wrote, which keys the cloud knows. A [`Verdict`] carries
//! every reason with its weight, what was not available, and one command that would settle it.
//!
//! ```
//! use detect::{Baseline, Word, judge, read};
//! let event = r#"{"Event": {"System": {"EventID": 5136, "Computer": "dc1"}, "EventData": {
//!     "SubjectUserSid": "S-1-5-21-1-2-3-1666", "SubjectUserName": "mallory",
//!     "ObjectDN": "CN=WS1,CN=Computers,DC=corp,DC=contoso,DC=com", "ObjectClass": "computer",
//!     "AttributeLDAPDisplayName": "msDS-KeyCredentialLink", "OperationType": "%%14674",
//!     "AttributeValue": "B:806:%%14672:CN=WS1,CN=Computers,DC=corp,DC=contoso,DC=com"}}}"#;
//! let read = read::changes("example", event.as_bytes());
//! let verdicts = judge(&read.sightings, &Baseline::default());
//! assert_eq!(verdicts[0].verdict, Word::Planted);
//! assert!(verdicts[0].has_reason("computer-written-by-other"));
//! ```
//!
//! A Windows 5136 says how long a value is and who wrote it, but never the value
//! (`B:854:%%14672:CN=...`): [`Inventory`] brings the value from a later read-out.
//!
//! Deliberately absent: learning, streams, and any look at a directory or cloud of its own. Evidence comes in
//! as text, and the same evidence gives the same verdicts.

mod baseline;
mod inventory;
mod judge;
pub mod read;
mod reason;
mod receipts;
mod report;
mod sighting;
mod verdict;

pub use baseline::{Baseline, BaselineError, CloudKeys, Connector};
pub use inventory::Inventory;
pub use judge::judge;
pub use reason::{Reason, Rule, Side, WEIGHTS};
pub use report::{Report, Summary};
pub use sighting::{Act, Form, Object, Origin, SeenValue, Sighting, Writer};
pub use verdict::{Confidence, Tier, Verdict, Word};

/// The attribute that all of this is about.
pub const ATTRIBUTE: &str = "msDS-KeyCredentialLink";

/// Its `schemaIDGUID`, by which event 4662 and access control entries name it.
pub const ATTRIBUTE_GUID: &str = "5b47d60f-6090-40b2-9f37-2a4de88f3063";
