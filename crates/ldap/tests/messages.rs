//! Messages as other programs wrote them, hostile ones, and the properties of the codec.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not take for tests"
)]

use ldap::{
    Authentication, BindRequest, BindResponse, Control, DecodeError, EntryEncoder, ExtensibleMatch,
    Filter, LdapResult, Limits, Message, Modification, ModifyDnRequest, ModifyOperation,
    ModifyRequest, Operation, PartialAttribute, ResultCode, Scope, SearchRequest,
    SearchResultEntry, Substrings,
};
use proptest::prelude::*;

fn decode(bytes: &[u8]) -> Result<Message, DecodeError> {
    Message::decode(bytes, &Limits::default())
}

#[test]
fn a_sicily_discovery_is_read_and_answered_with_octets() {
    // The first bytes of pywhisker's and certipy's NTLM bind.
    let bytes = [0x30, 0x0c, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x89, 0];
    let message = decode(&bytes).unwrap();
    let Operation::BindRequest(bind) = message.operation else {
        panic!("not a bind")
    };
    assert_eq!(
        bind.authentication,
        Authentication::SicilyPackageDiscovery(Vec::new())
    );
    let challenge = b"NTLMSSP\0\x02\0\0\0\xFF\xFE".to_vec();
    let result = LdapResult::success().with_matched_dn(challenge.clone());
    let reply = Operation::BindResponse(BindResponse {
        result,
        server_credentials: None,
    });
    let Operation::BindResponse(read) = decode(&Message::new(1, reply).encode()).unwrap().operation
    else {
        panic!("not a bind response")
    };
    assert_eq!(read.result.matched_dn, challenge);
}

#[test]
fn message_id_zero_and_both_length_forms_are_read() {
    let short = [0x30, 5, 2, 1, 0, 0x42, 0];
    let long = [
        0x30, 0x84, 0, 0, 0, 0x0A, 2, 1, 0, 0x42, 0x84, 0, 0, 0, 0, 0,
    ];
    for bytes in [&short[..], &long[..12], &long[..]] {
        let Ok(message) = decode(bytes) else { continue };
        assert_eq!(message, Message::new(0, Operation::UnbindRequest));
    }
    assert!(decode(&short).is_ok());
}

#[test]
fn filter_values_stay_octets() {
    let sid = [1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 0xFF, 0xFE, 0x80, 0x2A];
    let search = SearchRequest::new("", Scope::WholeSubtree, Filter::equality("objectSid", sid));
    let message = Message::new(5, Operation::SearchRequest(search));
    assert_eq!(decode(&message.encode()).unwrap(), message);
}

#[test]
fn passwords_do_not_print() {
    let bind = BindRequest {
        version: 3,
        name: "testuser@corp.contoso.com".to_owned(),
        authentication: Authentication::Simple(b"hunter2".to_vec().into()),
    };
    assert!(!format!("{bind:?}").contains("hunter2"));
    let change = Modification::new(
        ModifyOperation::REPLACE,
        PartialAttribute::new("unicodePwd", [b"hunter2".to_vec()]),
    );
    assert!(!format!("{change:?}").contains("hunter2"));
}

