//! The names of the lab's own network, answered on port 53 (RFC 1035, RFC 2782): the domain controller, the cloud, any
//! host of the domain, and the service records by which clients of a domain find it.
//!
//! It is the root of a network that holds nothing else, so every other name does not exist. Deliberately absent:
//! recursion, EDNS, zone transfers, updates, caching.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use simple_dns::rdata::{A, NS, PTR, RData, SOA, SRV, TXT};
use simple_dns::{CLASS, Name, OPCODE, Packet, PacketFlag, Question, RCODE, ResourceRecord, TYPE};

use crate::Error;

/// The names of one domain, all at one address.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    domain: String,
    server: String,
    realm: String,
    others: Vec<String>,
}

/// What a client of a domain looks for, and where it is (MS-ADTS 6.3.2.3).
const SERVICES: [(&str, u16); 14] = [
    ("_kerberos._udp", 88),
    ("_kerberos._tcp", 88),
    ("_kerberos._tcp.dc._msdcs", 88),
    ("_kerberos._tcp.default-first-site-name._sites", 88),
    (
        "_kerberos._tcp.default-first-site-name._sites.dc._msdcs",
        88,
    ),
    ("_kerberos-master._udp", 88),
    ("_kerberos-master._tcp", 88),
    ("_kpasswd._udp", 464),
    ("_kpasswd._tcp", 464),
    ("_ldap._tcp", 389),
    ("_ldap._tcp.dc._msdcs", 389),
    ("_ldap._tcp.pdc._msdcs", 389),
    ("_ldap._tcp.default-first-site-name._sites", 389),
    ("_ldap._tcp.default-first-site-name._sites.dc._msdcs", 389),
];
const ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;
const REVERSE: &str = "1.0.0.127.in-addr.arpa";
const TTL: u32 = 60;
/// RFC 1035 4.1.1.
const HEADER_BYTES: usize = 12;
/// RFC 1035 4.2.1.
const DATAGRAM_BYTES_MAX: usize = 512;
const MESSAGE_BYTES_MAX: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(2);

impl Zone {
    /// The names of a domain, its server, and further hosts outside of it.
    pub(crate) fn new(domain: &str, server: &str, others: &[String]) -> Self {
        Self {
            domain: domain.to_ascii_lowercase(),
            server: server.to_ascii_lowercase(),
            realm: domain.to_ascii_uppercase(),
            others: others
                .iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
        }
    }

    /// The answer to a question, cut to what a datagram holds unless it goes over a stream. None where it is no message.
    pub(crate) fn answer(&self, bytes: &[u8], is_stream: bool) -> Option<Vec<u8>> {
        match Packet::parse(bytes) {
            Ok(query) => self.answer_parsed(&query, is_stream),
            Err(_) => self.answer_of_no_known_type(bytes, is_stream),
        }
    }

    /// A question for a type that the codec has no name for, such as URI (RFC 7553), by which MIT's clients look for a KDC
    /// first: without an answer they wait for seconds. The name is answered as if asked for NULL, which nothing here has.
    fn answer_of_no_known_type(&self, bytes: &[u8], is_stream: bool) -> Option<Vec<u8>> {
        let at = kind_of_question(bytes)?;
        let kind = bytes.get(at.clone())?;
        let mut as_null = bytes.to_vec();
        as_null
            .get_mut(at.clone())?
            .copy_from_slice(&u16::from(TYPE::NULL).to_be_bytes());
        let query = Packet::parse(&as_null).ok()?;
        let mut answer = self.answer_parsed(&query, is_stream)?;
        // The question is repeated as it was asked. It comes first, so nothing in it is compressed.
        if kind_of_question(&answer).as_ref() == Some(&at) {
            answer.get_mut(at)?.copy_from_slice(kind);
        }
        Some(answer)
    }

