//! The same key trust login, by the same unmodified `kinit`, at Samba AD's KDC and at ours: which values of
//! `msDS-KeyCredentialLink` and which certificates each of them takes, side by side.
//!
//! Where the two differ the table says why. Samba wants the certificate to come along and to name the user; MIT's `kinit`
//! leaves a self-signed one out. And Samba reads fewer forms of a value than real writers write.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod kdc_served;

use std::path::Path;
use std::sync::Arc;

use conformance::samba::{CONNECTOR, DOMAIN, HOST, Samba};
use conformance::{Said, peers, pki};
use kdc::{KeyTrust, LockoutPolicy, Settings};
use kdc_served::{PASSWORD, REALM, Served, Wire};
use kerberos::pkinit::{Policy, RsaPublicKey};
use keycred::{
    BlobBuilder, CustomKeyFlags, CustomKeyInformation, DnBinary, Draft, EntryId, KeySource,
    KeyStrength, KeyUsage, Version,
};

/// The user of the logins.
const USER: &str = "alice";

/// What a KDC did with a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Issues,
    Refuses,
}

use Does::{Issues, Refuses};

/// What is on the account, what Samba and we do with a login, and why they differ.
type Row = (&'static str, Vec<Vec<u8>>, Does, Does, &'static str);

/// Both KDCs, with the same user, and certificates of one key.
struct Sides {
    samba: Samba,
    ours: Served,
    /// The user's key and another one, as SubjectPublicKeyInfo.
    spki: Vec<u8>,
    other_spki: Vec<u8>,
    rows: Vec<[String; 5]>,
}

impl Sides {
    fn new() -> Self {
        let samba = Samba::start();
        let folder = samba.pki();
        let named = pki::user_extensions(&format!("{USER}@{DOMAIN}"));
        let bob = pki::user_extensions(&format!("bob@{DOMAIN}"));
        pki::key(&folder, "user");
        pki::key(&folder, "other");
        for (name, extensions) in [
            ("named", &named[..]),
            ("nameless", pki::NAMELESS),
            ("bob", &bob),
        ] {
            pki::issued(
                &folder,
                &format!("chained-{name}"),
                "user",
                "strangers",
                extensions,
            );
            pki::self_signed(&folder, &format!("self-{name}"), "user", extensions);
        }
        for name in ["self-named", "self-nameless"] {
            // On kinit's command line anchors replace those of its configuration.
            let anchors = ["authority.pem", &format!("{name}.pem")]
                .map(|pem| std::fs::read(folder.join(pem)).unwrap());
            std::fs::write(folder.join(format!("{name}.anchors")), anchors.concat()).unwrap();
        }
        let anchors =
            ["authority.pem", "strangers.pem"].map(|pem| std::fs::read(folder.join(pem)).unwrap());
        std::fs::write(folder.join("chained.anchors"), anchors.concat()).unwrap();
        // Both KDCs have the same certificate, so that a client cannot tell them apart by it.
        let trust = KeyTrust {
            signer: Arc::new(pki::Signer::open(&folder, "kdc").unwrap()),
            policy: Policy::default(),
        };
        let files = tempfile::tempdir().unwrap();
        let settings = Settings::new(REALM, "CORP", "DC1");
        let ours = Served::build(settings, LockoutPolicy::default(), files, Some(trust));
        assert_eq!(
            HOST, "dc1.corp.contoso.com",
            "the name that Served's krb5.conf has"
        );
        Self {
            spki: std::fs::read(folder.join("user.spki")).unwrap(),
            other_spki: std::fs::read(folder.join("other.spki")).unwrap(),
            samba,
            ours,
            rows: Vec::new(),
        }
    }

    /// Gives the user these values on both sides, as the sync's account does.
    fn write(&self, user: &str, values: &[Vec<u8>]) {
        let dn = Samba::dn(user);
        let mut ldif = format!("dn: {dn}\nchangetype: modify\nreplace: msDS-KeyCredentialLink\n");
        for value in values {
            ldif.push_str(&format!(
                "msDS-KeyCredentialLink: {}\n",
                DnBinary::new(value.clone(), dn.clone())
            ));
        }
        // Values are longer than a line of ldapmodify's input may be without being told so.
        self.samba.modify_as(CONNECTOR, &[], &ldif).well();
        let insert = self.ours.accounts.add(user, PASSWORD, &[], |account| {
            account.key_credentials = values.to_vec();
        });
        insert.unwrap();
    }

