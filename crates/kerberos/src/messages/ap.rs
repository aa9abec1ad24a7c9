//! What a client and a service say to each other: AP, SAFE, PRIV and CRED, RFC 4120 5.5 to 5.8; RFC 3244.

use rasn::types::OctetString;

use super::{
    ApOptions, AuthorizationData, Checksum, EncryptedData, EncryptionKey, HostAddress,
    KerberosTime, Malformed, MessageType, PrincipalName, Realm, SecretBytes, Ticket, sequence,
};

sequence! {
    /// AP-REQ, RFC 4120 5.5.1.
    ApReq [tag(explicit(application, 14))] {
        0 pvno [i32],
        1 msg_type [MessageType],
        2 ap_options [ApOptions],
        3 ticket [Ticket],
        4 authenticator [EncryptedData],
    }

    /// Authenticator, RFC 4120 5.5.1.
    Authenticator [tag(explicit(application, 2))] {
        0 authenticator_vno [i32],
        1 crealm [Realm],
        2 cname [PrincipalName],
        3 cksum [Option<Checksum>],
        4 cusec [i32],
        5 ctime [KerberosTime],
        6 subkey [Option<EncryptionKey>],
        7 seq_number [Option<i64>],
        8 authorization_data [Option<Vec<AuthorizationData>>],
    }

    /// AP-REP, RFC 4120 5.5.2.
    ApRep [tag(explicit(application, 15))] {
        0 pvno [i32],
        1 msg_type [MessageType],
        2 enc_part [EncryptedData],
    }

    /// EncAPRepPart, RFC 4120 5.5.2.
    EncApRepPart [tag(explicit(application, 27))] {
        0 ctime [KerberosTime],
        1 cusec [i32],
        2 subkey [Option<EncryptionKey>],
        3 seq_number [Option<i64>],
    }

    /// KRB-SAFE, RFC 4120 5.6.1.
    KrbSafe [tag(explicit(application, 20))] {
        0 pvno [i32],
        1 msg_type [MessageType],
        2 safe_body [KrbSafeBody],
        3 cksum [Checksum],
    }

    /// KRB-SAFE-BODY, RFC 4120 5.6.1.
    KrbSafeBody {
        0 user_data [OctetString],
        1 timestamp [Option<KerberosTime>],
        2 usec [Option<i32>],
        3 seq_number [Option<i64>],
        4 s_address [HostAddress],
        5 r_address [Option<HostAddress>],
    }

    /// KRB-PRIV, RFC 4120 5.7.1; there is no field 2.
    KrbPriv [tag(explicit(application, 21))] {
        0 pvno [i32],
        1 msg_type [MessageType],
        3 enc_part [EncryptedData],
    }

    /// EncKrbPrivPart, RFC 4120 5.7.1.
    EncKrbPrivPart [tag(explicit(application, 28))] {
        0 user_data [SecretBytes],
        1 timestamp [Option<KerberosTime>],
        2 usec [Option<i32>],
        3 seq_number [Option<i64>],
        4 s_address [HostAddress],
        5 r_address [Option<HostAddress>],
    }

    /// KRB-CRED, RFC 4120 5.8.1.
    KrbCred [tag(explicit(application, 22))] {
        0 pvno [i32],
        1 msg_type [MessageType],
        2 tickets [Vec<Ticket>],
        3 enc_part [EncryptedData],
    }

    /// ChangePasswdData, RFC 3244 2.
    ChangePasswdData {
        0 newpasswd [SecretBytes],
        1 targname [Option<PrincipalName>],
        2 targrealm [Option<Realm>],
    }
}

/// Version and type of a message, which DER alone does not check.
macro_rules! header {
    ($($name:ident = $kind:ident),+ $(,)?) => { $(
        impl $name {
            /// Whether the version is 5 and the message type the one of this message.
            pub fn check_header(&self) -> Result<(), Malformed> {
                super::kdc::check(stringify!($name), self.pvno, self.msg_type, MessageType::$kind)
            }
        }
    )+ };
}

header! { ApReq = AP_REQ, ApRep = AP_REP, KrbSafe = KRB_SAFE, KrbPriv = KRB_PRIV, KrbCred = KRB_CRED }
