//! Names and numbers of a Kerberos server object, as every directory has them.

use types::{Dn, Rdn, Sid};

/// `cn` of the computer object that stands for the cloud.
pub(super) const COMPUTER: &str = "AzureADKerberos";
/// `cn` of its ticket granting account.
pub(super) const KRBTGT: &str = "krbtgt_AzureAD";

/// `userAccountControl` of a read-only domain controller (MS-ADTS 2.2.16): WORKSTATION_TRUST_ACCOUNT,
/// TRUSTED_TO_AUTHENTICATE_FOR_DELEGATION, PARTIAL_SECRETS_ACCOUNT.
pub(super) const READ_ONLY_CONTROLLER: u32 = 0x0500_1000;
/// PARTIAL_SECRETS_ACCOUNT alone: without it a KDC takes no ticket of this computer's account.
pub(super) const PARTIAL_SECRETS: u32 = 0x0400_0000;
/// ACCOUNTDISABLE and NORMAL_ACCOUNT, as every ticket granting account has them.
pub(super) const DISABLED_USER: u32 = 0x0202;
pub(super) const DISABLED: u32 = 2;
/// The primary group of read-only domain controllers.
pub(super) const READ_ONLY_CONTROLLERS: u32 = 521;

/// LDAP_SERVER_RODC_DCPROMO_OID, MS-ADTS 3.1.1.3.4.1.23: the directory chooses number and account name.
pub(super) const PROMOTION_CONTROL: &str = "1.2.840.113556.1.4.1341";

pub(super) const LINK: &str = "msDS-KrbTgtLink";
pub(super) const ALLOWED: &str = "msDS-RevealOnDemandGroup";
pub(super) const DENIED: &str = "msDS-NeverRevealGroup";
pub(super) const NUMBER: &str = "msDS-SecondaryKrbTgtNumber";
pub(super) const VERSION: &str = "msDS-KeyVersionNumber";

/// RIDs of the group that a new trust is for, and of the one that it is not for.
pub(super) const ALLOWED_GROUP: u32 = 571;
pub(super) const DENIED_GROUP: u32 = 572;
/// Builtin groups that are denied by default: Administrators, Account, Server and Backup Operators.
pub(super) const DENIED_BUILTIN: [u32; 4] = [544, 548, 549, 551];
/// Groups of the domain whose members are privileged: Domain Admins, Schema Admins, Enterprise Admins.
pub(super) const PRIVILEGED: [u32; 3] = [512, 518, 519];

/// Where the computer object is.
pub(super) fn computer_dn(domain: &Dn) -> Dn {
    domain
        .child(Rdn::new("OU", "Domain Controllers"))
        .child(Rdn::new("CN", COMPUTER))
}

/// Where the ticket granting account is.
pub(super) fn krbtgt_dn(domain: &Dn) -> Dn {
    domain
        .child(Rdn::new("CN", "Users"))
        .child(Rdn::new("CN", KRBTGT))
}

/// The form of a name by which a directory finds a principal (MS-ADTS 3.1.1.3.1.2.4).
pub(super) fn by_sid(sid: &Sid) -> String {
    format!("<SID={sid}>")
}
