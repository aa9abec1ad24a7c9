//! The groups and accounts that every domain has, with the relative identifiers that every tool knows
//! (MS-ADTS 6.1.1.6; MS-DTYP 2.4.2.4).

use types::{Dn, Rdn, Sid};

use super::Plan;
use super::accounts::unicode_password;
use super::object::{cn, extend, object};
use crate::{AddRequest, Operation};

/// `groupType` (MS-ADTS 2.2.12), security groups.
const GLOBAL: &str = "-2147483646";
const DOMAIN_LOCAL: &str = "-2147483644";
const UNIVERSAL: &str = "-2147483640";
const BUILTIN_LOCAL: &str = "-2147483643";

/// Name, RID and scope of the groups in CN=Users.
const DOMAIN_GROUPS: &[(&str, u32, &str)] = &[
    ("Enterprise Read-only Domain Controllers", 498, UNIVERSAL),
    ("Domain Admins", 512, GLOBAL),
    ("Domain Users", 513, GLOBAL),
    ("Domain Guests", 514, GLOBAL),
    ("Domain Computers", 515, GLOBAL),
    ("Domain Controllers", 516, GLOBAL),
    ("Cert Publishers", 517, DOMAIN_LOCAL),
    ("Schema Admins", 518, UNIVERSAL),
    ("Enterprise Admins", 519, UNIVERSAL),
    ("Group Policy Creator Owners", 520, GLOBAL),
    ("Read-only Domain Controllers", 521, GLOBAL),
    ("Cloneable Domain Controllers", 522, GLOBAL),
    ("Protected Users", 525, GLOBAL),
    ("RAS and IAS Servers", 553, DOMAIN_LOCAL),
    ("Allowed RODC Password Replication Group", 571, DOMAIN_LOCAL),
    ("Denied RODC Password Replication Group", 572, DOMAIN_LOCAL),
];

/// Those that came with Windows Server 2016.
const KEY_GROUPS: &[(&str, u32, &str)] = &[
    ("Key Admins", 526, GLOBAL),
    ("Enterprise Key Admins", 527, UNIVERSAL),
];

const BUILTIN_GROUPS: &[(&str, u32)] = &[
    ("Administrators", 544),
    ("Users", 545),
    ("Guests", 546),
    ("Account Operators", 548),
    ("Server Operators", 549),
    ("Print Operators", 550),
    ("Backup Operators", 551),
    ("Replicator", 552),
    ("Pre-Windows 2000 Compatible Access", 554),
    ("Remote Desktop Users", 555),
    ("Network Configuration Operators", 556),
    ("Incoming Forest Trust Builders", 557),
    ("Performance Monitor Users", 558),
    ("Performance Log Users", 559),
    ("Windows Authorization Access Group", 560),
    ("Terminal Server License Servers", 561),
    ("Distributed COM Users", 562),
    ("IIS_IUSRS", 568),
    ("Cryptographic Operators", 569),
    ("Event Log Readers", 573),
    ("Certificate Service DCOM Access", 574),
    ("RDS Remote Access Servers", 575),
    ("RDS Endpoint Servers", 576),
    ("RDS Management Servers", 577),
    ("Hyper-V Administrators", 578),
    ("Access Control Assistance Operators", 579),
    ("Remote Management Users", 580),
    ("Storage Replica Administrators", 582),
];

/// Interactive, Enterprise Domain Controllers, Authenticated Users, IUSR.
const FOREIGN: [u32; 4] = [4, 9, 11, 17];

fn users(plan: &Plan) -> Dn {
    cn(&plan.domain_dn(), "Users")
}

fn builtin(plan: &Plan) -> Dn {
    cn(&plan.domain_dn(), "Builtin")
}

fn principal(dn: Dn, class: &str, sid: &Sid, account: &str) -> AddRequest {
    object(dn, class)
        .with("objectSid", [sid.to_bytes()])
        .with("sAMAccountName", [account])
        .with("isCriticalSystemObject", ["TRUE"])
}

pub(super) fn groups(list: &mut Vec<Operation>, plan: &Plan, has_keys: bool) {
    let key_groups = if has_keys { KEY_GROUPS } else { &[] };
    for (name, rid, scope) in DOMAIN_GROUPS.iter().chain(key_groups) {
        let dn = cn(&users(plan), name);
        let sid = plan.domain_sid.with_rid(*rid);
        list.push(Operation::Add(
            principal(dn, "group", &sid, name).with("groupType", [*scope]),
        ));
    }
    for (name, rid) in BUILTIN_GROUPS {
        let dn = cn(&builtin(plan), name);
        list.push(Operation::Add(
            principal(dn, "group", &Sid::builtin(*rid), name)
                .with("groupType", [BUILTIN_LOCAL])
                .with("systemFlags", ["-1946157056"]),
        ));
    }
    for rid in FOREIGN {
        let sid = Sid::nt(&[rid]);
        list.push(Operation::Add(
            object(foreign(plan, rid), "foreignSecurityPrincipal")
                .with("objectSid", [sid.to_bytes()]),
        ));
    }
}

fn foreign(plan: &Plan, rid: u32) -> Dn {
    cn(
        &cn(&plan.domain_dn(), "ForeignSecurityPrincipals"),
        &Sid::nt(&[rid]).to_string(),
    )
}

