//! The tenant's own keys: made when they are first needed, read once.

use std::sync::OnceLock;

use types::{Entropy, Secret};

use super::{Cloud, random};
use crate::core::access_token::TokenSigner;
use crate::core::device_ca::DeviceCa;
use crate::core::wrapping::TrustWrapping;
use crate::error::Error;
use crate::store::{KeptKey, Store};

/// Keys that this process has read.
#[derive(Default)]
pub(super) struct TenantKeys {
    seal: OnceLock<Secret<[u8; 32]>>,
    device_ca: OnceLock<DeviceCa>,
    wrapping: OnceLock<TrustWrapping>,
    token: OnceLock<TokenSigner>,
}

impl Cloud {
    /// What seals primary refresh tokens.
    pub(super) fn seal_key(&self) -> Result<&Secret<[u8; 32]>, Error> {
        once(&self.0.keys.seal, || {
            let kept = self.kept_key("seal", |entropy| {
                Ok(Secret::new(random::<32>(entropy).to_vec()))
            })?;
            let octets: &[u8; 32] = kept
                .private
                .expose()
                .as_slice()
                .try_into()
                .map_err(|_| Error::Internal("the tenant's seal key has not 32 octets"))?;
            Ok(Secret::filled_by(|key: &mut [u8; 32]| {
                key.copy_from_slice(octets);
            }))
        })
    }

    /// What certifies devices.
    pub(super) fn device_ca(&self) -> Result<&DeviceCa, Error> {
        once(&self.0.keys.device_ca, || {
            let kept = self.kept_key("deviceCa", |_| DeviceCa::fresh_key())?;
            DeviceCa::new(self.0.tenant_id, &kept.private)
        })
    }

    /// What signs access tokens.
    pub(super) fn token_signer(&self) -> Result<&TokenSigner, Error> {
        once(&self.0.keys.token, || {
            let kept = self.kept_key("token", |_| TokenSigner::fresh_key())?;
            TokenSigner::new(&kept.kid, &kept.private)
        })
    }

    /// What keys of Kerberos server objects are sealed to.
    pub(super) fn trust_wrapping(&self) -> Result<&TrustWrapping, Error> {
        once(&self.0.keys.wrapping, || {
            let kept = self.kept_key("wrapping", |_| TrustWrapping::fresh_key())?;
            TrustWrapping::new(&kept.kid, &kept.private)
        })
    }

    fn kept_key(
        &self,
        purpose: &str,
        make: impl FnOnce(&mut dyn Entropy) -> Result<Secret<Vec<u8>>, Error>,
    ) -> Result<KeptKey, Error> {
        let now = self.now();
        self.store().write(|db| {
            Store::tenant_key(db, purpose, || {
                self.with_entropy(|entropy| {
                    Ok(KeptKey {
                        kid: data_encoding::HEXLOWER.encode(&random::<8>(entropy)),
                        private: make(entropy)?,
                        created: now,
                    })
                })
            })
        })
    }
}

/// `OnceLock::get_or_init` for what may fail. Two threads may both read; the first one's key stays.
fn once<T>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T, Error>) -> Result<&T, Error> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}
