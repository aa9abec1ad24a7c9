//! The heads of the naming contexts and the containers of the domain (MS-ADTS 6.1.1.1, 6.1.1.4).

use types::{Dn, Rdn};

use super::Plan;
use super::descriptors::{self, Place};
use super::object::{cn, object, set};
use crate::schema::Schema;
use crate::{AddRequest, Error, Operation};

/// `instanceType` of a naming context head that is written here (MS-ADTS 2.2.11).
const HEAD: &str = "5";
/// FLAG_DISALLOW_DELETE | FLAG_DOMAIN_DISALLOW_RENAME | FLAG_DOMAIN_DISALLOW_MOVE.
const SYSTEM_OBJECT: &str = "-1946157056";
/// Functional level Windows Server 2016.
pub(super) const LEVEL_2016: &str = "7";

/// The domain, the configuration and the schema.
pub(super) fn heads(list: &mut Vec<Operation>, schema: &Schema, plan: &Plan) -> Result<(), Error> {
    let descriptor = |place| descriptors::of(place, schema, plan).map(|bytes| [bytes]);
    let domain = object(plan.domain_dn(), "domainDNS")
        .with("instanceType", [HEAD])
        .with("objectSid", [plan.domain_sid.to_bytes()])
        .with("nTSecurityDescriptor", descriptor(Place::DomainHead)?)
        .with("systemFlags", [SYSTEM_OBJECT])
        .with("isCriticalSystemObject", ["TRUE"])
        .with("msDS-Behavior-Version", [LEVEL_2016])
        .with("nTMixedDomain", ["0"])
        .with("ms-DS-MachineAccountQuota", ["10"])
        .with("maxPwdAge", ["-36288000000000"])
        .with("minPwdAge", ["-864000000000"])
        .with("minPwdLength", ["7"])
        .with("pwdHistoryLength", ["24"])
        .with("pwdProperties", ["1"])
        .with("lockoutDuration", ["-18000000000"])
        .with("lockOutObservationWindow", ["-18000000000"])
        .with("lockoutThreshold", ["0"]);
    let configuration = object(plan.configuration_dn(), "configuration")
        .with("instanceType", [HEAD])
        .with(
            "nTSecurityDescriptor",
            descriptor(Place::ConfigurationHead)?,
        )
        .with("systemFlags", [SYSTEM_OBJECT]);
    let schema_head = object(plan.schema_dn(), "dMD")
        .with("instanceType", [HEAD])
        .with("nTSecurityDescriptor", descriptor(Place::SchemaHead)?)
        .with(
            "objectVersion",
            [schema.level().object_version().to_string()],
        );
    list.extend([domain, configuration, schema_head].map(Operation::Add));
    for (container, place) in [("Users", Place::Users), ("Computers", Place::Computers)] {
        let dn = cn(&plan.domain_dn(), container);
        list.push(Operation::Add(
            system_container(dn, "container").with("nTSecurityDescriptor", descriptor(place)?),
        ));
    }
    list.push(Operation::Add(system_container(
        cn(&plan.domain_dn(), "System"),
        "container",
    )));
    list.push(Operation::Add(
        object(admin_sd_holder(plan), "container")
            .with("nTSecurityDescriptor", descriptor(Place::AdminSdHolder)?)
            .with("systemFlags", [SYSTEM_OBJECT])
            .with("isCriticalSystemObject", ["TRUE"]),
    ));
    Ok(())
}

/// `CN=AdminSDHolder,CN=System,..`
pub(super) fn admin_sd_holder(plan: &Plan) -> Dn {
    cn(&cn(&plan.domain_dn(), "System"), "AdminSDHolder")
}

fn system_container(dn: Dn, class: &str) -> AddRequest {
    object(dn, class)
        .with("systemFlags", [SYSTEM_OBJECT])
        .with("isCriticalSystemObject", ["TRUE"])
        .with("showInAdvancedViewOnly", ["FALSE"])
}

