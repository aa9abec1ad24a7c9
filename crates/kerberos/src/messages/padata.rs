//! Contents of pre-authentication data: RFC 4120 5.2.7, MS-KILE 2.2, MS-SFU 2.2.

use rasn::types::OctetString;

use super::{
    Checksum, EncryptionKey, KerberosString, KerberosTime, PacOptions, PrincipalName, Realm,
    S4uOptions, sequence,
};
use crate::crypto::{CryptoError, EncryptionType, KeyUsage, hmac_md5_checksum};

/// KERB-KEY-LIST-REQ, MS-KILE 2.2.11: the encryption types whose keys are asked for.
pub type KerbKeyListReq = Vec<EncryptionType>;

/// KERB-KEY-LIST-REP, MS-KILE 2.2.12.
pub type KerbKeyListRep = Vec<EncryptionKey>;

sequence! {
    /// PA-ENC-TS-ENC, RFC 4120 5.2.7.2.
    PaEncTsEnc {
        0 patimestamp [KerberosTime],
        1 pausec [Option<i32>],
    }

    /// ETYPE-INFO2-ENTRY, RFC 4120 5.2.7.5.
    EtypeInfo2Entry {
        0 etype [EncryptionType],
        1 salt [Option<KerberosString>],
        2 s2kparams [Option<OctetString>],
    }

    /// PA-PAC-REQUEST, MS-KILE 2.2.3.
    PaPacRequest {
        0 include_pac [bool],
    }

    /// PA-PAC-OPTIONS, MS-KILE 2.2.10.
    PaPacOptions {
        0 flags [PacOptions],
    }

    /// PA-FOR-USER, MS-SFU 2.2.1.
    PaForUser {
        0 user_name [PrincipalName],
        1 user_realm [Realm],
        2 cksum [Checksum],
        3 auth_package [KerberosString],
    }

    /// PA-S4U-X509-USER, MS-SFU 2.2.2.
    PaS4uX509User {
        0 user_id [S4uUserId],
        1 checksum [Checksum],
    }

    /// S4UUserID, MS-SFU 2.2.2.
    S4uUserId {
        0 nonce [i64],
        1 cname [Option<PrincipalName>],
        2 crealm [Realm],
        3 subject_certificate [Option<OctetString>],
        4 options [Option<S4uOptions>],
    }
}

impl PaForUser {
    /// The checksum that MS-SFU 2.2.1 wants: HMAC-MD5 under the TGT's session key, whatever its type.
    pub fn checksum(&self, session_key: &crate::crypto::Key) -> [u8; 16] {
        let mut covered = self.user_name.name_type.0.to_le_bytes().to_vec();
        for part in &self.user_name.name_string {
            covered.extend_from_slice(part.as_bytes());
        }
        covered.extend_from_slice(self.user_realm.as_bytes());
        covered.extend_from_slice(self.auth_package.as_bytes());
        hmac_md5_checksum(
            session_key.value().expose(),
            KeyUsage::PA_FOR_USER,
            &covered,
        )
    }

    /// Whether the checksum holds, compared in constant time.
    pub fn verify(&self, session_key: &crate::crypto::Key) -> Result<(), CryptoError> {
        use subtle::ConstantTimeEq;
        let need = crate::crypto::ChecksumType::HMAC_MD5;
        if self.cksum.cksumtype != need {
            return Err(CryptoError::ChecksumType {
                need,
                have: self.cksum.cksumtype,
            });
        }
        if bool::from(
            self.checksum(session_key)
                .as_slice()
                .ct_eq(&self.cksum.checksum),
        ) {
            Ok(())
        } else {
            Err(CryptoError::Integrity)
        }
    }
}
