//! What was brought from the ground: read as one list with a version, written object by object.

use std::str::FromStr;

use cloud_api::ErrorCode;
use cloud_api::error::ErrorBody;
use cloud_api::ground::{GroundDevice, GroundPage, GroundServer, SyncDevice, SyncKerberosServer};
use cloud_api::paths;
use data_encoding::BASE64;
use serde::Serialize;

use super::{HttpCloud, PAGES_MAX};
use crate::connector::{
    Anchor, Attributes, Change, ConnectorError, Kinds, ObjectTarget, ObjectWrite, Sink,
    StagedObject, Value, WriteError, WriteErrorClass,
};

const DEVICE: &str = "device";
const SERVER: &str = "kerberosServer";

impl HttpCloud {
    /// Gives all devices and Kerberos server objects where they changed since `known`; tells the version that they have.
    pub(super) fn import_ground(
        &self,
        known: Option<&str>,
        kinds: &Kinds,
        sink: &mut Sink<'_>,
    ) -> Result<String, ConnectorError> {
        if !kinds.has(DEVICE) && !kinds.has(SERVER) {
            return Ok(String::new());
        }
        let mut target = match known.filter(|known| !known.is_empty()) {
            Some(known) => format!("{}?version={known}", paths::GROUND),
            None => paths::GROUND.to_owned(),
        };
        let mut version = None;
        for _ in 0..PAGES_MAX {
            let (status, body) = self.get(&target)?;
            if status == 404 {
                // A cloud without these objects: nothing is there, and what is written will be refused by name.
                tracing::warn!(cloud = %self.origin, "The cloud keeps no devices of the ground");
                return Ok(String::new());
            }
            if status != 200 {
                return Err(self.refusal(status, &body));
            }
            let page: GroundPage =
                serde_json::from_str(&body).map_err(|error| ConnectorError::Nonsense {
                    url: self.origin.clone(),
                    why: format!("the list of what is of the ground: {error}"),
                })?;
            // The first page's: where it changed meanwhile, the next import reads everything again.
            let version = version.get_or_insert(page.version);
            let Some(devices) = page.devices else {
                return Ok(version.clone());
            };
            for server in page.kerberos_servers {
                give(of_server(server), kinds, sink)?;
            }
            for device in devices {
                give(of_device(device), kinds, sink)?;
            }
            match page.next_link {
                Some(next) => target = self.target(&next)?,
                None => {
                    for kind in [DEVICE, SERVER] {
                        sink(Change::Whole(kind.to_owned()))?;
                    }
                    return Ok(version.clone());
                }
            }
        }
        Err(ConnectorError::Nonsense {
            url: self.origin.clone(),
            why: "the list of what is of the ground does not end".to_owned(),
        })
    }

    fn write(&self, path: &str, body: Option<&impl Serialize>) -> Result<(), WriteError> {
        let url = format!("{}{path}", self.origin);
        let bearer = format!("Bearer {}", self.token.expose());
        let answer = match body {
            Some(body) => {
                let json = serde_json::to_vec(body).map_err(|error| unfit(&error.to_string()))?;
                self.agent
                    .put(url)
                    .header("authorization", bearer)
                    .header("content-type", "application/json")
                    .send(&json[..])
            }
            None => self
                .agent
                .delete(url)
                .header("authorization", bearer)
                .call(),
        };
        let retry = |message: String| WriteError {
            class: WriteErrorClass::Retry,
            code: None,
            message,
        };
        let mut answer = answer.map_err(|error| retry(error.to_string()))?;
        let status = answer.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(());
        }
        let body = answer.body_mut().read_to_string().unwrap_or_default();
        Err(refused(status, &body))
    }
}

impl ObjectTarget for HttpCloud {
    fn put(&mut self, write: &ObjectWrite) -> Result<(), WriteError> {
        let anchor = write.anchor.as_str();
        let attributes = write.attributes.as_ref();
        match write.kind.as_str() {
            DEVICE => {
                let id = anchor.parse().map_err(|_| unfit("its id is no GUID"))?;
                let device = attributes.map(to_device).transpose()?;
                self.write(&paths::sync_device(id), device.as_ref())
            }
            SERVER => {
                let server = attributes.map(to_server).transpose()?;
                self.write(&paths::sync_kerberos_server(anchor), server.as_ref())
            }
            other => Err(unfit(&format!(
                "the cloud takes no objects of kind {other}"
            ))),
        }
    }
}

