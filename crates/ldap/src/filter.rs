//! Search filters (RFC 4511 4.5.1.7) as a tree; the text form is in `filter_text`.

/// A search filter. Values are octets: a client may ask for a binary `objectSid`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Filter {
    /// All of them; of none it is true (RFC 4526).
    And(Vec<Filter>),
    /// Any of them; of none it is false (RFC 4526).
    Or(Vec<Filter>),
    /// The opposite; of Undefined it is Undefined.
    Not(Box<Filter>),
    /// `(attribute=value)`
    Equality(AttributeAssertion),
    /// `(attribute=initial*any*last)`
    Substrings(Substrings),
    /// `(attribute>=value)`
    GreaterOrEqual(AttributeAssertion),
    /// `(attribute<=value)`
    LessOrEqual(AttributeAssertion),
    /// `(attribute=*)`
    Present(String),
    /// `(attribute~=value)`, which AD treats as equality (MS-ADTS 3.1.1.3.1.3.1).
    Approximate(AttributeAssertion),
    /// `(attribute:dn:rule:=value)`
    Extensible(ExtensibleMatch),
}

/// An attribute and the value asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttributeAssertion {
    /// The attribute description, as the client spelt it.
    pub attribute: String,
    /// The value, as it stands on the wire.
    pub value: Vec<u8>,
}

/// Parts that a value must hold, in this order; at least one is given and none is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Substrings {
    /// The attribute description, as the client spelt it.
    pub attribute: String,
    /// How the value begins.
    pub initial: Option<Vec<u8>>,
    /// What lies in between.
    pub any: Vec<Vec<u8>>,
    /// How the value ends.
    pub last: Option<Vec<u8>>,
}

/// A match by a named rule, such as the bit rules and the chain rule of MS-ADTS 3.1.1.3.4.4.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ExtensibleMatch {
    /// The matching rule's OID or name.
    pub rule: Option<String>,
    /// The attribute; without one every attribute is meant.
    pub attribute: Option<String>,
    /// The value, as it stands on the wire.
    pub value: Vec<u8>,
    /// Whether the parts of the entry's name count as attributes. AD ignores it.
    pub dn_attributes: bool,
}

impl Filter {
    /// `(objectClass=*)`: every entry has a class.
    pub fn any_object() -> Self {
        Self::Present("objectClass".to_owned())
    }

    /// `(attribute=value)`
    pub fn equality(attribute: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self::Equality(AttributeAssertion {
            attribute: attribute.into(),
            value: value.into(),
        })
    }
}

impl Substrings {
    /// Drops empty parts, which match everywhere; with no part left only presence is asked for.
    pub(crate) fn into_filter(self) -> Filter {
        let full = |part: &Vec<u8>| !part.is_empty();
        let kept = Self {
            initial: self.initial.filter(full),
            any: self.any.into_iter().filter(full).collect(),
            last: self.last.filter(full),
            attribute: self.attribute,
        };
        if kept.initial.is_none() && kept.any.is_empty() && kept.last.is_none() {
            return Filter::Present(kept.attribute);
        }
        Filter::Substrings(kept)
    }
}