    fn answer_parsed(&self, query: &Packet<'_>, is_stream: bool) -> Option<Vec<u8>> {
        if query.has_flags(PacketFlag::RESPONSE) {
            return None;
        }
        let mut reply = Packet::new_reply(query.id());
        reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
        if query.has_flags(PacketFlag::RECURSION_DESIRED) {
            reply.set_flags(PacketFlag::RECURSION_DESIRED);
        }
        match (query.opcode(), query.questions.as_slice()) {
            (OPCODE::StandardQuery, [question]) => self.fill(&mut reply, question),
            (OPCODE::StandardQuery, _) => *reply.rcode_mut() = RCODE::FormatError,
            _ => *reply.rcode_mut() = RCODE::NotImplemented,
        }
        let whole = reply.build_bytes_vec_compressed().ok()?;
        if is_stream || whole.len() <= DATAGRAM_BYTES_MAX {
            return Some(whole);
        }
        reply.answers.clear();
        reply.name_servers.clear();
        reply.additional_records.clear();
        reply.set_flags(PacketFlag::TRUNCATION);
        reply.build_bytes_vec_compressed().ok()
    }

    fn fill<'a>(&'a self, reply: &mut Packet<'a>, question: &Question<'a>) {
        let name = question.qname.to_string().to_ascii_lowercase();
        match self.records(&name) {
            None => *reply.rcode_mut() = RCODE::NameError,
            Some(records) => {
                let wanted = records
                    .into_iter()
                    .map(|data| record(question.qname.clone(), data));
                let fits = |record: &ResourceRecord<'_>| record.match_qtype(question.qtype);
                reply.answers.extend(wanted.filter(fits));
            }
        }
        let has_service = |record: &ResourceRecord<'_>| matches!(record.rdata, RData::SRV(_));
        if reply.answers.iter().any(has_service)
            && let Some(server) = name_of(&self.server)
        {
            reply.additional_records.push(record(server, address()));
        }
        if reply.answers.is_empty()
            && let (Some(domain), Some(start)) = (name_of(&self.domain), self.start())
        {
            // How long a refusal holds, RFC 2308 3.
            reply.name_servers.push(record(domain, start));
        }
        reply.questions.push(question.clone());
    }

    /// What there is under a name. None: the name does not exist.
    fn records(&self, name: &str) -> Option<Vec<RData<'_>>> {
        let server = || name_of(&self.server);
        if name == REVERSE {
            return Some(vec![RData::PTR(PTR(server()?))]);
        }
        if name == self.domain {
            return Some(vec![address(), RData::NS(NS(server()?)), self.start()?]);
        }
        if self.others.iter().any(|other| other == name) {
            return Some(vec![address()]);
        }
        let below = name.strip_suffix(&self.domain)?.strip_suffix('.')?;
        if let Some((_, port)) = SERVICES.iter().find(|(service, _)| *service == below) {
            let service = SRV {
                priority: 0,
                weight: 100,
                port: *port,
                target: server()?,
            };
            return Some(vec![RData::SRV(service)]);
        }
        if below == "_kerberos" {
            return Some(vec![RData::TXT(TXT::new().with_string(&self.realm).ok()?)]);
        }
        let is_above_a_service = SERVICES.iter().any(|(service, _)| {
            service
                .strip_suffix(below)
                .is_some_and(|head| head.ends_with('.'))
        });
        if is_above_a_service {
            return Some(Vec::new());
        }
        // Whatever is started in the lab's network has a name.
        let is_host = !below.contains('.') && !below.starts_with('_');
        is_host.then(|| vec![address()])
    }

    fn start(&self) -> Option<RData<'_>> {
        Some(RData::SOA(SOA {
            mname: name_of(&self.server)?,
            rname: name_of(&self.domain)?,
            serial: 1,
            refresh: 900,
            retry: 600,
            expire: 86400,
            minimum: TTL,
        }))
    }
}

