//! What the schema says of one attribute or one class.

use types::Guid;

use super::Syntax;

/// An attribute's place in the table. The table only ever grows at its end, since stores keep these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeId(pub(crate) u16);

/// A class's place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub(crate) u16);

/// One attribute (an `attributeSchema` object).
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Its number in stores.
    pub id: AttributeId,
    /// `lDAPDisplayName`.
    pub name: &'static str,
    /// `cn` of its schema object.
    pub cn: String,
    /// `attributeID`.
    pub oid: String,
    /// The syntax of its values.
    pub syntax: Syntax,
    /// `schemaIDGUID`.
    pub guid: Guid,
    /// `attributeSecurityGUID`: the property set it belongs to.
    pub security_guid: Option<Guid>,
    /// `linkID`: even for a forward link, odd for its back link.
    pub link_id: Option<u32>,
    /// `searchFlags` (MS-ADTS 2.2.10).
    pub search_flags: u32,
    /// `systemFlags` (MS-ADTS 2.2.10).
    pub system_flags: u32,
    /// `isSingleValued`.
    pub single_valued: bool,
    /// `systemOnly`.
    pub system_only: bool,
    /// `isMemberOfPartialAttributeSet`.
    pub in_partial_set: bool,
    /// `rangeLower`.
    pub range_lower: Option<u32>,
    /// `rangeUpper`.
    pub range_upper: Option<u32>,
    /// Came with the schema of Windows Server 2016.
    pub since_2016: bool,
}

/// `searchFlags`: fATTINDEX.
const INDEXED: u32 = 0x1;
/// `searchFlags`: fANR.
const ANR: u32 = 0x4;
/// `searchFlags`: fPRESERVEONDELETE.
const KEPT_ON_DELETE: u32 = 0x8;
/// `searchFlags`: fCONFIDENTIAL.
const CONFIDENTIAL: u32 = 0x80;
/// `searchFlags`: fNEVERVALUEAUDIT.
const NEVER_AUDITED: u32 = 0x100;
/// `systemFlags`: FLAG_ATTR_NOT_REPLICATED.
const NOT_REPLICATED: u32 = 0x1;
/// `systemFlags`: FLAG_ATTR_IS_CONSTRUCTED.
const CONSTRUCTED: u32 = 0x4;
/// `systemFlags`: FLAG_ATTR_IS_OPERATIONAL.
const OPERATIONAL: u32 = 0x8;

impl Attribute {
    /// Whether the value is computed when asked for.
    pub fn is_constructed(&self) -> bool {
        self.system_flags & CONSTRUCTED != 0
    }

    /// Whether it is returned only when named.
    pub fn is_operational(&self) -> bool {
        self.system_flags & OPERATIONAL != 0
    }

    /// Whether other domain controllers get it.
    pub fn is_replicated(&self) -> bool {
        self.system_flags & NOT_REPLICATED == 0
    }

    /// Whether its values are links to other objects.
    pub fn is_forward_link(&self) -> bool {
        self.link_id.is_some_and(|id| id % 2 == 0)
    }

    /// Whether its values follow from a forward link elsewhere.
    pub fn is_back_link(&self) -> bool {
        self.link_id.is_some_and(|id| id % 2 == 1)
    }

    /// Whether equality searches find it by an index.
    pub fn is_indexed(&self) -> bool {
        self.search_flags & INDEXED != 0 && self.link_id.is_none() && !self.is_constructed()
    }

    /// Whether ambiguous name resolution looks at it.
    pub fn is_in_anr(&self) -> bool {
        self.search_flags & ANR != 0
    }

    /// Whether a deleted object keeps it.
    pub fn is_kept_on_delete(&self) -> bool {
        self.search_flags & KEPT_ON_DELETE != 0
    }

    /// Whether reading needs the control access right as well (MS-ADTS 3.1.1.4.4).
    pub fn is_confidential(&self) -> bool {
        self.search_flags & CONFIDENTIAL != 0
    }

    /// Whether its values must not appear in audit records.
    pub fn is_never_audited(&self) -> bool {
        self.search_flags & NEVER_AUDITED != 0
    }
}

/// What a class is for (`objectClassCategory`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClassCategory {
    /// 0: from before the distinction (X.500 1988).
    Any,
    /// 1: objects can be of this class.
    Structural,
    /// 2: only a base of others.
    Abstract,
    /// 3: adds attributes to others.
    Auxiliary,
}

impl ClassCategory {
    /// `objectClassCategory`.
    pub fn number(self) -> u8 {
        match self {
            Self::Any => 0,
            Self::Structural => 1,
            Self::Abstract => 2,
            Self::Auxiliary => 3,
        }
    }
}

/// One class (a `classSchema` object). The lists are what the class itself adds, without its bases.
#[derive(Debug, Clone)]
pub struct Class {
    /// Its number in stores.
    pub id: ClassId,
    /// `lDAPDisplayName`.
    pub name: &'static str,
    /// `cn` of its schema object.
    pub cn: String,
    /// `governsID`.
    pub oid: String,
    /// `schemaIDGUID`.
    pub guid: Guid,
    /// `objectClassCategory`.
    pub category: ClassCategory,
    /// `subClassOf`; `top` is its own parent.
    pub parent: ClassId,
    /// `rDNAttID`.
    pub rdn_attribute: AttributeId,
    /// `systemOnly`.
    pub system_only: bool,
    /// `defaultHidingValue`.
    pub hidden: bool,
    /// `cn` of the class that `defaultObjectCategory` names.
    pub default_category_cn: String,
    /// Auxiliary classes that are always there.
    pub auxiliary: Vec<ClassId>,
    /// Classes that an object of this class may stand under.
    pub possible_superiors: Vec<ClassId>,
    /// Attributes that must be there.
    pub must: Vec<AttributeId>,
    /// Attributes that may be there.
    pub may: Vec<AttributeId>,
    /// `defaultSecurityDescriptor` in SDDL; empty where there is none.
    pub default_descriptor: &'static str,
    /// Came with the schema of Windows Server 2016.
    pub since_2016: bool,
}
