//! MIT's library verifies our PAC: Apache with mod_auth_gssapi opens the ticket with the service's keytab and asks the
//! library for the PAC's parts as name attributes. The library calls them authenticated only where the server signature
//! holds under the keytab's key.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod kdc_served;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use kdc::{Accounts as _, Lookup};
use kdc_served::{PASSWORD, Said, Served, WEB, Wire};
use kerberos::crypto::{EncryptionType, Key};
use kerberos::files::CredentialCache;
use kerberos::messages::{Der as _, Ticket};
use kerberos::ticket::{pac_of, put_pac};

#[test]
fn the_server_signature_holds_and_a_changed_pac_is_not_shown() {
    let served = Served::new();
    served.write_keytab();
    let apache = Apache::start(&served);
    served
        .kinit(Wire::Udp, "tgt", PASSWORD, &["testuser"])
        .well();
    served.kvno(Wire::Udp, "tgt", &[WEB]).well();
    let said = apache.ask(&served, "tgt");
    assert_eq!(
        logon_info(&said),
        Some(true),
        "MIT takes the PAC for genuine: {said}"
    );
    // The same ticket, sealed anew by somebody with the service's key: as it was, and with one bit of LOGON_INFO
    // changed, so that the library keeps the whole PAC to itself.
    let cache = std::fs::read(served.path("tgt")).unwrap();
    for (bit, expect) in [(0, Some(true)), (1, None)] {
        let again = with_bent_pac(&cache, &service_key(&served), bit);
        std::fs::write(served.path("again"), again).unwrap();
        let said = apache.ask(&served, "again");
        assert_eq!(logon_info(&said), expect, "{said}");
    }
}

/// Whether the library calls `urn:mspac:logon-info` authenticated; `None` where it shows none.
fn logon_info(said: &str) -> Option<bool> {
    let json = said
        .lines()
        .find_map(|line| line.strip_prefix("X-Attributes: "))?;
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    let attributes = json.get("attributes")?;
    attributes
        .get("urn:mspac:logon-info")?
        .get("authenticated")?
        .as_bool()
}

fn service_key(served: &Served) -> Key {
    let account = served.accounts.account(Lookup::Name("WEB$")).unwrap();
    let account = account.unwrap();
    let etype = EncryptionType::AES256_CTS_HMAC_SHA1_96;
    account
        .current()
        .unwrap()
        .of_type(etype)
        .unwrap()
        .duplicate()
}

fn with_bent_pac(cache: &[u8], key: &Key, bit: u8) -> Vec<u8> {
    let mut cache = CredentialCache::decode(cache).unwrap();
    for credential in &mut cache.credentials {
        let Ok(ticket) = Ticket::from_der(&credential.ticket) else {
            continue;
        };
        let Ok(mut part) = ticket.open(key) else {
            continue;
        };
        let mut pac = pac_of(&part).unwrap().unwrap();
        // Within LOGON_INFO, which is the first buffer: the sixth table entry ends before byte 200.
        pac[260] ^= bit;
        put_pac(&mut part, &pac).unwrap();
        let kvno = ticket.enc_part.key_version();
        let sealed = Ticket::seal(
            ticket.realm,
            ticket.sname,
            &part,
            key,
            kvno,
            &mut lab::OsEntropy,
        );
        credential.ticket = sealed.unwrap().to_der().unwrap();
    }
    cache.encode().unwrap()
}

/// Apache with one page that tells who came.
struct Apache {
    process: Child,
    port: u16,
}

impl Apache {
    fn start(served: &Served) -> Self {
        // Its workers are nobody's in particular and read the keytab.
        let open = |name: &str, mode| {
            std::fs::set_permissions(served.path(name), std::fs::Permissions::from_mode(mode))
                .unwrap();
        };
        open("", 0o755);
        open("keytab", 0o644);
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        std::fs::create_dir(served.path("pages")).unwrap();
        std::fs::write(served.path("pages/index.html"), "welcome\n").unwrap();
        let conf = served.path("apache.conf");
        std::fs::write(&conf, configuration(&served.path(""), port)).unwrap();
        let process = Command::new(conformance::peers::program("apache2"))
            .args(["-DFOREGROUND", "-f"])
            .arg(&conf)
            .env("KRB5_CONFIG", served.path("udp.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, port }
    }

    /// Headers and page, with the tickets of that cache.
    fn ask(&self, served: &Served, cache: &str) -> String {
        let host = format!("web.corp.contoso.com:{}", self.port);
        let mut curl = served.mit("curl", Wire::Udp, cache);
        curl.args(["-s", "-i", "--negotiate", "-u", ":", "--resolve"])
            .arg(format!("{host}:127.0.0.1"))
            .args(["--retry", "20", "--retry-connrefused", "--retry-delay", "1"])
            .arg(format!("http://{host}/"));
        let text = Said::of(&mut curl, "").well();
        let errors = std::fs::read_to_string(served.path("error.log")).unwrap_or_default();
        assert!(text.contains("welcome"), "{text}\n{errors}");
        text
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        // An end that Apache's workers learn of; killing the parent alone would leave them.
        let _ = Command::new("kill")
            .arg(self.process.id().to_string())
            .status();
        let _ = self.process.wait();
    }
}

fn configuration(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    let modules = [
        "mpm_event",
        "authn_core",
        "authz_core",
        "authz_user",
        "auth_gssapi",
        "headers",
        "dir",
        "mime",
    ]
    .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
    .concat();
    format!(
        "{modules}ServerRoot {folder}\nServerName web.corp.contoso.com\nListen 127.0.0.1:{port}\n\
         PidFile {folder}/apache.pid\nDefaultRuntimeDir {folder}\nErrorLog {folder}/error.log\n\
         User www-data\nGroup www-data\nStartServers 1\nDocumentRoot {folder}/pages\nDirectoryIndex index.html\n\
         TypesConfig /dev/null\n<Directory {folder}/pages>\nAuthType GSSAPI\nAuthName negotiate\n\
         GssapiCredStore keytab:{folder}/keytab\nGssapiNameAttributes json\nRequire valid-user\n\
         Header always set X-Attributes \"expr=%{{reqenv:GSS_NAME_ATTRS_JSON}}\"\n</Directory>\n"
    )
}
