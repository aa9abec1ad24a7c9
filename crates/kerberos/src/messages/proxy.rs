//! KDC-PROXY-MESSAGE, MS-KKDCP 2.2.2: a message of Kerberos in the body of an HTTPS request.

use rasn::types::OctetString;

use super::{Malformed, Realm, sequence};

sequence! {
    /// KDC-PROXY-MESSAGE, MS-KKDCP 2.2.2.
    KdcProxyMessage {
        0 kerb_message [OctetString],
        1 target_domain [Option<Realm>],
        2 dclocator_hint [Option<i64>],
    }
}

impl KdcProxyMessage {
    /// An envelope around a message, with the length that it has on a TCP stream before it.
    pub fn around(message: &[u8]) -> Result<Self, Malformed> {
        let length = u32::try_from(message.len()).map_err(|_| Malformed::TooLarge {
            what: "KDC-PROXY-MESSAGE",
            have: message.len(),
            max: super::MESSAGE_BYTES_MAX,
        })?;
        Ok(Self {
            kerb_message: [&length.to_be_bytes(), message].concat().into(),
            target_domain: None,
            dclocator_hint: None,
        })
    }

    /// The message, if its length is the one that is said.
    pub fn message(&self) -> Option<&[u8]> {
        let (length, message) = self.kerb_message.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        (length == message.len()).then_some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Der as _;
    use super::*;

    #[test]
    fn the_length_inside_must_fit() {
        let envelope = KdcProxyMessage::around(b"request").unwrap();
        let read = KdcProxyMessage::from_der(&envelope.to_der().unwrap()).unwrap();
        assert_eq!(read.message(), Some(&b"request"[..]));
        for bent in [&b""[..], b"\0\0\0", b"\0\0\0\x02a", b"\0\0\0\0a"] {
            let envelope = KdcProxyMessage {
                kerb_message: bent.to_vec().into(),
                ..read.clone()
            };
            assert_eq!(envelope.message(), None, "{bent:?}");
        }
    }
}