/// Where the type of the first question stands: after a name of labels that is not compressed, RFC 1035 4.1.2.
fn kind_of_question(bytes: &[u8]) -> Option<Range<usize>> {
    let mut at = HEADER_BYTES;
    loop {
        match bytes.get(at)? {
            0 => break,
            length @ 1..=63 => at += 1 + usize::from(*length),
            _ => return None,
        }
    }
    Some(at + 1..at + 3)
}

fn name_of(name: &str) -> Option<Name<'_>> {
    Name::new(name).ok()
}

fn address() -> RData<'static> {
    RData::A(A::from(ADDRESS))
}

fn record<'a>(name: Name<'a>, data: RData<'a>) -> ResourceRecord<'a> {
    ResourceRecord::new(name, CLASS::IN, TTL, data)
}

/// Answers on port 53 of loopback, by datagrams and by streams, as long as the process lives.
pub(crate) fn start(zone: Zone) -> Result<(), Error> {
    let at = (ADDRESS, 53);
    let open = |source| Error::Socket {
        what: "the names on port 53".into(),
        source,
    };
    let socket = UdpSocket::bind(at).map_err(open)?;
    let listener = TcpListener::bind(at).map_err(open)?;
    let zone = Arc::new(zone);
    let shared = Arc::clone(&zone);
    let begin = |name: &str, work: Box<dyn FnOnce() + Send>| {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
        thread.map_err(Error::io("cannot start a thread"))
    };
    begin("names, UDP", Box::new(move || datagrams(&socket, &zone)))?;
    begin("names, TCP", Box::new(move || streams(&listener, &shared)))?;
    Ok(())
}

fn datagrams(socket: &UdpSocket, zone: &Zone) {
    let mut buffer = [0; MESSAGE_BYTES_MAX];
    loop {
        // An error here is an answer to somebody who is gone, and the next question is another's.
        if let Ok((length, from)) = socket.recv_from(&mut buffer)
            && let Some(question) = buffer.get(..length)
            && let Some(answer) = zone.answer(question, false)
        {
            let _ = socket.send_to(&answer, from);
        }
    }
}

/// One after the other, and each has little time: the clients are those of one lab.
fn streams(listener: &TcpListener, zone: &Zone) {
    for stream in listener.incoming().flatten() {
        // Whoever breaks off gets no answer.
        let _ = one_stream(stream, zone);
    }
}

/// Messages after their length, RFC 1035 4.2.2.
fn one_stream(mut stream: TcpStream, zone: &Zone) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    for _ in 0..QUESTIONS_PER_STREAM_MAX {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let length = usize::from(u16::from_be_bytes(length));
        if length > MESSAGE_BYTES_MAX {
            break;
        }
        let mut question = vec![0; length];
        stream.read_exact(&mut question)?;
        let Some(answer) = zone.answer(&question, true) else {
            break;
        };
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), answer.as_slice()].concat())?;
    }
    Ok(())
}

