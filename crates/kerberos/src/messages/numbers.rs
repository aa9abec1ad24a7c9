//! The open numbers of the messages, each ordered as in its registry.

use rasn::types::{Constraints, Identifier, Tag};
use rasn::{AsnType, Decode, Decoder, Encode, Encoder};

use crate::crypto::{ChecksumType, EncryptionType};

types::open_enum! {
    /// Message types, RFC 4120 7.5.7: also the application tags of the messages.
    pub struct MessageType(i32) {
        AS_REQ = 10, AS_REP = 11, TGS_REQ = 12, TGS_REP = 13, AP_REQ = 14, AP_REP = 15,
        KRB_SAFE = 20, KRB_PRIV = 21, KRB_CRED = 22, KRB_ERROR = 30,
    }
}

impl MessageType {
    /// What a message says it is by its first byte.
    pub fn of(message: &[u8]) -> Option<Self> {
        let first = *message.first()?;
        (first & 0xE0 == 0x60 && first & 0x1F != 0x1F).then(|| Self(i32::from(first & 0x1F)))
    }
}

types::open_enum! {
    /// Name types, RFC 4120 6.2 and MS-KILE.
    pub struct NameType(i32) {
        NT_UNKNOWN = 0, NT_PRINCIPAL = 1, NT_SRV_INST = 2, NT_SRV_HST = 3, NT_SRV_XHST = 4, NT_UID = 5,
        NT_X500_PRINCIPAL = 6, NT_SMTP_NAME = 7, NT_ENTERPRISE = 10, NT_WELLKNOWN = 11,
        NT_MS_PRINCIPAL = -128, NT_MS_PRINCIPAL_AND_ID = -129, NT_ENT_PRINCIPAL_AND_ID = -130,
    }
}

types::open_enum! {
    /// Pre-authentication data types (IANA registry, MS-KILE 3.1.5.1).
    pub struct PaType(i32) {
        PA_TGS_REQ = 1, PA_ENC_TIMESTAMP = 2, PA_PW_SALT = 3, PA_ETYPE_INFO = 11, PA_PK_AS_REQ_OLD = 14,
        PA_PK_AS_REP_OLD = 15, PA_PK_AS_REQ = 16, PA_PK_AS_REP = 17, PA_ETYPE_INFO2 = 19,
        PA_SVR_REFERRAL_INFO = 20, TD_PKINIT_CMS_CERTIFICATES = 101, TD_KRB_PRINCIPAL = 102,
        TD_KRB_REALM = 103, TD_TRUSTED_CERTIFIERS = 104, TD_CERTIFICATE_INDEX = 105,
        TD_DH_PARAMETERS = 109, TD_CMS_DIGEST_ALGORITHMS = 111, TD_CERT_DIGEST_ALGORITHMS = 112,
        PA_PAC_REQUEST = 128, PA_FOR_USER = 129, PA_S4U_X509_USER = 130, AS_CHECKSUM = 132,
        PA_FX_COOKIE = 133, PA_FX_FAST = 136, PA_FX_ERROR = 137, PA_ENCRYPTED_CHALLENGE = 138,
        PA_PKINIT_KX = 147, PA_REQ_ENC_PA_REP = 149, PA_AS_FRESHNESS = 150, KERB_KEY_LIST_REQ = 161,
        KERB_KEY_LIST_REP = 162, PA_SUPPORTED_ENCTYPES = 165, PA_PAC_OPTIONS = 167,
    }
}

types::open_enum! {
    /// Authorization data types, RFC 4120 7.5.4, MS-KILE.
    pub struct AdType(i32) {
        AD_IF_RELEVANT = 1, AD_KDC_ISSUED = 4, AD_AND_OR = 5, AD_MANDATORY_FOR_KDC = 8,
        AD_INITIAL_VERIFIED_CAS = 9, AD_FX_FAST_ARMOR = 71, AD_FX_FAST_USED = 72, AD_WIN2K_PAC = 128,
        AD_ETYPE_NEGOTIATION = 129, KERB_AUTH_DATA_TOKEN_RESTRICTIONS = 141, AD_AUTH_DATA_AP_OPTIONS = 143,
        AD_TARGET_PRINCIPAL = 144,
    }
}

