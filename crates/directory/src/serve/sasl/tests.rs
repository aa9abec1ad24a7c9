//! Tokens of a client that does what no honest one does, and of Windows' and Python's, without sockets.

use std::sync::Arc;

use kerberos::crypto::{EncryptionType, Key, KeyUsage};
use kerberos::gss::{
    GssChecksum, GssFlags, Mech, MechToken, NegState, NegToken, NegTokenInit, NegTokenResp,
    PerMessage, Protection, Role, SaslLayer, TokenKind, tls_server_end_point,
};
use kerberos::messages::{
    ApOptions, ApReq, Authenticator, Checksum, Der as _, EncTicketPart, EncryptionKey,
    KerberosTime, Kvno, NameType, PrincipalName as Name, Ticket, TicketFlags, TransitedEncoding,
};
use kerberos::pac::{Buffer, BufferType, ClientInfo, LogonInfo, Signing, TicketKind};
use types::{SeededEntropy, Timestamp, VirtualClock};

use ldap::{Authentication, BindRequest, LdapResult, Message, Operation, ResultCode};

use super::*;
use crate::provision::{Plan, provision};
use crate::serve::conversation::{Conversation, Step};
use crate::serve::{Options, Server};

mod rebind;

const SEALED: GssFlags = GssFlags(GssFlags::INTEG.0 | GssFlags::CONF.0);
const NO_FLAGS: GssFlags = GssFlags(0);
const NO_BINDINGS: [u8; 16] = [0; 16];
/// The client's first sequence number.
const SEQUENCE: u64 = 5;
/// Nobody looks at more of a certificate than its frame and the algorithm.
const CERTIFICATE: &[u8] = &[
    0x30, 0x11, 0x30, 0x00, 0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01,
    0x0B, 0x05, 0x00,
];

struct Stage {
    service: Service,
    session: Key,
}

impl Stage {
    fn new(rules: KerberosRules) -> Self {
        let clock = VirtualClock::new(Timestamp::from_unix_seconds(1_780_000_000));
        let mut options = crate::Options::new(Arc::new(clock), Box::new(SeededEntropy::new(3)));
        options.password_rounds = 10;
        options.kerberos_keys.types = vec![EncryptionType::AES256_CTS_HMAC_SHA1_96];
        let directory = Directory::in_memory(options).unwrap();
        provision(&directory, &Plan::example("Correct-Horse-2026")).unwrap();
        let etype = EncryptionType::AES256_CTS_HMAC_SHA1_96;
        Self {
            service: Service::new(&directory, rules),
            session: Key::new(etype, &[9; 32]).unwrap(),
        }
    }

    fn ticket(&self, service: &str) -> Ticket {
        let own = self.service.account().unwrap().unwrap();
        let key = &own.keys[0].keys[0];
        let user = self
            .service
            .principals
            .find(PrincipalName::Account("testuser"));
        let user = user.unwrap().unwrap();
        let now = self.service.directory.now();
        let mut part = EncTicketPart {
            flags: TicketFlags::PRE_AUTHENT,
            key: EncryptionKey::from_key(&self.session),
            crealm: "CORP.CONTOSO.COM".into(),
            cname: cname(),
            transited: TransitedEncoding {
                tr_type: 1,
                contents: Vec::new().into(),
            },
            authtime: KerberosTime::new(now),
            starttime: None,
            endtime: KerberosTime::new(now.plus_seconds(36_000)),
            renew_till: None,
            caddr: None,
            authorization_data: None,
        };
        let domain = user.sid.domain().unwrap();
        let logon = LogonInfo::new("testuser", &domain, user.sid.rid().unwrap(), 513);
        let client = ClientInfo {
            client_id: now,
            name: "testuser".to_owned(),
        };
        let buffer = |kind, data| Buffer { kind, data };
        let signing = Signing {
            server_key: key,
            kdc_key: key,
            rodc: None,
            kind: TicketKind::Service,
        };
        let buffers = vec![
            buffer(BufferType::LOGON_INFO, logon.encode()),
            buffer(BufferType::CLIENT_INFO, client.encode()),
        ];
        signing.sign_into(&mut part, buffers).unwrap();
        let name = Name::new(NameType::NT_SRV_INST, service.split('/'));
        Ticket::seal(
            "CORP.CONTOSO.COM".into(),
            name,
            &part,
            key,
            Some(Kvno::domain(1)),
            &mut self.service.entropy(),
        )
        .unwrap()
    }

