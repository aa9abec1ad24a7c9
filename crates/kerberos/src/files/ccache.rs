//! Credential caches, FILE format version 4 (MIT `ccache_file_format.rst`).
//!
//! A configuration entry is a credential for a service in the realm `X-CACHECONF:` whose ticket is the value.

use types::Timestamp;

use super::reader::Reader;
use super::{FileError, Principal};
use crate::crypto::EncryptionType;
use crate::messages::{
    AdType, AuthorizationData, EncryptionKey, HostAddress, KerberosString, NameType, PrincipalName,
    SecretBytes, TicketFlags,
};

const FILE: &str = "credential cache";
const VERSION: [u8; 2] = [5, 4];
const CONFIGURATION_REALM: &str = "X-CACHECONF:";

/// A credential cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialCache {
    /// Header fields by their tags; tag 1 is the clock's offset from the KDC.
    pub header: Vec<(u16, Vec<u8>)>,
    /// Whose cache it is.
    pub default_principal: Principal,
    /// Tickets and configuration entries, in the order of the file.
    pub credentials: Vec<Credential>,
}

/// A ticket with what its owner must know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The client.
    pub client: Principal,
    /// The service.
    pub server: Principal,
    /// The session key.
    pub key: EncryptionKey,
    /// When the client proved itself.
    pub authtime: Timestamp,
    /// From when the ticket is good; 1970 where it was not said.
    pub starttime: Timestamp,
    /// Until when the ticket is good.
    pub endtime: Timestamp,
    /// Until when it can be renewed; 1970 where it cannot.
    pub renew_till: Timestamp,
    /// The ticket is sealed under another ticket's session key.
    pub is_session_key: bool,
    /// Its flags.
    pub flags: TicketFlags,
    /// The addresses that may use it.
    pub addresses: Vec<HostAddress>,
    /// Authorization data.
    pub authdata: Vec<AuthorizationData>,
    /// The ticket's DER, or a configuration entry's value.
    pub ticket: Vec<u8>,
    /// The other ticket of user-to-user.
    pub second_ticket: Vec<u8>,
}

impl CredentialCache {
    /// An empty cache.
    pub fn new(default_principal: Principal) -> Self {
        Self {
            header: Vec::new(),
            default_principal,
            credentials: Vec::new(),
        }
    }

    /// Reads a file.
    pub fn decode(bytes: &[u8]) -> Result<Self, FileError> {
        let mut r = Reader::new(FILE, bytes, VERSION)?;
        let length = usize::from(r.u16("header")?);
        let mut fields = r.part("header", length)?;
        let mut header = Vec::new();
        while !fields.is_empty() {
            let tag = fields.u16("header field")?;
            header.push((tag, fields.short("header field")?.to_vec()));
        }
        let default_principal = principal(&mut r)?;
        let mut credentials = Vec::new();
        while !r.is_empty() {
            credentials.push(Credential::read(&mut r)?);
        }
        Ok(Self {
            header,
            default_principal,
            credentials,
        })
    }

