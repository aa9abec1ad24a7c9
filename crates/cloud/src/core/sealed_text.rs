//! Texts that only this tenant reads: AES-256-GCM under the tenant's seal key, in base64url behind a prefix.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use cloud_api::Base64Url;
use types::{Entropy, Secret};
use zeroize::Zeroizing;

/// One kind of text. No text of one kind opens as another.
pub(super) struct SealedText {
    /// What the text begins with.
    pub(super) prefix: &'static str,
    /// What it is for, as additional data.
    pub(super) purpose: &'static [u8],
}

const NONCE_LENGTH: usize = 12;

impl SealedText {
    /// Seals.
    pub(super) fn seal(
        &self,
        plain: &[u8],
        key: &Secret<[u8; 32]>,
        entropy: &mut dyn Entropy,
    ) -> Option<String> {
        let mut nonce = [0; NONCE_LENGTH];
        entropy.fill(&mut nonce);
        let payload = Payload {
            msg: plain,
            aad: self.purpose,
        };
        let sealed = Aes256Gcm::new(key.expose().into())
            .encrypt(&Nonce::from(nonce), payload)
            .ok()?;
        let octets = Base64Url([&nonce[..], &sealed].concat());
        Some(format!("{}{octets}", self.prefix))
    }

    /// Reads what [`SealedText::seal`] gave.
    pub(super) fn open(&self, text: &str, key: &Secret<[u8; 32]>) -> Option<Zeroizing<Vec<u8>>> {
        let octets = Base64Url::parse(text.strip_prefix(self.prefix)?).ok()?;
        let (nonce, sealed) = octets.0.split_first_chunk::<NONCE_LENGTH>()?;
        let payload = Payload {
            msg: sealed,
            aad: self.purpose,
        };
        let plain = Aes256Gcm::new(key.expose().into()).decrypt(&Nonce::from(*nonce), payload);
        plain.ok().map(Zeroizing::new)
    }
}
