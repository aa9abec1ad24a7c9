//! The conversation without sockets: what is answered before anyone has signed in.

use std::sync::Arc;

use ldap::{
    Authentication, BindRequest, Control, ExtendedRequest, Filter, Framer, LdapResult, Limits,
    Message, Operation, ResultCode, Scope, SearchRequest, controls,
};
use types::{SeededEntropy, Timestamp, VirtualClock};

use super::conversation::{Conversation, Step};
use super::options::Options;
use super::server::Server;
use crate::Directory;

fn conversation(peer: &str) -> Conversation {
    let clock = Arc::new(VirtualClock::new(Timestamp::from_unix_seconds(
        1_780_000_000,
    )));
    let options = crate::Options::new(clock, Box::new(SeededEntropy::new(1)));
    let directory = Directory::in_memory(options).unwrap();
    let shared = Server::new(directory, Options::default()).into_shared();
    Conversation::new(shared, peer.parse().unwrap(), "test".into())
}

fn ask(conversation: &mut Conversation, message: Message) -> (Step, Vec<Message>) {
    let mut out = Vec::new();
    let step = conversation.take(message, &mut out);
    let mut framer = Framer::new();
    framer.push(&out);
    let mut replies = Vec::new();
    while let Some(frame) = framer.next_frame(1 << 20).unwrap() {
        replies.push(Message::decode(frame, &Limits::default()).unwrap());
    }
    (step, replies)
}

fn result(replies: &[Message]) -> &LdapResult {
    match &replies.last().expect("a reply").operation {
        Operation::SearchResultDone(result)
        | Operation::ModifyResponse(result)
        | Operation::AddResponse(result)
        | Operation::DelResponse(result)
        | Operation::ModifyDnResponse(result)
        | Operation::CompareResponse(result) => result,
        Operation::BindResponse(bind) => &bind.result,
        Operation::ExtendedResponse(response) => &response.result,
        other => panic!("no result: {other:?}"),
    }
}

#[track_caller]
fn check(message: Message, code: ResultCode, word: &str) -> Vec<Message> {
    let (_, replies) = ask(&mut conversation("127.0.0.1"), message);
    let result = result(&replies);
    assert_eq!(result.code, code, "{}", result.message);
    assert!(
        result.message.contains(word),
        "'{word}' is missing in '{}'",
        result.message
    );
    replies
}

fn search(base: &str, scope: Scope) -> Operation {
    Operation::SearchRequest(SearchRequest::new(base, scope, Filter::any_object()))
}

fn bind(version: u8, name: &str, authentication: Authentication) -> Operation {
    Operation::BindRequest(BindRequest {
        version,
        name: name.to_owned(),
        authentication,
    })
}

fn simple(password: &str) -> Authentication {
    Authentication::Simple(password.as_bytes().to_vec().into())
}

#[test]
fn the_root_dse_is_for_everybody() {
    let replies = check(
        Message::new(7, search("", Scope::BaseObject)),
        ResultCode::SUCCESS,
        "",
    );
    let Operation::SearchResultEntry(entry) = &replies[0].operation else {
        panic!("no entry")
    };
    assert_eq!(
        (replies.len(), replies[0].id, entry.dn.as_str()),
        (2, 7, "")
    );
    let has = |name: &str| {
        entry
            .attributes
            .iter()
            .any(|attribute| attribute.name == name)
    };
    assert!(has("supportedControl") && has("currentTime"));
    assert!(!has("tokenGroups"), "only by name");
    assert!(!has("supportedSASLMechanisms"), "there is none");
}

#[test]
fn attributes_of_the_root_dse_are_selected_and_filtered() {
    let ask = |filter: &str, attributes: &[&str]| {
        let search = SearchRequest::new("", Scope::BaseObject, filter.parse().unwrap())
            .with_attributes(attributes.iter().copied());
        check(
            Message::new(1, Operation::SearchRequest(search)),
            ResultCode::SUCCESS,
            "",
        )
    };
    let Operation::SearchResultEntry(entry) =
        &ask("(objectClass=*)", &["CURRENTTIME"])[0].operation
    else {
        panic!("no entry")
    };
    assert_eq!(entry.attributes.len(), 1);
    assert_eq!(ask("(supportedLDAPVersion=3)", &["1.1"]).len(), 2);
    assert_eq!(ask("(supportedLDAPVersion=2)", &["1.1"]).len(), 1);
}

