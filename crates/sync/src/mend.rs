//! Why a write is refused, and the lines that mend it.
//!
//! The lines are for whoever administers the directory: an LDIF for any LDAP client, `dsacls` for Windows,
//! `samba-tool` for Samba. The sync itself never changes a permission.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::connector::{Account, WriteError, WriteErrorClass};

/// Why a value cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The connector account has no right to write the attribute.
    NoRight,
    /// The object is protected: AdminSDHolder gives its own permissions, without the connector account.
    ProtectedByAdminSdHolder,
    /// The directory's schema does not have the attribute.
    SchemaTooOld,
    /// The object is gone.
    ObjectGone,
    /// The directory was busy or out of reach.
    Unavailable,
    /// The object was changed since the plan was made.
    Changed,
    /// The SID or account name of the object is set in the cloud, and never changes.
    Immutable,
    /// The cloud refused; the message says why.
    CloudRefused,
    /// Something else; the message has it.
    Other,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRight => "the connector account may not write this attribute",
            Self::ProtectedByAdminSdHolder => "protected by AdminSDHolder",
            Self::SchemaTooOld => "the directory's schema is too old",
            Self::ObjectGone => "the object is gone",
            Self::Unavailable => "the directory is busy or out of reach",
            Self::Changed => "the object was changed since the plan was made",
            Self::Immutable => "its SID or account name is set in the cloud and never changes",
            Self::CloudRefused => "the cloud refused",
            Self::Other => "the directory refused",
        })
    }
}

impl Reason {
    /// What a refused write means. `protected` is whether the object's `adminCount` is 1.
    pub fn of(error: &WriteError, protected: bool) -> Self {
        match error.class {
            WriteErrorClass::Denied if protected => Self::ProtectedByAdminSdHolder,
            WriteErrorClass::Denied => Self::NoRight,
            WriteErrorClass::Gone => Self::ObjectGone,
            WriteErrorClass::Schema => Self::SchemaTooOld,
            WriteErrorClass::Retry => Self::Unavailable,
            WriteErrorClass::AlreadySo => Self::Changed,
            WriteErrorClass::Immutable => Self::Immutable,
            WriteErrorClass::Permanent => Self::Other,
        }
    }

    /// The same of a write to the cloud.
    pub fn of_cloud(error: &WriteError) -> Self {
        match error.class {
            WriteErrorClass::Immutable => Self::Immutable,
            WriteErrorClass::Retry => Self::Unavailable,
            _ => Self::CloudRefused,
        }
    }
}

/// How to mend a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mend {
    /// What it mends.
    pub reason: Reason,
    /// What to do, in a sentence.
    pub advice: String,
    /// Lines that do it; any one of them is enough.
    pub lines: Vec<MendLine>,
}

/// One line that mends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MendLine {
    /// The program.
    pub tool: String,
    /// The line for a shell.
    pub line: String,
}

/// `schemaIDGUID` of msDS-KeyCredentialLink (MS-ADSC), for the object ACE of SDDL.
const KEY_CREDENTIAL_LINK: (&str, &str) = (
    "msDS-KeyCredentialLink",
    "5b47d60f-6090-40b2-9f37-2a4de88f3063",
);

impl Mend {
    /// The lines for a reason; `None` where no line helps.
    pub fn of(reason: Reason, attribute: &str, account: &Account) -> Option<Self> {
        match reason {
            Reason::NoRight => Some(Self::no_right(attribute, account)),
            Reason::ProtectedByAdminSdHolder => Some(Self::protected(attribute, account)),
            Reason::SchemaTooOld => Some(Self::schema(attribute)),
            Reason::Immutable => Some(Self {
                reason,
                advice: "if it is another object now, remove the old one in the cloud; the next cycle brings the new one"
                    .to_owned(),
                lines: Vec::new(),
            }),
            _ => None,
        }
    }