/// What else stands below the domain.
pub(super) fn containers(list: &mut Vec<Operation>, plan: &Plan) {
    let domain = plan.domain_dn();
    for (name, class) in [
        ("Builtin", "builtinDomain"),
        ("ForeignSecurityPrincipals", "container"),
        ("Managed Service Accounts", "container"),
        ("Program Data", "container"),
        ("LostAndFound", "lostAndFound"),
        ("Infrastructure", "infrastructureUpdate"),
        ("NTDS Quotas", "msDS-QuotaContainer"),
    ] {
        let mut request = system_container(cn(&domain, name), class);
        if name == "Builtin" {
            request = request.with("objectSid", [types::Sid::nt(&[32]).to_bytes()]);
        }
        list.push(Operation::Add(request));
    }
    list.push(Operation::Add(system_container(
        domain.child(Rdn::new("OU", "Domain Controllers")),
        "organizationalUnit",
    )));
    let system = cn(&domain, "System");
    list.push(Operation::Add(object(
        cn(&system, "Password Settings Container"),
        "msDS-PasswordSettingsContainer",
    )));
    list.push(Operation::Add(
        object(cn(&system, "RID Manager$"), "rIDManager")
            .with("rIDAvailablePool", ["4611686014132422704"]),
    ));
}

/// CN=Keys, where devices of Windows Hello would be (MS-ADTS 6.1.1.4.18). Needs the key administrators.
pub(super) fn keys_container(
    list: &mut Vec<Operation>,
    schema: &Schema,
    plan: &Plan,
) -> Result<(), Error> {
    list.push(Operation::Add(
        system_container(cn(&plan.domain_dn(), "Keys"), "container").with(
            "nTSecurityDescriptor",
            [descriptors::of(Place::Keys, schema, plan)?],
        ),
    ));
    Ok(())
}

/// GUIDs by which clients find containers, `B:32:<guid>:<DN>` (MS-ADTS 6.1.1.4).
const WELL_KNOWN: &[(&str, &str)] = &[
    ("A9D1CA15768811D1ADED00C04FD8D5CD", "CN=Users"),
    ("AA312825768811D1ADED00C04FD8D5CD", "CN=Computers"),
    ("AB1D30F3768811D1ADED00C04FD8D5CD", "CN=System"),
    ("A361B2FFFFD211D1AA4B00C04FD7D83A", "OU=Domain Controllers"),
    ("2FBAC1870ADE11D297C400C04FD8D5CD", "CN=Infrastructure"),
    ("AB8153B7768811D1ADED00C04FD8D5CD", "CN=LostAndFound"),
    (
        "22B70C67D56E4EFB91E9300FCA3DC1AA",
        "CN=ForeignSecurityPrincipals",
    ),
    ("09460C08AE1E4A4EA0F64AEE7DAA1E5A", "CN=Program Data"),
    ("6227F0AF1FC2410D8E3BB10615BB5B0F", "CN=NTDS Quotas"),
];

/// Values that refer to objects which did not exist when their holder was made.
pub(super) fn references(list: &mut Vec<Operation>, plan: &Plan, has_keys: bool) {
    let domain = plan.domain_dn();
    let link = |guid: &str, rdn: &str| format!("B:32:{guid}:{rdn},{domain}");
    let well_known = WELL_KNOWN
        .iter()
        .map(|(guid, rdn)| link(guid, rdn))
        .collect();
    list.push(set(domain.clone(), "wellKnownObjects", well_known));
    let mut others = vec![link(
        "1EB93889E40C45DF9F0C64D23BBB6237",
        "CN=Managed Service Accounts",
    )];
    if has_keys {
        others.push(link("683A24E2E8164BD3AF86AC3C2CF3F981", "CN=Keys"));
    }
    list.push(set(domain.clone(), "otherWellKnownObjects", others));
    let settings = || vec![plan.ntds_settings_dn().to_string()];
    for (role, holder) in [
        (domain.clone(), "fSMORoleOwner"),
        (cn(&domain, "Infrastructure"), "fSMORoleOwner"),
        (cn(&cn(&domain, "System"), "RID Manager$"), "fSMORoleOwner"),
        (cn(&plan.configuration_dn(), "Partitions"), "fSMORoleOwner"),
        (plan.schema_dn(), "fSMORoleOwner"),
    ] {
        list.push(set(role, holder, settings()));
    }
    let computer = plan.computer_dn().to_string();
    list.push(set(plan.server_dn(), "serverReference", vec![computer]));
}
