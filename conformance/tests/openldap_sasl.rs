//! OpenLDAP's tools with Cyrus SASL and MIT Kerberos, signed in to our directory with tickets of our KDC.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;

use conformance::Said;
use kerberos::client::{Credentials, Principal, Proof};
use kerberos::crypto::{EncryptionType, Key};
use kerberos::files::CredentialCache;
use kerberos::messages::{ApOptions, Der as _, EncTicketPart, KerberosTime, Ticket};
use kerberos::pac::{Pac, Signing, TicketKind};
use kerberos::ticket::pac_of;
use lab::people::TEST_USER;
use lab::{House, Options, OsEntropy, SystemClock};
use ldap::{Authentication, BindRequest, Message, Operation, ResultCode};

const MECHANISMS: [&str; 2] = ["GSSAPI", "GSS-SPNEGO"];
/// No layer, signed, sealed. Within SPNEGO MIT's library announces sealing whenever it announces signing, so Cyrus has
/// no way to ask for the one without the other.
const LAYERS: [(&str, &str, &str); 5] = [
    ("GSSAPI", "minssf=0,maxssf=0", "SASL SSF: 0"),
    ("GSSAPI", "minssf=1,maxssf=1", "SASL SSF: 1"),
    ("GSSAPI", "minssf=56", SEALED),
    ("GSS-SPNEGO", "minssf=0,maxssf=0", "SASL SSF: 0"),
    ("GSS-SPNEGO", "minssf=56", SEALED),
];
const SEALED: &str = "SASL SSF: 256";
/// The server gets its address as a service name, so that no names need to be resolved.
const SERVICE: &str = "ldap/127.0.0.1";

/// A house, a ticket of the test user in its cache.
struct SignedIn {
    house: House,
}

impl SignedIn {
    fn new() -> Self {
        let house = House::start(Options::new(Arc::new(SystemClock))).unwrap();
        let server = format!("CN=DC1,OU=Domain Controllers,{}", house.domain_dn());
        house
            .ldap_as_administrator()
            .unwrap()
            .add_value(&server, "servicePrincipalName", SERVICE)
            .unwrap();
        let signed_in = Self { house };
        let account = signed_in.house.account(TEST_USER).unwrap();
        signed_in.kinit(TEST_USER.account, account.password.expose());
        signed_in
    }

    fn kinit(&self, user: &str, password: &str) {
        Said::of(self.tool("kinit").arg(user), &format!("{password}\n")).well();
    }

    /// A program with the house's realm and tickets.
    fn tool(&self, program: &str) -> Command {
        self.tool_with(program, "cache")
    }

    fn tool_with(&self, program: &str, cache: &str) -> Command {
        let mut command = Command::new(conformance::peers::program(program));
        let cache = self.house.state().join(cache);
        command
            .env("KRB5_CONFIG", self.house.krb5_conf())
            .env("KRB5CCNAME", format!("FILE:{}", cache.display()))
            .env("KRB5RCACHETYPE", "none")
            .env("LDAPTLS_CACERT", self.house.state().join("ca.pem"))
            .env("LC_ALL", "C");
        command
    }

    fn port(url: &str) -> String {
        url.rsplit(':')
            .next()
            .unwrap()
            .trim_end_matches('/')
            .to_owned()
    }

    fn ldap_url(&self) -> String {
        let port = Self::port(&self.house.addresses().ldap);
        format!("ldap://127.0.0.1:{port}")
    }

    fn ldaps_url(&self) -> String {
        let port = Self::port(&self.house.addresses().ldaps);
        format!("ldaps://127.0.0.1:{port}")
    }

    /// One of OpenLDAP's programs over a mechanism, with properties of the layer.
    fn openldap(&self, program: &str, cache: &str, mechanism: &str, layer: &str) -> Command {
        let mut command = self.tool_with(program, cache);
        command.args(["-N", "-H", &self.ldap_url(), "-Y", mechanism, "-O", layer]);
        command
    }

    fn whoami(&self, cache: &str, mechanism: &str) -> Said {
        Said::of(
            &mut self.openldap("ldapwhoami", cache, mechanism, "minssf=0"),
            "",
        )
    }

    fn key(&self) -> Key {
        let keytab = self.house.keytab("DC1$", &[SERVICE]).unwrap();
        keytab.entries[0].key.to_key(None).unwrap()
    }

    /// The house's own client signs in.
    fn ticket(&self) -> Credentials {
        let account = self.house.account(TEST_USER).unwrap();
        let client = self.house.kerberos();
        let tgt = client
            .sign_in(TEST_USER.account, &account.password)
            .unwrap();
        client.ticket(&tgt, SERVICE).unwrap()
    }

