//! What a layer does to the binds and requests that come after it, over a stream.

use ldap::{
    Authentication, BindRequest, ExtendedRequest, Framer, Limits, Message, Operation, ResultCode,
    extended,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::*;
use crate::serve::{Options, Server, Transport};

/// A client whose messages a layer may wrap.
struct Client {
    stream: DuplexStream,
    layer: Option<(PerMessage, Protection)>,
    entropy: SeededEntropy,
}

impl Client {
    fn of(stage: &Stage) -> Self {
        let (stream, served) = tokio::io::duplex(1 << 16);
        let server = Server::new(stage.service.directory.clone(), Options::default());
        let peer = ([192, 0, 2, 1], 1024).into();
        tokio::spawn(async move {
            server
                .serve_connection(served, peer, Transport::Plain)
                .await;
        });
        Self {
            stream,
            layer: None,
            entropy: SeededEntropy::new(11),
        }
    }

    async fn send(&mut self, plain: Vec<u8>) {
        let bytes = match &mut self.layer {
            None => plain,
            Some((layer, protection)) => {
                let token = layer.wrap(*protection, &plain, &mut self.entropy).unwrap();
                let length = u32::try_from(token.len()).unwrap().to_be_bytes();
                [&length[..], &token].concat()
            }
        };
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// The next answer, or none when the server hung up.
    async fn read(&mut self) -> Option<Message> {
        let mut framer = Framer::new();
        loop {
            if let Some(frame) = framer.next_frame(1 << 20).unwrap() {
                return Some(Message::decode(frame, &Limits::default()).unwrap());
            }
            match &mut self.layer {
                None => framer.push(&[self.stream.read_u8().await.ok()?]),
                Some((layer, _)) => {
                    let length = self.stream.read_u32().await.ok()?;
                    let mut token = vec![0; usize::try_from(length).unwrap()];
                    self.stream.read_exact(&mut token).await.ok()?;
                    framer.push(&layer.unwrap(&token).unwrap().0);
                }
            }
        }
    }

    async fn ask(&mut self, operation: Operation) -> Option<Message> {
        self.send(Message::new(1, operation).encode()).await;
        self.read().await
    }

    async fn bind(&mut self, stage: &Stage, flags: GssFlags) -> ResultCode {
        let code = self.bind_with(spnego(stage.token(flags))).await;
        if let Some(protection) = protection(flags) {
            self.layer = Some((stage.client(), protection));
        }
        code
    }

    async fn bind_with(&mut self, authentication: Authentication) -> ResultCode {
        let bind = BindRequest {
            version: 3,
            name: String::new(),
            authentication,
        };
        match self.ask(Operation::BindRequest(bind)).await.unwrap() {
            Message {
                operation: Operation::BindResponse(bind),
                ..
            } => bind.result.code,
            other => panic!("no answer to a bind: {other:?}"),
        }
    }

    async fn extended(&mut self, oid: &str) -> (ResultCode, String) {
        let request = ExtendedRequest {
            oid: oid.to_owned(),
            value: None,
        };
        let answer = self.ask(Operation::ExtendedRequest(request)).await.unwrap();
        let Operation::ExtendedResponse(answer) = answer.operation else {
            panic!("no answer to an extended request: {answer:?}")
        };
        let said = String::from_utf8(answer.value.unwrap_or_default()).unwrap();
        (answer.result.code, said)
    }

    async fn is(&mut self, name: &str) {
        let (_, said) = self.extended(extended::WHO_AM_I).await;
        assert_eq!(said, name);
    }
}

fn spnego(token: Vec<u8>) -> Authentication {
    Authentication::Sasl {
        mechanism: "GSS-SPNEGO".to_owned(),
        credentials: Some(token.into()),
    }
}

fn protection(flags: GssFlags) -> Option<Protection> {
    match flags {
        SEALED => Some(Protection::Confidentiality),
        GssFlags::INTEG => Some(Protection::Integrity),
        _ => None,
    }
}

const TESTUSER: &str = "u:CORP\\testuser";

#[tokio::test]
async fn a_layer_stays_until_another_takes_its_place() {
    let stage = Stage::new(KerberosRules::default());
    let layers = [SEALED, GssFlags::INTEG];
    for (first, second) in layers.iter().flat_map(|of| layers.map(|to| (*of, to))) {
        let mut client = Client::of(&stage);
        assert_eq!(client.bind(&stage, first).await, ResultCode::SUCCESS);
        client.is(TESTUSER).await;
        // A bind that asks for none takes none away.
        assert_eq!(client.bind(&stage, NO_FLAGS).await, ResultCode::SUCCESS);
        client.is(TESTUSER).await;
        // Its answer still comes through the first.
        assert_eq!(client.bind(&stage, second).await, ResultCode::SUCCESS);
        client.is(TESTUSER).await;
    }
}

#[tokio::test]
async fn a_bind_inside_a_layer_changes_who_is_there() {
    let stage = Stage::new(KerberosRules::default());
    let mut client = Client::of(&stage);
    client.bind(&stage, SEALED).await;
    client.is(TESTUSER).await;
    let nobody = || Authentication::Simple(Vec::new().into());
    assert_eq!(client.bind_with(nobody()).await, ResultCode::SUCCESS);
    client.is("").await;
    client.bind(&stage, SEALED).await;
    client.is(TESTUSER).await;
    // One that fails leaves nobody there.
    let broken = spnego(b"nonsense".to_vec());
    assert_ne!(client.bind_with(broken).await, ResultCode::SUCCESS);
    client.is("").await;
}

#[tokio::test]
async fn what_is_sent_in_the_clear_into_a_layer_ends_the_connection() {
    let stage = Stage::new(KerberosRules::default());
    for flags in [SEALED, GssFlags::INTEG] {
        let mut client = Client::of(&stage);
        client.bind(&stage, flags).await;
        client.layer = None;
        let who = ExtendedRequest {
            oid: extended::WHO_AM_I.to_owned(),
            value: None,
        };
        assert_eq!(client.ask(Operation::ExtendedRequest(who)).await, None);
    }
}
