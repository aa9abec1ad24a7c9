//! GUIDs of control access rights, validated writes and property sets (MS-ADTS 5.1.3.2.1 and 3.1.1.2.3.3).

use types::Guid;

/// One row of the Extended-Rights container.
#[derive(Debug, Clone, Copy)]
pub struct ExtendedRight {
    /// `cn`.
    pub cn: &'static str,
    /// `displayName`.
    pub display_name: &'static str,
    /// `rightsGuid`.
    pub guid: Guid,
    /// `validAccesses`: 0x100 control access right, 0x8 validated write, 0x30 property set.
    pub valid_accesses: u32,
    /// `appliesTo`: schemaIDGUIDs of classes.
    pub applies_to: &'static [Guid],
}

/// A GUID as its text reads.
const fn guid(text: u128) -> Guid {
    Guid::from_bytes_be(text.to_be_bytes())
}

/// The class `user`.
pub const USER: Guid = guid(0xbf967aba_0de6_11d0_a285_00aa003049e2);
/// The class `computer`.
pub const COMPUTER: Guid = guid(0xbf967a86_0de6_11d0_a285_00aa003049e2);
/// The class `group`.
pub const GROUP: Guid = guid(0xbf967a9c_0de6_11d0_a285_00aa003049e2);
/// The class `inetOrgPerson`.
pub const INET_ORG_PERSON: Guid = guid(0x4828cc14_1437_45bc_9b07_ad6f015e5f28);
/// The class `domainDNS`.
pub const DOMAIN_DNS: Guid = guid(0x19195a5b_6da0_11d0_afd3_00c04fd930c9);
/// The class `contact`.
pub const CONTACT: Guid = guid(0x5cb41ed0_0e4c_11d0_a286_00aa003049e2);
/// The class `msDS-ManagedServiceAccount`.
pub const MANAGED_SERVICE_ACCOUNT: Guid = guid(0xce206244_5827_4a86_ba1c_1c0c386c1b64);
/// The class `msDS-GroupManagedServiceAccount`.
pub const GROUP_MANAGED_SERVICE_ACCOUNT: Guid = guid(0x7b8b558a_93a5_4af7_adca_c017e67f1057);
/// The class `configuration`.
pub const CONFIGURATION: Guid = guid(0xbf967a87_0de6_11d0_a285_00aa003049e2);
/// The class `dMD`.
pub const DMD: Guid = guid(0xbf967a8f_0de6_11d0_a285_00aa003049e2);

/// The attribute `msDS-KeyCredentialLink`.
pub const KEY_CREDENTIAL_LINK: Guid = guid(0x5b47d60f_6090_40b2_9f37_2a4de88f3063);
/// Validated write and property set DS-Validated-Write-Computer: a computer's own key.
pub const VALIDATED_WRITE_COMPUTER: Guid = guid(0x9b026da6_0d3c_465c_8bee_5199d7165cba);
/// Validated write Self-Membership, and the attribute `member`.
pub const SELF_MEMBERSHIP: Guid = guid(0xbf9679c0_0de6_11d0_a285_00aa003049e2);
/// Validated write Validated-DNS-Host-Name.
pub const VALIDATED_DNS_HOST_NAME: Guid = guid(0x72e39547_7b18_11d1_adef_00c04fd8d5cd);
/// Validated write Validated-SPN, and the attribute `servicePrincipalName`.
pub const VALIDATED_SPN: Guid = guid(0xf3a64788_5306_11d1_a9c5_0000f80367c1);
/// User-Force-Change-Password: set a password without knowing the old one.
pub const RESET_PASSWORD: Guid = guid(0x00299570_246d_11d0_a768_00aa006e0529);
/// User-Change-Password.
pub const CHANGE_PASSWORD: Guid = guid(0xab721a53_1e2f_11d0_9819_00aa0040529b);
/// DS-Replication-Get-Changes.
pub const GET_CHANGES: Guid = guid(0x1131f6aa_9c07_11d1_f79f_00c04fc2dcd2);
/// DS-Replication-Get-Changes-All.
pub const GET_CHANGES_ALL: Guid = guid(0x1131f6ad_9c07_11d1_f79f_00c04fc2dcd2);
/// Reanimate-Tombstones.
pub const REANIMATE_TOMBSTONES: Guid = guid(0x45ec5156_db7e_47bb_b53f_dbeb2d03c40f);

const CONTROL: u32 = 0x100;
const SELF: u32 = 0x8;
const SET: u32 = 0x30;

const ACCOUNTS: &[Guid] = &[
    GROUP_MANAGED_SERVICE_ACCOUNT,
    MANAGED_SERVICE_ACCOUNT,
    INET_ORG_PERSON,
    COMPUTER,
    USER,
];
const COMPUTERS: &[Guid] = &[
    GROUP_MANAGED_SERVICE_ACCOUNT,
    MANAGED_SERVICE_ACCOUNT,
    COMPUTER,
];
const PEOPLE: &[Guid] = &[INET_ORG_PERSON, USER];
const DOMAIN: &[Guid] = &[DOMAIN_DNS];
const HEADS: &[Guid] = &[DOMAIN_DNS, CONFIGURATION, DMD];

const fn row(
    cn: &'static str,
    display_name: &'static str,
    text: u128,
    valid_accesses: u32,
    applies_to: &'static [Guid],
) -> ExtendedRight {
    ExtendedRight {
        cn,
        display_name,
        guid: guid(text),
        valid_accesses,
        applies_to,
    }
}