    /// A cache with a ticket that was taken apart, changed and sealed with `key`.
    fn forge(&self, cache: &str, key: &Key, change: impl FnOnce(&mut EncTicketPart)) {
        let mut credentials = self.ticket();
        let own = self.key();
        let mut part = credentials.ticket.open(&own).unwrap();
        change(&mut part);
        if let Some(pac) = pac_of(&part).unwrap() {
            let buffers = Pac::decode(&pac).unwrap().to_buffers();
            let signing = Signing {
                server_key: key,
                kdc_key: key,
                rodc: None,
                kind: TicketKind::Service,
            };
            signing.sign_into(&mut part, buffers).unwrap();
        }
        let ticket = &credentials.ticket;
        credentials.ticket = Ticket::seal(
            ticket.realm.clone(),
            ticket.sname.clone(),
            &part,
            key,
            ticket.enc_part.key_version(),
            &mut OsEntropy,
        )
        .unwrap();
        self.keep(cache, &credentials);
    }

    fn keep(&self, cache: &str, credentials: &Credentials) {
        let client = Principal::user(TEST_USER.account, self.house.realm());
        let mut file = CredentialCache::new(client);
        file.credentials.push(credentials.to_credential().unwrap());
        std::fs::write(self.house.state().join(cache), file.encode().unwrap()).unwrap();
    }
}

#[test]
fn every_mechanism_with_every_layer() {
    let signed_in = SignedIn::new();
    let domain = signed_in.house.domain_dn().to_string();
    let schema = format!("CN=Aggregate,CN=Schema,CN=Configuration,{domain}");
    for (mechanism, layer, says) in LAYERS {
        let run = |program: &str, arguments: &[&str]| {
            let mut command = signed_in.openldap(program, "cache", mechanism, layer);
            Said::of(command.args(arguments), "").well()
        };
        let said = run(
            "ldapsearch",
            &["-LLL", "-b", &domain, "(sAMAccountName=testuser)", "cn"],
        );
        assert!(
            said.contains("cn: Test User"),
            "{mechanism} {layer}: {said}"
        );
        assert!(said.contains(says), "{mechanism} {layer}: {said}");
        // An answer of many buffers.
        let all = [
            "-LLL",
            "-b",
            &schema,
            "-s",
            "base",
            "objectClass=*",
            "attributeTypes",
        ];
        let said = run("ldapsearch", &all);
        assert!(said.len() > 100_000, "{mechanism} {layer}: {}", said.len());
        let said = run("ldapwhoami", &[]);
        assert!(
            said.contains("u:CORP\\testuser"),
            "{mechanism} {layer}: {said}"
        );
    }
}

#[test]
fn the_root_dse_offers_what_works() {
    let signed_in = SignedIn::new();
    let mut command = signed_in.tool("ldapsearch");
    command.args([
        "-x",
        "-LLL",
        "-H",
        &signed_in.ldap_url(),
        "-b",
        "",
        "-s",
        "base",
    ]);
    let said = Said::of(&mut command, "").well();
    for mechanism in MECHANISMS {
        let line = format!("supportedSASLMechanisms: {mechanism}\n");
        assert!(said.contains(&line), "{said}");
    }
}

#[test]
fn a_password_is_written_over_a_sealed_connection_alone() {
    let signed_in = SignedIn::new();
    let (administrator, password) = signed_in.house.administrator();
    let administrator = administrator.split('@').next().unwrap();
    signed_in.kinit(administrator, password.expose());
    let account = signed_in.house.account(TEST_USER).unwrap();
    let new = "\"New-Horse-2026\"";
    let new: Vec<u8> = new.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let ldif = format!(
        "dn: {}\nchangetype: modify\nreplace: unicodePwd\nunicodePwd:: {}\n",
        account.dn,
        data_encoding::BASE64.encode(&new)
    );
    for (mechanism, layer, says) in LAYERS {
        let mut command = signed_in.openldap("ldapmodify", "cache", mechanism, layer);
        let said = Said::of(&mut command, &ldif);
        if says == SEALED {
            said.well();
        } else {
            said.refused("unwilling to perform");
        }
    }
    signed_in.kinit(TEST_USER.account, "New-Horse-2026");
}