types::open_enum! {
    /// Error codes, RFC 4120 7.5.9, RFC 4556 3.1.3, RFC 6113, RFC 6806, RFC 8070.
    pub struct ErrorCode(i32) {
        KDC_ERR_NONE = 0, KDC_ERR_NAME_EXP = 1, KDC_ERR_SERVICE_EXP = 2, KDC_ERR_BAD_PVNO = 3,
        KDC_ERR_C_OLD_MAST_KVNO = 4, KDC_ERR_S_OLD_MAST_KVNO = 5, KDC_ERR_C_PRINCIPAL_UNKNOWN = 6,
        KDC_ERR_S_PRINCIPAL_UNKNOWN = 7, KDC_ERR_PRINCIPAL_NOT_UNIQUE = 8, KDC_ERR_NULL_KEY = 9,
        KDC_ERR_CANNOT_POSTDATE = 10, KDC_ERR_NEVER_VALID = 11, KDC_ERR_POLICY = 12,
        KDC_ERR_BADOPTION = 13, KDC_ERR_ETYPE_NOSUPP = 14, KDC_ERR_SUMTYPE_NOSUPP = 15,
        KDC_ERR_PADATA_TYPE_NOSUPP = 16, KDC_ERR_TRTYPE_NOSUPP = 17, KDC_ERR_CLIENT_REVOKED = 18,
        KDC_ERR_SERVICE_REVOKED = 19, KDC_ERR_TGT_REVOKED = 20, KDC_ERR_CLIENT_NOTYET = 21,
        KDC_ERR_SERVICE_NOTYET = 22, KDC_ERR_KEY_EXPIRED = 23, KDC_ERR_PREAUTH_FAILED = 24,
        KDC_ERR_PREAUTH_REQUIRED = 25, KDC_ERR_SERVER_NOMATCH = 26, KDC_ERR_MUST_USE_USER2USER = 27,
        KDC_ERR_PATH_NOT_ACCEPTED = 28, KDC_ERR_SVC_UNAVAILABLE = 29, KRB_AP_ERR_BAD_INTEGRITY = 31,
        KRB_AP_ERR_TKT_EXPIRED = 32, KRB_AP_ERR_TKT_NYV = 33, KRB_AP_ERR_REPEAT = 34,
        KRB_AP_ERR_NOT_US = 35, KRB_AP_ERR_BADMATCH = 36, KRB_AP_ERR_SKEW = 37, KRB_AP_ERR_BADADDR = 38,
        KRB_AP_ERR_BADVERSION = 39, KRB_AP_ERR_MSG_TYPE = 40, KRB_AP_ERR_MODIFIED = 41,
        KRB_AP_ERR_BADORDER = 42, KRB_AP_ERR_BADKEYVER = 44, KRB_AP_ERR_NOKEY = 45,
        KRB_AP_ERR_MUT_FAIL = 46, KRB_AP_ERR_BADDIRECTION = 47, KRB_AP_ERR_METHOD = 48,
        KRB_AP_ERR_BADSEQ = 49, KRB_AP_ERR_INAPP_CKSUM = 50, KRB_AP_PATH_NOT_ACCEPTED = 51,
        KRB_ERR_RESPONSE_TOO_BIG = 52, KRB_ERR_GENERIC = 60, KRB_ERR_FIELD_TOOLONG = 61,
        KDC_ERR_CLIENT_NOT_TRUSTED = 62, KDC_ERR_KDC_NOT_TRUSTED = 63, KDC_ERR_INVALID_SIG = 64,
        KDC_ERR_DH_KEY_PARAMETERS_NOT_ACCEPTED = 65, KDC_ERR_CERTIFICATE_MISMATCH = 66,
        KRB_AP_ERR_NO_TGT = 67, KDC_ERR_WRONG_REALM = 68, KRB_AP_ERR_USER_TO_USER_REQUIRED = 69,
        KDC_ERR_CANT_VERIFY_CERTIFICATE = 70, KDC_ERR_INVALID_CERTIFICATE = 71,
        KDC_ERR_REVOKED_CERTIFICATE = 72, KDC_ERR_REVOCATION_STATUS_UNKNOWN = 73,
        KDC_ERR_REVOCATION_STATUS_UNAVAILABLE = 74, KDC_ERR_CLIENT_NAME_MISMATCH = 75,
        KDC_ERR_KDC_NAME_MISMATCH = 76, KDC_ERR_INCONSISTENT_KEY_PURPOSE = 77,
        KDC_ERR_DIGEST_IN_CERT_NOT_ACCEPTED = 78, KDC_ERR_PA_CHECKSUM_MUST_BE_INCLUDED = 79,
        KDC_ERR_DIGEST_IN_SIGNED_DATA_NOT_ACCEPTED = 80, KDC_ERR_PUBLIC_KEY_ENCRYPTION_NOT_SUPPORTED = 81,
        KDC_ERR_PREAUTH_EXPIRED = 90, KDC_ERR_MORE_PREAUTH_DATA_REQUIRED = 91,
        KDC_ERR_UNKNOWN_CRITICAL_FAST_OPTIONS = 93, KDC_ERR_NO_ACCEPTABLE_KDF = 100,
    }
}

/// An INTEGER of 32 bits.
macro_rules! wire_integer {
    ($($name:ty),+) => { $(
        impl AsnType for $name {
            const TAG: Tag = Tag::INTEGER;
        }

        impl Decode for $name {
            fn decode_with_tag_and_constraints<D: Decoder>(
                decoder: &mut D,
                tag: Tag,
                constraints: &Constraints,
            ) -> Result<Self, D::Error> {
                i32::decode_with_tag_and_constraints(decoder, tag, constraints).map(Self)
            }
        }

        impl Encode for $name {
            fn encode_with_tag_and_constraints<'b, E: Encoder<'b>>(
                &self,
                encoder: &mut E,
                tag: Tag,
                constraints: &Constraints,
                identifier: Identifier,
            ) -> Result<(), E::Error> {
                self.0.encode_with_tag_and_constraints(encoder, tag, constraints, identifier)
            }
        }
    )+ };
}

wire_integer!(
    MessageType,
    NameType,
    PaType,
    AdType,
    ErrorCode,
    EncryptionType,
    ChecksumType
);
