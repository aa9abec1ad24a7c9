//! impacket's `getTGT`, `getST`, `describeTicket` and `changepasswd` from PyPI, unmodified, against our KDC.
//!
//! They know no other ports than 88 and 464, so each test runs itself again in a network namespace of its own.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod kdc_served;

use std::process::Command;

use data_encoding::HEXLOWER;
use kdc::{Accounts as _, LockoutPolicy, Lookup, Settings};
use kdc_served::{PASSWORD, REALM, Said, Served, WEB};
use kerberos::crypto::{EncryptionType, Key};
use kerberos::files::CredentialCache;
use kerberos::messages::{Der as _, Ticket};
use kerberos::pac::{BufferType, Pac};
use kerberos::ticket::pac_of;

const DATA: &str = "CIFS/data.corp.contoso.com";
/// Set in the namespace.
const INSIDE: &str = "TOMBOLO_JUDGE_INSIDE";

/// Runs the test of that name again where ports 88 and 464 are free, and `act` in there.
fn alone(test: &str, act: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return act();
    }
    let mut command = Command::new(conformance::peers::program("unshare"));
    command
        .args(["-r", "-n", "sh", "-c"])
        .arg("ip link set lo up && exec \"$0\" \"$@\"")
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1");
    let text = Said::of(&mut command, "").well();
    assert!(text.contains("1 passed"), "{text}");
}

/// A realm with a delegating service, whose authenticators may lack a checksum or not.
fn served(tolerant: bool, trusted: bool) -> Served {
    let mut settings = Settings::new(REALM, "CORP", "DC1");
    settings.allow_missing_authenticator_checksum = tolerant;
    let served = Served::with(settings, LockoutPolicy::default());
    let services = [WEB, "HOST/web.corp.contoso.com"];
    let web = |account: &mut kdc::Account| {
        account.allowed_to_delegate_to = vec![DATA.to_owned()];
        account.policy.trusted_to_authenticate_for_delegation = trusted;
    };
    served
        .accounts
        .add("WEB$", PASSWORD, &services, web)
        .unwrap();
    served
        .accounts
        .add("DATA$", PASSWORD, &[DATA], |_| {})
        .unwrap();
    served.open_standard_ports();
    served
}

/// One of impacket's programs in the realm's folder. It always ends with 0, so what it says is what counts.
fn impacket(served: &Served, program: &str, arguments: &[&str]) -> String {
    let script = conformance::peers::unpacked(&format!("venv/bin/{program}.py"));
    let mut command = Command::new(conformance::peers::python());
    command
        .arg(script)
        .args(arguments)
        .current_dir(served.path(""))
        .env_remove("KRB5CCNAME");
    Said::of(&mut command, "").text
}

fn get_tgt(served: &Served, name: &str, password: &str) -> String {
    let identity = format!("corp.contoso.com/{name}:{password}");
    impacket(served, "getTGT", &[&identity, "-dc-ip", "127.0.0.1"])
}

/// `getST` by the computer `WEB$`, with the key that the exploit needs too.
fn get_st(served: &Served, more: &[&str]) -> String {
    let key = aes_key(served, "WEB$");
    let own = [
        "corp.contoso.com/WEB$",
        "-aesKey",
        &key,
        "-dc-ip",
        "127.0.0.1",
    ];
    impacket(served, "getST", &[&own[..], more].concat())
}

/// The buffer DELEGATION_INFO of the ticket in that cache, in hex.
fn delegation_info(served: &Served, cache: &[u8]) -> String {
    let cache = CredentialCache::decode(cache).unwrap();
    let ticket = Ticket::from_der(&cache.credentials.first().unwrap().ticket).unwrap();
    let key = HEXLOWER
        .decode(aes_key(served, "DATA$").as_bytes())
        .unwrap();
    let key = Key::new(EncryptionType::AES256_CTS_HMAC_SHA1_96, &key).unwrap();
    let pac = pac_of(&ticket.open(&key).unwrap()).unwrap().unwrap();
    let pac = Pac::decode(&pac).unwrap();
    HEXLOWER.encode(pac.buffer(BufferType::DELEGATION_INFO).unwrap())
}

/// impacket reads S4U_DELEGATION_INFO behind the sixteen bytes of headers and the pointer.
const DELEGATION: &str = "
import sys
from impacket.krb5.pac import S4U_DELEGATION_INFO
data = bytes.fromhex(sys.argv[1])[20:]
info = S4U_DELEGATION_INFO()
info.fromString(data)
info.fromStringReferents(data[len(info.getData()):])
print(info['S4U2proxyTarget'], [str(name['Data']) for name in info['S4UTransitedServices']])
";

fn aes_key(served: &Served, name: &str) -> String {
    let account = served
        .accounts
        .account(Lookup::Name(name))
        .unwrap()
        .unwrap();
    let etype = EncryptionType::AES256_CTS_HMAC_SHA1_96;
    let key = account.current().unwrap().of_type(etype).unwrap();
    HEXLOWER.encode(key.value().expose())
}

#[track_caller]
fn has(text: &str, words: &str) {
    assert!(text.contains(words), "'{words}' is missing in: {text}");
}

#[test]
fn a_password_gets_a_ticket() {
    alone("a_password_gets_a_ticket", || {
        let served = served(false, false);
        has(
            &get_tgt(&served, "testuser", PASSWORD),
            "Saving ticket in testuser.ccache",
        );
        has(
            &get_tgt(&served, "testuser", "wrong"),
            "KDC_ERR_PREAUTH_FAILED",
        );
        has(
            &get_tgt(&served, "nobody", PASSWORD),
            "KDC_ERR_C_PRINCIPAL_UNKNOWN",
        );
    });
}

