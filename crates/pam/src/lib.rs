//! `pam_tombolo.so`: a Linux login with a security key, online and offline, with the domain's tickets in its cache.
//!
//! A PAM module lives inside programs that run as root and were written by others, so this one is small. It holds no TLS,
//! no HID and no CBOR: it starts `tombolo login-helper`, carries the conversation between it and the person, and turns the
//! outcome into a PAM code.
//!
//! ```text
//! login program ── PAM ──▶ module ── JSON lines on a socket pair ──▶ tombolo login-helper ──▶ key, cloud, cache
//! ```
//!
//! - [`protocol`]: the lines, as pure functions
//! - [`conversation`]: what the module says and shows until the helper has a result
//! - [`module`]: what each PAM function does, over two small traits, so that tests need no PAM
//! - [`helper`]: the process: nothing inherited, lines with an end, an end of patience
//! - [`options`], [`code`]: the words of the PAM configuration, and PAM's own numbers
//! - `border`: the C interface, and the only unsafe code
//!
//! Deliberately absent: threads (a login program may fork or unload the module at any time), and any file of its own.

#![cfg(target_os = "linux")]
#![expect(
    clippy::disallowed_methods,
    reason = "the top floor: patience with the helper is measured here"
)]

pub mod code;
pub mod conversation;
pub mod helper;
pub mod module;
pub mod options;
pub mod protocol;

#[expect(
    unsafe_code,
    reason = "PAM is a C interface; everything that crosses it does so here"
)]
mod border;
