//! The frames of RFC 3244 2: lengths around an AP-REQ and a KRB-PRIV, and around the answer.

use kerberos::messages::{Der, ErrorCode, KerberosTime, KrbError, NameType, PrincipalName, Realm};
use types::Timestamp;

use crate::kdc::microseconds;
use crate::passwords::{PasswordRefused, PasswordRules};

types::open_enum! {
    /// Protocol version numbers: the first is a change of one's own password, the second RFC 3244's set.
    pub(super) struct Version(u16) { CHANGE = 0x0001, SET = 0xFF80 }
}

types::open_enum! {
    /// Result codes, RFC 3244 2.
    pub(super) struct ResultCode(u16) {
        SUCCESS = 0, MALFORMED = 1, HARD_ERROR = 2, AUTHENTICATION_ERROR = 3, SOFT_ERROR = 4, ACCESS_DENIED = 5,
        BAD_VERSION = 6, INITIAL_FLAG_NEEDED = 7,
    }
}

/// A request taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) version: Version,
    pub(super) ap_req: &'a [u8],
    pub(super) krb_priv: &'a [u8],
}

impl<'a> Frame<'a> {
    /// `None` where the lengths do not fit each other.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<6>()?;
        let [l0, l1, v0, v1, a0, a1] = *head;
        if usize::from(u16::from_be_bytes([l0, l1])) != bytes.len() {
            return None;
        }
        let ap_req_length = usize::from(u16::from_be_bytes([a0, a1]));
        let (ap_req, krb_priv) = rest.split_at_checked(ap_req_length)?;
        Some(Self {
            version: Version(u16::from_be_bytes([v0, v1])),
            ap_req,
            krb_priv,
        })
    }
}

/// The answer's frame. Without an AP-REP the last part is a KRB-ERROR.
pub(super) fn framed(ap_rep: &[u8], last: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(6 + ap_rep.len() + last.len()).ok()?;
    let ap_rep_length = u16::try_from(ap_rep.len()).ok()?;
    let head = [length, Version::CHANGE.0, ap_rep_length].map(u16::to_be_bytes);
    Some([head.as_flattened(), ap_rep, last].concat())
}

/// What the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) code: ResultCode,
    pub(super) text: Vec<u8>,
}

impl Outcome {
    pub(super) fn new(code: ResultCode, text: &str) -> Self {
        Self {
            code,
            text: text.as_bytes().to_vec(),
        }
    }

    /// Result code and text, as they stand in the answer.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        [&self.code.0.to_be_bytes(), self.text.as_slice()].concat()
    }

    /// In a KRB-ERROR, where there is no key to seal it with.
    pub(super) fn in_error(&self, code: ErrorCode, realm: &str, now: Timestamp) -> Option<Vec<u8>> {
        let service = PrincipalName::new(NameType::NT_SRV_INST, ["kadmin", "changepw"]);
        let time = KerberosTime::new(now);
        let mut error = KrbError::new(code, time, Realm::from(realm), service);
        error.susec = microseconds(now);
        error.e_data = Some(self.to_bytes().into());
        framed(&[], &error.to_der().ok()?)
    }
}

impl From<&PasswordRefused> for Outcome {
    fn from(refused: &PasswordRefused) -> Self {
        match refused {
            PasswordRefused::AccessDenied => Self::new(ResultCode::ACCESS_DENIED, "access denied"),
            PasswordRefused::Policy { rules, .. } => Self {
                code: ResultCode::SOFT_ERROR,
                text: policy_information(rules),
            },
            PasswordRefused::NoSuchAccount => {
                Self::new(ResultCode::HARD_ERROR, "there is no such account")
            }
            PasswordRefused::Unavailable(_) => Self::new(
                ResultCode::HARD_ERROR,
                "the directory cannot be written now",
            ),
        }
    }
}

/// Active Directory's 30 bytes in the place of a text: MIT's and Heimdal's clients make sentences of them. Two zero
/// bytes, minimum length, history, properties, then maximum and minimum age in 100 ns, all big-endian.
fn policy_information(rules: &PasswordRules) -> Vec<u8> {
    let ticks = |seconds: i64| {
        let ticks = seconds.saturating_mul(Timestamp::TICKS_PER_SECOND);
        u64::try_from(ticks).unwrap_or_default().to_be_bytes()
    };
    let words = [
        rules.length_min,
        rules.history,
        u32::from(rules.must_be_complex),
    ];
    let mut bytes = vec![0; 2];
    bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    bytes.extend(ticks(rules.age_s_max));
    bytes.extend(ticks(rules.age_s_min));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_fit() {
        let good = [0, 9, 0xFF, 0x80, 0, 2, b'a', b'b', b'c'];
        let frame = Frame::decode(&good).unwrap();
        assert_eq!(frame.version, Version::SET);
        assert_eq!((frame.ap_req, frame.krb_priv), (&b"ab"[..], &b"c"[..]));
        for length in 0..good.len() {
            assert_eq!(Frame::decode(&good[..length]), None, "{length}");
        }
        let mut long = good;
        long[5] = 4;
        assert_eq!(Frame::decode(&long), None);
    }

    #[test]
    fn the_rules_have_thirty_bytes() {
        let rules = PasswordRules {
            length_min: 7,
            history: 24,
            must_be_complex: true,
            age_s_max: 42 * 86_400,
            age_s_min: 86_400,
        };
        let bytes = policy_information(&rules);
        assert_eq!(bytes.len(), 30);
        assert_eq!(bytes[..6], [0, 0, 0, 0, 0, 7]);
        assert_eq!(bytes[22..], 864_000_000_000_u64.to_be_bytes());
    }
}
