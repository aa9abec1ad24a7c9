//! Why a seal does not open, and what to do next.

use std::io;
use std::path::PathBuf;

/// A seal does not open. Nothing of the device's state was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealOpenError {
    /// A file of the seal cannot be read or written.
    #[error("{} cannot be used: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key file is gone, and nothing else opens the state.
    #[error("seal.key is gone, and nothing else opens this device")]
    KeyGone,
    /// The state has another seal than the one that was named.
    #[error("this device is sealed by its {has}")]
    Other {
        /// The seal that it has.
        has: &'static str,
    },
    /// This program cannot talk to a TPM.
    #[error("a TPM is needed, and this tombolo was built without the feature tpm")]
    NotBuilt,
    /// What should be keys of a TPM is something else.
    #[error("{} holds no keys of a TPM: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The keys are gone, and nothing else opens the state.
    #[error("seal.tpm is gone, and without it the TPM opens nothing")]
    TpmKeysGone,
    /// The TPM cannot be reached.
    #[error("the TPM at {at} does not answer ({why})")]
    Unreachable {
        /// The way to it.
        at: String,
        /// What the library said.
        why: String,
    },
    /// The TPM does not know the keys, and this is the machine on which they were made.
    #[error(
        "the TPM at {at} does not know this device's keys: it was cleared, or replaced ({why})"
    )]
    Forgotten {
        /// The way to it.
        at: String,
        /// What the library said.
        why: String,
    },
    /// The TPM does not know the keys, and this is another machine.
    #[error("this device's keys were made by the TPM of another machine ({why})")]
    OtherMachine {
        /// What the library said.
        why: String,
    },
    /// The TPM refuses to make keys.
    #[error("the TPM at {at} makes no keys ({why})")]
    NoKeys {
        /// The way to it.
        at: String,
        /// What the library said.
        why: String,
    },
}

impl SealOpenError {
    /// What a person can do about it.
    pub fn next(&self) -> &'static str {
        match self {
            Self::File { .. } => "look at the owner of the device's directory, and at the disk",
            Self::KeyGone | Self::TpmKeysGone | Self::Malformed { .. } => {
                "bring it back, or join this device again with another --state"
            }
            Self::Other { .. } => {
                "leave --seal away, or move it to another seal with `tombolo device reseal`"
            }
            Self::NotBuilt => "build it with --features tombolo/tpm",
            Self::Unreachable { .. } => {
                "see that the device is there and yours to use (group tss), or name another with --seal"
            }
            Self::Forgotten { .. } => {
                "what it sealed is lost: join this device again with another --state"
            }
            Self::OtherMachine { .. } => {
                "a device does not move: join this machine with another --state"
            }
            Self::NoKeys { .. } => {
                "it may be locked, or its owner may have set a password: look with tpm2_getcap properties-variable"
            }
        }
    }
}

pub(super) fn file(path: PathBuf, source: io::Error) -> SealOpenError {
    SealOpenError::File { path, source }
}