fn nested_not(depth: usize) -> Vec<u8> {
    // Built from the inside: each level wraps what is there in `A2 84 length`.
    let mut filter = vec![0x87, 1, b'a'];
    for _ in 0..depth {
        let mut outer = vec![0xA2, 0x84];
        outer.extend(u32::try_from(filter.len()).unwrap().to_be_bytes());
        outer.append(&mut filter);
        filter = outer;
    }
    let mut search = vec![4, 0, 10, 1, 2, 10, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
    search.append(&mut filter);
    search.extend([0x30, 0]);
    let wrap = |tag: u8, content: Vec<u8>| {
        let mut outer = vec![tag, 0x84];
        outer.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
        outer.extend(content);
        outer
    };
    let mut message = vec![2, 1, 1];
    message.extend(wrap(0x63, search));
    wrap(0x30, message)
}

#[test]
fn deep_filters_are_refused_before_the_stack_ends() {
    assert!(decode(&nested_not(100)).is_ok());
    assert!(matches!(
        decode(&nested_not(200)),
        Err(DecodeError::Limit { .. })
    ));
    assert!(matches!(
        decode(&nested_not(20_000)),
        Err(DecodeError::Limit { .. })
    ));
}

#[test]
fn many_empty_elements_are_refused_before_they_fill_the_memory() {
    let values = PartialAttribute {
        name: "member".to_owned(),
        values: vec![Vec::new(); 300_000],
    };
    let modify = ModifyRequest {
        dn: "CN=Keys".to_owned(),
        changes: vec![Modification::new(ModifyOperation::ADD, values)],
    };
    let bytes = Message::new(1, Operation::ModifyRequest(modify)).encode();
    assert!(matches!(
        decode(&bytes),
        Err(DecodeError::Limit {
            what: "elements",
            ..
        })
    ));
}

#[test]
fn every_cut_of_a_message_is_an_error_and_says_where() {
    let bytes = Message::new(1, Operation::SearchRequest(sample_search())).encode();
    assert!(decode(&bytes).is_ok());
    for end in 0..bytes.len() {
        assert!(decode(&bytes[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn an_entry_written_piece_by_piece_is_the_same_entry() {
    let entry = SearchResultEntry {
        dn: "CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com".to_owned(),
        attributes: vec![
            PartialAttribute::new("cn", ["Test User"]),
            PartialAttribute::new("memberOf", Vec::<Vec<u8>>::new()),
            PartialAttribute::new("member", [vec![b'a'; 300], vec![b'b'; 70_000]]),
        ],
    };
    let mut buffer = vec![0xEE];
    let mut encoder = EntryEncoder::begin(&mut buffer, 9, &entry.dn);
    for attribute in &entry.attributes {
        encoder.attribute(&attribute.name);
        for value in &attribute.values {
            encoder.value(value);
        }
    }
    encoder.finish();
    let message = Message::new(9, Operation::SearchResultEntry(entry));
    assert_eq!(buffer[1..], message.encode());
    assert_eq!(decode(&buffer[1..]).unwrap(), message);
}

fn sample_search() -> SearchRequest {
    let filter = r"(&(|(sAMAccountName=test*)(objectSid=\01\05))(!(msDS-KeyCredentialLink=*)))";
    SearchRequest::new(
        "DC=corp,DC=contoso,DC=com",
        Scope::WholeSubtree,
        filter.parse().unwrap(),
    )
    .with_attributes(["cn", "objectSid", "msDS-KeyCredentialLink"])
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z][A-Za-z0-9-]{0,12}"
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..40)
}

fn part() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 1..10)
}

fn filter() -> impl Strategy<Value = Filter> {
    let pair = || {
        (name(), octets())
            .prop_map(|(attribute, value)| ldap::AttributeAssertion { attribute, value })
    };
    let substrings = (
        name(),
        proptest::option::of(part()),
        proptest::collection::vec(part(), 0..3),
        part(),
    )
        .prop_map(|(attribute, initial, any, last)| {
            Filter::Substrings(Substrings {
                attribute,
                initial,
                any,
                last: Some(last),
            })
        });
    let extensible = (
        name(),
        proptest::option::of("[0-9]{1,3}(\\.[0-9]{1,5}){1,5}"),
        octets(),
        any::<bool>(),
    )
        .prop_map(|(attribute, rule, value, dn_attributes)| {
            Filter::Extensible(ExtensibleMatch {
                rule,
                attribute: Some(attribute),
                value,
                dn_attributes,
            })
        });
    let leaf = prop_oneof![
        pair().prop_map(Filter::Equality),
        pair().prop_map(Filter::GreaterOrEqual),
        pair().prop_map(Filter::LessOrEqual),
        pair().prop_map(Filter::Approximate),
        name().prop_map(Filter::Present),
        substrings,
        extensible,
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Filter::Or),
            inner.prop_map(|part| Filter::Not(Box::new(part))),
        ]
    })
}

fn attribute() -> impl Strategy<Value = PartialAttribute> {
    (name(), proptest::collection::vec(octets(), 0..4))
        .prop_map(|(name, values)| PartialAttribute { name, values })
}

fn result() -> impl Strategy<Value = LdapResult> {
    (
        0_u32..120,
        octets(),
        any::<String>(),
        proptest::collection::vec(name(), 0..2),
    )
        .prop_map(|(code, matched_dn, message, referrals)| LdapResult {
            code: ResultCode(code),
            matched_dn,
            message,
            referrals,
        })
}

