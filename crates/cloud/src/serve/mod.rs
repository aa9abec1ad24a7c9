//! HTTPS: the router, and a server over a listener that the caller opened.
//!
//! | module | what |
//! |---|---|
//! | `problem` | refusals as JSON |
//! | `extract` | tokens, bodies and ids of requests |
//! | `users`, `keys`, `feed`, `tenant`, `devices`, `token`, `trust` | handlers |
//! | `registration`, `certificates` | devices that speak for themselves, and how their end of a connection proves it |
//! | `ground` | what the sync brings beside users |
//! | `oidc`, `authorize`, `page` | applications, and how their users sign in: by their device, or on the page |
//! | `connections` | TLS, limits, graceful end |

mod audit;
mod authorize;
mod certificates;
mod conditional_access;
mod connections;
mod devices;
mod document;
mod extract;
mod feed;
mod filter;
mod form;
mod ground;
mod keys;
mod oidc;
mod page;
mod problem;
mod registration;
mod router;
mod tenant;
mod token;
mod trust;
mod users;

pub use certificates::device_certificates;
pub use connections::serve;
pub use document::open_api;
pub use router::router;
