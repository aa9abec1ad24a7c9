//! Outside judges: unmodified foreign programs that agree with us, or do not.
//!
//! One file per judge and topic in `tests/`. A judge that is missing fails the test and names the command
//! that installs it: a claim that nobody judged must not look like one that passed.

#![expect(
    clippy::disallowed_methods,
    reason = "judges are programs on this machine: their paths come from the environment"
)]

pub mod peers;
pub mod pki;
pub mod product;
mod said;
pub mod samba;

pub use said::Said;