fn operation() -> impl Strategy<Value = Operation> {
    let attributes = || proptest::collection::vec(attribute(), 0..4);
    prop_oneof![
        (
            any::<String>(),
            filter(),
            proptest::collection::vec(name(), 0..4)
        )
            .prop_map(|(base, filter, names)| Operation::SearchRequest(
                SearchRequest::new(base, Scope::SingleLevel, filter).with_attributes(names)
            )),
        (any::<String>(), attributes()).prop_map(|(dn, attributes)| {
            Operation::SearchResultEntry(SearchResultEntry { dn, attributes })
        }),
        (any::<String>(), attributes()).prop_map(|(dn, attributes)| {
            Operation::AddRequest(ldap::AddRequest { dn, attributes })
        }),
        (any::<String>(), 0_u32..5, attribute()).prop_map(|(dn, operation, attribute)| {
            let changes = vec![Modification {
                operation: ModifyOperation(operation),
                attribute,
            }];
            Operation::ModifyRequest(ModifyRequest { dn, changes })
        }),
        (
            any::<String>(),
            any::<String>(),
            any::<bool>(),
            proptest::option::of(any::<String>())
        )
            .prop_map(|(dn, new_rdn, delete_old_rdn, new_superior)| {
                Operation::ModifyDnRequest(ModifyDnRequest {
                    dn,
                    new_rdn,
                    delete_old_rdn,
                    new_superior,
                })
            }),
        (any::<String>(), octets()).prop_map(|(name, password)| {
            let authentication = Authentication::Simple(password.into());
            Operation::BindRequest(BindRequest {
                version: 3,
                name,
                authentication,
            })
        }),
        (name(), proptest::option::of(octets())).prop_map(|(mechanism, credentials)| {
            let credentials = credentials.map(Into::into);
            let authentication = Authentication::Sasl {
                mechanism,
                credentials,
            };
            Operation::BindRequest(BindRequest {
                version: 3,
                name: String::new(),
                authentication,
            })
        }),
        (result(), proptest::option::of(octets())).prop_map(|(result, server_credentials)| {
            Operation::BindResponse(BindResponse {
                result,
                server_credentials,
            })
        }),
        result().prop_map(Operation::SearchResultDone),
        result().prop_map(Operation::DelResponse),
        any::<String>().prop_map(Operation::DelRequest),
        (0_u32..0x7FFF_FFFF).prop_map(Operation::AbandonRequest),
        Just(()).prop_map(|()| Operation::UnbindRequest),
        (name(), proptest::option::of(octets())).prop_map(|(oid, value)| {
            Operation::ExtendedRequest(ldap::ExtendedRequest { oid, value })
        }),
        (
            result(),
            proptest::option::of(name()),
            proptest::option::of(octets())
        )
            .prop_map(|(result, oid, value)| {
                Operation::ExtendedResponse(ldap::ExtendedResponse { result, oid, value })
            }),
    ]
}

fn control() -> impl Strategy<Value = Control> {
    (
        "[0-9.]{3,20}",
        any::<bool>(),
        proptest::option::of(octets()),
    )
        .prop_map(|(oid, critical, value)| Control {
            oid,
            critical,
            value,
        })
}

proptest! {
    #[test]
    fn messages_round_trip(
        id in 0_u32..0x7FFF_FFFF,
        operation in operation(),
        controls in proptest::collection::vec(control(), 0..3),
    ) {
        let message = Message { id, operation, controls };
        let bytes = message.encode();
        prop_assert_eq!(ldap::frame_length(&bytes).unwrap(), Some(bytes.len()));
        prop_assert_eq!(decode(&bytes).unwrap(), message);
    }

    #[test]
    fn filters_round_trip_as_text(filter in filter()) {
        let text = filter.to_string();
        prop_assert_eq!(text.parse::<Filter>().unwrap(), filter);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _verdict = decode(&bytes);
    }

    #[test]
    fn a_damaged_message_is_read_or_refused(
        operation in operation(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = Message::new(1, operation).encode();
        for (index, value) in damage {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(message) = decode(&bytes) {
            prop_assert_eq!(decode(&message.encode()).unwrap(), message);
        }
    }

    #[test]
    fn any_text_is_a_filter_or_not(text in any::<String>()) {
        let _verdict = text.parse::<Filter>();
    }
}
