//! Why an operation was refused: an LDAP result code and AD's diagnostic text (MS-ADTS 3.1.1.3.1.9).

use ldap::ResultCode;
use ldap::diagnostic::{self, LogonError, attribute_problem, win32};
use types::Dn;

use crate::access::Denied;
use crate::schema::Attribute;

/// A refused operation.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name does not lead to an object.
    #[error("there is no object '{name}'; the nearest that exists is '{nearest}'")]
    NoSuchObject {
        /// As asked for.
        name: String,
        /// The deepest ancestor that exists.
        nearest: Dn,
    },
    /// The text is not a name.
    #[error("'{name}' is not a name")]
    BadName {
        /// As asked for.
        name: String,
    },
    /// An object of this name exists already.
    #[error("there is already an object '{name}'")]
    AlreadyExists {
        /// The name that is taken.
        name: String,
    },
    /// About one attribute.
    #[error("{problem} (attribute {attribute})")]
    Attribute {
        /// What is wrong.
        problem: AttributeProblem,
        /// `lDAPDisplayName`, or what the client wrote.
        attribute: String,
        /// The number AD gives for the attribute, from its OID.
        number: u32,
    },
    /// The object's class, or what its class demands.
    #[error("the class does not allow this: {why}")]
    ObjectClass {
        /// Which rule.
        why: String,
        /// The code that leads AD's text.
        win32: u32,
    },
    /// The name of the new object does not fit its class.
    #[error("the name does not fit: {why}")]
    Naming {
        /// Which rule.
        why: String,
    },
    /// The object has children.
    #[error("'{name}' has children; delete them first, or ask for the whole tree")]
    NotLeaf {
        /// The object.
        name: String,
    },
    /// An attribute that is part of the object's name.
    #[error("{attribute} is part of the name; rename the object instead")]
    NotOnRdn {
        /// The attribute.
        attribute: String,
    },
    /// The directory does not do this.
    #[error("not done: {why}")]
    Unwilling {
        /// Why not.
        why: String,
        /// The code that leads AD's text.
        win32: u32,
    },
    /// The access check said no.
    #[error("{0}")]
    Denied(#[from] Denied),
    /// A bind was refused.
    #[error("bind refused (data {:x})", .0.0)]
    Credentials(LogonError),
    /// The caller has not said who it is.
    #[error("a successful bind must come first")]
    NotBound,
    /// Something only given over TLS or a sealed connection.
    #[error("{what} needs TLS or a sealed connection")]
    ConfidentialityRequired {
        /// What was asked for.
        what: &'static str,
    },
    /// A control that makes no sense here.
    #[error("control refused: {why}")]
    Control {
        /// Which and why.
        why: &'static str,
    },
    /// The store failed; nothing of the operation was kept.
    #[error("the store failed, and nothing of the operation was kept: {reason}")]
    Store {
        /// What the store says.
        reason: String,
    },
    /// The store failed and could not be opened again.
    #[error(
        "the store failed, and whether the operation was kept will be known when it can be opened again: {reason}"
    )]
    StoreLost {
        /// What the store says.
        reason: String,
    },
    /// The store holds what it cannot hold.
    #[error("the store is damaged at {what}; restore it from a backup")]
    Damaged {
        /// Which record.
        what: String,
    },
}

/// What is wrong with an attribute or one of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AttributeProblem {
    /// The schema does not know it.
    #[error("the schema does not know the attribute")]
    Undefined,
    /// A value to delete is not there.
    #[error("a value to delete is not there")]
    NoSuchValue,
    /// A value to add is there already.
    #[error("a value to add is there already")]
    ValueExists,
    /// A value is not of the attribute's syntax.
    #[error("a value does not fit the syntax")]
    InvalidSyntax,
    /// More than one value.
    #[error("only one value is allowed")]
    SingleValued,
    /// A length or number out of range.
    #[error("a value is out of range")]
    OutOfRange,
    /// A value names an object that does not exist.
    #[error("a value names an object that does not exist")]
    UnknownReference,
    /// Some other rule of the directory.
    #[error("a rule of the directory does not allow the value")]
    Constraint,
    /// The object's class does not have it.
    #[error("the object's class does not have it")]
    NotForClass,
    /// Only the directory writes it.
    #[error("only the directory itself writes it")]
    SystemOnly,
}

