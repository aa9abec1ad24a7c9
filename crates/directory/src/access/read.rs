//! What a caller may read and see (MS-ADTS 3.1.1.4.4, 5.1.3.3.3, 5.1.3.3.6).

use security_descriptor::{AccessMask, Rights, Token};

use super::{Policy, Target, path_of, rights_on};
use crate::schema::{Attribute, AttributeId, ClassId, Schema};

/// What one token may read of objects with one descriptor and class. Remembered by the session.
#[derive(Debug)]
pub struct Readable {
    /// One bit per attribute of the schema, so that an entry costs a look-up per attribute.
    attributes: Box<[u64]>,
    may_list_children: bool,
    may_list_object: bool,
}

impl Readable {
    /// Computes the answer once for all attributes.
    pub fn new(schema: &Schema, token: &Token, target: &Target<'_>) -> Self {
        let rights = rights_on(token, target);
        let mut bits = Bits::default();
        for attribute in schema.attributes() {
            if may_read(schema, &rights, target.class, attribute) {
                bits.set(attribute.id);
            }
        }
        Self {
            may_list_children: rights.allows(AccessMask::LIST_CHILDREN, &[]),
            may_list_object: rights.allows(AccessMask::LIST_OBJECT, &[]),
            attributes: bits.0.into(),
        }
    }

    /// Whether values of `attribute` are shown (RP, and CR for confidential ones).
    pub fn may_read(&self, attribute: AttributeId) -> bool {
        let (word, bit) = Bits::place(attribute);
        self.attributes
            .get(word)
            .is_some_and(|word| word & bit != 0)
    }

    /// Whether the children are listed (LC).
    pub fn may_list_children(&self) -> bool {
        self.may_list_children
    }

    /// Whether the object is shown although its parent may not be listed (LO), in list-object mode.
    pub fn may_list_object(&self) -> bool {
        self.may_list_object
    }
}

/// Whether `object` is visible below `parent`: LC on the parent or, in list-object mode, LO on both.
pub fn may_see(policy: Policy, parent: Option<&Readable>, object: &Readable) -> bool {
    parent.is_none_or(|parent| {
        parent.may_list_children
            || (policy.list_object && parent.may_list_object && object.may_list_object)
    })
}

fn may_read(schema: &Schema, rights: &Rights, class: ClassId, attribute: &Attribute) -> bool {
    let path = path_of(schema, class, attribute);
    if attribute.id == schema.known().security_descriptor {
        return rights.allows(AccessMask::READ_CONTROL, &[]);
    }
    if is_secret(attribute.name) || !rights.allows(AccessMask::READ_PROPERTY, &path) {
        return false;
    }
    // A control access right is matched by its own GUID, here that of the attribute or of its property set.
    let [_, set, own] = path;
    !attribute.is_confidential() || rights.allows(AccessMask::CONTROL_ACCESS, &[set, own])
}

/// Never shown to anybody, whatever a descriptor says (MS-ADTS 3.1.1.4.4).
fn is_secret(name: &str) -> bool {
    matches!(
        name,
        "currentValue"
            | "dBCSPwd"
            | "initialAuthIncoming"
            | "initialAuthOutgoing"
            | "lmPwdHistory"
            | "ntPwdHistory"
            | "priorValue"
            | "supplementalCredentials"
            | "trustAuthIncoming"
            | "trustAuthOutgoing"
            | "unicodePwd"
    )
}

#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn place(attribute: AttributeId) -> (usize, u64) {
        let number = usize::from(attribute.0);
        (number / 64, 1 << (number % 64))
    }

    fn set(&mut self, attribute: AttributeId) {
        let (word, bit) = Self::place(attribute);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }
}