    fn token_for(&self, service: &str, flags: GssFlags, channel_bindings: [u8; 16]) -> Vec<u8> {
        let now = self.service.directory.now();
        let checksum = GssChecksum {
            channel_bindings,
            flags,
            delegated: None,
        };
        let authenticator = Authenticator {
            authenticator_vno: 5,
            crealm: "CORP.CONTOSO.COM".into(),
            cname: cname(),
            cksum: Some(Checksum {
                cksumtype: kerberos::crypto::ChecksumType::GSS,
                checksum: checksum.encode().unwrap().into(),
            }),
            cusec: 0,
            ctime: KerberosTime::new(now),
            subkey: None,
            seq_number: Some(5),
            authorization_data: None,
        };
        let request = ApReq::seal(
            ApOptions::default(),
            self.ticket(service),
            &authenticator,
            &self.session,
            KeyUsage::AP_REQ_AUTHENTICATOR,
            &mut self.service.entropy(),
        );
        MechToken {
            mech: Mech::kerberos(),
            kind: TokenKind::AP_REQ,
            message: request.unwrap().to_der().unwrap(),
        }
        .encode()
    }

    fn token(&self, flags: GssFlags) -> Vec<u8> {
        self.token_for(SERVICE, flags, NO_BINDINGS)
    }

    fn context(&self, is_tls: bool) -> Context<'_> {
        Context {
            service: &self.service,
            wire: Wire {
                client: [192, 0, 2, 1].into(),
                is_tls,
            },
            receive_max: 1 << 20,
        }
    }

    fn begin(&self, mechanism: Mechanism, is_tls: bool, token: &[u8]) -> Result<Progress, Refused> {
        Negotiation::new(mechanism).step(self.context(is_tls), token)
    }

    fn go_on(&self, negotiation: Negotiation, token: &[u8]) -> Result<Progress, Refused> {
        negotiation.step(self.context(false), token)
    }

    /// The client's end of a context without mutual authentication.
    fn client(&self) -> PerMessage {
        let key = self.session.duplicate();
        PerMessage::new(Role::Initiator, key, false, SEQUENCE, SEQUENCE)
    }
}

const SERVICE: &str = "ldap/dc1.corp.contoso.com";

fn cname() -> Name {
    Name::new(NameType::NT_PRINCIPAL, ["testuser"])
}

fn init(mech_types: Vec<Mech>, mech_token: Option<Vec<u8>>) -> Vec<u8> {
    NegToken::Init(NegTokenInit {
        mech_types,
        mech_token,
        mech_list_mic: None,
    })
    .encode()
}

fn resp(response_token: Option<Vec<u8>>, mech_list_mic: Option<Vec<u8>>) -> Vec<u8> {
    NegToken::Resp(NegTokenResp {
        response_token,
        mech_list_mic,
        ..NegTokenResp::default()
    })
    .encode()
}

fn done(progress: Result<Progress, Refused>) -> SignedIn {
    match progress {
        Ok(Progress::Done(signed_in)) => *signed_in,
        other => panic!("not done: {other:?}"),
    }
}

fn goes_on(progress: Result<Progress, Refused>) -> (Negotiation, Vec<u8>) {
    match progress {
        Ok(Progress::Continue(negotiation, token)) => (negotiation, token.unwrap_or_default()),
        other => panic!("does not go on: {other:?}"),
    }
}

