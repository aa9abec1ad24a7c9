//! The right that the connector may not have, and the users that AdminSDHolder keeps from it.

use events::Record;
use security_descriptor::{AccessMask, Ace, SecurityDescriptor};
use sync::CycleReport;
use sync::mend::Reason;

use super::stage::{KEYS, Run, Stage, ensure};
use crate::Error;
use crate::domain::{admin_sd_holder_dn, group_dn};
use crate::people::{CONNECTOR, PROTECTED_USER, Person, SECOND_USER};
use crate::report::Seen;

/// `schemaIDGUID` of msDS-KeyCredentialLink (MS-ADA2).
const KEYS_GUID: &str = "5b47d60f-6090-40b2-9f37-2a4de88f3063";

pub(super) fn connector_without_right(stage: &mut Stage) -> Result<Seen, Error> {
    let group = group_dn(stage.house.domain_dn(), "Key Admins").to_string();
    let connector = stage.dn(CONNECTOR)?;
    stage
        .house
        .ldap_as_administrator()?
        .delete_value(&group, "member", &connector)?;
    stage.register(SECOND_USER, "Green key")?;
    let report = stage.cycle(Run::default())?;
    refused(stage, &report, SECOND_USER, Reason::NoRight)
}

pub(super) fn directory_says_no(stage: &mut Stage) -> Result<Seen, Error> {
    let cursor = stage
        .house
        .records_since(0)?
        .last()
        .map_or(0, |last| last.origin().record_id);
    let report = stage.cycle(Run {
        without_preflight: true,
        ..Run::default()
    })?;
    let seen = refused(stage, &report, SECOND_USER, Reason::NoRight)?;
    let message = report
        .refusals()
        .iter()
        .find_map(|refusal| refusal.message.map(str::to_owned));
    let message = message.ok_or_else(|| Error::Story("the directory said nothing".to_owned()))?;
    ensure(message.contains("00002098"), || {
        format!("the directory said: {message}")
    })?;
    let denied = stage
        .house
        .records_since(cursor)?
        .into_iter()
        .find_map(|record| match record {
            Record::DeniedWrite(denied) if denied.attribute.as_deref() == Some(KEYS) => {
                Some(denied)
            }
            _ => None,
        });
    let denied = denied.ok_or_else(|| Error::Story("no record of the refused write".to_owned()))?;
    Ok(seen.with(format!("directory: {message}")).with(format!(
        "event 4662, audit failure: {}\\{} on {}",
        denied.origin.subject.domain, denied.origin.subject.name, denied.object.dn
    )))
}

pub(super) fn connector_in_key_admins(stage: &mut Stage) -> Result<Seen, Error> {
    let group = group_dn(stage.house.domain_dn(), "Key Admins").to_string();
    let connector = stage.dn(CONNECTOR)?;
    stage
        .house
        .ldap_as_administrator()?
        .add_value(&group, "member", &connector)?;
    let report = stage.cycle(Run::default())?;
    written(stage, &report, SECOND_USER)
}

pub(super) fn protected_user(stage: &mut Stage) -> Result<Seen, Error> {
    stage.register(PROTECTED_USER, "Red key")?;
    let report = stage.cycle(Run::default())?;
    refused(
        stage,
        &report,
        PROTECTED_USER,
        Reason::ProtectedByAdminSdHolder,
    )
}

pub(super) fn adminsdholder_mended(stage: &mut Stage) -> Result<Seen, Error> {
    let holder = admin_sd_holder_dn(stage.house.domain_dn()).to_string();
    let connector = stage.house.account(CONNECTOR)?.sid.clone();
    let mut administrator = stage.house.ldap_as_administrator()?;
    let bytes = administrator.security_descriptor(&holder)?;
    let mut descriptor = SecurityDescriptor::from_bytes(&bytes)
        .map_err(|error| Error::Story(format!("AdminSDHolder's descriptor: {error}")))?;
    let keys = KEYS_GUID
        .parse()
        .map_err(|error| Error::Story(format!("{error}")))?;
    let entry = Ace::allow(
        connector,
        AccessMask::READ_PROPERTY | AccessMask::WRITE_PROPERTY,
    )
    .on(keys);
    let dacl = descriptor.dacl.as_mut();
    dacl.ok_or_else(|| Error::Story("AdminSDHolder has no DACL".to_owned()))?
        .add(entry);
    administrator.set_security_descriptor(
        &holder,
        &descriptor
            .to_bytes()
            .map_err(|error| Error::Story(error.to_string()))?,
    )?;
    // The root of the tree takes orders as attributes (MS-ADTS 3.1.1.3.3).
    administrator.replace("", "RunProtectAdminGroupsTask", "1")?;
    let report = stage.cycle(Run::default())?;
    written(stage, &report, PROTECTED_USER)
}

fn refused(
    stage: &Stage,
    report: &CycleReport,
    person: Person,
    reason: Reason,
) -> Result<Seen, Error> {
    let dn = stage.dn(person)?;
    let refusals = report.refusals();
    let refusal = refusals.iter().find(|refusal| refusal.name == dn);
    let refusal = refusal
        .ok_or_else(|| Error::Story(format!("no refusal for {dn}: {:?}", report.outcome)))?;
    ensure(refusal.reason == reason, || {
        format!("refused because: {}", refusal.reason)
    })?;
    ensure(report.outcome.exit_code() != 0, || {
        "the cycle ended as if all were well".to_owned()
    })?;
    let mend = refusal
        .mend
        .ok_or_else(|| Error::Story("no line that mends it".to_owned()))?;
    let values = stage.values(&dn)?;
    ensure(values.is_empty(), || {
        format!("{dn} has {} values", values.len())
    })?;
    let lines = mend
        .lines
        .iter()
        .map(|line| format!("mend:  {}", line.line));
    Ok(Seen::new(format!("refused: {dn}, {}", refusal.reason))
        .with(format!("next:  {}", mend.advice))
        .with_all(lines))
}

fn written(stage: &Stage, report: &CycleReport, person: Person) -> Result<Seen, Error> {
    let dn = stage.dn(person)?;
    ensure(
        report.apply.refused == 0 && report.plan.summary.blocked == 0,
        || format!("refused: {:?}", report.refusals()),
    )?;
    let values = stage.values(&dn)?;
    ensure(values.len() == 1, || {
        format!("{dn} has {} values", values.len())
    })?;
    Ok(Seen::new(format!("{dn} has its key")))
}
