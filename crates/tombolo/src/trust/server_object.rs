//! The Kerberos server object as the directory has it: everything that is read, nothing that is judged.

use cloud_api::trust::KerberosServer;
use serde::Serialize;
use sync::ldap::{Connection, Entry, ldap_escape};
use types::{Dn, Guid, Sid, Timestamp};

use super::names::{self, ALLOWED, DENIED, LINK, NUMBER, VERSION};
use crate::io::{Failure, unreachable};

/// The domain.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Domain {
    #[serde(skip)]
    pub(super) dn: Dn,
    pub(super) dns_name: String,
    pub(super) realm: String,
    pub(super) netbios_name: String,
    pub(super) sid: Sid,
    /// Whether the directory makes numbered ticket granting accounts.
    #[serde(skip)]
    pub(super) makes_krbtgt: bool,
}

/// The computer object.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Computer {
    pub(super) dn: String,
    pub(super) guid: Option<Guid>,
    pub(super) sid: Option<Sid>,
    pub(super) account_name: String,
    pub(super) account_control: u32,
    pub(super) primary_group: u32,
    /// `msDS-KrbTgtLink`.
    pub(super) link: Option<String>,
    pub(super) allowed: Vec<String>,
    pub(super) denied: Vec<String>,
}

/// The ticket granting account.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Krbtgt {
    pub(super) dn: String,
    pub(super) account_name: String,
    pub(super) account_control: u32,
    pub(super) number: Option<u16>,
    /// The low half of `msDS-KeyVersionNumber`.
    pub(super) version: Option<u16>,
    pub(super) key_set: Option<Timestamp>,
    /// Computers that name it as theirs (`msDS-KrbTgtLinkBl`).
    pub(super) owners: Vec<String>,
    /// Other ticket granting accounts with the same number.
    pub(super) clashes: Vec<String>,
}

/// Both, as far as they are there.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerObject {
    pub(super) domain: Domain,
    pub(super) computer: Option<Computer>,
    pub(super) krbtgt: Option<Krbtgt>,
}

const COMPUTER_ATTRIBUTES: [&str; 8] = [
    "objectGUID",
    "objectSid",
    "sAMAccountName",
    "userAccountControl",
    "primaryGroupID",
    LINK,
    ALLOWED,
    DENIED,
];
const KRBTGT_ATTRIBUTES: [&str; 6] = [
    "sAMAccountName",
    "userAccountControl",
    "pwdLastSet",
    "msDS-KrbTgtLinkBl",
    NUMBER,
    VERSION,
];
const WHAT: &str = "the Kerberos server object cannot be read";

impl Domain {
    /// Asks the directory which domain it is of.
    pub(super) fn read(connection: &mut Connection) -> Result<Self, Failure> {
        let root = connection.root().map_err(unreachable(WHAT))?;
        let nonsense = |why: &str| Failure::new(WHAT).why(why.to_owned());
        let dn: Dn = root
            .domain
            .parse()
            .map_err(|_| nonsense("the domain's name cannot be read"))?;
        let head = connection
            .object(&root.domain, &["objectSid"])
            .map_err(unreachable(WHAT))?;
        let sid = head
            .as_ref()
            .and_then(|head| Sid::from_bytes(head.values("objectSid").first()?).ok())
            .ok_or_else(|| nonsense("the domain has no objectSid that may be read"))?;
        let wanted = ["configurationNamingContext", "supportedControl"];
        let root_dse = connection
            .object("", &wanted)
            .map_err(unreachable(WHAT))?
            .ok_or_else(|| nonsense("there is no rootDSE"))?;
        let configuration = root_dse.text("configurationNamingContext");
        let netbios_name = match configuration {
            Some(base) => netbios_name(connection, &base, &root.domain)?,
            None => None,
        };
        let dns_name = dn.dns_domain().to_lowercase();
        let first = dns_name.split('.').next().unwrap_or_default();
        Ok(Self {
            realm: dns_name.to_uppercase(),
            netbios_name: netbios_name.unwrap_or_else(|| first.to_uppercase()),
            sid,
            makes_krbtgt: root_dse
                .values("supportedControl")
                .iter()
                .any(|oid| oid == names::PROMOTION_CONTROL.as_bytes()),
            dns_name,
            dn,
        })
    }
}

/// `nETBIOSName` of the domain's crossRef (MS-ADTS 6.1.1.2.1.1).
fn netbios_name(
    connection: &mut Connection,
    configuration: &str,
    domain: &str,
) -> Result<Option<String>, Failure> {
    let filter = format!("(&(objectClass=crossRef)(nCName={}))", ldap_escape(domain));
    let base = format!("CN=Partitions,{configuration}");
    let found = search(connection, &base, &filter, &["nETBIOSName"])?;
    Ok(found.first().and_then(|entry| entry.text("nETBIOSName")))
}

