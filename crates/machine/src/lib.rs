//! What a workstation's operating system and hardware keep for it.
//!
//! - [`ccache`]: where tickets are kept for the machine's Kerberos programs: FILE, DIR, KEYRING, KCM
//! - [`seal`]: what binds the device's secrets to this machine: a key file, or a TPM
//!
//! This is a shell: it opens files and sockets and asks the kernel. What is in them is decided below, in `kerberos` and
//! `workstation`.

#![expect(
    clippy::disallowed_methods,
    reason = "the shell around caches and seals: files, sockets, time and randomness come in here"
)]

pub mod ccache;
pub mod seal;
