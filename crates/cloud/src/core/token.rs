//! Bearer tokens and temporary access passes: 256 random bits, shown once, kept as a hash.
//!
//! The text is `tombolo-<role>.<16 hex digits>.<43 characters of base64url>`. The first part lets scanners find
//! leaked tokens, the second finds the row in the store, the third is the secret. It is compared as a hash and in
//! constant time; a hash without salt is enough because the secret has no pattern to guess.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use types::{Entropy, Secret};

/// Finds the row of a token.
pub(crate) type TokenId = [u8; 8];

/// A token that was just made.
pub(crate) struct FreshToken {
    /// Finds the row.
    pub(crate) id: TokenId,
    /// To be stored.
    pub(crate) secret_hash: [u8; 32],
    /// To be shown once.
    pub(crate) text: Secret<String>,
}

impl FreshToken {
    /// Makes a token; `word` says what it is for.
    pub(crate) fn make(word: &str, entropy: &mut dyn Entropy) -> Self {
        let mut id = TokenId::default();
        entropy.fill(&mut id);
        let secret = Secret::<[u8; 32]>::filled_by(|bytes| entropy.fill(bytes));
        let text = format!(
            "tombolo-{word}.{}.{}",
            HEXLOWER.encode(&id),
            BASE64URL_NOPAD.encode(secret.expose())
        );
        Self {
            id,
            secret_hash: hash(secret.expose()),
            text: Secret::new(text),
        }
    }
}

/// A token as a caller presents it.
pub(crate) struct PresentedToken {
    /// Finds the row.
    pub(crate) id: TokenId,
    secret_hash: [u8; 32],
}

impl PresentedToken {
    /// Reads the text; `None` when it has not the shape of a token of this kind.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("tombolo-")?.split('.');
        let (_word, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || secret.len() != 43 {
            return None;
        }
        let id = HEXLOWER_PERMISSIVE.decode(id.as_bytes()).ok()?;
        let secret = Secret::new(BASE64URL_NOPAD.decode(secret.as_bytes()).ok()?);
        Some(Self {
            id: id.try_into().ok()?,
            secret_hash: hash(secret.expose()),
        })
    }

    /// Whether this is the token whose hash was stored.
    pub(crate) fn is(&self, stored_hash: &[u8]) -> bool {
        self.secret_hash.ct_eq(stored_hash).into()
    }
}

fn hash(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use types::SeededEntropy;

    use super::*;

    #[test]
    fn a_token_is_recognised_by_its_hash_alone() {
        let mut entropy = SeededEntropy::new(7);
        let one = FreshToken::make("admin", &mut entropy);
        let two = FreshToken::make("admin", &mut entropy);
        let presented = PresentedToken::parse(one.text.expose()).unwrap();
        assert_eq!(presented.id, one.id);
        assert!(presented.is(&one.secret_hash));
        assert!(!presented.is(&two.secret_hash));
        assert!(!presented.is(&[]));
    }

    #[test]
    fn other_texts_are_no_tokens() {
        for text in [
            "",
            "tombolo-admin",
            "tombolo-admin.00.aa",
            "tombolo-admin.0011223344556677.aa",
            "Bearer x",
        ] {
            assert!(PresentedToken::parse(text).is_none(), "{text}");
        }
    }
}