    /// One row of the table: what both do with a login of `user` with this certificate.
    #[track_caller]
    fn check(
        &mut self,
        what: &str,
        user: &str,
        certificate: &str,
        samba: Does,
        ours: Does,
        why: &str,
    ) {
        let at_samba = self.login_at_samba(user, certificate);
        let at_ours = self.login_at_ours(user, certificate);
        let done = |said: &Said| if said.good { Issues } else { Refuses };
        let (s, o) = (done(&at_samba), done(&at_ours));
        self.rows.push([
            what.to_owned(),
            certificate.to_owned(),
            format!("{s:?}"),
            format!("{o:?}"),
            why.to_owned(),
        ]);
        assert_eq!(
            (s, o),
            (samba, ours),
            "{what}, {certificate}: (Samba, ours)\nSamba: {}\nours: {}\n{}",
            at_samba.text,
            at_ours.text,
            self.ours.events().join("\n")
        );
    }

    fn login_at_samba(&self, user: &str, certificate: &str) -> Said {
        let mut command = self.samba.beside(&peers::program("kinit"));
        Said::of(
            command.args(arguments(&self.samba.pki(), user, certificate)),
            "",
        )
    }

    fn login_at_ours(&self, user: &str, certificate: &str) -> Said {
        let mut command = self.ours.mit("kinit", Wire::Tcp, "tgt");
        Said::of(
            command.args(arguments(&self.samba.pki(), user, certificate)),
            "",
        )
    }

    fn table(&self) -> String {
        let mut text = format!(
            "{:<54} {:<17} {:<8} {:<8} why\n",
            "value on the account", "certificate", "Samba", "ours"
        );
        for [what, certificate, samba, ours, why] in &self.rows {
            text.push_str(&format!(
                "{what:<54} {certificate:<17} {samba:<8} {ours:<8} {why}\n"
            ));
        }
        text
    }
}

fn arguments(folder: &Path, user: &str, certificate: &str) -> [String; 5] {
    let path = |name: &str| folder.join(name).display().to_string();
    let anchors = match certificate.starts_with("self-") {
        true => format!("{certificate}.anchors"),
        false => "chained.anchors".to_owned(),
    };
    [
        "-X".to_owned(),
        format!(
            "X509_user_identity=FILE:{},{}",
            path(&format!("{certificate}.pem")),
            path("user.key")
        ),
        "-X".to_owned(),
        format!("X509_anchors=FILE:{}", path(&anchors)),
        user.to_owned(),
    ]
}

/// BCRYPT_RSAKEY_BLOB of a public key: what Windows and the cloud write.
fn bcrypt(spki: &[u8]) -> Vec<u8> {
    let key = RsaPublicKey::from_spki(spki).unwrap();
    let (modulus, exponent) = (key.modulus(), key.exponent());
    let lengths = [modulus.len() * 8, exponent.len(), modulus.len(), 0, 0];
    let header = lengths.map(|number| u32::try_from(number).unwrap().to_le_bytes());
    [b"RSA1", header.as_flattened(), exponent, modulus].concat()
}

/// RSAPublicKey of PKCS #1, the content of SubjectPublicKeyInfo's BIT STRING.
fn pkcs1(spki: &[u8]) -> Vec<u8> {
    // A key of 2048 bits with exponent 65537 is 270 bytes long.
    spki.split_at(spki.len() - 270).1.to_vec()
}

fn value(draft: &Draft) -> Vec<u8> {
    draft.to_blob().unwrap().encode()
}

fn ngc(material: Vec<u8>) -> Draft {
    Draft::hashed(material, KeyUsage::NGC, KeySource::AZURE_AD)
}

fn with_information(spki: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut draft = ngc(bcrypt(spki));
    draft.custom_key_information = Some(bytes.to_vec());
    value(&draft)
}

