//! FAST, RFC 6113 5.4: the armoured channel between a client and a KDC.

use rasn::types::{Any, OctetString};
use rasn::{AsnType, Decode, Encode};

use super::{
    Checksum, EncryptedData, EncryptionKey, KdcOptions, KerberosTime, PaData, PrincipalName, Realm,
    sequence,
};

sequence! {
    /// KrbFastArmor, RFC 6113 5.4.1; type 1 is an AP-REQ.
    KrbFastArmor {
        0 armor_type [i32],
        1 armor_value [OctetString],
    }

    /// KrbFastArmoredReq, RFC 6113 5.4.2.
    KrbFastArmoredReq {
        0 armor [Option<KrbFastArmor>],
        1 req_checksum [Checksum],
        2 enc_fast_req [EncryptedData],
    }

    /// KrbFastReq, RFC 6113 5.4.2. The first 16 options are critical; bit 1 hides the client's names.
    KrbFastReq {
        0 fast_options [KdcOptions],
        1 padata [Vec<PaData>],
        /// KDC-REQ-BODY, raw.
        2 req_body [Any],
    }

    /// KrbFastArmoredRep, RFC 6113 5.4.3.
    KrbFastArmoredRep {
        0 enc_fast_rep [EncryptedData],
    }

    /// KrbFastResponse, RFC 6113 5.4.3.
    KrbFastResponse {
        0 padata [Vec<PaData>],
        1 strengthen_key [Option<EncryptionKey>],
        2 finished [Option<KrbFastFinished>],
        3 nonce [i64],
    }

    /// KrbFastFinished, RFC 6113 5.4.3.
    KrbFastFinished {
        0 timestamp [KerberosTime],
        1 usec [i32],
        2 crealm [Realm],
        3 cname [PrincipalName],
        4 ticket_checksum [Checksum],
    }
}

/// PA-FX-FAST-REQUEST, RFC 6113 5.4.2: a CHOICE with one alternative.
#[derive(Clone, Debug, PartialEq, Eq, AsnType, Encode, Decode)]
#[rasn(delegate, tag(explicit(0)))]
pub struct PaFxFastRequest(pub KrbFastArmoredReq);

/// PA-FX-FAST-REPLY, RFC 6113 5.4.3: a CHOICE with one alternative.
#[derive(Clone, Debug, PartialEq, Eq, AsnType, Encode, Decode)]
#[rasn(delegate, tag(explicit(0)))]
pub struct PaFxFastReply(pub KrbFastArmoredRep);