fn unfit(why: &str) -> WriteError {
    WriteError {
        class: WriteErrorClass::Permanent,
        code: None,
        message: why.to_owned(),
    }
}

fn refused(status: u16, body: &str) -> WriteError {
    let detail = serde_json::from_str::<ErrorBody>(body)
        .ok()
        .map(|body| body.error);
    let code = detail.as_ref().map(|detail| detail.code.clone());
    let message = detail.map_or_else(|| format!("HTTP {status}"), |detail| detail.message);
    let class = match (status, code) {
        (404, _) => WriteErrorClass::Gone,
        (409, Some(ErrorCode::ImmutableProperty)) => WriteErrorClass::Immutable,
        (401 | 403, _) => WriteErrorClass::Denied,
        (408 | 429 | 500..=599, _) => WriteErrorClass::Retry,
        _ => WriteErrorClass::Permanent,
    };
    WriteError {
        class,
        code: Some(u32::from(status)),
        message,
    }
}

fn give(
    mut object: StagedObject,
    kinds: &Kinds,
    sink: &mut Sink<'_>,
) -> Result<(), ConnectorError> {
    let kind = object.kind.clone();
    if !kinds.has(&kind) {
        return Ok(());
    }
    object.attributes.retain(|name, _| kinds.wants(&kind, name));
    Ok(sink(Change::Upsert(object))?)
}

/// Puts together the attributes of an object, leaving out what is absent.
#[derive(Default)]
struct Staged(Attributes);

impl Staged {
    fn put(mut self, name: &str, value: impl ToString) -> Self {
        self.add(name, value.to_string().into_bytes());
        self
    }

    fn maybe(self, name: &str, value: Option<&String>) -> Self {
        match value {
            Some(value) => self.put(name, value),
            None => self,
        }
    }

    fn add(&mut self, name: &str, value: Value) {
        self.0.entry(name.to_owned()).or_default().insert(value);
    }
}

fn of_device(found: GroundDevice) -> StagedObject {
    let device = found.device;
    let mut staged = Staged::default()
        .put("deviceId", found.id)
        .put("displayName", &device.display_name)
        .put("accountEnabled", device.account_enabled)
        .put(
            "onPremisesSecurityIdentifier",
            &device.on_premises_security_identifier,
        )
        .put(
            "onPremisesSamAccountName",
            &device.on_premises_sam_account_name,
        )
        .maybe(
            "onPremisesDistinguishedName",
            device.on_premises_distinguished_name.as_ref(),
        )
        .maybe(
            "onPremisesDomainName",
            device.on_premises_domain_name.as_ref(),
        )
        .maybe("operatingSystem", device.operating_system.as_ref())
        .maybe(
            "operatingSystemVersion",
            device.operating_system_version.as_ref(),
        );
    for certificate in &device.certificates {
        // What is no base64 is no certificate that this sync would have sent, and differs from all that it would.
        let der = BASE64.decode(certificate.as_bytes());
        staged.add(
            "userCertificate",
            der.unwrap_or_else(|_| certificate.clone().into_bytes()),
        );
    }
    StagedObject {
        anchor: Anchor::new(found.id.to_string()),
        kind: DEVICE.to_owned(),
        name: device.display_name,
        attributes: staged.0,
    }
}

fn of_server(found: GroundServer) -> StagedObject {
    let server = found.server;
    let domain = found.domain_dns_name;
    let staged = Staged::default()
        .put("domainDnsName", &domain)
        .put("domainSid", &server.domain_sid)
        .put("number", server.number)
        .put("keyVersion", server.key_version)
        .put("krbtgtName", &server.krbtgt_name)
        .maybe("computerDn", server.computer_dn.as_ref());
    StagedObject {
        anchor: Anchor::new(domain.clone()),
        kind: SERVER.to_owned(),
        name: domain,
        attributes: staged.0,
    }
}

