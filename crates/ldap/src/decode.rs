//! From BER to [`Message`]. Total: any bytes give a message or an error that says where.
//!
//! Components that a SEQUENCE has after the ones we know are passed over, as RFC 4511 4 asks.

use types::Secret;

use crate::ber::{BOOLEAN, ENUMERATED, INTEGER, OCTET_STRING, Reader, SEQUENCE, SET};
use crate::message::*;
use crate::{
    AttributeAssertion, Control, DecodeError, ExtensibleMatch, Filter, LdapResult, ResultCode,
    Substrings,
};

type Decoded<T> = Result<T, DecodeError>;

pub(crate) fn message(bytes: &[u8], limits: &Limits) -> Decoded<Message> {
    if bytes.len() > limits.message_length_max {
        return Err(DecodeError::Limit {
            what: "bytes",
            limit: limits.message_length_max,
        });
    }
    let mut decoder = Decoder {
        limits: *limits,
        elements_left: limits.elements_max,
    };
    let mut reader = Reader::new(bytes).expect(SEQUENCE, "message")?;
    let id = reader.count(INTEGER, "messageID")?;
    let operation = decoder.operation(&mut reader)?;
    let controls = match reader.optional(tags::CONTROLS, "controls")? {
        Some(list) => decoder.controls(list)?,
        None => Vec::new(),
    };
    Ok(Message {
        id,
        operation,
        controls,
    })
}

struct Decoder {
    limits: Limits,
    elements_left: usize,
}

impl Decoder {
    /// Pays for one more value, attribute, filter part, control or URL.
    fn charge(&mut self) -> Decoded<()> {
        match self.elements_left.checked_sub(1) {
            Some(left) => {
                self.elements_left = left;
                Ok(())
            }
            None => Err(DecodeError::Limit {
                what: "elements",
                limit: self.limits.elements_max,
            }),
        }
    }