impl Error {
    /// About an attribute of the schema.
    pub(crate) fn attribute(attribute: &Attribute, problem: AttributeProblem) -> Self {
        Self::Attribute {
            problem,
            attribute: attribute.name.to_owned(),
            number: attribute_number(&attribute.oid),
        }
    }

    /// About an attribute that the schema does not know.
    pub(crate) fn undefined(name: &str) -> Self {
        Self::Attribute {
            problem: AttributeProblem::Undefined,
            attribute: name.chars().take(256).collect(),
            number: 0,
        }
    }

    pub(crate) fn no_object(name: impl ToString, nearest: Dn) -> Self {
        Self::NoSuchObject {
            name: name.to_string(),
            nearest,
        }
    }

    pub(crate) fn unwilling(win32: u32, why: impl Into<String>) -> Self {
        Self::Unwilling {
            why: why.into(),
            win32,
        }
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    /// The LDAP result code.
    pub fn code(&self) -> ResultCode {
        match self {
            Self::NoSuchObject { .. } => ResultCode::NO_SUCH_OBJECT,
            Self::BadName { .. } => ResultCode::INVALID_DN_SYNTAX,
            Self::AlreadyExists { .. } => ResultCode::ENTRY_ALREADY_EXISTS,
            Self::Attribute { problem, .. } => problem.code(),
            Self::ObjectClass { .. } => ResultCode::OBJECT_CLASS_VIOLATION,
            Self::Naming { .. } => ResultCode::NAMING_VIOLATION,
            Self::NotLeaf { .. } => ResultCode::NOT_ALLOWED_ON_NON_LEAF,
            Self::NotOnRdn { .. } => ResultCode::NOT_ALLOWED_ON_RDN,
            Self::Unwilling { .. } => ResultCode::UNWILLING_TO_PERFORM,
            Self::Denied(_) => ResultCode::INSUFFICIENT_ACCESS_RIGHTS,
            Self::Credentials(_) => ResultCode::INVALID_CREDENTIALS,
            Self::NotBound => ResultCode::OPERATIONS_ERROR,
            Self::ConfidentialityRequired { .. } => ResultCode::UNWILLING_TO_PERFORM,
            Self::Control { .. } => ResultCode::UNAVAILABLE_CRITICAL_EXTENSION,
            Self::Store { .. } | Self::StoreLost { .. } => ResultCode::UNAVAILABLE,
            Self::Damaged { .. } => ResultCode::OTHER,
        }
    }

    /// The diagnostic message, as AD words it.
    pub fn diagnostic(&self) -> String {
        match self {
            Self::NoSuchObject { nearest, .. } => diagnostic::no_object(&nearest.to_string()),
            Self::BadName { .. } => diagnostic::bad_name(),
            Self::AlreadyExists { .. } => diagnostic::entry_exists(),
            Self::Attribute {
                problem,
                attribute,
                number,
            } => problem.diagnostic(*number, attribute),
            Self::ObjectClass { win32, .. } => {
                diagnostic::update_error(*win32, 6002, "OBJ_CLASS_VIOLATION")
            }
            Self::Naming { .. } => diagnostic::update_error(0x2099, 6001, "NAMING_VIOLATION"),
            Self::NotLeaf { .. } => {
                diagnostic::update_error(win32::ERROR_DS_CHILDREN_EXIST, 6003, "CANT_ON_NON_LEAF")
            }
            Self::NotOnRdn { .. } => {
                diagnostic::update_error(win32::ERROR_DS_CANT_ON_RDN, 6004, "CANT_ON_RDN")
            }
            Self::Unwilling { win32, .. } => diagnostic::unwilling(*win32),
            Self::ConfidentialityRequired { .. } => {
                diagnostic::unwilling(win32::ERROR_DS_UNWILLING_TO_PERFORM)
            }
            Self::Denied(denied) => diagnostic::access_denied(denied.win32),
            Self::Credentials(data) => diagnostic::logon_failed(*data),
            Self::NotBound => diagnostic::ldap_error(
                win32::ERROR_NOT_AUTHENTICATED,
                diagnostic::Dsid::SESSION,
                "In order to perform this operation a successful bind must be completed on the connection.",
            ),
            Self::Control { why } => {
                diagnostic::ldap_error(0x202C, diagnostic::Dsid::CONTROLS, why)
            }
            // ERROR_DISK_FULL: what an administrator should look at first.
            Self::Store { .. } | Self::StoreLost { .. } => {
                diagnostic::ldap_error(0x70, diagnostic::Dsid::UPDATE, "The store could not write")
            }
            Self::Damaged { .. } => {
                diagnostic::ldap_error(0x20EF, diagnostic::Dsid::UPDATE, "The store is damaged")
            }
        }
    }

    /// The `matchedDN` of the reply; empty where there is none.
    pub fn matched_dn(&self) -> String {
        match self {
            Self::NoSuchObject { nearest, .. } => nearest.to_string(),
            _ => String::new(),
        }
    }
}

impl AttributeProblem {
    fn code(self) -> ResultCode {
        match self {
            Self::Undefined | Self::NoSuchValue => ResultCode::NO_SUCH_ATTRIBUTE,
            Self::ValueExists => ResultCode::ATTRIBUTE_OR_VALUE_EXISTS,
            Self::InvalidSyntax => ResultCode::INVALID_ATTRIBUTE_SYNTAX,
            Self::SingleValued | Self::OutOfRange | Self::UnknownReference | Self::Constraint => {
                ResultCode::CONSTRAINT_VIOLATION
            }
            Self::NotForClass => ResultCode::OBJECT_CLASS_VIOLATION,
            Self::SystemOnly => ResultCode::UNWILLING_TO_PERFORM,
        }
    }