/// The rows that this directory decides by, or that tools look for.
#[rustfmt::skip]
pub const EXTENDED_RIGHTS: &[ExtendedRight] = &[
    row("User-Force-Change-Password", "Reset Password", 0x00299570_246d_11d0_a768_00aa006e0529, CONTROL, ACCOUNTS),
    row("User-Change-Password", "Change Password", 0xab721a53_1e2f_11d0_9819_00aa0040529b, CONTROL, ACCOUNTS),
    row("Send-As", "Send As", 0xab721a54_1e2f_11d0_9819_00aa0040529b, CONTROL, ACCOUNTS),
    row("Send-To", "Send To", 0xab721a55_1e2f_11d0_9819_00aa0040529b, CONTROL, &[GROUP]),
    row("Receive-As", "Receive As", 0xab721a56_1e2f_11d0_9819_00aa0040529b, CONTROL, ACCOUNTS),
    row("Allowed-To-Authenticate", "Allowed to Authenticate", 0x68b1d179_0d15_4d4f_ab71_46152e79a7bc, CONTROL, ACCOUNTS),
    row("DS-Replication-Get-Changes", "Replicating Directory Changes", 0x1131f6aa_9c07_11d1_f79f_00c04fc2dcd2, CONTROL, HEADS),
    row("DS-Replication-Synchronize", "Replication Synchronization", 0x1131f6ab_9c07_11d1_f79f_00c04fc2dcd2, CONTROL, HEADS),
    row("DS-Replication-Manage-Topology", "Manage Replication Topology", 0x1131f6ac_9c07_11d1_f79f_00c04fc2dcd2, CONTROL, HEADS),
    row("DS-Replication-Get-Changes-All", "Replicating Directory Changes All", 0x1131f6ad_9c07_11d1_f79f_00c04fc2dcd2, CONTROL, HEADS),
    row("DS-Replication-Get-Changes-In-Filtered-Set", "Replicating Directory Changes In Filtered Set", 0x89e95b76_444d_4c62_991a_0facbeda640c, CONTROL, HEADS),
    row("Reanimate-Tombstones", "Reanimate Tombstones", 0x45ec5156_db7e_47bb_b53f_dbeb2d03c40f, CONTROL, HEADS),
    row("Create-Inbound-Forest-Trust", "Create Inbound Forest Trust", 0xe2a36dc9_ae17_47c3_b58b_be34c55ba633, CONTROL, DOMAIN),
    row("Update-Password-Not-Required-Bit", "Update Password Not Required Bit", 0x280f369c_67c7_438e_ae98_1d46f3c6f541, CONTROL, DOMAIN),
    row("Unexpire-Password", "Unexpire Password", 0xccc2dc7d_a6ad_4a7a_8846_c04e3cc53501, CONTROL, DOMAIN),
    row("Enable-Per-User-Reversibly-Encrypted-Password", "Enable Per User Reversibly Encrypted Password", 0x05c74c5e_4deb_43b4_bd9f_86664c2a7fd5, CONTROL, DOMAIN),
    row("DS-Validated-Write-Computer", "Validated write to computer attributes.", 0x9b026da6_0d3c_465c_8bee_5199d7165cba, SELF, &[COMPUTER]),
    row("Self-Membership", "Add/Remove self as member", 0xbf9679c0_0de6_11d0_a285_00aa003049e2, SELF, &[GROUP]),
    row("Validated-DNS-Host-Name", "Validated write to DNS host name", 0x72e39547_7b18_11d1_adef_00c04fd8d5cd, SELF, COMPUTERS),
    row("Validated-SPN", "Validated write to service principal name", 0xf3a64788_5306_11d1_a9c5_0000f80367c1, SELF, COMPUTERS),
    row("Domain-Password", "Domain Password & Lockout Policies", 0xc7407360_20bf_11d0_a768_00aa006e0529, SET, DOMAIN),
    row("Domain-Other-Parameters", "Other Domain Parameters (for use by SAM)", 0xb8119fd0_04f6_4762_ab7a_4986c76b3f9a, SET, DOMAIN),
    row("General-Information", "General Information", 0x59ba2f42_79a2_11d0_9020_00c04fc2d3cf, SET, PEOPLE),
    row("User-Account-Restrictions", "Account Restrictions", 0x4c164200_20c0_11d0_a768_00aa006e0529, SET, ACCOUNTS),
    row("User-Logon", "Logon Information", 0x5f202010_79a5_11d0_9020_00c04fc2d4cf, SET, PEOPLE),
    row("Membership", "Group Membership", 0xbc0ac240_79a9_11d0_9020_00c04fc2d4cf, SET, PEOPLE),
    row("RAS-Information", "Remote Access Information", 0x037088f8_0ae1_11d2_b422_00a0c968f939, SET, PEOPLE),
    row("Email-Information", "Phone and Mail Options", 0xe45795b2_9455_11d1_aebd_0000f80367c1, SET, &[GROUP, INET_ORG_PERSON, USER]),
    row("Web-Information", "Web Information", 0xe45795b3_9455_11d1_aebd_0000f80367c1, SET, &[CONTACT, INET_ORG_PERSON, USER]),
    row("Personal-Information", "Personal Information", 0x77b5b886_944a_11d1_aebd_0000f80367c1, SET, &[INET_ORG_PERSON, COMPUTER, CONTACT, USER]),
    row("Public-Information", "Public Information", 0xe48d0154_bcf8_11d1_8702_00c04fb96050, SET, &[INET_ORG_PERSON, COMPUTER, USER]),
    row("Private-Information", "Private Information", 0x91e647de_d96f_4b70_9557_d63ff4f3ccd8, SET, PEOPLE),
    row("Terminal-Server-License-Server", "Terminal Server License Server", 0x5805bc62_bdc9_4428_a5e2_856a0f4c185e, SET, PEOPLE),
    row("DNS-Host-Name-Attributes", "DNS Host Name Attributes", 0x72e39547_7b18_11d1_adef_00c04fd8d5cd, SET, COMPUTERS),
];