const QUESTIONS_PER_STREAM_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use simple_dns::{QCLASS, QTYPE};

    use super::*;

    fn zone() -> Zone {
        let others = ["login.elsewhere.example".to_owned()];
        Zone::new("corp.contoso.com", "dc1.corp.contoso.com", &others)
    }

    fn question(name: &str, kind: TYPE) -> Vec<u8> {
        let mut packet = Packet::new_query(7);
        let name = Name::new(name).unwrap();
        packet.questions.push(Question::new(
            name,
            QTYPE::TYPE(kind),
            QCLASS::CLASS(CLASS::IN),
            false,
        ));
        packet.build_bytes_vec().unwrap()
    }

    fn check(name: &str, kind: TYPE, expect: &str) {
        let bytes = zone().answer(&question(name, kind), false).unwrap();
        let answer = Packet::parse(&bytes).unwrap();
        assert_eq!(answer.id(), 7);
        let seen = match answer.rcode() {
            RCODE::NoError => answer
                .answers
                .iter()
                .map(|record| match &record.rdata {
                    RData::A(a) => Ipv4Addr::from(a.address).to_string(),
                    RData::SRV(srv) => format!("{}:{}", srv.target, srv.port),
                    RData::PTR(ptr) => ptr.0.to_string(),
                    RData::TXT(txt) => String::try_from(txt.clone()).unwrap(),
                    other => format!("{other:?}"),
                })
                .collect::<Vec<_>>()
                .join(" "),
            code => format!("{code:?}"),
        };
        assert_eq!(seen, expect, "{name}");
    }

    #[test]
    fn what_exists() {
        for name in [
            "corp.contoso.com",
            "DC1.Corp.Contoso.Com",
            "login.corp.contoso.com",
            "www.corp.contoso.com",
            "login.elsewhere.example",
        ] {
            check(name, TYPE::A, "127.0.0.1");
            check(name, TYPE::AAAA, "");
        }
        for (service, port) in SERVICES {
            let name = format!("{service}.corp.contoso.com");
            check(&name, TYPE::SRV, &format!("dc1.corp.contoso.com:{port}"));
        }
        check("_kerberos.corp.contoso.com", TYPE::TXT, "CORP.CONTOSO.COM");
        check(REVERSE, TYPE::PTR, "dc1.corp.contoso.com");
        // Above a service there is a name without records, RFC 8020.
        check("dc._msdcs.corp.contoso.com", TYPE::A, "");
    }

    #[test]
    fn what_does_not() {
        for name in [
            "example.com",
            "contoso.com",
            "evilcorp.contoso.com",
            "a.b.corp.contoso.com",
            "_nothing._tcp.corp.contoso.com",
            "_gc._tcp.corp.contoso.com",
        ] {
            check(name, TYPE::A, "NameError");
        }
    }

    #[test]
    fn a_type_of_no_known_name_is_answered_with_nothing() {
        // Bug: a query for URI, with which MIT's kinit begins, got no answer, and each cost it two seconds.
        let check = |name: &str, expect: RCODE| {
            let mut asked = question(name, TYPE::A);
            let at = kind_of_question(&asked).unwrap();
            asked[at.clone()].copy_from_slice(&256_u16.to_be_bytes());
            let mut answer = zone().answer(&asked, false).unwrap();
            assert_eq!(answer[..2], asked[..2]);
            assert_eq!(answer[12..at.end], asked[12..at.end], "the question");
            answer[at].copy_from_slice(&1_u16.to_be_bytes());
            let answer = Packet::parse(&answer).unwrap();
            assert_eq!(answer.rcode(), expect, "{name}");
            assert!(answer.answers.is_empty());
            let starts = answer.name_servers.iter().map(|record| &record.rdata);
            assert!(starts.eq([&zone().start().unwrap()]));
        };
        check("_kerberos.corp.contoso.com", RCODE::NoError);
        check("dc1.corp.contoso.com", RCODE::NoError);
        check("example.com", RCODE::NameError);
        // Whatever the bytes: no panic.
        let whole = question("corp.contoso.com", TYPE::A);
        for length in 0..whole.len() {
            assert_eq!(zone().answer(&whole[..length], false), None);
        }
    }

    #[test]
    fn no_message_gets_no_answer_and_a_wrong_one_a_refusal() {
        let zone = zone();
        assert_eq!(zone.answer(&[], false), None);
        assert_eq!(zone.answer(&[0xFF; 64], false), None);
        let mut reply = question("corp.contoso.com", TYPE::A);
        reply[2] |= 0x80;
        assert_eq!(zone.answer(&reply, false), None);
        let rcode = |bytes: &[u8]| {
            let answer = zone.answer(bytes, false).unwrap();
            Packet::parse(&answer).unwrap().rcode()
        };
        let empty = Packet::new_query(1).build_bytes_vec().unwrap();
        assert_eq!(rcode(&empty), RCODE::FormatError);
        let mut status = question("corp.contoso.com", TYPE::A);
        status[2] |= 2 << 3;
        assert_eq!(rcode(&status), RCODE::NotImplemented);
    }
}
