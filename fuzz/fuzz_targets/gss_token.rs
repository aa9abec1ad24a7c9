//! GSS and SPNEGO tokens from anywhere: refused, or written again with the same sense; none passes as a message.
#![no_main]

use kerberos::crypto::{EncryptionType, Key};
use kerberos::gss::{
    GssChecksum, MechToken, NegToken, PerMessage, Role, SaslLayer, tls_server_end_point,
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(token) = MechToken::decode(data) {
        assert_eq!(MechToken::decode(&token.encode()), Ok(token));
    }
    if let Ok(token) = NegToken::decode(data) {
        assert_eq!(NegToken::decode(&token.encode()), Ok(token));
    }
    if let Ok(checksum) = GssChecksum::decode(data) {
        let bytes = checksum.encode().expect("what was read can be written");
        assert_eq!(GssChecksum::decode(&bytes), Ok(checksum));
    }
    let _ = SaslLayer::decode(data);
    let _ = tls_server_end_point(data);
    let key = || Key::new(EncryptionType::AES128_CTS_HMAC_SHA1_96, &[7; 16]).expect("16 bytes");
    let mut context = PerMessage::new(Role::Acceptor, key(), false, 0, 0);
    assert!(context.unwrap(data).is_err());
    assert!(context.verify_mic(b"", data).is_err());
});
