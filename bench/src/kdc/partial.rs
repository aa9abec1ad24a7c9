//! Partial tickets, as the cloud writes them: sealed and signed with the key of a read-only server, and with a PAC that says
//! who somebody is (MS-KILE 3.1.5.8).

use std::path::Path;
use std::sync::Arc;

use kerberos::crypto::{EncryptionType, Key};
use kerberos::files::Keytab;
use kerberos::messages::{
    EncTicketPart, EncryptionKey, KerberosTime, Kvno, NameType, PrincipalName, Ticket, TicketFlags,
    TransitedEncoding,
};
use kerberos::pac::{
    Buffer, BufferType, ClientInfo, LogonInfo, PacAttributes, Signing, TicketKind, requestor,
};

use super::Failure;
use super::ours::Randomness;
use super::requests::{Client, Tgt, now};

const AES256: EncryptionType = EncryptionType::AES256_CTS_HMAC_SHA1_96;

/// The key of a read-only server.
pub(crate) struct PartialKey {
    key: Arc<Key>,
    kvno: Kvno,
}

impl PartialKey {
    /// The newest AES-256 key of a file that has no other principal's.
    pub(crate) fn of_keytab(path: &Path) -> Result<Self, Failure> {
        let keytab = Keytab::decode(&std::fs::read(path)?)?;
        let entries = keytab.entries.iter();
        let newest = entries
            .filter(|entry| entry.key.keytype == AES256)
            .max_by_key(|entry| entry.kvno);
        let newest = newest.ok_or_else(|| format!("{} has no AES-256 key", path.display()))?;
        let kvno = Kvno::from_wire(i64::from(newest.kvno)).filter(|kvno| kvno.rodc != 0);
        Ok(Self {
            key: Arc::new(newest.key.to_key(None)?),
            kvno: kvno
                .ok_or_else(|| format!("{} has no key of a read-only server", path.display()))?,
        })
    }

    /// A ticket for somebody whose SID is known.
    pub(crate) fn ticket(&self, client: &Client) -> Result<Tgt, Failure> {
        let sid = client.sid.as_ref();
        let sid =
            sid.ok_or_else(|| format!("the SID of '{}' is wanted; give --sid", client.name))?;
        let session = Key::generate(AES256, &mut Randomness)?;
        let begins = now()?.plus_seconds(-60);
        let ends = KerberosTime::new(begins.plus_seconds(10 * 3600));
        let begins = KerberosTime::new(begins);
        let sname = PrincipalName::krbtgt(&client.realm);
        let mut part = EncTicketPart {
            flags: TicketFlags::FORWARDABLE | TicketFlags::RENEWABLE | TicketFlags::INITIAL,
            key: EncryptionKey::from_key(&session),
            crealm: client.realm.as_str().into(),
            cname: PrincipalName::new(NameType::NT_PRINCIPAL, [client.name.as_str()]),
            transited: TransitedEncoding {
                tr_type: 0,
                contents: Vec::new().into(),
            },
            authtime: begins,
            starttime: Some(begins),
            endtime: ends,
            renew_till: Some(ends),
            caddr: None,
            authorization_data: None,
        };
        let (domain, rid) = sid
            .domain()
            .zip(sid.rid())
            .ok_or("the SID is of no domain")?;
        let logon = LogonInfo::new(&client.name, &domain, rid, 513);
        let named = ClientInfo {
            client_id: begins.timestamp(),
            name: client.name.clone(),
        };
        let buffer = |kind, data| Buffer { kind, data };
        let buffers = vec![
            buffer(BufferType::LOGON_INFO, logon.encode()),
            buffer(BufferType::CLIENT_INFO, named.encode()),
            buffer(
                BufferType::ATTRIBUTES_INFO,
                PacAttributes::REQUESTED.to_bytes(),
            ),
            requestor(sid),
        ];
        let signing = Signing {
            server_key: &self.key,
            kdc_key: &self.key,
            rodc: Some(self.kvno.rodc),
            kind: TicketKind::Tgt,
        };
        signing.sign_into(&mut part, buffers)?;
        let realm = client.realm.as_str().into();
        let ticket = Ticket::seal(
            realm,
            sname,
            &part,
            &self.key,
            Some(self.kvno),
            &mut Randomness,
        )?;
        Ok(Tgt::new(ticket, session))
    }
}