impl ServerObject {
    /// Reads all of it.
    pub(super) fn read(connection: &mut Connection) -> Result<Self, Failure> {
        let domain = Domain::read(connection)?;
        let read = |connection: &mut Connection, dn: String, attributes: &[&str]| {
            connection
                .object(&dn, attributes)
                .map_err(unreachable(WHAT))
        };
        let computer_dn = names::computer_dn(&domain.dn).to_string();
        let krbtgt_dn = names::krbtgt_dn(&domain.dn).to_string();
        let computer = read(connection, computer_dn, &COMPUTER_ATTRIBUTES)?;
        let krbtgt = read(connection, krbtgt_dn, &KRBTGT_ATTRIBUTES)?;
        let krbtgt = match krbtgt {
            Some(entry) => Some(krbtgt_of(connection, &domain, &entry)?),
            None => None,
        };
        Ok(Self {
            domain,
            computer: computer.as_ref().map(computer_of),
            krbtgt,
        })
    }

    /// What the cloud is told of it; `None` while something is missing.
    pub(super) fn facts(&self) -> Option<KerberosServer> {
        let (computer, krbtgt) = (self.computer.as_ref()?, self.krbtgt.as_ref()?);
        Some(KerberosServer {
            domain_dns_name: self.domain.dns_name.clone(),
            realm: self.domain.realm.clone(),
            netbios_name: self.domain.netbios_name.clone(),
            domain_sid: self.domain.sid.clone(),
            computer_guid: computer.guid?,
            computer_sid: computer.sid.clone()?,
            computer_dn: computer.dn.clone(),
            krbtgt_name: krbtgt.account_name.clone(),
            number: krbtgt.number?,
        })
    }
}

fn computer_of(entry: &Entry) -> Computer {
    Computer {
        dn: entry.dn.clone(),
        guid: entry
            .values("objectGUID")
            .first()
            .and_then(|octets| <[u8; 16]>::try_from(octets.as_slice()).ok())
            .map(Guid::from_bytes_le),
        sid: entry
            .values("objectSid")
            .first()
            .and_then(|octets| Sid::from_bytes(octets).ok()),
        account_name: entry.text("sAMAccountName").unwrap_or_default(),
        account_control: bits(entry, "userAccountControl").unwrap_or_default(),
        primary_group: bits(entry, "primaryGroupID").unwrap_or_default(),
        link: entry.text(LINK),
        allowed: texts(entry, ALLOWED),
        denied: texts(entry, DENIED),
    }
}

fn krbtgt_of(
    connection: &mut Connection,
    domain: &Domain,
    entry: &Entry,
) -> Result<Krbtgt, Failure> {
    let half = |number: u32| u16::try_from(number & 0xFFFF).ok();
    let number = bits(entry, NUMBER).and_then(half);
    let mut clashes = Vec::new();
    if let Some(number) = number {
        let filter = format!("({NUMBER}={number})");
        let found = search(connection, &domain.dn.to_string(), &filter, &["cn"])?;
        let is_other = |found: &Entry| !found.dn.eq_ignore_ascii_case(&entry.dn);
        clashes.extend(found.into_iter().filter(is_other).map(|found| found.dn));
    }
    let set = entry
        .text("pwdLastSet")
        .and_then(|text| text.parse::<i64>().ok())
        .filter(|ticks| *ticks > 0);
    Ok(Krbtgt {
        dn: entry.dn.clone(),
        account_name: entry.text("sAMAccountName").unwrap_or_default(),
        account_control: bits(entry, "userAccountControl").unwrap_or_default(),
        number,
        version: bits(entry, VERSION).and_then(half),
        key_set: set.map(Timestamp::from_ticks),
        owners: texts(entry, "msDS-KrbTgtLinkBl"),
        clashes,
    })
}

pub(super) fn search(
    connection: &mut Connection,
    base: &str,
    filter: &str,
    attributes: &[&str],
) -> Result<Vec<Entry>, Failure> {
    connection
        .find_all(base, filter, attributes)
        .map_err(unreachable(WHAT))
}

/// A number of 32 bits, which AD writes with a sign.
fn bits(entry: &Entry, attribute: &str) -> Option<u32> {
    let number: i64 = entry.text(attribute)?.parse().ok()?;
    u32::try_from(number & 0xFFFF_FFFF).ok()
}

fn texts(entry: &Entry, attribute: &str) -> Vec<String> {
    let values = entry.values(attribute).iter();
    let mut texts: Vec<String> = values
        .filter_map(|value| String::from_utf8(value.clone()).ok())
        .collect();
    texts.sort();
    texts
}
