//! Numbers of RFC 3961 and its successors: encryption types, checksum types, key usages.

types::open_enum! {
    /// Encryption types (IANA registry "Kerberos Encryption Type Numbers").
    pub struct EncryptionType(i32) {
        DES_CBC_CRC = 1,
        DES_CBC_MD4 = 2,
        DES_CBC_MD5 = 3,
        DES3_CBC_SHA1 = 16,
        AES128_CTS_HMAC_SHA1_96 = 17,
        AES256_CTS_HMAC_SHA1_96 = 18,
        AES128_CTS_HMAC_SHA256_128 = 19,
        AES256_CTS_HMAC_SHA384_192 = 20,
        RC4_HMAC = 23,
        RC4_HMAC_EXP = 24,
    }
}

impl EncryptionType {
    /// Bytes of a key of this type; `None` where this crate does not compute it.
    pub fn key_bytes(self) -> Option<usize> {
        match self {
            Self::AES128_CTS_HMAC_SHA1_96 | Self::AES128_CTS_HMAC_SHA256_128 | Self::RC4_HMAC => {
                Some(16)
            }
            Self::AES256_CTS_HMAC_SHA1_96 | Self::AES256_CTS_HMAC_SHA384_192 => Some(32),
            _ => None,
        }
    }
}

types::open_enum! {
    /// Checksum types (IANA registry "Kerberos Checksum Type Numbers", MS-KILE 3.1.5.9).
    pub struct ChecksumType(i32) {
        CRC32 = 1,
        RSA_MD5 = 7,
        SHA1 = 14,
        HMAC_SHA1_96_AES128 = 15,
        HMAC_SHA1_96_AES256 = 16,
        HMAC_SHA256_128_AES128 = 19,
        HMAC_SHA384_192_AES256 = 20,
        GSS = 0x8003,
        HMAC_MD5 = -138,
    }
}

impl ChecksumType {
    /// Bytes of a checksum of this type; `None` where this crate does not compute it.
    pub fn checksum_bytes(self) -> Option<usize> {
        match self {
            Self::HMAC_SHA1_96_AES128 | Self::HMAC_SHA1_96_AES256 => Some(12),
            Self::HMAC_SHA256_128_AES128 | Self::HMAC_MD5 => Some(16),
            Self::HMAC_SHA384_192_AES256 => Some(24),
            _ => None,
        }
    }
}

types::open_enum! {
    /// What a key is used for (RFC 4120 7.5.1, RFC 4121 2, RFC 4556 3.2.3.2, RFC 6113 5.4.6, MS-PAC, MS-SFU).
    pub struct KeyUsage(u32) {
        AS_REQ_TIMESTAMP = 1,
        TICKET = 2,
        AS_REP_ENC_PART = 3,
        TGS_REQ_AUTH_DATA_SESSION = 4,
        TGS_REQ_AUTH_DATA_SUBKEY = 5,
        TGS_REQ_CHECKSUM = 6,
        TGS_REQ_AUTHENTICATOR = 7,
        TGS_REP_SESSION = 8,
        TGS_REP_SUBKEY = 9,
        AP_REQ_CHECKSUM = 10,
        AP_REQ_AUTHENTICATOR = 11,
        AP_REP = 12,
        KRB_PRIV = 13,
        KRB_CRED = 14,
        KRB_SAFE = 15,
        /// PAC_CREDENTIAL_INFO, MS-PAC 2.6.1.
        PAC_CREDENTIALS = 16,
        /// PA-FOR-USER and the signatures of the PAC, both under `KERB_NON_KERB_CKSUM_SALT`.
        PAC_CHECKSUM = 17,
        AD_KDC_ISSUED = 19,
        GSS_ACCEPTOR_SEAL = 22,
        GSS_ACCEPTOR_SIGN = 23,
        GSS_INITIATOR_SEAL = 24,
        GSS_INITIATOR_SIGN = 25,
        /// PA-S4U-X509-USER in the request, MS-SFU 2.2.2.
        S4U_X509_REQUEST = 26,
        /// PA-S4U-X509-USER in the reply.
        S4U_X509_REPLY = 27,
        PA_PKINIT_KX = 44,
        FAST_REQ_CHECKSUM = 50,
        FAST_ENC = 51,
        FAST_REP = 52,
        FAST_FINISHED = 53,
        ENC_CHALLENGE_CLIENT = 54,
        ENC_CHALLENGE_KDC = 55,
        AS_REQ = 56,
        /// The KDC's own freshness token, RFC 8070.
        PA_AS_FRESHNESS = 60,
    }
}

impl KeyUsage {
    /// PA-FOR-USER, MS-SFU 2.2.1: the same number as [`KeyUsage::PAC_CHECKSUM`].
    pub const PA_FOR_USER: Self = Self(17);
}
