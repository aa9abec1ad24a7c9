//! One life of a credential cache, whoever keeps it, judged by MIT's tools.

#![allow(dead_code, reason = "each judge uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use conformance::Said;
use kerberos::client::{Credentials, PasswordSignIn, Principal, Step, TgsRequest};
use kerberos::files::{Credential, CredentialCache};
use kerberos::messages::KdcOptions;
use lab::OsEntropy;
use lab::wires::ask_kdc;
use machine::ccache::CacheName;
use types::{Clock, Secret};

use crate::kdc_served::{PASSWORD, REALM, Served, WEB, Wire};

/// A realm, and somebody who signed in.
pub(crate) struct Judged {
    pub(crate) served: Served,
    tgt: Credentials,
    web: Credentials,
}

impl Judged {
    pub(crate) fn new() -> Self {
        let served = Served::new();
        let ask = |request: &[u8]| ask_kdc(served.address, request).unwrap();
        let now = || lab::SystemClock.now();
        let client = Principal::user("testuser", REALM);
        let password = Secret::new(PASSWORD.to_owned());
        let begun = PasswordSignIn::begin(&client, password, now(), &mut OsEntropy);
        let (mut sign_in, mut request) = begun.unwrap();
        let tgt = loop {
            match sign_in.step(&ask(&request), now(), &mut OsEntropy).unwrap() {
                Step::Send(next, bytes) => (sign_in, request) = (*next, bytes),
                Step::Done(tgt) => break *tgt,
            }
        };
        let request = TgsRequest::new(Principal::service(WEB, REALM));
        let (pending, bytes) = request.seal(&tgt, now(), &mut OsEntropy).unwrap();
        let web = pending.open(&ask(&bytes)).unwrap();
        Self { served, tgt, web }
    }

    /// Whose tickets, and which.
    pub(crate) fn tickets(&self) -> (Principal, Vec<Credential>) {
        let tickets = [&self.tgt, &self.web].map(|ticket| ticket.to_credential().unwrap());
        (self.tgt.client.clone(), tickets.to_vec())
    }

    pub(crate) fn file(&self, name: &str) -> String {
        format!("FILE:{}", self.served.path(name).display())
    }

    /// A tool of MIT with this cache, and more lines of `[libdefaults]`.
    pub(crate) fn mit(&self, program: &str, cache: &str, more: &str) -> Command {
        let mut command = self.served.mit(program, Wire::Tcp, "none");
        let conf = std::fs::read_to_string(self.served.path("tcp.conf")).unwrap();
        let own = self.served.path("cache.conf");
        std::fs::write(
            &own,
            conf.replacen("[libdefaults]\n", &format!("[libdefaults]\n{more}"), 1),
        )
        .unwrap();
        command.env("KRB5CCNAME", cache).env("KRB5_CONFIG", own);
        command
    }