#[test]
fn tls_and_a_layer_are_not_mixed() {
    let signed_in = SignedIn::new();
    for mechanism in MECHANISMS {
        // Over TLS there is no layer; the ticket alone is enough.
        let mut command = signed_in.tool("ldapwhoami");
        command.args(["-N", "-H", &signed_in.ldaps_url(), "-Y", mechanism]);
        command.args(["-O", "maxssf=0"]);
        let said = Said::of(&mut command, "").well();
        assert!(said.contains("u:CORP\\testuser"), "{mechanism}: {said}");
        // A client that insists on one is refused.
        let mut command = signed_in.tool("ldapwhoami");
        command.args(["-N", "-H", &signed_in.ldaps_url(), "-Y", mechanism]);
        command.args(["-O", "minssf=512"]);
        assert!(!Said::of(&mut command, "").good);
    }
}

#[test]
fn tickets_that_are_not_to_be_believed() {
    let signed_in = SignedIn::new();
    let own = signed_in.key();
    let other = Key::generate(EncryptionType::AES256_CTS_HMAC_SHA1_96, &mut OsEntropy).unwrap();
    let hours_ago = |hours: i64| {
        let now = signed_in.house.clock().now();
        KerberosTime::new(now.plus_seconds(-3600 * hours))
    };
    signed_in.forge("untouched", &own, |_| {});
    signed_in.forge("foreign", &other, |_| {});
    signed_in.forge("expired", &own, |part| part.endtime = hours_ago(1));
    signed_in.forge("early", &own, |part| part.starttime = Some(hours_ago(-1)));
    signed_in.forge("bare", &own, |part| part.authorization_data = None);
    for mechanism in MECHANISMS {
        let said = signed_in.whoami("untouched", mechanism).well();
        assert!(said.contains("u:CORP\\testuser"), "{said}");
        for cache in ["foreign", "expired", "early", "bare"] {
            signed_in.whoami(cache, mechanism).refused("data 52e");
        }
    }
    // A PAC that the service's key did not sign, in a ticket that it did seal.
    let mut credentials = signed_in.ticket();
    let mut part = credentials.ticket.open(&own).unwrap();
    let mut pac = pac_of(&part).unwrap().unwrap();
    let last = pac.len() / 2;
    pac[last] ^= 1;
    kerberos::ticket::put_pac(&mut part, &pac).unwrap();
    let ticket = credentials.ticket;
    let version = ticket.enc_part.key_version();
    credentials.ticket = Ticket::seal(
        ticket.realm,
        ticket.sname,
        &part,
        &own,
        version,
        &mut OsEntropy,
    )
    .unwrap();
    signed_in.keep("unsigned", &credentials);
    signed_in.whoami("unsigned", "GSSAPI").refused("data 52e");
}

#[test]
fn a_disabled_account_gets_nowhere_with_its_ticket() {
    let signed_in = SignedIn::new();
    signed_in.whoami("cache", "GSSAPI").well();
    let dn = signed_in.house.account(TEST_USER).unwrap().dn.clone();
    let mut administrator = signed_in.house.ldap_as_administrator().unwrap();
    administrator
        .replace(&dn, "userAccountControl", "514")
        .unwrap();
    for mechanism in MECHANISMS {
        signed_in.whoami("cache", mechanism).refused("data 533");
    }
}

#[test]
fn an_ap_req_is_good_once() {
    let signed_in = SignedIn::new();
    let credentials = signed_in.ticket();
    let now = signed_in.house.clock().now();
    let make = || {
        // As Python's tools do: neither SPNEGO nor GSS around it, no checksum.
        let request = credentials.ap_req(
            ApOptions::default(),
            Proof::to_service(),
            now,
            &mut OsEntropy,
        );
        request.unwrap().to_der().unwrap()
    };
    let (first, second) = (make(), make());
    let port: u16 = SignedIn::port(&signed_in.house.addresses().ldap)
        .parse()
        .unwrap();
    assert_eq!(bind(port, &first), ResultCode::SUCCESS);
    assert_eq!(bind(port, &first), ResultCode::INVALID_CREDENTIALS);
    assert_eq!(bind(port, &second), ResultCode::SUCCESS);
}

/// A bind with one token, on a connection of its own.
fn bind(port: u16, token: &[u8]) -> ResultCode {
    let request = Message::new(
        1,
        Operation::BindRequest(BindRequest {
            version: 3,
            name: String::new(),
            authentication: Authentication::Sasl {
                mechanism: "GSS-SPNEGO".to_owned(),
                credentials: Some(token.to_vec().into()),
            },
        }),
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(&request.encode()).unwrap();
    let mut framer = ldap::Framer::new();
    loop {
        if let Some(frame) = framer.next_frame(1 << 20).unwrap() {
            let reply = Message::decode(frame, &ldap::Limits::default()).unwrap();
            let Operation::BindResponse(reply) = reply.operation else {
                panic!("no bind response")
            };
            return reply.result.code;
        }
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "the server hung up");
        framer.push(&bytes[..count]);
    }
}
