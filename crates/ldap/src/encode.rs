//! From [`Message`] to BER, and [`EntryEncoder`], which writes a found entry without building one first.

use types::Secret;

use crate::ber::{BOOLEAN, ENUMERATED, INTEGER, OCTET_STRING, SEQUENCE, SET, Writer};
use crate::decode::tags;
use crate::message::*;
use crate::{AttributeAssertion, Control, Filter, LdapResult};

pub(crate) fn message(message: &Message, buffer: &mut Vec<u8>) {
    let mut writer = Writer(buffer);
    writer.constructed(SEQUENCE, |writer| {
        writer.integer(INTEGER, message.id.into());
        operation(&message.operation, writer);
        controls(&message.controls, writer);
    });
}

fn operation(operation: &Operation, writer: &mut Writer<'_>) {
    match operation {
        Operation::BindRequest(bind) => bind_request(bind, writer),
        Operation::BindResponse(bind) => writer.constructed(tags::BIND_RESPONSE, |writer| {
            result(&bind.result, writer);
            optional(
                tags::SERVER_SASL_CREDS,
                bind.server_credentials.as_deref(),
                writer,
            );
        }),
        Operation::UnbindRequest => writer.octets(tags::UNBIND_REQUEST, &[]),
        Operation::SearchRequest(search) => search_request(search, writer),
        Operation::SearchResultEntry(entry) => {
            writer.constructed(tags::SEARCH_RESULT_ENTRY, |writer| {
                writer.octets(OCTET_STRING, entry.dn.as_bytes());
                attributes(&entry.attributes, writer);
            });
        }
        Operation::SearchResultReference(urls) => {
            writer.constructed(tags::SEARCH_RESULT_REFERENCE, |writer| {
                strings(urls, writer)
            });
        }
        Operation::SearchResultDone(done) => only_result(tags::SEARCH_RESULT_DONE, done, writer),
        Operation::ModifyRequest(modify) => modify_request(modify, writer),
        Operation::ModifyResponse(done) => only_result(tags::MODIFY_RESPONSE, done, writer),
        Operation::AddRequest(add) => writer.constructed(tags::ADD_REQUEST, |writer| {
            writer.octets(OCTET_STRING, add.dn.as_bytes());
            attributes(&add.attributes, writer);
        }),
        Operation::AddResponse(done) => only_result(tags::ADD_RESPONSE, done, writer),
        Operation::DelRequest(dn) => writer.octets(tags::DEL_REQUEST, dn.as_bytes()),
        Operation::DelResponse(done) => only_result(tags::DEL_RESPONSE, done, writer),
        Operation::ModifyDnRequest(rename) => modify_dn_request(rename, writer),
        Operation::ModifyDnResponse(done) => only_result(tags::MODIFY_DN_RESPONSE, done, writer),
        Operation::CompareRequest(compare) => {
            writer.constructed(tags::COMPARE_REQUEST, |writer| {
                writer.octets(OCTET_STRING, compare.dn.as_bytes());
                writer.constructed(SEQUENCE, |writer| {
                    writer.octets(OCTET_STRING, compare.attribute.as_bytes());
                    writer.octets(OCTET_STRING, &compare.value);
                });
            });
        }
        Operation::CompareResponse(done) => only_result(tags::COMPARE_RESPONSE, done, writer),
        Operation::AbandonRequest(id) => writer.integer(tags::ABANDON_REQUEST, (*id).into()),
        Operation::ExtendedRequest(request) => {
            writer.constructed(tags::EXTENDED_REQUEST, |writer| {
                writer.octets(tags::REQUEST_NAME, request.oid.as_bytes());
                optional(tags::REQUEST_VALUE, request.value.as_deref(), writer);
            });
        }
        Operation::ExtendedResponse(response) => {
            writer.constructed(tags::EXTENDED_RESPONSE, |writer| {
                result(&response.result, writer);
                optional(
                    tags::RESPONSE_NAME,
                    response.oid.as_deref().map(str::as_bytes),
                    writer,
                );
                optional(tags::RESPONSE_VALUE, response.value.as_deref(), writer);
            });
        }
        Operation::IntermediateResponse(news) => {
            writer.constructed(tags::INTERMEDIATE_RESPONSE, |writer| {
                optional(
                    tags::REQUEST_NAME,
                    news.oid.as_deref().map(str::as_bytes),
                    writer,
                );
                optional(tags::REQUEST_VALUE, news.value.as_deref(), writer);
            });
        }
    }
}