/// Administrator, Guest, krbtgt and the domain controller's own account.
pub(super) fn accounts(list: &mut Vec<Operation>, plan: &Plan) {
    let account = |name: &str, rid: u32, control: &str, primary_group: &str| {
        let sid = plan.domain_sid.with_rid(rid);
        principal(cn(&users(plan), name), "user", &sid, name)
            .with("userAccountControl", [control])
            .with("primaryGroupID", [primary_group])
    };
    let password = |secret: &types::Secret<String>| [unicode_password(secret.expose())];
    let server = &plan.server;
    let computer = object(plan.computer_dn(), "computer")
        .with("objectSid", [plan.domain_sid.with_rid(1000).to_bytes()])
        .with("sAMAccountName", [format!("{server}$")])
        // SERVER_TRUST_ACCOUNT | TRUSTED_FOR_DELEGATION
        .with("userAccountControl", ["532480"])
        .with("primaryGroupID", ["516"])
        .with("isCriticalSystemObject", ["TRUE"])
        .with("dNSHostName", [plan.server_dns_name()])
        .with("servicePrincipalName", service_names(plan))
        .with("unicodePwd", password(&plan.server_password));
    list.extend(
        [
            // NORMAL_ACCOUNT | DONT_EXPIRE_PASSWORD
            account("Administrator", 500, "66048", "513")
                .with(
                    "description",
                    ["Built-in account for administering the domain"],
                )
                .with("unicodePwd", password(&plan.admin_password)),
            // NORMAL_ACCOUNT | DONT_EXPIRE_PASSWORD | PASSWD_NOTREQD | ACCOUNTDISABLE
            account("Guest", 501, "66082", "514"),
            // NORMAL_ACCOUNT | ACCOUNTDISABLE
            account("krbtgt", 502, "514", "513")
                .with("servicePrincipalName", ["kadmin/changepw"])
                .with("showInAdvancedViewOnly", ["TRUE"])
                .with("unicodePwd", password(&plan.krbtgt_password)),
            computer,
        ]
        .map(Operation::Add),
    );
}

fn service_names(plan: &Plan) -> Vec<String> {
    let (host, domain) = (plan.server_dns_name(), &plan.dns_domain);
    let mut names = Vec::new();
    for class in ["HOST", "ldap", "GC"] {
        names.push(format!("{class}/{host}/{domain}"));
    }
    for class in ["HOST", "ldap", "RestrictedKrbHost"] {
        names.push(format!("{class}/{host}"));
        names.push(format!("{class}/{}", plan.server));
    }
    names
}

/// Who is in which group from the beginning.
pub(super) fn members(list: &mut Vec<Operation>, plan: &Plan) {
    let user = |name: &str| cn(&users(plan), name).to_string();
    let foreign = |rid: u32| foreign(plan, rid).to_string();
    let mut add = |group: Dn, members: Vec<String>| list.push(extend(group, "member", members));
    let domain_group = |name: &str| cn(&users(plan), name);
    let builtin_group = |name: &str| builtin(plan).child(Rdn::new("CN", name));
    add(
        builtin_group("Administrators"),
        vec![
            user("Administrator"),
            user("Domain Admins"),
            user("Enterprise Admins"),
        ],
    );
    for group in [
        "Domain Admins",
        "Schema Admins",
        "Enterprise Admins",
        "Group Policy Creator Owners",
    ] {
        add(domain_group(group), vec![user("Administrator")]);
    }
    add(
        builtin_group("Users"),
        vec![user("Domain Users"), foreign(4), foreign(11)],
    );
    add(
        builtin_group("Guests"),
        vec![user("Guest"), user("Domain Guests")],
    );
    // This is why every authenticated user reads every attribute of users and groups, their keys included.
    add(
        builtin_group("Pre-Windows 2000 Compatible Access"),
        vec![foreign(11)],
    );
    add(
        builtin_group("Windows Authorization Access Group"),
        vec![foreign(9)],
    );
    add(builtin_group("IIS_IUSRS"), vec![foreign(17)]);
    add(
        domain_group("Denied RODC Password Replication Group"),
        [
            "krbtgt",
            "Domain Controllers",
            "Schema Admins",
            "Enterprise Admins",
            "Cert Publishers",
            "Domain Admins",
            "Group Policy Creator Owners",
            "Read-only Domain Controllers",
        ]
        .map(user)
        .to_vec(),
    );
}

/// `testuser`, as the examples of the documentation have it.
pub(super) fn test_user(list: &mut Vec<Operation>, plan: &Plan) {
    let unit = plan.domain_dn().child(Rdn::new("OU", "Users"));
    list.push(Operation::Add(object(unit.clone(), "organizationalUnit")));
    list.push(Operation::Add(
        object(cn(&unit, "Test User"), "user")
            .with("sAMAccountName", ["testuser"])
            .with(
                "userPrincipalName",
                [format!("testuser@{}", plan.dns_domain)],
            )
            .with("displayName", ["Test User"])
            .with("userAccountControl", ["512"])
            .with(
                "unicodePwd",
                [unicode_password(plan.admin_password.expose())],
            ),
    ));
}