    /// Writes a file.
    pub fn encode(&self) -> Result<Vec<u8>, FileError> {
        let mut header = Vec::new();
        for (tag, value) in &self.header {
            header.extend(tag.to_be_bytes());
            header.extend(short_length("header field", value)?.to_be_bytes());
            header.extend_from_slice(value);
        }
        let mut bytes = VERSION.to_vec();
        bytes.extend(short_length("header", &header)?.to_be_bytes());
        bytes.extend(header);
        write_principal(&mut bytes, &self.default_principal)?;
        for credential in &self.credentials {
            credential.write(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// Puts a ticket or a configuration entry into the place of the one that it renews, or at the end.
    pub fn put(&mut self, credential: Credential) {
        let old = self
            .credentials
            .iter_mut()
            .find(|old| old.is_renewed_by(&credential));
        match old {
            Some(old) => *old = credential,
            None => self.credentials.push(credential),
        }
    }

    /// Takes over the configuration entries of the cache that this one replaces, as far as it has none of that name.
    /// Those of another principal say nothing about this one, and are not taken.
    pub fn keep_configuration(&mut self, older: &Self) {
        if !self.default_principal.is_same(&older.default_principal) {
            return;
        }
        for entry in &older.credentials {
            let is_new = !self.credentials.iter().any(|own| own.is_renewed_by(entry));
            if entry.is_configuration() && is_new {
                self.credentials.push(entry.clone());
            }
        }
    }

    /// When the last of its tickets ends.
    pub fn ends(&self) -> Option<Timestamp> {
        self.tickets().map(|ticket| ticket.endtime).max()
    }

    /// The tickets, without the configuration entries.
    pub fn tickets(&self) -> impl Iterator<Item = &Credential> {
        self.credentials
            .iter()
            .filter(|credential| !credential.is_configuration())
    }

    /// The ticket granting ticket of the owner's own realm.
    pub fn granting(&self) -> Option<&Credential> {
        let realm = &self.default_principal.realm;
        self.tickets().find(|ticket| ticket.is_granting(realm))
    }
}

impl Credential {
    /// Whether it is a ticket granting ticket of a realm.
    pub fn is_granting(&self, realm: &KerberosString) -> bool {
        let parts = self.server.name.parts();
        self.server.realm == *realm
            && matches!(parts.as_deref(), Some(["krbtgt", of]) if Some(*of) == realm.as_str())
    }

    /// Whether this is a configuration entry.
    pub fn is_configuration(&self) -> bool {
        self.server.realm == *CONFIGURATION_REALM
    }

    /// Whether another one is for the same service, in the same client's name and of the same kind.
    pub fn is_renewed_by(&self, newer: &Self) -> bool {
        self.is_session_key == newer.is_session_key
            && self.server.is_same(&newer.server)
            && self.client.is_same(&newer.client)
    }

    /// As caches keep it that have a place for each: kernel keys and cache managers.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        self.write(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads what [`Credential::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FileError> {
        let mut r = Reader::without_version(FILE, bytes)?;
        let credential = Self::read(&mut r)?;
        r.end()?;
        Ok(credential)
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, FileError> {
        let (client, server) = (principal(r)?, principal(r)?);
        let key = EncryptionKey {
            keytype: EncryptionType(i32::from(r.i16("key type")?)),
            keyvalue: SecretBytes::new(r.long("key")?.to_vec()),
        };
        let mut time = || {
            r.u32("time")
                .map(|s| Timestamp::from_unix_seconds(i64::from(s)))
        };
        let (authtime, starttime, endtime, renew_till) = (time()?, time()?, time()?, time()?);
        Ok(Self {
            client,
            server,
            key,
            authtime,
            starttime,
            endtime,
            renew_till,
            is_session_key: r.u8("is_skey")? != 0,
            flags: TicketFlags(r.u32("ticket flags")?),
            addresses: r.list("addresses", |r| {
                Ok(HostAddress {
                    addr_type: i32::from(r.i16("address type")?),
                    address: r.long("address")?.to_vec().into(),
                })
            })?,
            authdata: r.list("authorization data", |r| {
                let kind = AdType(i32::from(r.i16("authorization data type")?));
                Ok(AuthorizationData::new(kind, r.long("authorization data")?))
            })?,
            ticket: r.long("ticket")?.to_vec(),
            second_ticket: r.long("second ticket")?.to_vec(),
        })
    }

    fn write(&self, bytes: &mut Vec<u8>) -> Result<(), FileError> {
        write_principal(bytes, &self.client)?;
        write_principal(bytes, &self.server)?;
        bytes.extend(short_number("key type", self.key.keytype.0)?.to_be_bytes());
        write_long(bytes, "key", self.key.keyvalue.expose())?;
        for time in [self.authtime, self.starttime, self.endtime, self.renew_till] {
            // The format ends in 2106; a later moment is written as its last second.
            let seconds = u32::try_from(time.unix_seconds().max(0)).unwrap_or(u32::MAX);
            bytes.extend(seconds.to_be_bytes());
        }
        bytes.push(u8::from(self.is_session_key));
        bytes.extend(self.flags.0.to_be_bytes());
        write_count(bytes, "addresses", self.addresses.len())?;
        for address in &self.addresses {
            bytes.extend(short_number("address type", address.addr_type)?.to_be_bytes());
            write_long(bytes, "address", &address.address)?;
        }
        write_count(bytes, "authorization data", self.authdata.len())?;
        for element in &self.authdata {
            let kind = short_number("authorization data type", element.ad_type.0)?;
            bytes.extend(kind.to_be_bytes());
            write_long(bytes, "authorization data", &element.ad_data)?;
        }
        write_long(bytes, "ticket", &self.ticket)?;
        write_long(bytes, "second ticket", &self.second_ticket)
    }
}

impl Principal {
    /// As credential caches keep it (FILE format version 4).
    pub fn to_bytes(&self) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        write_principal(&mut bytes, self)?;
        Ok(bytes)
    }

    /// Reads what [`Principal::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FileError> {
        let mut r = Reader::without_version(FILE, bytes)?;
        let principal = principal(&mut r)?;
        r.end()?;
        Ok(principal)
    }
}

fn principal(r: &mut Reader<'_>) -> Result<Principal, FileError> {
    let name_type = NameType(r.i32("name type")?);
    let count = r.u32("name")?;
    let realm = KerberosString::new(r.long("realm")?);
    let mut name_string = Vec::new();
    for _ in 0..count {
        name_string.push(KerberosString::new(r.long("name")?));
    }
    Ok(Principal {
        name: PrincipalName {
            name_type,
            name_string,
        },
        realm,
    })
}

fn write_principal(bytes: &mut Vec<u8>, principal: &Principal) -> Result<(), FileError> {
    bytes.extend(principal.name.name_type.0.to_be_bytes());
    write_count(bytes, "name", principal.name.name_string.len())?;
    write_long(bytes, "realm", principal.realm.as_bytes())?;
    for part in &principal.name.name_string {
        write_long(bytes, "name", part.as_bytes())?;
    }
    Ok(())
}

fn write_count(bytes: &mut Vec<u8>, what: &'static str, count: usize) -> Result<(), FileError> {
    let count = u32::try_from(count).map_err(|_| too_long(what))?;
    bytes.extend(count.to_be_bytes());
    Ok(())
}

fn write_long(bytes: &mut Vec<u8>, what: &'static str, value: &[u8]) -> Result<(), FileError> {
    write_count(bytes, what, value.len())?;
    bytes.extend_from_slice(value);
    Ok(())
}

fn short_length(what: &'static str, value: &[u8]) -> Result<u16, FileError> {
    u16::try_from(value.len()).map_err(|_| too_long(what))
}

fn short_number(what: &'static str, number: i32) -> Result<i16, FileError> {
    i16::try_from(number).map_err(|_| too_long(what))
}

fn too_long(what: &'static str) -> FileError {
    FileError::TooLong { file: FILE, what }
}