#[test]
fn which_values_sign_in() {
    let mut sides = Sides::new();
    let (spki, other) = (sides.spki.clone(), sides.other_spki.clone());
    let of = |usage| value(&Draft::hashed(bcrypt(&spki), usage, KeySource::AZURE_AD));
    let good = of(KeyUsage::NGC);
    let cloud = CustomKeyInformation::cloud(CustomKeyFlags(0), KeyStrength(2));
    let in_ad = Draft::registered_in_ad(
        bcrypt(&spki),
        types::Guid::ZERO,
        types::Timestamp::from_unix_seconds(1_780_000_000),
    );
    let twice = BlobBuilder::new(Version::V2)
        .entry(EntryId::KEY_ID, &[7; 32])
        .unwrap()
        .key_hash()
        .unwrap()
        .entry(EntryId::KEY_MATERIAL, &bcrypt(&spki))
        .unwrap()
        .entry(EntryId::KEY_USAGE, &[KeyUsage::NGC.0])
        .unwrap()
        .entry(EntryId::KEY_USAGE, &[KeyUsage::FIDO.0])
        .unwrap()
        .entry(EntryId::KEY_SOURCE, &[KeySource::AD.0])
        .unwrap()
        .build()
        .encode();
    let one = |bytes: Vec<u8>| vec![bytes];
    let unreadable = "Samba cannot read it";
    #[rustfmt::skip]
    let rows: Vec<Row> = vec![
        ("none", vec![], Refuses, Refuses, ""),
        ("NGC, another key", one(value(&ngc(bcrypt(&other)))), Refuses, Refuses, ""),
        ("NGC, BCRYPT_RSAKEY_BLOB", one(good.clone()), Issues, Issues, ""),
        ("NGC, as Windows registers it in AD", one(value(&in_ad)), Issues, Issues, ""),
        ("NGC, SubjectPublicKeyInfo", one(value(&ngc(spki.clone()))), Issues, Issues, ""),
        ("NGC, RSAPublicKey of PKCS #1 (computers)", one(value(&ngc(pkcs1(&spki)))), Refuses, Issues, unreadable),
        ("NGC, CustomKeyInformation of the cloud (15 bytes)", one(with_information(&spki, &cloud)), Refuses, Issues, unreadable),
        ("NGC, CustomKeyInformation of 2017 (4 bytes)", one(with_information(&spki, &[1, 0, 0, 0])), Refuses, Issues, unreadable),
        ("NGC, CustomKeyInformation of 2 bytes", one(with_information(&spki, &[1, 0])), Issues, Issues, ""),
        ("the same key as FIDO", one(of(KeyUsage::FIDO)), Refuses, Refuses, "no consumer"),
        ("the same key as FEK", one(of(KeyUsage::FEK)), Refuses, Refuses, "another consumer"),
        ("the same key as STK", one(of(KeyUsage::STK)), Refuses, Refuses, "another consumer"),
        ("FIDO and FEK, then NGC", vec![of(KeyUsage::FIDO), of(KeyUsage::FEK), good.clone()], Issues, Issues, "the others are passed over"),
        ("an unreadable value, then NGC", vec![vec![0, 2, 0, 0, 9], good.clone()], Issues, Issues, "the other is passed over"),
        ("NGC and FIDO in one value", one(twice), Refuses, Refuses, "one usage each"),
    ];
    for (what, values, samba, ours, why) in rows {
        sides.write(USER, &values);
        sides.check(what, USER, "chained-named", samba, ours, why);
    }
    let events = sides.ours.events().join("\n");
    assert!(events.contains("only NGC keys sign in"), "{events}");
    assert!(events.contains("cannot be read"), "{events}");

    sides.write(USER, std::slice::from_ref(&good));
    sides.write("bob", &[]);
    let left_out = "kinit sends no certificate, and Samba then knows no key";
    #[rustfmt::skip]
    let rows = [
        (USER, "chained-named", Issues, Issues, ""),
        (USER, "chained-nameless", Refuses, Issues, "Samba wants a name in it; MS-PKCA does not"),
        (USER, "chained-bob", Refuses, Issues, "Samba wants the user's name in it; the key alone decides here"),
        ("bob", "chained-bob", Refuses, Refuses, "the key is another account's"),
        (USER, "self-named", Refuses, Issues, left_out),
        (USER, "self-nameless", Refuses, Issues, left_out),
    ];
    for (user, certificate, samba, ours, why) in rows {
        sides.check(
            &format!("NGC on {USER}, login as {user}"),
            user,
            certificate,
            samba,
            ours,
            why,
        );
    }
    println!("{}", sides.table());
}
