//! SPNEGO, RFC 4178 4.2, with the hints of MS-SPNG.

use super::framing::INITIAL_CONTEXT_TOKEN;
use super::{GssError, Mech};
use crate::der::{self, Reader};

/// More mechanisms than anybody offers.
const MECHS_MAX: usize = 32;

/// A negotiation token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NegToken {
    /// The initiator's first, or a server's hint.
    Init(NegTokenInit),
    /// Every other one.
    Resp(NegTokenResp),
}

/// NegTokenInit.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NegTokenInit {
    /// The mechanisms, the best first.
    pub mech_types: Vec<Mech>,
    /// The first token of the first mechanism.
    pub mech_token: Option<Vec<u8>>,
    /// A MIC over [`NegTokenInit::mech_list`].
    pub mech_list_mic: Option<Vec<u8>>,
}

/// NegTokenResp.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NegTokenResp {
    /// How it stands.
    pub neg_state: Option<NegState>,
    /// The mechanism that was chosen.
    pub supported_mech: Option<Mech>,
    /// The mechanism's token.
    pub response_token: Option<Vec<u8>>,
    /// A MIC over the initiator's list.
    pub mech_list_mic: Option<Vec<u8>>,
}

types::open_enum! {
    /// negState.
    pub struct NegState(u8) { ACCEPT_COMPLETED = 0, ACCEPT_INCOMPLETE = 1, REJECT = 2, REQUEST_MIC = 3 }
}

impl NegToken {
    /// Reads a token.
    pub fn decode(bytes: &[u8]) -> Result<Self, GssError> {
        let mut outer = Reader::new("SPNEGO token", bytes);
        if outer.peek() == Some(0xA1) {
            let mut token = outer.enter(0xA1)?;
            outer.end()?;
            return NegTokenResp::read(token.enter(der::SEQUENCE)?).map(Self::Resp);
        }
        // The initial token has the frame of GSS; some clients leave it out.
        if outer.peek() == Some(INITIAL_CONTEXT_TOKEN) {
            let mut framed = outer.enter(INITIAL_CONTEXT_TOKEN)?;
            outer.end()?;
            if framed.expect(der::OID)?.content != Mech::spnego().oid() {
                return Err(framed.invalid("the frame names another mechanism").into());
            }
            outer = framed;
        }
        let mut token = outer.enter(0xA0)?;
        outer.end()?;
        NegTokenInit::read(token.enter(der::SEQUENCE)?).map(Self::Init)
    }

    /// Writes a token.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Init(init) => der::tlv(
                INITIAL_CONTEXT_TOKEN,
                &[
                    &der::tlv(der::OID, &[Mech::spnego().oid()]),
                    &der::tlv(0xA0, &[&init.write()]),
                ],
            ),
            Self::Resp(resp) => der::tlv(0xA1, &[&resp.write()]),
        }
    }
}

impl NegTokenInit {
    /// The list of mechanisms as the MIC covers it.
    pub fn mech_list(&self) -> Vec<u8> {
        let mechs: Vec<Vec<u8>> = self
            .mech_types
            .iter()
            .map(|mech| der::tlv(der::OID, &[mech.oid()]))
            .collect();
        der::tlv(der::SEQUENCE, &[&mechs.concat()])
    }

    fn read(mut token: Reader<'_>) -> Result<Self, GssError> {
        let mut mechs = token.enter(0xA0)?.enter(der::SEQUENCE)?;
        let mut mech_types = Vec::new();
        while !mechs.is_empty() {
            if mech_types.len() == MECHS_MAX {
                return Err(mechs.invalid("more than 32 mechanisms").into());
            }
            mech_types.push(Mech::from_oid(mechs.expect(der::OID)?.content));
        }
        token.optional(0xA1)?; // reqFlags: nobody should look at them (RFC 4178 4.2.1)
        let mech_token = octets(&mut token, 0xA2)?;
        // MS-SPNG puts negHints at [3] and the MIC at [4].
        let mech_list_mic = match token.peek() {
            Some(0xA3) => {
                let mut third = token.enter(0xA3)?;
                let hints_or_mic = third.next()?;
                (hints_or_mic.tag == der::OCTET_STRING).then(|| hints_or_mic.content.to_vec())
            }
            _ => None,
        };
        let fourth = octets(&mut token, 0xA4)?;
        Ok(Self {
            mech_types,
            mech_token,
            mech_list_mic: mech_list_mic.or(fourth),
        })
    }

    fn write(&self) -> Vec<u8> {
        let list = der::tlv(0xA0, &[&self.mech_list()]);
        der::tlv(
            der::SEQUENCE,
            &[
                &list,
                &optional(0xA2, self.mech_token.as_deref()),
                &optional(0xA3, self.mech_list_mic.as_deref()),
            ],
        )
    }
}

impl NegTokenResp {
    fn read(mut token: Reader<'_>) -> Result<Self, GssError> {
        let neg_state = match token.optional(0xA0)? {
            None => None,
            Some(state) => match token.inside(state).expect(0x0A)?.content {
                [state] => Some(NegState(*state)),
                _ => return Err(token.invalid("negState has not one byte").into()),
            },
        };
        let supported_mech = match token.optional(0xA1)? {
            None => None,
            Some(mech) => Some(Mech::from_oid(token.inside(mech).expect(der::OID)?.content)),
        };
        Ok(Self {
            neg_state,
            supported_mech,
            response_token: octets(&mut token, 0xA2)?,
            mech_list_mic: octets(&mut token, 0xA3)?,
        })
    }

    fn write(&self) -> Vec<u8> {
        let state = self
            .neg_state
            .map(|state| der::tlv(0xA0, &[&der::tlv(0x0A, &[&[state.0]])]));
        let mech = self.supported_mech.as_ref();
        let mech = mech.map(|mech| der::tlv(0xA1, &[&der::tlv(der::OID, &[mech.oid()])]));
        der::tlv(
            der::SEQUENCE,
            &[
                &state.unwrap_or_default(),
                &mech.unwrap_or_default(),
                &optional(0xA2, self.response_token.as_deref()),
                &optional(0xA3, self.mech_list_mic.as_deref()),
            ],
        )
    }
}

fn octets(token: &mut Reader<'_>, tag: u8) -> Result<Option<Vec<u8>>, GssError> {
    match token.optional(tag)? {
        None => Ok(None),
        Some(field) => Ok(Some(
            token
                .inside(field)
                .expect(der::OCTET_STRING)?
                .content
                .to_vec(),
        )),
    }
}

fn optional(tag: u8, octets: Option<&[u8]>) -> Vec<u8> {
    octets
        .map(|octets| der::tlv(tag, &[&der::tlv(der::OCTET_STRING, &[octets])]))
        .unwrap_or_default()
}
