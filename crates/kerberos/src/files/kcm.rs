//! What is said to a Kerberos cache manager (KCM, protocol 2.0; MIT `src/include/kcm.h`).
//!
//! A manager is a daemon that keeps everybody's caches: Heimdal's `kcm`, SSSD's `sssd_kcm`. Names end with a zero byte;
//! principals and credentials are written as in files of version 4. On its socket a request has its length before it, and
//! an answer its length and a status of the transport, which the length does not count.
//!
//! Deliberately absent: the socket itself, and operations that no client uses.

use super::{Credential, FileError, Principal};

types::open_enum! {
    /// Operations (`kcm_opcode`).
    pub struct Operation(u16) {
        GEN_NEW = 3,
        INITIALIZE = 4,
        DESTROY = 5,
        STORE = 6,
        GET_PRINCIPAL = 8,
        GET_CRED_UUID_LIST = 9,
        GET_CRED_BY_UUID = 10,
        MOVE_CACHE = 17,
        GET_DEFAULT_CACHE = 20,
        SET_DEFAULT_CACHE = 21,
    }
}

types::open_enum! {
    /// What a manager answers: 0, an error number of the system, or one of MIT's table (`krb5_err.et`).
    pub struct Code(i32) {
        OK = 0,
        /// There is no such credential (KRB5_CC_NOTFOUND).
        NOT_FOUND = -1_765_328_243,
        /// There is no such credential any more (KRB5_CC_END).
        END = -1_765_328_242,
        /// The cache is another user's (KRB5_FCC_PERM).
        NOT_PERMITTED = -1_765_328_190,
        /// There is no such cache (KRB5_FCC_NOFILE).
        NO_CACHE = -1_765_328_189,
        /// Whatever else; an operation that it does not know (KRB5_FCC_INTERNAL).
        INTERNAL = -1_765_328_188,
        /// The manager does not do this (KRB5_CC_NOSUPP).
        NOT_SUPPORTED = -1_765_328_137,
    }
}

