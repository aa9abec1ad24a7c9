//! The sync engine: carries values from a cloud to a directory under rules, with a plan, a journal and receipts.
//!
//! | module | what |
//! |---|---|
//! | [`connector`] | the traits [`Source`](connector::Source) and [`Target`](connector::Target), and what they speak of |
//! | [`rules`] | rules in TOML, transforms in CEL; the NGCKey pair is shipped as a file |
//! | [`plan`] | value by value: what is to be done, what is not, and why |
//! | [`Engine`] | import, synchronise, plan, apply, confirm |
//! | [`State`] | connector spaces, metaverse, journal and receipts in one SQLite file |
//! | [`mend`] | why a write is refused, and the lines that mend it |
//! | [`http`], [`ldap`] | connectors for a cloud over HTTPS and a directory over LDAP |
//! | [`memory`] | connectors without a network, for tests and benchmarks |
//!
//! ```
//! use sync::memory::{MemoryCloud, MemoryDirectory};
//! use sync::{Engine, Options, State, rules::RuleSet};
//! use types::Timestamp;
//!
//! let (cloud, directory) = (MemoryCloud::default(), MemoryDirectory::default());
//! let guid = directory.add_user("testuser");
//! cloud.add_user("testuser@corp.contoso.com", guid);
//! let key = keycred::Draft::new(b"key id", b"{}", keycred::KeyUsage::FIDO, keycred::KeySource::AZURE_AD);
//! cloud.add_key("testuser@corp.contoso.com", key.to_raw_blob()?.encode());
//!
//! let state = State::in_memory()?;
//! let mut engine = Engine::new(
//!     state, RuleSet::shipped()?, Box::new(cloud), Box::new(directory.clone()), Options::default(),
//! );
//! let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z")?;
//! let report = engine.cycle(now)?;
//! assert_eq!(report.apply.confirmed, 1);
//! assert_eq!(directory.keys("testuser").len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Deliberately absent: a clock, a schedule, files other than the state, and any use of what a key is for.

mod certificates;
pub mod connector;
mod engine;
mod error;
mod explain;
mod flow;
pub mod http;
mod keys;
pub mod ldap;
pub mod memory;
pub mod mend;
pub mod plan;
pub mod report;
pub mod rules;
pub mod schema;
mod store;

pub use connector::Connector;
pub use engine::{Engine, Observer, Options, Step};
pub use error::Error;
pub use explain::{Explanation, explain};
pub use plan::Plan;
pub use report::{CycleReport, Outcome};
pub use store::{AttemptRow, Census, State};
