//! The primary refresh token: what it says, sealed so that only this tenant reads it.
//!
//! A token costs no row, so a sign-in costs no more than its line in the audit log. What it says is looked up again each
//! time that it is used: a user, device or key that is gone or disabled ends it at once.

use cloud_api::Base64Url;
use cloud_api::session::SessionKey;
use keycred::KeyUsage;
use serde::{Deserialize, Serialize};
use types::{Entropy, Guid, Secret, Timestamp};
use zeroize::{Zeroize, Zeroizing};

use super::sealed_text::SealedText;

/// Seconds until a token that nobody renews ends.
pub(crate) const LIFETIME_S: i64 = 14 * 24 * 3600;

/// Seconds that a token lives which a temporary access pass began.
const PASS_LIFETIME_S: i64 = 12 * 3600;

/// How a user proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Strength {
    /// A FIDO2 key with user verification.
    Fido2,
    /// A Windows Hello key of the device.
    WindowsHello,
    /// A session that a temporary access pass bought.
    TemporaryAccessPass,
}

impl Strength {
    /// Whether it is worth a ticket for the ground by default.
    pub(crate) fn is_phishing_resistant(self) -> bool {
        matches!(self, Self::Fido2 | Self::WindowsHello)
    }

    /// The kind of the registered key that proved it.
    pub(crate) fn key_usage(self) -> Option<KeyUsage> {
        match self {
            Self::Fido2 => Some(KeyUsage::FIDO),
            Self::WindowsHello => Some(KeyUsage::NGC),
            Self::TemporaryAccessPass => None,
        }
    }

    /// In the words of RFC 8176.
    pub(crate) fn amr(self) -> &'static str {
        match self {
            Self::Fido2 => "fido",
            Self::WindowsHello => "hwk",
            Self::TemporaryAccessPass => "tap",
        }
    }

    /// What [`Strength::amr`] wrote.
    pub(crate) fn of_amr(amr: &str) -> Option<Self> {
        let all = [Self::Fido2, Self::WindowsHello, Self::TemporaryAccessPass];
        all.into_iter().find(|strength| strength.amr() == amr)
    }

    /// When a token ends that is issued now. Renewals prolong it where a registered key stands behind it, whose removal
    /// ends it; a pass is nothing that could be removed, so its token ends with the working day.
    pub(crate) fn ends(self, signed_in: Timestamp, now: Timestamp) -> Timestamp {
        match self.key_usage() {
            Some(_) => now.plus_seconds(LIFETIME_S),
            None => signed_in.plus_seconds(PASS_LIFETIME_S),
        }
    }
}

/// What a token says.
#[derive(Debug)]
pub(crate) struct PrimaryToken {
    pub(crate) user: Guid,
    pub(crate) device: Guid,
    /// When the device joined. One of the ground keeps its id when it joins anew, with another key; what was issued to it
    /// before ends there.
    pub(crate) device_since: Option<Timestamp>,
    /// The credential id that signed in.
    pub(crate) credential: Vec<u8>,
    pub(crate) strength: Strength,
    pub(crate) session: SessionKey,
    pub(crate) signed_in: Timestamp,
    pub(crate) expires: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Content {
    user: Guid,
    device: Guid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_since: Option<Timestamp>,
    credential: Base64Url,
    strength: Strength,
    session: Base64Url,
    signed_in: Timestamp,
    expires: Timestamp,
}

impl Drop for Content {
    fn drop(&mut self) {
        self.session.0.zeroize();
    }
}

const TEXT: SealedText = SealedText {
    prefix: "1.",
    purpose: b"tombolo primary refresh token",
};

impl PrimaryToken {
    /// As the device keeps it. There is a dot in it, without which some clients take it for something else.
    pub(crate) fn seal(&self, key: &Secret<[u8; 32]>, entropy: &mut dyn Entropy) -> Option<String> {
        let content = Content {
            user: self.user,
            device: self.device,
            device_since: self.device_since,
            credential: Base64Url(self.credential.clone()),
            strength: self.strength,
            session: Base64Url(self.session.expose().to_vec()),
            signed_in: self.signed_in,
            expires: self.expires,
        };
        let plain = Zeroizing::new(serde_json::to_vec(&content).ok()?);
        TEXT.seal(&plain, key, entropy)
    }

    /// Reads what [`PrimaryToken::seal`] gave.
    pub(crate) fn open(text: &str, key: &Secret<[u8; 32]>) -> Option<Self> {
        let plain = TEXT.open(text, key)?;
        let content: Content = serde_json::from_slice(&plain).ok()?;
        let octets: &[u8; 32] = content.session.as_bytes().try_into().ok()?;
        Some(Self {
            user: content.user,
            device: content.device,
            device_since: content.device_since,
            credential: content.credential.0.clone(),
            strength: content.strength,
            session: SessionKey::new(Secret::filled_by(|key: &mut [u8; 32]| {
                key.copy_from_slice(octets);
            })),
            signed_in: content.signed_in,
            expires: content.expires,
        })
    }
}

#[cfg(test)]
mod tests {
    use types::SeededEntropy;

    use super::*;

    #[test]
    fn tokens_open_with_their_tenants_key_only() {
        let mut entropy = SeededEntropy::new(1);
        let at = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
        let token = PrimaryToken {
            user: Guid::v4([1; 16]),
            device: Guid::v4([2; 16]),
            device_since: Some(at),
            credential: vec![3; 16],
            strength: Strength::Fido2,
            session: SessionKey::new(Secret::new([4; 32])),
            signed_in: at,
            expires: at.plus_seconds(LIFETIME_S),
        };
        let text = token.seal(&Secret::new([5; 32]), &mut entropy).unwrap();
        assert!(text.contains('.'));
        let read = PrimaryToken::open(&text, &Secret::new([5; 32])).unwrap();
        assert_eq!(read.session, token.session);
        assert_eq!((read.user, read.device), (token.user, token.device));
        assert!(PrimaryToken::open(&text, &Secret::new([6; 32])).is_none());
        for text in ["", "1.", "1.AAAA", "2.AAAA", "tombolo-user.00.aa"] {
            assert!(PrimaryToken::open(text, &Secret::new([5; 32])).is_none());
        }
    }
}
