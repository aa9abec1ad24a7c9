//! What keys and passwords are worth to the domain controller: tickets by Kerberos, with and without the cloud.

use std::net::TcpStream;

use kerberos::client::{ClientError, Credentials};
use kerberos::messages::{EncTicketPart, ErrorCode};
use kerberos::pac::{BufferType, LogonInfo, VerifiedPac};
use keycred::{DnBinary, Draft, KeySource, KeyUsage};
use types::Guid;

use super::stage::{KEYS, Stage, ensure};
use super::writeback::short;
use crate::Error;
use crate::hello_key::HelloKey;
use crate::kdc_log::Line;
use crate::people::{Person, SECOND_USER, TEST_USER};
use crate::report::Seen;

pub(super) fn password_ticket(stage: &mut Stage) -> Result<Seen, Error> {
    let house = &stage.house;
    let account = house.account(TEST_USER)?;
    let client = house.kerberos();
    let wrong = types::Secret::new("not the password".to_owned());
    let refused = client.sign_in(TEST_USER.account, &wrong);
    refused_with(refused, ErrorCode::KDC_ERR_PREAUTH_FAILED)?;
    let tgt = client.sign_in(TEST_USER.account, &account.password)?;
    let (service, sids) = service_ticket(stage, &tgt)?;
    ensure(sids.contains(&account.sid.to_string()), || {
        "the ticket is of somebody else".to_owned()
    })?;
    Ok(Seen::new(format!(
        "a ticket for {service}, which the service opens with its own key; a wrong password gets none"
    ))
    .with(format!("the PAC names {} and {} groups", account.sid, sids.len() - 1)))
}

pub(super) fn key_trust_ticket(stage: &mut Stage) -> Result<Seen, Error> {
    let key = HelloKey::generate(SECOND_USER.name)?;
    let material = key.public_blob()?;
    let value = enrol(stage, SECOND_USER, |now| {
        Draft::registered_in_ad(material, Guid::v4(*b"the lab's laptop"), now)
    })?;
    stage.house.cut_cloud()?;
    ensure(!cloud_answers(stage), || {
        "the cloud still answers".to_owned()
    })?;
    let tgt = stage
        .house
        .kerberos()
        .sign_in_with_key(SECOND_USER.account, &key)?;
    let (service, sids) = service_ticket(stage, &tgt)?;
    // KEY_TRUST_IDENTITY, MS-DTYP 2.4.2.4: how it proved itself.
    ensure(sids.iter().any(|sid| sid == "S-1-18-4"), || {
        "the PAC does not say that a key was the proof".to_owned()
    })?;
    // The right key of another account is worth nothing.
    let other = stage
        .house
        .kerberos()
        .sign_in_with_key(TEST_USER.account, &key);
    ensure(other.is_err(), || {
        "the key opens another account".to_owned()
    })?;
    Ok(Seen::new(format!(
        "signed in by the key and got a ticket for {service} while nobody listens at the cloud's address"
    ))
    .with(short(&value))
    .with(format!("{} for the same key as {}: refused", SECOND_USER.account, TEST_USER.account)))
}

pub(super) fn fido_entry_refused(stage: &mut Stage) -> Result<Seen, Error> {
    let before = stage.house.kdc_log().lines()?.len();
    // Whoever tries must sign with something: the authenticator itself signs no request of Kerberos.
    let key = HelloKey::generate("whoever")?;
    let refused = stage
        .house
        .kerberos()
        .sign_in_with_key(SECOND_USER.account, &key);
    refused_with(refused, ErrorCode::KDC_ERR_CLIENT_NOT_TRUSTED)?;
    let lines = lines_since(stage, before)?;
    let skipped = |line: &&Line| line.event == "keySkipped" && line.text.contains("FIDO");
    let reason = lines
        .iter()
        .find(skipped)
        .ok_or_else(|| Error::Story(format!("the KDC's log says nothing of FIDO: {lines:?}")))?;
    Ok(
        Seen::new(
            "refused; the KDC says that the written-back FIDO entry is no candidate, and why",
        )
        .with(format!("KDC: {}", reason.text))
        .with_all(
            lines
                .iter()
                .filter(|line| line.event == "refused")
                .map(|line| format!("KDC: {}", line.text)),
        ),
    )
}

