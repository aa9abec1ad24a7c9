//! From the cloud's sign-in to the domain's ticket: by the Kerberos server object, and by nothing else.

use workstation::policy::OfflinePolicy;
use workstation::session::{Happened, Session};

use super::stage::{KEYS, Run, Stage, ensure};
use super::tickets::opened_by_service;
use crate::device::Device;
use crate::people::TEST_USER;
use crate::report::Seen;
use crate::{Error, trust};

pub(super) fn server_object(stage: &mut Stage) -> Result<Seen, Error> {
    let published = trust::establish(&stage.house)?;
    stage.register(TEST_USER, "Travel key")?;
    stage.cycle(Run::default())?;
    let mut device = Device::join(&stage.house, TEST_USER, OfflinePolicy::default())?;
    let (service, sids) = signs_in(stage, &mut device)?;
    let account = stage.house.account(TEST_USER)?.sid.to_string();
    ensure(sids.contains(&account), || {
        "the ticket is of somebody else".to_owned()
    })?;
    stage.device = Some(device);
    Ok(Seen::new(format!(
        "one touch: the cloud's partial ticket, exchanged for the domain's own, and with it one for {service}"
    ))
    .with(format!(
        "sealed with the key of {} (number {})",
        published.server.krbtgt_name, published.server.number
    ))
    .with(format!("the PAC names {account} and {} groups", sids.len() - 1)))
}

pub(super) fn without_the_entry(stage: &mut Stage) -> Result<Seen, Error> {
    let dn = stage.dn(TEST_USER)?;
    let values = stage.values(&dn)?;
    ensure(!values.is_empty(), || {
        "there is no entry to remove".to_owned()
    })?;
    let mut ldap = stage.house.ldap_as_administrator()?;
    for value in &values {
        ldap.delete_value(&dn, KEYS, value)?;
    }
    let mut device = stage.take_device()?;
    let tried = signs_in(stage, &mut device);
    stage.device = Some(device);
    let (service, _) = tried?;
    Ok(Seen::new(format!(
        "{} entries are gone, and the same touch still ends in a ticket for {service}",
        values.len()
    )))
}

pub(super) fn without_the_object(stage: &mut Stage) -> Result<Seen, Error> {
    stage.cycle(Run::default())?;
    let entries = stage.values(&stage.dn(TEST_USER)?)?.len();
    ensure(entries > 0, || "the sync wrote no entry".to_owned())?;
    trust::remove_server_object(&stage.house)?;
    let mut device = stage.take_device()?;
    let happened = device.sign_in(&stage.house);
    let happened = happened.map_err(|trouble| Error::Story(trouble.to_string()))?;
    let Some(Happened::DomainRefused(why)) = happened.last() else {
        return Err(Error::Story(format!(
            "the sign-in went otherwise: {happened:?}"
        )));
    };
    ensure(device.granting(&stage.house).is_err(), || {
        "there is a ticket all the same".to_owned()
    })?;
    Ok(Seen::new(format!(
        "{entries} entries are back and help nothing: the cloud signs in, the domain controller refuses its ticket"
    ))
    .with(why.clone()))
}

/// Signs in, and has a service open the ticket.
fn signs_in(stage: &Stage, device: &mut Device) -> Result<(String, Vec<String>), Error> {
    let story = |trouble: crate::device::Trouble| Error::Story(trouble.to_string());
    let happened = device.sign_in(&stage.house).map_err(story)?;
    ensure(
        matches!(happened.last(), Some(Happened::Exchanged { .. })),
        || {
            let no_partial = device.session().and_then(Session::no_partial);
            format!("no ticket of the domain: {happened:?} {no_partial:?}")
        },
    )?;
    let service = format!("ldap/{}", stage.house.server());
    let ticket = device.ticket(&stage.house, &service).map_err(story)?;
    Ok((service, opened_by_service(stage, &ticket)?))
}
