//! Sealing: what binds a secret to this machine.

/// A machine's own lock: a TPM, or a key file that only root reads.
///
/// Sealed bytes open on the machine that sealed them, and nowhere else.
pub trait Seal {
    /// Locks `plain`.
    fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, SealError>;
    /// Opens what [`Seal::seal`] gave.
    fn unseal(&self, sealed: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, SealError>;
}

/// The machine would not seal or unseal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Sealed elsewhere, or damaged.
    #[error("the sealed state was not made on this machine, or is damaged; join the device again")]
    NotOurs,
    /// The lock itself does not work.
    #[error("the machine's seal does not work: {0}")]
    Unavailable(String),
}