#[test]
fn spnego_takes_kerberos_under_either_number() {
    let stage = Stage::new(KerberosRules::default());
    for mech in [Mech::kerberos(), Mech::kerberos_of_windows()] {
        let token = init(
            vec![mech.clone(), Mech::ntlm()],
            Some(stage.token(SEALED | GssFlags::MUTUAL)),
        );
        let signed_in = done(stage.begin(Mechanism::Spnego, false, &token));
        assert_eq!(signed_in.session.who_am_i(), "u:CORP\\testuser");
        assert!(signed_in.layer.unwrap().seals());
        let NegToken::Resp(reply) = NegToken::decode(&signed_in.token.unwrap()).unwrap() else {
            panic!("no response")
        };
        assert_eq!(reply.supported_mech, Some(mech));
        assert_eq!(reply.neg_state, Some(NegState::ACCEPT_COMPLETED));
        let inner = MechToken::decode(&reply.response_token.unwrap()).unwrap();
        assert_eq!(inner.kind, TokenKind::AP_REP);
    }
    // No SPNEGO around it.
    let signed_in = done(stage.begin(Mechanism::Spnego, false, &stage.token(NO_FLAGS)));
    assert!(signed_in.layer.is_none() && signed_in.token.is_none());
    let ntlm = init(vec![Mech::ntlm()], Some(b"NTLMSSP\0".to_vec()));
    let refused = stage.begin(Mechanism::Spnego, false, &ntlm);
    assert!(matches!(refused, Err(Refused::NoCommonMechanism)));
}

#[test]
fn a_second_choice_needs_the_clients_word_for_its_list() {
    let stage = Stage::new(KerberosRules::default());
    let mechs = vec![Mech::ntlm(), Mech::kerberos()];
    let list = NegTokenInit {
        mech_types: mechs.clone(),
        ..NegTokenInit::default()
    }
    .mech_list();
    let begin = || {
        let token = init(mechs.clone(), Some(b"NTLMSSP\0".to_vec()));
        let (negotiation, reply) = goes_on(stage.begin(Mechanism::Spnego, false, &token));
        let NegToken::Resp(reply) = NegToken::decode(&reply).unwrap() else {
            panic!("no response")
        };
        assert_eq!(reply.neg_state, Some(NegState::REQUEST_MIC));
        negotiation
    };
    let mic = |list: &[u8]| Some(stage.client().mic(list).unwrap());
    let token = || Some(stage.token(GssFlags::INTEG));
    done(stage.go_on(begin(), &resp(token(), mic(&list))));
    assert!(
        stage
            .go_on(begin(), &resp(token(), mic(b"changed")))
            .is_err()
    );
    // The word may come one token later, but it must come.
    let (negotiation, _) = goes_on(stage.go_on(begin(), &resp(token(), None)));
    done(stage.go_on(negotiation, &resp(None, mic(&list))));
    let (negotiation, _) = goes_on(stage.go_on(begin(), &resp(token(), None)));
    assert!(stage.go_on(negotiation, &resp(None, None)).is_err());
}

#[test]
fn tls_and_bindings() {
    let right = tls_server_end_point(CERTIFICATE).unwrap();
    for required in [false, true] {
        let stage = Stage::new(KerberosRules {
            certificate: Some(CERTIFICATE.to_vec()),
            channel_bindings_required: required,
            ..KerberosRules::default()
        });
        for (is_tls, bindings, expect) in [
            (true, right, true),
            (true, [1; 16], false),
            (true, NO_BINDINGS, !required),
            (false, NO_BINDINGS, true),
            // Bound to TLS, and here without it: somebody stands in between.
            (false, right, false),
        ] {
            let token = stage.token_for(SERVICE, NO_FLAGS, bindings);
            let progress = stage.begin(Mechanism::Spnego, is_tls, &token);
            let refused = matches!(progress, Err(Refused::ChannelBindings));
            assert_eq!(refused, !expect, "{required} {is_tls} {bindings:?}");
            assert_eq!(progress.is_ok(), expect);
        }
    }
    let stage = Stage::new(KerberosRules::default());
    let refused = stage.begin(Mechanism::Spnego, true, &stage.token(SEALED));
    assert!(matches!(refused, Err(Refused::LayerOverTls)));
}

#[test]
fn a_ticket_for_something_else_is_refused() {
    let stage = Stage::new(KerberosRules::default());
    for (service, expect) in [
        (SERVICE, true),
        ("host/dc1.corp.contoso.com", true),
        ("DC1$", true),
        ("cifs/dc1.corp.contoso.com", false),
        ("ldap/ws01.corp.contoso.com", false),
        ("krbtgt/CORP.CONTOSO.COM", false),
        ("testuser", false),
    ] {
        let token = stage.token_for(service, NO_FLAGS, NO_BINDINGS);
        let progress = stage.begin(Mechanism::Gssapi, false, &token);
        assert_eq!(progress.is_ok(), expect, "{service}: {progress:?}");
    }
}