/// What is asked of a manager.
#[derive(Debug, Clone, Copy)]
pub enum Request<'a> {
    /// Which cache `KCM:` stands for.
    DefaultCache,
    /// Makes `KCM:` stand for this cache.
    SetDefault(&'a str),
    /// A name that no cache has.
    NewName,
    /// Makes a cache, or empties it.
    Initialize {
        /// The cache.
        cache: &'a str,
        /// Whose it is.
        principal: &'a Principal,
    },
    /// Adds a credential.
    Store {
        /// The cache.
        cache: &'a str,
        /// The credential.
        credential: &'a Credential,
    },
    /// Whose cache it is.
    PrincipalOf(&'a str),
    /// The credentials, by their handles.
    Handles(&'a str),
    /// One credential.
    Credential {
        /// The cache.
        cache: &'a str,
        /// Which.
        handle: Handle,
    },
    /// Puts one cache into the place of another.
    Move {
        /// The cache that is gone afterwards.
        from: &'a str,
        /// The cache that has its content afterwards.
        to: &'a str,
    },
    /// Removes a cache.
    Destroy(&'a str),
}

/// A manager's name for a credential (16 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle(pub [u8; 16]);

const VERSION: [u8; 2] = [2, 0];

/// What comes before an answer: its length, and the transport's status.
pub const ANSWER_HEADER_BYTES: usize = 8;

/// Longer answers are refused before room is made for them.
pub const ANSWER_BYTES_MAX: usize = 10 << 20;

/// A manager said something else than what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The transport has an error of its own.
    #[error("the request did not reach the manager's work: status {0}")]
    Status(i32),
    /// More than anybody's tickets need.
    #[error("an answer of {have} bytes; the limit is {ANSWER_BYTES_MAX}")]
    TooLarge {
        /// How long it says that it is.
        have: usize,
    },
    /// It is cut short.
    #[error("the answer is cut inside {0}")]
    Cut(&'static str),
    /// What should be text is none.
    #[error("the name of a cache is no text")]
    NoText,
    /// The value in it is none.
    #[error(transparent)]
    Value(#[from] FileError),
}

impl Request<'_> {
    /// Its operation.
    pub fn operation(&self) -> Operation {
        match self {
            Self::DefaultCache => Operation::GET_DEFAULT_CACHE,
            Self::SetDefault(_) => Operation::SET_DEFAULT_CACHE,
            Self::NewName => Operation::GEN_NEW,
            Self::Initialize { .. } => Operation::INITIALIZE,
            Self::Store { .. } => Operation::STORE,
            Self::PrincipalOf(_) => Operation::GET_PRINCIPAL,
            Self::Handles(_) => Operation::GET_CRED_UUID_LIST,
            Self::Credential { .. } => Operation::GET_CRED_BY_UUID,
            Self::Move { .. } => Operation::MOVE_CACHE,
            Self::Destroy(_) => Operation::DESTROY,
        }
    }

    /// As it goes over the socket, its length before it.
    pub fn encode(&self) -> Result<Vec<u8>, FileError> {
        let mut body = VERSION.to_vec();
        body.extend(self.operation().0.to_be_bytes());
        match self {
            Self::DefaultCache | Self::NewName => {}
            Self::PrincipalOf(cache)
            | Self::Handles(cache)
            | Self::SetDefault(cache)
            | Self::Destroy(cache) => {
                name(&mut body, cache)?;
            }
            Self::Initialize { cache, principal } => {
                name(&mut body, cache)?;
                body.extend(principal.to_bytes()?);
            }
            Self::Store { cache, credential } => {
                name(&mut body, cache)?;
                body.extend(credential.to_bytes()?);
            }
            Self::Credential { cache, handle } => {
                name(&mut body, cache)?;
                body.extend(handle.0);
            }
            Self::Move { from, to } => {
                name(&mut body, from)?;
                name(&mut body, to)?;
            }
        }
        let length = u32::try_from(body.len()).map_err(|_| too_long("request"))?;
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.append(&mut body);
        Ok(bytes)
    }
}

/// How many bytes follow the header of an answer.
pub fn answer_length(header: [u8; ANSWER_HEADER_BYTES]) -> Result<usize, AnswerError> {
    let [l0, l1, l2, l3, s0, s1, s2, s3] = header;
    match i32::from_be_bytes([s0, s1, s2, s3]) {
        0 => {}
        status => return Err(AnswerError::Status(status)),
    }
    let length = u32::from_be_bytes([l0, l1, l2, l3]);
    let have = usize::try_from(length).unwrap_or(usize::MAX);
    if have > ANSWER_BYTES_MAX {
        return Err(AnswerError::TooLarge { have });
    }
    Ok(have)
}

/// What follows the header of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// How it went.
    pub code: Code,
    /// What was asked for, where it went well.
    pub value: &'a [u8],
}

impl<'a> Answer<'a> {
    /// Reads an answer.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, AnswerError> {
        let (code, value) = bytes.split_first_chunk().ok_or(AnswerError::Cut("code"))?;
        Ok(Self {
            code: Code(i32::from_be_bytes(*code)),
            value,
        })
    }

    /// The name of a cache.
    pub fn cache_name(&self) -> Result<String, AnswerError> {
        let end = self.value.iter().position(|byte| *byte == 0);
        let text = end.and_then(|end| self.value.get(..end));
        let text = text.ok_or(AnswerError::Cut("name"))?.to_vec();
        String::from_utf8(text).map_err(|_| AnswerError::NoText)
    }

    /// A principal. Heimdal's manager says nothing where there is none.
    pub fn principal(&self) -> Result<Option<Principal>, AnswerError> {
        if self.value.is_empty() {
            return Ok(None);
        }
        Ok(Some(Principal::from_bytes(self.value)?))
    }

    /// The handles of credentials.
    pub fn handles(&self) -> Result<Vec<Handle>, AnswerError> {
        let (handles, rest) = self.value.as_chunks();
        match rest {
            [] => Ok(handles.iter().copied().map(Handle).collect()),
            _ => Err(AnswerError::Cut("handle")),
        }
    }

    /// A credential.
    pub fn credential(&self) -> Result<Credential, AnswerError> {
        Ok(Credential::from_bytes(self.value)?)
    }
}

fn name(body: &mut Vec<u8>, cache: &str) -> Result<(), FileError> {
    // A zero byte would end the name early, and what follows it would be read as something else.
    if cache.contains('\0') {
        return Err(too_long("name of the cache, which has a zero byte,"));
    }
    body.extend_from_slice(cache.as_bytes());
    body.push(0);
    Ok(())
}

fn too_long(what: &'static str) -> FileError {
    FileError::TooLong {
        file: "cache manager",
        what,
    }
}