    /// Written, read by klist, added to by kvno, renewed, replaced, removed.
    pub(crate) fn a_life(&self, name: &str, more: &str) {
        let socket = more.trim().strip_prefix("kcm_socket = ");
        let mut cache = CacheName::parse(name).unwrap();
        if let Some(socket) = socket {
            cache = cache.at_socket(socket.as_ref());
        }
        let klist = || Said::of(self.mit("klist", name, more).arg("-f"), "");
        assert_eq!(cache.load().unwrap(), None, "{name}");
        assert!(!cache.destroy().unwrap(), "{name}");

        let (principal, tickets) = self.tickets();
        cache.store(&principal, &tickets).unwrap();
        let listed = klist().well();
        for words in [
            "Default principal: testuser@CORP.CONTOSO.COM",
            "krbtgt/CORP.CONTOSO.COM@CORP.CONTOSO.COM",
            "HTTP/web.corp.contoso.com@CORP.CONTOSO.COM",
        ] {
            assert!(listed.contains(words), "{name}: '{words}' in {listed}");
        }
        assert_eq!(held(&cache, &principal), names(&tickets), "{name}");

        // kvno finds the one ticket, and gets the other one with ours.
        let host = "HOST/web.corp.contoso.com";
        let said = Said::of(self.mit("kvno", name, more).args([WEB, host]), "").well();
        assert!(said.contains("kvno = 1"), "{said}");
        let mut expected = names(&tickets);
        expected.push(format!("{host}@{REALM}"));
        expected.sort();
        assert_eq!(held(&cache, &principal), expected, "{name}");

        // The renewed ticket takes the place of the old one, and kvno's stays.
        let renewed = self.renewed();
        cache
            .renew(&principal, std::slice::from_ref(&renewed))
            .unwrap();
        assert_eq!(held(&cache, &principal), expected, "{name}");
        let loaded = cache.load().unwrap().unwrap();
        assert!(
            loaded
                .tickets()
                .any(|ticket| ticket.ticket == renewed.ticket),
            "{name}"
        );
        assert!(
            !loaded
                .tickets()
                .any(|ticket| ticket.ticket == tickets[0].ticket),
            "{name}"
        );
        let admin = "krbtgt/CORP.CONTOSO.COM";
        Said::of(
            self.mit("kvno", name, more).args(["-U", "testuser", admin]),
            "",
        );
        klist().well();

        // Signing in again replaces all of it.
        cache.store(&principal, &tickets).unwrap();
        assert_eq!(held(&cache, &principal), names(&tickets), "{name}");
        assert!(cache.destroy().unwrap(), "{name}");
        assert_eq!(cache.load().unwrap(), None, "{name}");
        assert!(!klist().good, "{name}");
        // What MIT removed is gone for us as well.
        cache.store(&principal, &tickets).unwrap();
        Said::of(&mut self.mit("kdestroy", name, more), "").well();
        assert_eq!(cache.load().unwrap(), None, "{name}");
        assert!(!cache.destroy().unwrap(), "{name}");
    }

    /// A reader that looks all the time, while the cache is replaced over and over.
    pub(crate) fn a_race(&self, cache: &CacheName) {
        let (principal, tickets) = self.tickets();
        cache.store(&principal, &tickets).unwrap();
        let expected = names(&tickets);
        let is_over = AtomicBool::new(false);
        let looked = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut looked = 0_u32;
                while !is_over.load(Ordering::Relaxed) {
                    assert_eq!(held(cache, &principal), expected, "{cache}, look {looked}");
                    looked += 1;
                }
                looked
            });
            for _ in 0..100 {
                cache.store(&principal, &tickets).unwrap();
            }
            is_over.store(true, Ordering::Relaxed);
            reader.join().unwrap()
        });
        assert!(looked > 10, "{cache}: only {looked} looks");
        cache.destroy().unwrap();
    }

    /// Our KDC's next ticket for the same user.
    fn renewed(&self) -> Credential {
        let krbtgt = Principal::service(&format!("krbtgt/{REALM}"), REALM);
        let mut request = TgsRequest::new(krbtgt);
        request.options = KdcOptions::FORWARDABLE | KdcOptions::RENEWABLE;
        let now = lab::SystemClock.now();
        let (pending, bytes) = request.seal(&self.tgt, now, &mut OsEntropy).unwrap();
        let answer = ask_kdc(self.served.address, &bytes).unwrap();
        pending.open(&answer).unwrap().to_credential().unwrap()
    }
}

/// The tickets that a cache has.
fn held(cache: &CacheName, principal: &Principal) -> Vec<String> {
    let Some(loaded) = cache.load().unwrap() else {
        panic!("{cache} is not there");
    };
    assert_eq!(loaded.default_principal, *principal, "{cache}");
    let tickets: Vec<_> = loaded.tickets().cloned().collect();
    names(&tickets)
}

fn names(tickets: &[Credential]) -> Vec<String> {
    let mut names: Vec<_> = tickets.iter().map(|c| c.server.to_string()).collect();
    names.sort();
    names
}

/// A ticket that needs no KDC; nobody opens it.
pub(crate) fn any_ticket() -> (Principal, Credential) {
    let text = include_str!("../../../crates/kerberos/tests/vectors/mit_ccache_v4.txt");
    let line = text.lines().nth(1).unwrap();
    let bytes = data_encoding::HEXLOWER_PERMISSIVE
        .decode(line.as_bytes())
        .unwrap();
    let cache = CredentialCache::decode(&bytes).unwrap();
    let mut ticket = cache.credentials.into_iter().next().unwrap();
    ticket.endtime = lab::SystemClock.now().plus_seconds(3600);
    (cache.default_principal, ticket)
}