#[test]
fn its_requests_for_tickets_pass_by_the_switch_alone() {
    alone("its_requests_for_tickets_pass_by_the_switch_alone", || {
        for (tolerant, words) in [
            (
                true,
                "Saving ticket in testuser@HTTP_web.corp.contoso.com@CORP.CONTOSO.COM.ccache",
            ),
            (false, "KRB_AP_ERR_INAPP_CKSUM"),
        ] {
            let served = served(tolerant, false);
            let identity = format!("corp.contoso.com/testuser:{PASSWORD}");
            let arguments = [&identity, "-spn", WEB, "-dc-ip", "127.0.0.1"];
            has(&impacket(&served, "getST", &arguments), words);
            let tolerated = served
                .events()
                .iter()
                .any(|event| event.starts_with("tolerated"));
            assert_eq!(tolerated, tolerant, "{:?}", served.events());
        }
    });
}

#[test]
fn the_pac_is_what_its_decoder_expects() {
    alone("the_pac_is_what_its_decoder_expects", || {
        let served = served(true, false);
        let identity = format!("corp.contoso.com/testuser:{PASSWORD}");
        let arguments = [&identity, "-spn", WEB, "-dc-ip", "127.0.0.1"];
        impacket(&served, "getST", &arguments);
        let ticket = "testuser@HTTP_web.corp.contoso.com@CORP.CONTOSO.COM.ccache";
        let key = aes_key(&served, "WEB$");
        let text = impacket(&served, "describeTicket", &["--aes", &key, ticket]);
        for words in [
            "User Name                     : testuser",
            "User Realm                    : CORP.CONTOSO.COM",
            "Service Name                  : HTTP/web.corp.contoso.com",
            "Account Name              : testuser",
            "Logon Domain Name         : CORP",
            "S-1-18-1",
            "hmac_sha1_96_aes256",
        ] {
            has(&text, words);
        }
    });
}

#[test]
fn s4u_by_its_older_form() {
    alone("s4u_by_its_older_form", || {
        let served = served(true, true);
        let text = get_st(&served, &["-impersonate", "testuser", "-spn", DATA]);
        has(&text, "Requesting S4U2Proxy");
        has(
            &text,
            "Saving ticket in testuser@CIFS_data.corp.contoso.com@CORP.CONTOSO.COM.ccache",
        );
        let ticket = "testuser@CIFS_data.corp.contoso.com@CORP.CONTOSO.COM.ccache";
        let key = aes_key(&served, "DATA$");
        let text = impacket(&served, "describeTicket", &["--aes", &key, ticket]);
        // Its program forgets the header before this buffer's structure, so it shows only that there is one.
        has(&text, "DelegationInfo");
        has(&text, "S-1-18-2");
        // With the header skipped, its structure reads what we wrote.
        let cache = std::fs::read(served.path(ticket)).unwrap();
        let mut python = Command::new(conformance::peers::python());
        python.args(["-c", DELEGATION, &delegation_info(&served, &cache)]);
        let text = Said::of(&mut python, "").well();
        assert_eq!(text, format!("{DATA} ['WEB$@CORP.CONTOSO.COM']\n"));
    });
}

#[test]
fn cve_2020_17049_its_exploit_fails() {
    alone("cve_2020_17049_its_exploit_fails", || {
        // Not trusted to authenticate, so its ticket to itself is not forwardable; the exploit makes it so.
        let served = served(true, false);
        let ask = ["-impersonate", "testuser", "-spn", DATA];
        has(&get_st(&served, &ask), "KDC_ERR_BADOPTION");
        let exploit = [&ask[..], &["-force-forwardable"]].concat();
        let text = get_st(&served, &exploit);
        has(&text, "Forcing the service ticket to be forwardable");
        has(&text, "KRB_AP_ERR_MODIFIED");
        assert!(!text.contains("Saving ticket"), "{text}");
    });
}

#[test]
fn passwords_are_changed_and_set() {
    alone("passwords_are_changed_and_set", || {
        let served = served(true, false);
        let change = |more: &[&str]| {
            let target = "corp.contoso.com/testuser@127.0.0.1";
            let own = [target, "-protocol", "kpasswd", "-dc-ip", "127.0.0.1"];
            impacket(&served, "changepasswd", &[&own[..], more].concat())
        };
        let text = change(&[
            "-reset",
            "-altuser",
            "corp.contoso.com/testadmin",
            "-altpass",
            PASSWORD,
            "-newpass",
            "Better-Horse-2026",
        ]);
        assert!(
            text.contains("Password was set successfully"),
            "{text} {:?}",
            served.events()
        );
        has(
            &get_tgt(&served, "testuser", "Better-Horse-2026"),
            "Saving ticket",
        );
        served.accounts.add("other", PASSWORD, &[], |_| {}).unwrap();
        let text = change(&[
            "-reset",
            "-altuser",
            "corp.contoso.com/other",
            "-altpass",
            PASSWORD,
            "-newpass",
            "Third-Horse-2026",
        ]);
        assert!(!text.contains("successfully"), "{text}");
        has(
            &get_tgt(&served, "testuser", "Better-Horse-2026"),
            "Saving ticket",
        );
    });
}
