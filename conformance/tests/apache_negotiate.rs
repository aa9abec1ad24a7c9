//! A real service of the lab's domain: Apache with mod_auth_gssapi and a keytab of the directory's account lets in whom
//! curl brings a ticket for, and nobody else.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

use std::path::Path;

use conformance::{Said, peers, product};

const SERVICE: &str = "HTTP/www.corp.contoso.com";

/// Apache on port 80 of the lab's network, with the keytab `$KEYTAB`. `ask` prints how a request ended, and for whom.
const APACHE: &str = r#"
set -e
cp "$KEYTAB" "$FOLDER/keytab"
chown www-data "$FOLDER/keytab"
apache2 -DFOREGROUND -f "$FOLDER/apache.conf" &
ask() {
  curl -sS -o /dev/null -D "$FOLDER/headers" -w "$1: %{http_code}\n" --retry 20 --retry-connrefused --retry-delay 1 \
    --negotiate -u : http://www.corp.contoso.com/ || true
  grep -i '^X-User:' "$FOLDER/headers" | tail -1 || true
}
"#;

const IN_AND_OUT: &str = r#"
ask 'without a ticket'
echo "$TOMBOLO_LAB_PASSWORD" | kinit testuser
ask 'with a ticket'
klist
kdestroy
ask 'ticket thrown away'
ldapmodify -x -H ldaps://dc1.corp.contoso.com -D "$TOMBOLO_LAB_ADMIN" -w "$TOMBOLO_LAB_ADMIN_PASSWORD" <<END
dn: $TOMBOLO_LAB_USER_DN
changetype: modify
replace: userAccountControl
userAccountControl: 514
END
echo "$TOMBOLO_LAB_PASSWORD" | kinit testuser || echo 'disabled: no ticket'
ask 'disabled'
"#;

const FOREIGN_KEYTAB: &str = r#"
echo "$TOMBOLO_LAB_PASSWORD" | kinit testuser
ask 'with a ticket that the keytab does not open'
kvno HTTP/www.corp.contoso.com
"#;

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    let modules = [
        "mpm_event",
        "authn_core",
        "authz_core",
        "authz_user",
        "auth_gssapi",
        "headers",
        "dir",
    ]
    .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
    .concat();
    format!(
        "{modules}ServerRoot {folder}\nServerName www.corp.contoso.com\nListen 127.0.0.1:80\n\
         PidFile {folder}/apache.pid\nDefaultRuntimeDir {folder}\nErrorLog {folder}/error.log\n\
         User www-data\nGroup www-data\nStartServers 1\nDocumentRoot {folder}/pages\nDirectoryIndex index.html\n\
         <Directory {folder}/pages>\nAuthType GSSAPI\nAuthName negotiate\n\
         GssapiCredStore keytab:{folder}/keytab\nRequire valid-user\n\
         Header always set X-User \"expr=%{{REMOTE_USER}}\"\n</Directory>\n"
    )
}

/// What a script says beside an Apache with that keytab.
fn with_apache(keytab: &str, script: &str) -> String {
    for program in ["apache2", "curl", "ldapmodify", "kinit"] {
        peers::program(program);
    }
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("pages");
    std::fs::create_dir(&pages).unwrap();
    std::fs::write(pages.join("index.html"), "welcome\n").unwrap();
    // Apache's workers are nobody's in particular.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let conf = folder.path().join("apache.conf");
    std::fs::write(conf, configuration(folder.path())).unwrap();
    let script = format!("KEYTAB={keytab}\n{APACHE}{script}");
    let path = std::env::var("PATH").unwrap();
    let mut command = product::in_lab(&["--service", SERVICE], &script);
    command
        .env("FOLDER", folder.path())
        .env("PATH", format!("{path}:/usr/sbin"));
    let said = Said::of(&mut command, "");
    let errors = std::fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
    assert!(said.good, "{}\n{errors}", said.text);
    said.text
}

#[track_caller]
fn has(text: &str, words: &str) {
    assert!(text.contains(words), "'{words}' is missing in: {text}");
}

#[test]
fn a_ticket_gets_in_and_nothing_else_does() {
    let text = with_apache("$TOMBOLO_LAB_KEYTAB", IN_AND_OUT);
    has(&text, "without a ticket: 401");
    has(
        &text,
        "with a ticket: 200\nX-User: testuser@CORP.CONTOSO.COM",
    );
    has(&text, "HTTP/www.corp.contoso.com@CORP.CONTOSO.COM");
    has(&text, "ticket thrown away: 401");
    has(&text, "disabled: no ticket");
    has(&text, "disabled: 401");
}

#[test]
fn a_keytab_of_another_realm_opens_nothing() {
    // The same names in a house of its own, and so other keys.
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("foreign.keytab");
    let copy = format!("cp \"$TOMBOLO_LAB_KEYTAB\" {}", foreign.display());
    Said::of(&mut product::in_lab(&["--service", SERVICE], &copy), "").well();
    let text = with_apache(&foreign.display().to_string(), FOREIGN_KEYTAB);
    has(&text, "with a ticket that the keytab does not open: 401");
    has(
        &text,
        "HTTP/www.corp.contoso.com@CORP.CONTOSO.COM: kvno = 1",
    );
}
