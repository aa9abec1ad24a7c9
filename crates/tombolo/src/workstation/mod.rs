//! A workstation's commands: `signin`, `unlock`, `agent`, `status`, `signout`, `nt-hash`, `device`, and the helper of logins.
//!
//! What they do is decided in the crate `workstation`; here are its wires, its files and its keys.
//!
//! - [`online`], [`offline`]: the two ways to sign in; [`keep`]: what they leave on this machine
//! - [`state`], [`settings`], [`journal`]: the device's directory
//! - [`device`], [`hybrid`]: how it joins the cloud
//! - [`key`]: the security key; [`agent`]: who keeps a session fresh

pub(crate) mod agent;
mod device;
mod hybrid;
mod journal;
mod keep;
pub(crate) mod key;
#[cfg(target_os = "linux")]
pub(crate) mod login_helper;
pub(crate) mod nt_hash;
mod offline;
mod online;
pub(crate) mod reseal;
mod settings;
pub(crate) mod signin;
pub(crate) mod signout;
mod state;
pub(crate) mod status;
pub(crate) mod unlock;

use types::Timestamp;

/// A time as people read it.
fn time(at: Timestamp) -> String {
    let whole = Timestamp::from_unix_seconds(at.unix_seconds());
    whole.to_rfc3339().unwrap_or_default()
}
