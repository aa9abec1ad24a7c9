//! What stands inside encrypted parts: EncTicketPart, EncKDCRepPart, EncKrbCredPart.

use rasn::types::OctetString;
use rasn::{AsnType, Decode, Encode};

use super::{
    AuthorizationData, Der, EncryptionKey, HostAddress, KerberosTime, Malformed, PaData,
    PrincipalName, Realm, TicketFlags, sequence,
};

sequence! {
    /// EncTicketPart, RFC 4120 5.3.
    EncTicketPart [tag(explicit(application, 3))] {
        0 flags [TicketFlags],
        1 key [EncryptionKey],
        2 crealm [Realm],
        3 cname [PrincipalName],
        4 transited [TransitedEncoding],
        5 authtime [KerberosTime],
        6 starttime [Option<KerberosTime>],
        7 endtime [KerberosTime],
        8 renew_till [Option<KerberosTime>],
        9 caddr [Option<Vec<HostAddress>>],
        10 authorization_data [Option<Vec<AuthorizationData>>],
    }

    /// TransitedEncoding, RFC 4120 5.3.
    TransitedEncoding {
        0 tr_type [i32],
        1 contents [OctetString],
    }

    /// EncKDCRepPart, RFC 4120 5.4.2, with encrypted-pa-data of RFC 6806 11.
    EncKdcRepPart {
        0 key [EncryptionKey],
        1 last_req [Vec<LastReqEntry>],
        2 nonce [i64],
        3 key_expiration [Option<KerberosTime>],
        4 flags [TicketFlags],
        5 authtime [KerberosTime],
        6 starttime [Option<KerberosTime>],
        7 endtime [KerberosTime],
        8 renew_till [Option<KerberosTime>],
        9 srealm [Realm],
        10 sname [PrincipalName],
        11 caddr [Option<Vec<HostAddress>>],
        12 encrypted_pa_data [Option<Vec<PaData>>],
    }

    /// One entry of LastReq, RFC 4120 5.4.2.
    LastReqEntry {
        0 lr_type [i32],
        1 lr_value [KerberosTime],
    }

    /// EncKrbCredPart, RFC 4120 5.8.1.
    EncKrbCredPart [tag(explicit(application, 29))] {
        0 ticket_info [Vec<KrbCredInfo>],
        1 nonce [Option<i64>],
        2 timestamp [Option<KerberosTime>],
        3 usec [Option<i32>],
        4 s_address [Option<HostAddress>],
        5 r_address [Option<HostAddress>],
    }

    /// KrbCredInfo, RFC 4120 5.8.1.
    KrbCredInfo {
        0 key [EncryptionKey],
        1 prealm [Option<Realm>],
        2 pname [Option<PrincipalName>],
        3 flags [Option<TicketFlags>],
        4 authtime [Option<KerberosTime>],
        5 starttime [Option<KerberosTime>],
        6 endtime [Option<KerberosTime>],
        7 renew_till [Option<KerberosTime>],
        8 srealm [Option<Realm>],
        9 sname [Option<PrincipalName>],
        10 caddr [Option<Vec<HostAddress>>],
    }
}

#[derive(AsnType, Encode, Decode)]
#[rasn(delegate, tag(explicit(application, 25)))]
struct EncAsRepPart(EncKdcRepPart);

#[derive(AsnType, Encode, Decode)]
#[rasn(delegate, tag(explicit(application, 26)))]
struct EncTgsRepPart(EncKdcRepPart);

impl EncKdcRepPart {
    /// Reads it under either tag: MIT writes 26 in both replies.
    pub fn from_reply(plain: &[u8]) -> Result<Self, Malformed> {
        match plain.first() {
            Some(0x7A) => EncTgsRepPart::from_der(plain).map(|part| part.0),
            _ => EncAsRepPart::from_der(plain).map(|part| part.0),
        }
    }

    /// For an AS-REP, under tag 25: some clients take no other.
    pub fn to_as_reply(&self) -> Result<Vec<u8>, Malformed> {
        EncAsRepPart(self.clone()).to_der()
    }

    /// For a TGS-REP, under tag 26.
    pub fn to_tgs_reply(&self) -> Result<Vec<u8>, Malformed> {
        EncTgsRepPart(self.clone()).to_der()
    }
}