    fn diagnostic(self, number: u32, name: &str) -> String {
        let (code, problem) = match self {
            // AD answers this one from its LDAP head, before any attribute number is known.
            Self::Undefined => {
                return diagnostic::ldap_error(
                    win32::ERROR_INVALID_PARAMETER,
                    diagnostic::Dsid::SCHEMA,
                    "Error in attribute conversion operation",
                );
            }
            Self::NotForClass => {
                return diagnostic::update_error(
                    win32::ERROR_DS_ATT_NOT_DEF_FOR_CLASS,
                    6002,
                    "OBJ_CLASS_VIOLATION",
                );
            }
            Self::SystemOnly => return diagnostic::unwilling(win32::ERROR_DS_CANT_MOD_SYSTEM_ONLY),
            Self::NoSuchValue => (
                win32::ERROR_DS_CANT_REM_MISSING_ATT_VAL,
                attribute_problem::NO_ATTRIBUTE_OR_VALUE,
            ),
            Self::ValueExists => (
                win32::ERROR_DS_ATT_VAL_ALREADY_EXISTS,
                attribute_problem::VALUE_EXISTS,
            ),
            Self::InvalidSyntax => (
                win32::ERROR_DS_INVALID_ATTRIBUTE_SYNTAX,
                attribute_problem::INVALID_SYNTAX,
            ),
            Self::SingleValued => (
                win32::ERROR_DS_SINGLE_VALUE_CONSTRAINT,
                attribute_problem::CONSTRAINT_VIOLATION,
            ),
            Self::OutOfRange => (
                win32::ERROR_DS_RANGE_CONSTRAINT,
                attribute_problem::CONSTRAINT_VIOLATION,
            ),
            // ERROR_DS_NAME_REFERENCE_INVALID.
            Self::UnknownReference => (0x20B5, attribute_problem::CONSTRAINT_VIOLATION),
            Self::Constraint => (
                win32::ERROR_DS_CONSTRAINT_VIOLATION,
                attribute_problem::CONSTRAINT_VIOLATION,
            ),
        };
        diagnostic::attribute_error(code, problem, number, name)
    }
}

/// ATTRTYP of an OID by the well-known prefix table (MS-DRSR 5.16.4): what AD prints after `Att`.
fn attribute_number(oid: &str) -> u32 {
    const PREFIXES: &[(&str, u32)] = &[
        ("1.2.840.113556.1.4.", 0x0009_0000),
        ("1.2.840.113556.1.2.", 0x0002_0000),
        ("1.2.840.113556.1.3.", 0x0003_0000),
        ("2.5.4.", 0),
        ("0.9.2342.19200300.100.1.", 0x0015_0000),
        ("2.16.840.1.113730.3.1.", 0x0016_0000),
    ];
    PREFIXES
        .iter()
        .find_map(|(prefix, base)| {
            let last: u32 = oid.strip_prefix(prefix)?.parse().ok()?;
            base.checked_add(last)
        })
        .unwrap_or(0)
}
