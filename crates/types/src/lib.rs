//! The words that every floor of the house shares.
//!
//! [`Sid`], [`Guid`], [`Timestamp`] and [`Dn`] are the names of things on the wire; [`Secret`] keeps key
//! material out of logs; [`Clock`] and [`Entropy`] are how time and randomness come in from the top floor;
//! [`open_enum!`] makes wire numbers that survive unknown values.
//!
//! ```
//! use types::{Dn, Guid, Sid};
//! let ada: Dn = "CN=Ada\\, Countess,OU=Users,DC=corp,DC=contoso,DC=com".parse()?;
//! assert_eq!(ada.rdn().map(|rdn| rdn.value()), Some("Ada, Countess"));
//! let everyone: Sid = "S-1-1-0".parse()?;
//! assert_eq!(everyone.to_bytes(), [1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Deliberately absent: any protocol, any I/O, any clock that ticks.

pub mod dn;
mod ground;
pub mod guid;
mod open_enum;
pub mod secret;
pub mod sid;
pub mod timestamp;

pub use dn::{Dn, Rdn};
pub use ground::{Clock, Entropy, SeededEntropy, VirtualClock};
pub use guid::Guid;
pub use secret::Secret;
pub use sid::Sid;
pub use timestamp::Timestamp;