#[test]
fn strangers_get_no_further() {
    let refused = |operation| {
        check(
            Message::new(1, operation),
            ResultCode::OPERATIONS_ERROR,
            "000004DC",
        )
    };
    refused(search("DC=corp", Scope::WholeSubtree));
    refused(search("", Scope::WholeSubtree));
    refused(Operation::DelRequest("DC=corp".to_owned()));
    refused(Operation::AddRequest(ldap::AddRequest {
        dn: "DC=x".to_owned(),
        attributes: vec![],
    }));
    refused(Operation::ModifyRequest(ldap::ModifyRequest {
        dn: String::new(),
        changes: vec![],
    }));
    refused(Operation::ModifyDnRequest(ldap::ModifyDnRequest {
        dn: "DC=x".to_owned(),
        new_rdn: "DC=y".to_owned(),
        delete_old_rdn: true,
        new_superior: None,
    }));
    refused(Operation::CompareRequest(ldap::CompareRequest {
        dn: "DC=x".to_owned(),
        attribute: "cn".to_owned(),
        value: vec![],
    }));
}

#[test]
fn critical_controls_that_nobody_knows_end_the_operation() {
    let operation = || search("", Scope::BaseObject);
    let unknown = Control::new("1.2.3.4");
    let message = Message::new(1, operation()).with_controls(vec![unknown.clone()]);
    check(message, ResultCode::SUCCESS, "");
    let message = Message::new(1, operation()).with_controls(vec![unknown.critical()]);
    check(
        message,
        ResultCode::UNAVAILABLE_CRITICAL_EXTENSION,
        "1.2.3.4",
    );
    let bad = Control::new(controls::PAGED_RESULTS).with_value(vec![0x30, 0x80]);
    let message = Message::new(1, operation()).with_controls(vec![bad]);
    check(message, ResultCode::PROTOCOL_ERROR, controls::PAGED_RESULTS);
}

#[test]
fn binds_are_judged_before_the_password_is() {
    let anonymous = bind(3, "", simple(""));
    check(Message::new(0, anonymous), ResultCode::SUCCESS, "");
    let unauthenticated = bind(3, "CN=Test User", simple(""));
    check(Message::new(1, unauthenticated), ResultCode::SUCCESS, "");
    check(
        Message::new(1, bind(2, "", simple(""))),
        ResultCode::PROTOCOL_ERROR,
        "version 3",
    );
    let sicily = bind(3, "", Authentication::SicilyPackageDiscovery(vec![]));
    check(
        Message::new(1, sicily),
        ResultCode::AUTH_METHOD_NOT_SUPPORTED,
        "simple binds",
    );
}

#[test]
fn passwords_in_clear_text_come_from_this_machine_alone() {
    let message = || Message::new(1, bind(3, "CN=Test User", simple("secret")));
    let (step, _) = ask(&mut conversation("127.0.0.1"), message());
    assert!(matches!(step, Step::Work(_)));
    let mut far = conversation("192.0.2.7");
    let (_, replies) = ask(&mut far, message());
    assert_eq!(result(&replies).code, ResultCode::STRONGER_AUTH_REQUIRED);
    assert!(result(&replies).message.starts_with("00002028: LdapErr: "));
    far.encrypt();
    let (step, _) = ask(&mut far, message());
    assert!(matches!(step, Step::Work(_)));
}

#[test]
fn extended_operations_are_known_or_refused() {
    let ask = |oid: &str, code, word| {
        let request = ExtendedRequest {
            oid: oid.to_owned(),
            value: None,
        };
        check(
            Message::new(3, Operation::ExtendedRequest(request)),
            code,
            word,
        )
    };
    let replies = ask(ldap::extended::WHO_AM_I, ResultCode::SUCCESS, "");
    let Operation::ExtendedResponse(response) = &replies[0].operation else {
        panic!("no response")
    };
    assert_eq!(response.value.as_deref(), Some(&b""[..]), "anonymous");
    ask(
        "1.2.3",
        ResultCode::PROTOCOL_ERROR,
        "Unknown extended request OID",
    );
    ask(
        ldap::extended::START_TLS,
        ResultCode::UNAVAILABLE,
        "no certificate",
    );
}

#[test]
fn a_client_that_answers_is_hung_up_on() {
    let message = Message::new(1, Operation::AddResponse(LdapResult::success()));
    let (step, replies) = ask(&mut conversation("127.0.0.1"), message);
    assert!(matches!(step, Step::Close));
    assert_eq!(
        (replies[0].id, result(&replies).code),
        (0, ResultCode::PROTOCOL_ERROR)
    );
}