#[test]
fn the_layer_must_be_one_that_was_offered() {
    let stage = Stage::new(KerberosRules::default());
    let choose = |flags, is_tls, layers, length, identity: &[u8]| {
        let token = stage.token(flags);
        let (negotiation, offer) = goes_on(stage.begin(Mechanism::Gssapi, is_tls, &token));
        let mut client = stage.client();
        let (offer, _) = client.unwrap(&offer).unwrap();
        let choice = SaslLayer {
            layers,
            message_bytes_max: length,
        };
        let said = [&choice.encode()[..], identity].concat();
        let said = client
            .wrap(Protection::Integrity, &said, &mut stage.service.entropy())
            .unwrap();
        (offer[0], negotiation.step(stage.context(is_tls), &said))
    };
    for (flags, is_tls, layers, length, identity, expect) in [
        (SEALED, false, 4, 65_536, "", true),
        (SEALED, false, 2, 65_536, "", true),
        (SEALED, false, 1, 0, "", true),
        (SEALED, false, 1, 0, "u:CORP\\testuser", true),
        (SEALED, false, 1, 0, "u:CORP\\Administrator", false),
        (SEALED, false, 6, 65_536, "", false),
        (SEALED, false, 0, 65_536, "", false),
        (SEALED, false, 8, 65_536, "", false),
        (SEALED, false, 4, 16, "", false),
        (SEALED, true, 4, 65_536, "", false),
        (GssFlags::INTEG, false, 4, 65_536, "", false),
        (NO_FLAGS, false, 2, 65_536, "", false),
    ] {
        let (_, progress) = choose(flags, is_tls, layers, length, identity.as_bytes());
        let is_done = matches!(progress, Ok(Progress::Done(_)));
        assert_eq!(
            is_done, expect,
            "{layers} {is_tls} {identity}: {progress:?}"
        );
    }
    assert_eq!(choose(SEALED, false, 1, 0, b"").0, 7);
    assert_eq!(choose(SEALED, true, 1, 0, b"").0, 1);
}

#[test]
fn a_hostile_length_takes_no_memory_and_a_sealed_layer_hears_nothing_in_the_clear() {
    let stage = Stage::new(KerberosRules::default());
    let layer = || {
        let token = stage.token(SEALED);
        done(stage.begin(Mechanism::Spnego, false, &token))
            .layer
            .unwrap()
    };
    let mut entropy = stage.service.entropy();
    let mut wrapped = |protection| {
        let token = stage
            .client()
            .wrap(protection, b"hello", &mut entropy)
            .unwrap();
        [
            &u32::try_from(token.len()).unwrap().to_be_bytes()[..],
            &token,
        ]
        .concat()
    };
    let feed = |bytes: &[u8]| {
        let (mut layer, mut plain) = (layer(), Vec::new());
        layer.input().extend(bytes);
        layer
            .open(&mut plain)
            .map(|()| (plain, layer.input().capacity()))
    };
    let sealed = wrapped(Protection::Confidentiality);
    assert_eq!(feed(&sealed).unwrap().0, b"hello");
    assert!(feed(&wrapped(Protection::Integrity)).is_err());
    assert!(feed(&[&sealed[..], &sealed].concat()).is_err(), "a replay");
    assert!(feed(&[0xFF; 4]).is_err());
    let (plain, capacity) = feed(&[0, 0x0F, 0xFF, 0xFF]).unwrap();
    assert!(plain.is_empty() && capacity < 1024);
    // What the server sent does not come back.
    let mut own = layer();
    let echo = own.close(b"hello", &mut stage.service.entropy()).unwrap();
    assert!(feed(&echo).is_err());
}

/// A conversation from afar with the stage's directory.
fn conversation(stage: &Stage) -> Conversation {
    let server = Server::new(stage.service.directory.clone(), Options::default());
    Conversation::new(server.into_shared(), [192, 0, 2, 1].into(), "test".into())
}