    /// All elements of `list`, each read by `item`.
    fn list<T>(
        &mut self,
        mut list: Reader<'_>,
        mut item: impl FnMut(&mut Self, &mut Reader<'_>) -> Decoded<T>,
    ) -> Decoded<Vec<T>> {
        let mut items = Vec::new();
        while !list.is_empty() {
            self.charge()?;
            items.push(item(self, &mut list)?);
        }
        Ok(items)
    }

    fn strings(&mut self, list: Reader<'_>, what: &'static str) -> Decoded<Vec<String>> {
        self.list(list, |_, reader| reader.string(OCTET_STRING, what))
    }

    fn operation(&mut self, reader: &mut Reader<'_>) -> Decoded<Operation> {
        let here = *reader;
        let element = reader.element("protocolOp")?;
        let content = element.content;
        Ok(match element.tag {
            tags::BIND_REQUEST => Operation::BindRequest(bind_request(content)?),
            tags::BIND_RESPONSE => Operation::BindResponse(self.bind_response(content)?),
            tags::UNBIND_REQUEST => Operation::UnbindRequest,
            tags::SEARCH_REQUEST => Operation::SearchRequest(self.search_request(content)?),
            tags::SEARCH_RESULT_ENTRY => Operation::SearchResultEntry(self.entry(content)?),
            tags::SEARCH_RESULT_REFERENCE => {
                Operation::SearchResultReference(self.strings(content, "URI")?)
            }
            tags::SEARCH_RESULT_DONE => Operation::SearchResultDone(self.only_result(content)?),
            tags::MODIFY_REQUEST => Operation::ModifyRequest(self.modify_request(content)?),
            tags::MODIFY_RESPONSE => Operation::ModifyResponse(self.only_result(content)?),
            tags::ADD_REQUEST => Operation::AddRequest(self.add_request(content)?),
            tags::ADD_RESPONSE => Operation::AddResponse(self.only_result(content)?),
            tags::DEL_REQUEST => Operation::DelRequest(content.text("delete's entry")?),
            tags::DEL_RESPONSE => Operation::DelResponse(self.only_result(content)?),
            tags::MODIFY_DN_REQUEST => Operation::ModifyDnRequest(modify_dn_request(content)?),
            tags::MODIFY_DN_RESPONSE => Operation::ModifyDnResponse(self.only_result(content)?),
            tags::COMPARE_REQUEST => Operation::CompareRequest(compare_request(content)?),
            tags::COMPARE_RESPONSE => Operation::CompareResponse(self.only_result(content)?),
            tags::ABANDON_REQUEST => Operation::AbandonRequest(content.small("abandon's id")?),
            tags::EXTENDED_REQUEST => Operation::ExtendedRequest(extended_request(content)?),
            tags::EXTENDED_RESPONSE => {
                Operation::ExtendedResponse(self.extended_response(content)?)
            }
            tags::INTERMEDIATE_RESPONSE => {
                Operation::IntermediateResponse(intermediate_response(content)?)
            }
            other => return Err(here.unexpected("protocolOp", other)),
        })
    }

    fn bind_response(&mut self, mut reader: Reader<'_>) -> Decoded<BindResponse> {
        let result = self.result(&mut reader)?;
        let credentials = reader.optional(tags::SERVER_SASL_CREDS, "serverSaslCreds")?;
        Ok(BindResponse {
            result,
            server_credentials: credentials.map(|c| c.bytes().to_vec()),
        })
    }

    fn search_request(&mut self, mut reader: Reader<'_>) -> Decoded<SearchRequest> {
        Ok(SearchRequest {
            base: reader.string(OCTET_STRING, "baseObject")?,
            scope: match reader.count(ENUMERATED, "scope")? {
                0 => Scope::BaseObject,
                1 => Scope::SingleLevel,
                2 => Scope::WholeSubtree,
                _ => return Err(reader.invalid("scope", "not base, one level or subtree")),
            },
            deref_aliases: reader.count(ENUMERATED, "derefAliases")?,
            size_limit: reader.count(INTEGER, "sizeLimit")?,
            time_limit_s: reader.count(INTEGER, "timeLimit")?,
            types_only: reader.boolean(BOOLEAN, "typesOnly")?,
            filter: self.filter(&mut reader, self.limits.filter_depth_max)?,
            attributes: {
                let list = reader.expect(SEQUENCE, "attributes")?;
                self.strings(list, "attribute selector")?
            },
        })
    }

    fn entry(&mut self, mut reader: Reader<'_>) -> Decoded<SearchResultEntry> {
        let dn = reader.string(OCTET_STRING, "objectName")?;
        let list = reader.expect(SEQUENCE, "attributes")?;
        Ok(SearchResultEntry {
            dn,
            attributes: self.list(list, Self::attribute)?,
        })
    }

    fn attribute(&mut self, reader: &mut Reader<'_>) -> Decoded<PartialAttribute> {
        let mut attribute = reader.expect(SEQUENCE, "attribute")?;
        let name = attribute.string(OCTET_STRING, "attribute type")?;
        let values = attribute.expect(SET, "attribute values")?;
        let values = self.list(values, |_, value| value.octets(OCTET_STRING, "value"))?;
        Ok(PartialAttribute { name, values })
    }

    fn modify_request(&mut self, mut reader: Reader<'_>) -> Decoded<ModifyRequest> {
        let dn = reader.string(OCTET_STRING, "modify's object")?;
        let list = reader.expect(SEQUENCE, "changes")?;
        let changes = self.list(list, |decoder, reader| {
            let mut change = reader.expect(SEQUENCE, "change")?;
            let operation = ModifyOperation(change.count(ENUMERATED, "change's operation")?);
            Ok(Modification {
                operation,
                attribute: decoder.attribute(&mut change)?,
            })
        })?;
        Ok(ModifyRequest { dn, changes })
    }

    fn add_request(&mut self, mut reader: Reader<'_>) -> Decoded<AddRequest> {
        let dn = reader.string(OCTET_STRING, "add's entry")?;
        let list = reader.expect(SEQUENCE, "attributes")?;
        Ok(AddRequest {
            dn,
            attributes: self.list(list, Self::attribute)?,
        })
    }

    fn extended_response(&mut self, mut reader: Reader<'_>) -> Decoded<ExtendedResponse> {
        Ok(ExtendedResponse {
            result: self.result(&mut reader)?,
            oid: match reader.optional(tags::RESPONSE_NAME, "responseName")? {
                Some(name) => Some(name.text("responseName")?),
                None => None,
            },
            value: reader
                .optional(tags::RESPONSE_VALUE, "responseValue")?
                .map(|value| value.bytes().to_vec()),
        })
    }

    fn only_result(&mut self, mut reader: Reader<'_>) -> Decoded<LdapResult> {
        self.result(&mut reader)
    }

    fn result(&mut self, reader: &mut Reader<'_>) -> Decoded<LdapResult> {
        Ok(LdapResult {
            code: ResultCode(reader.count(ENUMERATED, "resultCode")?),
            matched_dn: reader.octets(OCTET_STRING, "matchedDN")?,
            message: {
                // For people: a server that sends another code page must not cost us its result code.
                let text = reader.expect(OCTET_STRING, "diagnosticMessage")?;
                String::from_utf8_lossy(text.bytes()).into_owned()
            },
            referrals: match reader.optional(tags::REFERRAL, "referral")? {
                Some(list) => self.strings(list, "URI")?,
                None => Vec::new(),
            },
        })
    }

    fn controls(&mut self, list: Reader<'_>) -> Decoded<Vec<Control>> {
        self.list(list, |_, reader| {
            let mut control = reader.expect(SEQUENCE, "control")?;
            let oid = control.string(OCTET_STRING, "controlType")?;
            let critical = match control.peek() {
                Some(BOOLEAN) => control.boolean(BOOLEAN, "criticality")?,
                _ => false,
            };
            let value = control.optional(OCTET_STRING, "controlValue")?;
            Ok(Control {
                oid,
                critical,
                value: value.map(|value| value.bytes().to_vec()),
            })
        })
    }

    fn filter(&mut self, reader: &mut Reader<'_>, depth_left: usize) -> Decoded<Filter> {
        let Some(depth_left) = depth_left.checked_sub(1) else {
            let limit = self.limits.filter_depth_max;
            return Err(DecodeError::Limit {
                what: "levels of filter",
                limit,
            });
        };
        self.charge()?;
        let here = *reader;
        let element = reader.element("filter")?;
        let mut content = element.content;
        Ok(match element.tag {
            tags::AND => Filter::And(self.filters(content, depth_left)?),
            tags::OR => Filter::Or(self.filters(content, depth_left)?),
            tags::NOT => Filter::Not(Box::new(self.filter(&mut content, depth_left)?)),
            tags::EQUALITY => Filter::Equality(assertion(content)?),
            tags::SUBSTRINGS => self.substrings(content)?,
            tags::GREATER_OR_EQUAL => Filter::GreaterOrEqual(assertion(content)?),
            tags::LESS_OR_EQUAL => Filter::LessOrEqual(assertion(content)?),
            tags::PRESENT => Filter::Present(content.text("attribute")?),
            tags::APPROXIMATE => Filter::Approximate(assertion(content)?),
            tags::EXTENSIBLE => Filter::Extensible(extensible(content)?),
            other => return Err(here.unexpected("filter", other)),
        })
    }

    fn filters(&mut self, list: Reader<'_>, depth_left: usize) -> Decoded<Vec<Filter>> {
        let mut list = list;
        let mut filters = Vec::new();
        while !list.is_empty() {
            filters.push(self.filter(&mut list, depth_left)?);
        }
        Ok(filters)
    }

    fn substrings(&mut self, mut reader: Reader<'_>) -> Decoded<Filter> {
        let attribute = reader.string(OCTET_STRING, "attribute")?;
        let mut list = reader.expect(SEQUENCE, "substrings")?;
        if list.is_empty() {
            return Err(list.invalid("substrings", "at least one is needed"));
        }
        let mut substrings = Substrings {
            attribute,
            ..Substrings::default()
        };
        let mut first = true;
        while !list.is_empty() {
            self.charge()?;
            let here = list;
            let part = list.element("substring")?;
            let value = part.content.bytes();
            match part.tag {
                tags::INITIAL if first => substrings.initial = Some(value.to_vec()),
                tags::ANY => substrings.any.push(value.to_vec()),
                tags::FINAL if list.is_empty() => substrings.last = Some(value.to_vec()),
                tags::INITIAL | tags::FINAL => {
                    return Err(here.invalid("substring", "initial comes first, final last"));
                }
                other => return Err(here.unexpected("substring", other)),
            }
            first = false;
        }
        Ok(substrings.into_filter())
    }
}

fn bind_request(mut reader: Reader<'_>) -> Decoded<BindRequest> {
    let version = reader.count(INTEGER, "version")?;
    let version = u8::try_from(version).map_err(|_| reader.invalid("version", "out of range"))?;
    let name = reader.string(OCTET_STRING, "bind's name")?;
    let choice = reader.element("authentication")?;
    let content = choice.content.bytes().to_vec();
    let authentication = match choice.tag {
        tags::SIMPLE => Authentication::Simple(content.into()),
        tags::SASL => {
            let mut sasl = choice.content;
            let mechanism = sasl.string(OCTET_STRING, "SASL mechanism")?;
            let credentials = sasl.optional(OCTET_STRING, "SASL credentials")?;
            let credentials = credentials.map(|c| Secret::new(c.bytes().to_vec()));
            Authentication::Sasl {
                mechanism,
                credentials,
            }
        }
        tags::SICILY_PACKAGE_DISCOVERY => Authentication::SicilyPackageDiscovery(content),
        tags::SICILY_NEGOTIATE => Authentication::SicilyNegotiate(content),
        tags::SICILY_RESPONSE => Authentication::SicilyResponse(content.into()),
        tag => Authentication::Other {
            tag,
            content: content.into(),
        },
    };
    Ok(BindRequest {
        version,
        name,
        authentication,
    })
}

fn modify_dn_request(mut reader: Reader<'_>) -> Decoded<ModifyDnRequest> {
    Ok(ModifyDnRequest {
        dn: reader.string(OCTET_STRING, "modify DN's entry")?,
        new_rdn: reader.string(OCTET_STRING, "newrdn")?,
        delete_old_rdn: reader.boolean(BOOLEAN, "deleteoldrdn")?,
        new_superior: match reader.optional(tags::NEW_SUPERIOR, "newSuperior")? {
            Some(name) => Some(name.text("newSuperior")?),
            None => None,
        },
    })
}

fn compare_request(mut reader: Reader<'_>) -> Decoded<CompareRequest> {
    let dn = reader.string(OCTET_STRING, "compare's entry")?;
    let AttributeAssertion { attribute, value } = assertion(reader.expect(SEQUENCE, "assertion")?)?;
    Ok(CompareRequest {
        dn,
        attribute,
        value,
    })
}

fn extended_request(mut reader: Reader<'_>) -> Decoded<ExtendedRequest> {
    let oid = reader.string(tags::REQUEST_NAME, "requestName")?;
    let value = reader.optional(tags::REQUEST_VALUE, "requestValue")?;
    Ok(ExtendedRequest {
        oid,
        value: value.map(|value| value.bytes().to_vec()),
    })
}

fn intermediate_response(mut reader: Reader<'_>) -> Decoded<IntermediateResponse> {
    Ok(IntermediateResponse {
        oid: match reader.optional(tags::REQUEST_NAME, "responseName")? {
            Some(name) => Some(name.text("responseName")?),
            None => None,
        },
        value: reader
            .optional(tags::REQUEST_VALUE, "responseValue")?
            .map(|value| value.bytes().to_vec()),
    })
}

fn assertion(mut reader: Reader<'_>) -> Decoded<AttributeAssertion> {
    Ok(AttributeAssertion {
        attribute: reader.string(OCTET_STRING, "attribute")?,
        value: reader.octets(OCTET_STRING, "assertion value")?,
    })
}

fn extensible(mut reader: Reader<'_>) -> Decoded<ExtensibleMatch> {
    let mut text = |tag, what| match reader.optional(tag, what)? {
        Some(content) => content.text(what).map(Some),
        None => Ok(None),
    };
    let rule = text(tags::MATCHING_RULE, "matchingRule")?;
    let attribute = text(tags::MATCH_TYPE, "type")?;
    if rule.is_none() && attribute.is_none() {
        return Err(reader.invalid("extensible match", "neither a rule nor an attribute"));
    }
    Ok(ExtensibleMatch {
        rule,
        attribute,
        value: reader.octets(tags::MATCH_VALUE, "matchValue")?,
        dn_attributes: match reader.peek() {
            Some(tags::DN_ATTRIBUTES) => reader.boolean(tags::DN_ATTRIBUTES, "dnAttributes")?,
            _ => false,
        },
    })
}

/// Identifier octets of RFC 4511 appendix B: `60`, `40` for application tags, `A0`, `80` for context tags.
pub(crate) mod tags {
    pub(crate) const BIND_REQUEST: u8 = 0x60;
    pub(crate) const BIND_RESPONSE: u8 = 0x61;
    pub(crate) const UNBIND_REQUEST: u8 = 0x42;
    pub(crate) const SEARCH_REQUEST: u8 = 0x63;
    pub(crate) const SEARCH_RESULT_ENTRY: u8 = 0x64;
    pub(crate) const SEARCH_RESULT_DONE: u8 = 0x65;
    pub(crate) const MODIFY_REQUEST: u8 = 0x66;
    pub(crate) const MODIFY_RESPONSE: u8 = 0x67;
    pub(crate) const ADD_REQUEST: u8 = 0x68;
    pub(crate) const ADD_RESPONSE: u8 = 0x69;
    pub(crate) const DEL_REQUEST: u8 = 0x4A;
    pub(crate) const DEL_RESPONSE: u8 = 0x6B;
    pub(crate) const MODIFY_DN_REQUEST: u8 = 0x6C;
    pub(crate) const MODIFY_DN_RESPONSE: u8 = 0x6D;
    pub(crate) const COMPARE_REQUEST: u8 = 0x6E;
    pub(crate) const COMPARE_RESPONSE: u8 = 0x6F;
    pub(crate) const ABANDON_REQUEST: u8 = 0x50;
    pub(crate) const SEARCH_RESULT_REFERENCE: u8 = 0x73;
    pub(crate) const EXTENDED_REQUEST: u8 = 0x77;
    pub(crate) const EXTENDED_RESPONSE: u8 = 0x78;
    pub(crate) const INTERMEDIATE_RESPONSE: u8 = 0x79;