pub(super) fn right_key_wrong_usage(stage: &mut Stage) -> Result<Seen, Error> {
    let key = HelloKey::generate(TEST_USER.name)?;
    let material = key.public_blob()?;
    let fido = Draft::hashed(material.clone(), KeyUsage::FIDO, KeySource::AD);
    let value = enrol(stage, TEST_USER, |_| fido)?;
    let before = stage.house.kdc_log().lines()?.len();
    let client = stage.house.kerberos();
    let refused = client.sign_in_with_key(TEST_USER.account, &key);
    refused_with(refused, ErrorCode::KDC_ERR_CLIENT_NOT_TRUSTED)?;
    let lines = lines_since(stage, before)?;
    let reason = lines
        .iter()
        .rfind(|line| line.event == "keySkipped")
        .map(|line| format!("KDC: {}", line.text))
        .ok_or_else(|| Error::Story("the KDC's log names no skipped key".into()))?;
    // The other direction: the same key, now under the usage that PKINIT looks for.
    let dn = stage.dn(TEST_USER)?;
    let mut ldap = stage.house.ldap_as_administrator()?;
    ldap.delete_value(&dn, KEYS, &value)?;
    enrol(stage, TEST_USER, |now| {
        Draft::registered_in_ad(material, Guid::v4(*b"the lab's laptop"), now)
    })?;
    let tgt = stage
        .house
        .kerberos()
        .sign_in_with_key(TEST_USER.account, &key)?;
    let (service, _) = service_ticket(stage, &tgt)?;
    stage.house.mend_cloud()?;
    ensure(cloud_answers(stage), || {
        "the cloud does not answer".to_owned()
    })?;
    Ok(Seen::new(format!(
        "refused as FIDO; as NGC the same key gets a ticket for {service}: the usage alone decides"
    ))
    .with(reason))
}

/// An administrator writes a key to the account, over LDAP.
fn enrol(
    stage: &Stage,
    person: Person,
    draft: impl FnOnce(types::Timestamp) -> Draft,
) -> Result<String, Error> {
    let dn = stage.dn(person)?;
    let blob = draft(stage.house.clock().now())
        .to_blob()
        .map_err(|error| Error::Key(error.to_string()))?;
    let value = DnBinary::new(blob.into_bytes(), dn.clone()).to_string();
    stage
        .house
        .ldap_as_administrator()?
        .add_value(&dn, KEYS, &value)?;
    Ok(value)
}

/// A ticket for the domain controller's LDAP service, opened as the service does: its name, and whom the PAC names.
fn service_ticket(stage: &Stage, tgt: &Credentials) -> Result<(String, Vec<String>), Error> {
    let house = &stage.house;
    let service = format!("ldap/{}", house.server());
    let credentials = house.kerberos().ticket(tgt, &service)?;
    let sids = opened_by_service(stage, &credentials)?;
    Ok((service, sids))
}

/// Whom a ticket for that service names, after the service opened it with its own key.
pub(super) fn opened_by_service(
    stage: &Stage,
    credentials: &Credentials,
) -> Result<Vec<String>, Error> {
    let service = format!("ldap/{}", stage.house.server());
    let keytab = stage.house.keytab("DC1$", &[&service])?;
    let sealed = &credentials.ticket.enc_part;
    let key = keytab
        .entries
        .iter()
        .find(|entry| entry.key.keytype == sealed.etype)
        .ok_or_else(|| Error::Story("the service has no key of that type".into()))?
        .key
        .to_key(None)
        .map_err(ClientError::from)?;
    let opened = credentials.ticket.open(&key).map_err(ClientError::from)?;
    sids(&opened, &key)
}

/// Whom a PAC names, if the service's signature holds.
fn sids(ticket: &EncTicketPart, key: &kerberos::crypto::Key) -> Result<Vec<String>, Error> {
    let bad = |error: kerberos::pac::PacError| Error::Story(format!("the PAC: {error}"));
    let verified = VerifiedPac::for_service(ticket, key).map_err(bad)?;
    let verified = verified.ok_or_else(|| Error::Story("the ticket has no PAC".into()))?;
    let info = verified
        .pac()
        .need(BufferType::LOGON_INFO)
        .and_then(LogonInfo::decode)
        .map_err(bad)?;
    let user = info.user_sid();
    Ok(user
        .into_iter()
        .chain(info.sids())
        .map(|sid| sid.to_string())
        .collect())
}

fn refused_with(result: Result<Credentials, Error>, code: ErrorCode) -> Result<(), Error> {
    match result {
        Err(Error::Kerberos(ClientError::Refused(error))) if error.error_code == code => Ok(()),
        Err(error) => Err(Error::Story(format!("refused, but otherwise: {error}"))),
        Ok(_) => Err(Error::Story("the KDC gave a ticket".into())),
    }
}

fn lines_since(stage: &Stage, before: usize) -> Result<Vec<Line>, Error> {
    Ok(stage.house.kdc_log().lines()?.split_off(before))
}

/// Whether anybody listens at the cloud's address.
fn cloud_answers(stage: &Stage) -> bool {
    let address = stage.house.addresses().cloud.trim_start_matches("https://");
    TcpStream::connect(address).is_ok()
}