/// Reads the attributes that an object should have.
struct Wanted<'a>(&'a Attributes);

impl Wanted<'_> {
    fn maybe<T: FromStr>(&self, name: &str) -> Result<Option<T>, WriteError> {
        let value = self.0.get(name).and_then(|values| values.first());
        let read = value.map(|value| {
            let text = std::str::from_utf8(value).ok();
            let read = text.and_then(|text| text.parse().ok());
            read.ok_or_else(|| unfit(&format!("{name} is not what the cloud takes")))
        });
        read.transpose()
    }

    fn must<T: FromStr>(&self, name: &str) -> Result<T, WriteError> {
        let read = self.maybe(name)?;
        read.ok_or_else(|| unfit(&format!("it has no {name}")))
    }
}

fn to_device(attributes: &Attributes) -> Result<SyncDevice, WriteError> {
    let wanted = Wanted(attributes);
    let certificates = attributes.get("userCertificate").into_iter().flatten();
    Ok(SyncDevice {
        display_name: wanted.must("displayName")?,
        account_enabled: wanted.must("accountEnabled")?,
        on_premises_security_identifier: wanted.must("onPremisesSecurityIdentifier")?,
        on_premises_sam_account_name: wanted.must("onPremisesSamAccountName")?,
        on_premises_distinguished_name: wanted.maybe("onPremisesDistinguishedName")?,
        on_premises_domain_name: wanted.maybe("onPremisesDomainName")?,
        operating_system: wanted.maybe("operatingSystem")?,
        operating_system_version: wanted.maybe("operatingSystemVersion")?,
        certificates: certificates.map(|der| BASE64.encode(der)).collect(),
    })
}

fn to_server(attributes: &Attributes) -> Result<SyncKerberosServer, WriteError> {
    let wanted = Wanted(attributes);
    Ok(SyncKerberosServer {
        domain_sid: wanted.must("domainSid")?,
        number: wanted.must("number")?,
        key_version: wanted.must("keyVersion")?,
        krbtgt_name: wanted.must("krbtgtName")?,
        computer_dn: wanted.maybe("computerDn")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let device = SyncDevice {
            display_name: "WS01".to_owned(),
            account_enabled: true,
            on_premises_security_identifier: "S-1-5-21-1-2-3-1601".parse().unwrap(),
            on_premises_sam_account_name: "WS01$".to_owned(),
            on_premises_distinguished_name: Some("CN=WS01,DC=corp".to_owned()),
            on_premises_domain_name: None,
            operating_system: None,
            operating_system_version: Some("10.0".to_owned()),
            certificates: vec![BASE64.encode(b"certificate")],
        };
        let found = GroundDevice {
            id: types::Guid::from_bytes_le([1; 16]),
            device: device.clone(),
        };
        assert_eq!(to_device(&of_device(found).attributes).unwrap(), device);
        let server = SyncKerberosServer {
            domain_sid: "S-1-5-21-1-2-3".parse().unwrap(),
            number: 39_612,
            key_version: 2,
            krbtgt_name: "krbtgt_39612".to_owned(),
            computer_dn: None,
        };
        let found = GroundServer {
            domain_dns_name: "corp.contoso.com".to_owned(),
            server: server.clone(),
        };
        assert_eq!(to_server(&of_server(found).attributes).unwrap(), server);
        let nothing = to_device(&Attributes::new()).unwrap_err();
        assert_eq!(nothing.class, WriteErrorClass::Permanent);
    }

    #[test]
    fn refusals_mean_something() {
        let check = |status, code: &str, expect| {
            let body = format!(r#"{{"error":{{"code":"{code}","message":"words"}}}}"#);
            let error = refused(status, &body);
            assert_eq!((error.class, error.message.as_str()), (expect, "words"));
        };
        check(409, "immutableProperty", WriteErrorClass::Immutable);
        check(409, "nameAlreadyExists", WriteErrorClass::Permanent);
        check(403, "accessDenied", WriteErrorClass::Denied);
        check(404, "itemNotFound", WriteErrorClass::Gone);
        check(429, "tooManyRequests", WriteErrorClass::Retry);
        assert_eq!(refused(503, "<html>").class, WriteErrorClass::Retry);
    }
}