    fn no_right(attribute: &str, account: &Account) -> Self {
        let (dn, name, domain) = (&account.dn, &account.name, &account.domain_dn);
        let short = name.rsplit('\\').next().unwrap_or(name);
        let is_key = attribute == KEY_CREDENTIAL_LINK.0;
        let mut lines = Vec::new();
        let advice = if is_key {
            let ldif = format!(
                "dn: CN=Key Admins,CN=Users,{domain}\\nchangetype: modify\\nadd: member\\nmember: {dn}\\n"
            );
            lines.push(line(
                "ldapmodify",
                format!(
                    "printf '{ldif}' | ldapmodify -H {} -x -W -D ADMIN",
                    account.url
                ),
            ));
            lines.push(line(
                "samba-tool",
                format!("samba-tool group addmembers 'Key Admins' {short}"),
            ));
            format!("add {name} to Key Admins, or grant it the attribute")
        } else {
            format!("grant {name} write access to {attribute}")
        };
        lines.push(line(
            "dsacls",
            format!("dsacls \"{domain}\" /I:S /G \"{name}:RPWP;{attribute};user\""),
        ));
        Self {
            reason: Reason::NoRight,
            advice,
            lines,
        }
    }

    fn protected(attribute: &str, account: &Account) -> Self {
        let (name, domain) = (&account.name, &account.domain_dn);
        let holder = format!("CN=AdminSDHolder,CN=System,{domain}");
        let mut lines = vec![line(
            "dsacls",
            format!("dsacls \"{holder}\" /G \"{name}:RPWP;{attribute}\""),
        )];
        if let (Some(sid), true) = (&account.sid, attribute == KEY_CREDENTIAL_LINK.0) {
            let ace = format!("(OA;;RPWP;{};;{sid})", KEY_CREDENTIAL_LINK.1);
            lines.push(line(
                "samba-tool",
                format!("samba-tool dsacl set --objectdn='{holder}' --sddl='{ace}'"),
            ));
        }
        let advice = format!(
            "grant {name} the attribute on AdminSDHolder itself (not on its descendants), then wait for SDProp \
             (an hour) or start it with runProtectAdminGroupsTask"
        );
        Self {
            reason: Reason::ProtectedByAdminSdHolder,
            advice,
            lines,
        }
    }

    fn schema(attribute: &str) -> Self {
        Self {
            reason: Reason::SchemaTooOld,
            advice: format!(
                "extend the schema: {attribute} comes with Windows Server 2016 (objectVersion 87)"
            ),
            lines: vec![
                line("adprep", "adprep /forestprep".to_owned()),
                line(
                    "samba-tool",
                    "samba-tool domain schemaupgrade --schema=2019".to_owned(),
                ),
            ],
        }
    }
}

fn line(tool: &str, line: String) -> MendLine {
    MendLine {
        tool: tool.to_owned(),
        line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_name_the_account_and_the_place() {
        let account = Account {
            dn: "CN=MSOL_sync,CN=Users,DC=corp,DC=contoso,DC=com".to_owned(),
            name: "CORP\\MSOL_sync".to_owned(),
            sid: "S-1-5-21-1-2-3-1107".parse().ok(),
            domain_dn: "DC=corp,DC=contoso,DC=com".to_owned(),
            url: "ldap://127.0.0.1:3890".to_owned(),
        };
        let check = |reason, expect: &[&str]| {
            let mend = Mend::of(reason, "msDS-KeyCredentialLink", &account);
            let text = serde_json::to_string(&mend).expect("JSON");
            for part in expect {
                assert!(text.contains(part), "{part} in {text}");
            }
        };
        check(
            Reason::NoRight,
            &[
                "CN=Key Admins,CN=Users,DC=corp",
                "member: CN=MSOL_sync",
                "ldap://127.0.0.1:3890",
            ],
        );
        check(
            Reason::NoRight,
            &[
                "'Key Admins' MSOL_sync",
                "CORP\\\\MSOL_sync:RPWP;msDS-KeyCredentialLink",
            ],
        );
        check(
            Reason::ProtectedByAdminSdHolder,
            &["CN=AdminSDHolder,CN=System,DC=corp", "S-1-5-21-1-2-3-1107)"],
        );
        check(Reason::SchemaTooOld, &["2016", "schemaupgrade"]);
        check(Reason::ObjectGone, &["null"]);
    }
}
