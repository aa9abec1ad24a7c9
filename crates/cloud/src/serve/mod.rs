//! HTTPS: the router, and a server over a listener that the caller opened.
//!
//! | module | what |
//! |---|---|
//! | `problem` | refusals as JSON |
//! | `extract` | tokens, bodies and ids of requests |
//! | `users`, `keys`, `feed`, `tenant`, `devices`, `token`, `trust` | handlers |
//! | `oidc`, `page` | applications, and the page where their users sign in |
//! | `connections` | TLS, limits, graceful end |

mod conditional_access;
mod connections;
mod devices;
mod document;
mod extract;
mod feed;
mod form;
mod keys;
mod oidc;
mod page;
mod problem;
mod router;
mod tenant;
mod token;
mod trust;
mod users;

pub use connections::serve;
pub use document::open_api;
pub use router::router;