fn bind_request(bind: &BindRequest, writer: &mut Writer<'_>) {
    writer.constructed(tags::BIND_REQUEST, |writer| {
        writer.integer(INTEGER, bind.version.into());
        writer.octets(OCTET_STRING, bind.name.as_bytes());
        match &bind.authentication {
            Authentication::Simple(password) => writer.octets(tags::SIMPLE, password.expose()),
            Authentication::Sasl {
                mechanism,
                credentials,
            } => {
                writer.constructed(tags::SASL, |writer| {
                    writer.octets(OCTET_STRING, mechanism.as_bytes());
                    let credentials = credentials.as_ref().map(Secret::expose);
                    optional(OCTET_STRING, credentials.map(Vec::as_slice), writer);
                });
            }
            Authentication::SicilyPackageDiscovery(content) => {
                writer.octets(tags::SICILY_PACKAGE_DISCOVERY, content);
            }
            Authentication::SicilyNegotiate(content) => {
                writer.octets(tags::SICILY_NEGOTIATE, content);
            }
            Authentication::SicilyResponse(content) => {
                writer.octets(tags::SICILY_RESPONSE, content.expose());
            }
            Authentication::Other { tag, content } => writer.octets(*tag, content.expose()),
        }
    });
}

fn search_request(search: &SearchRequest, writer: &mut Writer<'_>) {
    writer.constructed(tags::SEARCH_REQUEST, |writer| {
        writer.octets(OCTET_STRING, search.base.as_bytes());
        let scope = match search.scope {
            Scope::BaseObject => 0,
            Scope::SingleLevel => 1,
            Scope::WholeSubtree => 2,
        };
        writer.integer(ENUMERATED, scope);
        writer.integer(ENUMERATED, search.deref_aliases.into());
        writer.integer(INTEGER, search.size_limit.into());
        writer.integer(INTEGER, search.time_limit_s.into());
        writer.boolean(BOOLEAN, search.types_only);
        filter(&search.filter, writer);
        writer.constructed(SEQUENCE, |writer| strings(&search.attributes, writer));
    });
}

fn modify_request(modify: &ModifyRequest, writer: &mut Writer<'_>) {
    writer.constructed(tags::MODIFY_REQUEST, |writer| {
        writer.octets(OCTET_STRING, modify.dn.as_bytes());
        writer.constructed(SEQUENCE, |writer| {
            for change in &modify.changes {
                writer.constructed(SEQUENCE, |writer| {
                    writer.integer(ENUMERATED, change.operation.0.into());
                    attribute(&change.attribute, writer);
                });
            }
        });
    });
}

fn modify_dn_request(rename: &ModifyDnRequest, writer: &mut Writer<'_>) {
    writer.constructed(tags::MODIFY_DN_REQUEST, |writer| {
        writer.octets(OCTET_STRING, rename.dn.as_bytes());
        writer.octets(OCTET_STRING, rename.new_rdn.as_bytes());
        writer.boolean(BOOLEAN, rename.delete_old_rdn);
        optional(
            tags::NEW_SUPERIOR,
            rename.new_superior.as_deref().map(str::as_bytes),
            writer,
        );
    });
}

fn attributes(attributes: &[PartialAttribute], writer: &mut Writer<'_>) {
    writer.constructed(SEQUENCE, |writer| {
        for item in attributes {
            attribute(item, writer);
        }
    });
}

fn attribute(attribute: &PartialAttribute, writer: &mut Writer<'_>) {
    writer.constructed(SEQUENCE, |writer| {
        writer.octets(OCTET_STRING, attribute.name.as_bytes());
        writer.constructed(SET, |writer| {
            for value in &attribute.values {
                writer.octets(OCTET_STRING, value);
            }
        });
    });
}

pub(crate) fn filter(this: &Filter, writer: &mut Writer<'_>) {
    match this {
        Filter::And(parts) => filters(tags::AND, parts, writer),
        Filter::Or(parts) => filters(tags::OR, parts, writer),
        Filter::Not(part) => writer.constructed(tags::NOT, |writer| filter(part, writer)),
        Filter::Equality(pair) => assertion(tags::EQUALITY, pair, writer),
        Filter::Substrings(parts) => writer.constructed(tags::SUBSTRINGS, |writer| {
            writer.octets(OCTET_STRING, parts.attribute.as_bytes());
            writer.constructed(SEQUENCE, |writer| {
                optional(tags::INITIAL, parts.initial.as_deref(), writer);
                for part in &parts.any {
                    writer.octets(tags::ANY, part);
                }
                optional(tags::FINAL, parts.last.as_deref(), writer);
            });
        }),
        Filter::GreaterOrEqual(pair) => assertion(tags::GREATER_OR_EQUAL, pair, writer),
        Filter::LessOrEqual(pair) => assertion(tags::LESS_OR_EQUAL, pair, writer),
        Filter::Present(attribute) => writer.octets(tags::PRESENT, attribute.as_bytes()),
        Filter::Approximate(pair) => assertion(tags::APPROXIMATE, pair, writer),
        Filter::Extensible(rule) => writer.constructed(tags::EXTENSIBLE, |writer| {
            optional(
                tags::MATCHING_RULE,
                rule.rule.as_deref().map(str::as_bytes),
                writer,
            );
            optional(
                tags::MATCH_TYPE,
                rule.attribute.as_deref().map(str::as_bytes),
                writer,
            );
            writer.octets(tags::MATCH_VALUE, &rule.value);
            if rule.dn_attributes {
                writer.boolean(tags::DN_ATTRIBUTES, true);
            }
        }),
    }
}

