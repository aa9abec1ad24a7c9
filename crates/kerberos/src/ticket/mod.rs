//! Sealing and opening: tickets, authenticators, replies, KRB-PRIV and KRB-CRED, each under its own key usage.
//!
//! Deliberately absent: whether an opened ticket may be used. Times, flags, addresses and the PAC are judged by
//! those who know the policy.

mod pac_place;

pub use pac_place::{pac_of, put_pac};

use types::Entropy;

use crate::crypto::{CryptoError, Key, KeyUsage};
use crate::messages::{
    ApOptions, ApRep, ApReq, Authenticator, Der, EncApRepPart, EncKdcRepPart, EncKrbCredPart,
    EncKrbPrivPart, EncTicketPart, EncryptedData, KdcReply, KrbCred, KrbPriv, Kvno, Malformed,
    MessageType, PrincipalName, Realm, RequestKind, Ticket,
};

/// Something does not open or cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The key does not fit, or the bytes were changed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// What was inside is not what it should be.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Without a session key there is nothing to seal a KRB-CRED with, and nobody sends one in the clear.
    #[error("KRB-CRED is not encrypted with type 0, and no key was given")]
    KeyNeeded,
}

impl Ticket {
    /// Seals a ticket under the service's key.
    pub fn seal(
        realm: Realm,
        sname: PrincipalName,
        part: &EncTicketPart,
        key: &Key,
        kvno: Option<Kvno>,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, SealError> {
        let enc_part = seal(part, key, kvno, KeyUsage::TICKET, entropy)?;
        Ok(Self {
            tkt_vno: PVNO,
            realm,
            sname,
            enc_part,
        })
    }

    /// Opens a ticket with the service's key.
    pub fn open(&self, key: &Key) -> Result<EncTicketPart, SealError> {
        open(&self.enc_part, key, KeyUsage::TICKET)
    }
}

impl ApReq {
    /// Seals the authenticator under the ticket's session key: usage 7 towards a KDC, 11 towards a service.
    pub fn seal(
        ap_options: ApOptions,
        ticket: Ticket,
        authenticator: &Authenticator,
        session_key: &Key,
        usage: KeyUsage,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, SealError> {
        Ok(Self {
            pvno: PVNO,
            msg_type: MessageType::AP_REQ,
            ap_options,
            ticket,
            authenticator: seal(authenticator, session_key, None, usage, entropy)?,
        })
    }

    /// Opens the authenticator with the ticket's session key.
    pub fn open_authenticator(
        &self,
        session_key: &Key,
        usage: KeyUsage,
    ) -> Result<Authenticator, SealError> {
        open(&self.authenticator, session_key, usage)
    }
}

impl ApRep {
    /// Seals the service's answer under the ticket's session key.
    pub fn seal(
        part: &EncApRepPart,
        session_key: &Key,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, SealError> {
        Ok(Self {
            pvno: PVNO,
            msg_type: MessageType::AP_REP,
            enc_part: seal(part, session_key, None, KeyUsage::AP_REP, entropy)?,
        })
    }

    /// Opens the service's answer.
    pub fn open(&self, session_key: &Key) -> Result<EncApRepPart, SealError> {
        open(&self.enc_part, session_key, KeyUsage::AP_REP)
    }
}

impl EncKdcRepPart {
    /// Seals the client's part of a reply: usage 3 in an AS-REP, 8 or 9 in a TGS-REP.
    pub fn seal(
        &self,
        kind: RequestKind,
        key: &Key,
        kvno: Option<Kvno>,
        usage: KeyUsage,
        entropy: &mut dyn Entropy,
    ) -> Result<EncryptedData, SealError> {
        let plain = match kind {
            RequestKind::As => self.to_as_reply()?,
            RequestKind::Tgs => self.to_tgs_reply()?,
        };
        let plain = zeroize::Zeroizing::new(plain);
        Ok(EncryptedData::seal(key, kvno, usage, &plain, entropy)?)
    }
}

impl KdcReply {
    /// Opens the client's part.
    pub fn open(&self, key: &Key, usage: KeyUsage) -> Result<EncKdcRepPart, SealError> {
        let plain = self.enc_part.open(key, usage)?;
        Ok(EncKdcRepPart::from_reply(&plain)?)
    }
}

impl KrbPriv {
    /// Seals under a session or sub-session key.
    pub fn seal(
        part: &EncKrbPrivPart,
        key: &Key,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, SealError> {
        Ok(Self {
            pvno: PVNO,
            msg_type: MessageType::KRB_PRIV,
            enc_part: seal(part, key, None, KeyUsage::KRB_PRIV, entropy)?,
        })
    }

    /// Opens with a session or sub-session key.
    pub fn open(&self, key: &Key) -> Result<EncKrbPrivPart, SealError> {
        open(&self.enc_part, key, KeyUsage::KRB_PRIV)
    }
}

impl KrbCred {
    /// Packs tickets; without a key in the clear, as ticket files (`.kirbi`) hold them.
    pub fn seal(
        tickets: Vec<Ticket>,
        part: &EncKrbCredPart,
        key: Option<&Key>,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, SealError> {
        let enc_part = match key {
            Some(key) => seal(part, key, None, KeyUsage::KRB_CRED, entropy)?,
            None => EncryptedData {
                etype: crate::crypto::EncryptionType(0),
                kvno: None,
                cipher: part.to_der()?.into(),
            },
        };
        Ok(Self {
            pvno: PVNO,
            msg_type: MessageType::KRB_CRED,
            tickets,
            enc_part,
        })
    }

    /// Opens, without a key only what is in the clear.
    pub fn open(&self, key: Option<&Key>) -> Result<EncKrbCredPart, SealError> {
        match key {
            Some(key) => open(&self.enc_part, key, KeyUsage::KRB_CRED),
            None if self.enc_part.etype.0 == 0 => {
                Ok(EncKrbCredPart::from_der(&self.enc_part.cipher)?)
            }
            None => Err(SealError::KeyNeeded),
        }
    }
}

/// Seals any structure.
pub fn seal<T: Der>(
    part: &T,
    key: &Key,
    kvno: Option<Kvno>,
    usage: KeyUsage,
    entropy: &mut dyn Entropy,
) -> Result<EncryptedData, SealError> {
    let plain = zeroize::Zeroizing::new(part.to_der()?);
    Ok(EncryptedData::seal(key, kvno, usage, &plain, entropy)?)
}

/// Opens any structure.
pub fn open<T: Der>(data: &EncryptedData, key: &Key, usage: KeyUsage) -> Result<T, SealError> {
    Ok(T::from_der(&data.open(key, usage)?)?)
}

const PVNO: i32 = 5;