    pub(crate) const CONTROLS: u8 = 0xA0;
    pub(crate) const REFERRAL: u8 = 0xA3;

    pub(crate) const SIMPLE: u8 = 0x80;
    pub(crate) const SASL: u8 = 0xA3;
    pub(crate) const SICILY_PACKAGE_DISCOVERY: u8 = 0x89;
    pub(crate) const SICILY_NEGOTIATE: u8 = 0x8A;
    pub(crate) const SICILY_RESPONSE: u8 = 0x8B;
    pub(crate) const SERVER_SASL_CREDS: u8 = 0x87;

    pub(crate) const NEW_SUPERIOR: u8 = 0x80;
    pub(crate) const REQUEST_NAME: u8 = 0x80;
    pub(crate) const REQUEST_VALUE: u8 = 0x81;
    pub(crate) const RESPONSE_NAME: u8 = 0x8A;
    pub(crate) const RESPONSE_VALUE: u8 = 0x8B;

    pub(crate) const AND: u8 = 0xA0;
    pub(crate) const OR: u8 = 0xA1;
    pub(crate) const NOT: u8 = 0xA2;
    pub(crate) const EQUALITY: u8 = 0xA3;
    pub(crate) const SUBSTRINGS: u8 = 0xA4;
    pub(crate) const GREATER_OR_EQUAL: u8 = 0xA5;
    pub(crate) const LESS_OR_EQUAL: u8 = 0xA6;
    pub(crate) const PRESENT: u8 = 0x87;
    pub(crate) const APPROXIMATE: u8 = 0xA8;
    pub(crate) const EXTENSIBLE: u8 = 0xA9;

    pub(crate) const INITIAL: u8 = 0x80;
    pub(crate) const ANY: u8 = 0x81;
    pub(crate) const FINAL: u8 = 0x82;

    pub(crate) const MATCHING_RULE: u8 = 0x81;
    pub(crate) const MATCH_TYPE: u8 = 0x82;
    pub(crate) const MATCH_VALUE: u8 = 0x83;
    pub(crate) const DN_ATTRIBUTES: u8 = 0x84;
}