fn ask(conversation: &mut Conversation, operation: Operation) -> (Step, LdapResult) {
    let mut out = Vec::new();
    let step = conversation.take(Message::new(1, operation), &mut out);
    let reply = Message::decode(&out, &ldap::Limits::default()).map(|reply| reply.operation);
    let result = match reply {
        Ok(Operation::BindResponse(reply)) => reply.result,
        Ok(Operation::ExtendedResponse(reply)) => reply.result,
        // What is worked on is not answered yet.
        _ => LdapResult::success(),
    };
    (step, result)
}

fn bind(name: &str, authentication: Authentication) -> Operation {
    Operation::BindRequest(BindRequest {
        version: 3,
        name: name.to_owned(),
        authentication,
    })
}

fn by_ticket(stage: &Stage, flags: GssFlags) -> Operation {
    let authentication = Authentication::Sasl {
        mechanism: "GSS-SPNEGO".to_owned(),
        credentials: Some(stage.token(flags).into()),
    };
    bind("", authentication)
}

fn by_password() -> Operation {
    let password = Authentication::Simple(b"wrong".to_vec().into());
    bind("testuser@corp.contoso.com", password)
}

#[test]
fn a_layer_outlives_the_bind_that_made_it_until_another_takes_its_place() {
    let stage = Stage::new(KerberosRules::default());
    let mut conversation = conversation(&stage);
    let (_, result) = ask(&mut conversation, by_password());
    assert_eq!(result.code, ResultCode::STRONGER_AUTH_REQUIRED);
    let (step, _) = ask(&mut conversation, by_ticket(&stage, SEALED));
    assert!(matches!(step, Step::Secure(_)), "{step:?}");
    // Under the seal a password is safe.
    let (step, _) = ask(&mut conversation, by_password());
    assert!(matches!(step, Step::Work(_)), "{step:?}");
    // A bind without a layer leaves the old one in place.
    let (step, result) = ask(&mut conversation, by_ticket(&stage, NO_FLAGS));
    assert!(matches!(step, Step::Done) && result.code == ResultCode::SUCCESS);
    let (step, _) = ask(&mut conversation, by_password());
    assert!(matches!(step, Step::Work(_)), "{step:?}");
    // One that only signs takes its place, and passwords are in the clear again.
    let (step, _) = ask(&mut conversation, by_ticket(&stage, GssFlags::INTEG));
    assert!(matches!(step, Step::Secure(_)), "{step:?}");
    let (_, result) = ask(&mut conversation, by_password());
    assert_eq!(result.code, ResultCode::STRONGER_AUTH_REQUIRED);
}

#[test]
fn tls_does_not_begin_under_a_layer() {
    let stage = Stage::new(KerberosRules::default());
    let start = || {
        Operation::ExtendedRequest(ldap::ExtendedRequest {
            oid: ldap::extended::START_TLS.to_owned(),
            value: None,
        })
    };
    // There is no certificate here, and that is not what the second refusal is about.
    let mut conversation = conversation(&stage);
    let (_, result) = ask(&mut conversation, start());
    assert_eq!(result.code, ResultCode::UNAVAILABLE);
    ask(&mut conversation, by_ticket(&stage, GssFlags::INTEG));
    let (step, result) = ask(&mut conversation, start());
    assert_eq!(result.code, ResultCode::OPERATIONS_ERROR);
    assert!(result.message.contains("signing or sealing"));
    assert!(matches!(step, Step::Done));
}

#[test]
fn an_address_that_tries_many_passwords_is_told_to_wait_and_tickets_are_not() {
    let stage = Stage::new(KerberosRules::default());
    let mut conversation = conversation(&stage);
    conversation.encrypt();
    let mut tries = || ask(&mut conversation, by_password());
    for number in 0..50 {
        let (step, _) = tries();
        assert!(matches!(step, Step::Work(_)), "{number}: {step:?}");
    }
    assert_eq!(tries().1.code, ResultCode::BUSY);
    let (_, result) = ask(&mut conversation, by_ticket(&stage, NO_FLAGS));
    assert_eq!(result.code, ResultCode::SUCCESS);
}