fn filters(tag: u8, parts: &[Filter], writer: &mut Writer<'_>) {
    writer.constructed(tag, |writer| {
        for part in parts {
            filter(part, writer);
        }
    });
}

fn assertion(tag: u8, pair: &AttributeAssertion, writer: &mut Writer<'_>) {
    writer.constructed(tag, |writer| {
        writer.octets(OCTET_STRING, pair.attribute.as_bytes());
        writer.octets(OCTET_STRING, &pair.value);
    });
}

fn only_result(tag: u8, done: &LdapResult, writer: &mut Writer<'_>) {
    writer.constructed(tag, |writer| result(done, writer));
}

fn result(result: &LdapResult, writer: &mut Writer<'_>) {
    writer.integer(ENUMERATED, result.code.0.into());
    writer.octets(OCTET_STRING, &result.matched_dn);
    writer.octets(OCTET_STRING, result.message.as_bytes());
    if !result.referrals.is_empty() {
        writer.constructed(tags::REFERRAL, |writer| strings(&result.referrals, writer));
    }
}

fn strings(strings: &[String], writer: &mut Writer<'_>) {
    for string in strings {
        writer.octets(OCTET_STRING, string.as_bytes());
    }
}

fn optional(tag: u8, content: Option<&[u8]>, writer: &mut Writer<'_>) {
    if let Some(content) = content {
        writer.octets(tag, content);
    }
}

fn controls(controls: &[Control], writer: &mut Writer<'_>) {
    if controls.is_empty() {
        return;
    }
    writer.constructed(tags::CONTROLS, |writer| {
        for control in controls {
            writer.constructed(SEQUENCE, |writer| {
                writer.octets(OCTET_STRING, control.oid.as_bytes());
                if control.critical {
                    writer.boolean(BOOLEAN, true);
                }
                optional(OCTET_STRING, control.value.as_deref(), writer);
            });
        }
    });
}

/// Writes a SearchResultEntry message straight into a buffer, value by value.
///
/// ```
/// use ldap::{EntryEncoder, Limits, Message, Operation};
/// let mut buffer = Vec::new();
/// let mut entry = EntryEncoder::begin(&mut buffer, 7, "CN=Test User,DC=corp");
/// entry.attribute("cn");
/// entry.value(b"Test User");
/// entry.finish();
/// let message = Message::decode(&buffer, &Limits::default())?;
/// assert!(matches!(message.operation, Operation::SearchResultEntry(entry) if entry.attributes.len() == 1));
/// # Ok::<(), ldap::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct EntryEncoder<'a> {
    buffer: &'a mut Vec<u8>,
    message: usize,
    operation: usize,
    attributes: usize,
    /// Where the open attribute's SEQUENCE and SET began.
    attribute: Option<(usize, usize)>,
}

impl<'a> EntryEncoder<'a> {
    /// Starts the entry `dn` as a reply to message `id`.
    pub fn begin(buffer: &'a mut Vec<u8>, id: u32, dn: &str) -> Self {
        let mut writer = Writer(buffer);
        let message = writer.open(SEQUENCE);
        writer.integer(INTEGER, id.into());
        let operation = writer.open(tags::SEARCH_RESULT_ENTRY);
        writer.octets(OCTET_STRING, dn.as_bytes());
        let attributes = writer.open(SEQUENCE);
        Self {
            buffer,
            message,
            operation,
            attributes,
            attribute: None,
        }
    }

    /// Starts the next attribute.
    pub fn attribute(&mut self, name: &str) {
        self.close_attribute();
        let mut writer = Writer(self.buffer);
        let sequence = writer.open(SEQUENCE);
        writer.octets(OCTET_STRING, name.as_bytes());
        self.attribute = Some((sequence, writer.open(SET)));
    }

    /// Adds a value to the attribute started last.
    pub fn value(&mut self, value: &[u8]) {
        Writer(self.buffer).octets(OCTET_STRING, value);
    }

    /// Ends the entry.
    pub fn finish(self) {
        self.finish_with(&[]);
    }

    /// Ends the entry and adds controls to its message.
    pub fn finish_with(mut self, extra: &[Control]) {
        self.close_attribute();
        let mut writer = Writer(self.buffer);
        writer.close(self.attributes);
        writer.close(self.operation);
        controls(extra, &mut writer);
        writer.close(self.message);
    }

    fn close_attribute(&mut self) {
        if let Some((sequence, set)) = self.attribute.take() {
            let mut writer = Writer(self.buffer);
            writer.close(set);
            writer.close(sequence);
        }
    }
}
