//! A file server of the lab's domain: Samba's smbd and winbindd as a member open the ticket with the keytab of the
//! directory's account, take the PAC for genuine, and give the user the groups that it names.
//!
//! Samba's own join wants the remote procedure calls of a domain controller, which ours does not have. So the member is
//! told the domain's SID by hand, and asks nobody: all it learns of a user stands in the PAC.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

use conformance::{Said, peers, product};

const SERVICE: &str = "cifs/fs1.corp.contoso.com";

/// The member's secrets, as `net ads join` leaves them: the domain's SID (struct dom_sid), a password that nobody asks
/// for, the kind of account (a workstation's, 2), and when the password was set.
const SECRETS: &str = r#"
import base64, os, struct, sys, tdb
sid = base64.b64decode(sys.argv[1])
secrets = tdb.open("/lab/private/secrets.tdb", 0, tdb.DEFAULT, os.O_RDWR | os.O_CREAT, 0o600)
for name, value in (
    (b"SID", sid.ljust(68, b"\0")),
    (b"MACHINE_PASSWORD", b"nobody-asks-for-it\0"),
    (b"MACHINE_SEC_CHANNEL_TYPE", struct.pack("<I", 2)),
    (b"MACHINE_LAST_CHANGE_TIME", struct.pack("<I", 1760000000)),
):
    secrets.store(b"SECRETS/" + name + b"/CORP", value)
"#;

const CONFIGURATION: &str = "\
[global]
workgroup = CORP
realm = CORP.CONTOSO.COM
netbios name = FS1
server role = member server
security = ads
kerberos method = dedicated keytab
dedicated keytab file = FILE:/lab/keytab
ntlm auth = disabled
interfaces = 127.0.0.1
bind interfaces only = yes
smb ports = 445
private dir = /lab/private
lock directory = /lab/lock
state directory = /lab/state
cache directory = /lab/cache
pid directory = /lab
ncalrpc dir = /lab/ncalrpc
log file = /lab/log
log level = 1 winbind:10 auth:3
load printers = no
disable spoolss = yes
idmap config * : backend = tdb
idmap config * : range = 3000-7999
idmap config CORP : backend = rid
idmap config CORP : range = 100000-999999
";

/// smbd and winbindd in Samba's own root, with the folder as its /lab. `reads` tells whether somebody reads a share.
const MEMBER: &str = r#"
set -e
umask 022
cp "$KEYTAB" "$FOLDER/keytab"
cp /etc/hosts /etc/resolv.conf /etc/krb5.conf "$FOLDER"
mount -t tmpfs tmpfs "$ROOT/run"
mount -t tmpfs tmpfs "$ROOT/tmp"
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
mount --bind "$FOLDER" "$ROOT/lab"
mount --bind "$FOLDER/hosts" "$ROOT/etc/hosts"
mount --bind "$FOLDER/resolv.conf" "$ROOT/etc/resolv.conf"
mkdir "$ROOT/run/samba"
sid_of() { ldapsearch -LLL -o ldif-wrap=no -x -H ldaps://dc1.corp.contoso.com -D "$TOMBOLO_LAB_ADMIN" \
  -w "$TOMBOLO_LAB_ADMIN_PASSWORD" -b "$TOMBOLO_LAB_BASE_DN" "$@" objectSid | sed -n 's/^objectSid:: //p'; }
part() { base64 -d | od -An -tu4 -j"$1" -N4 | tr -d ' '; }
sid=$(sid_of -s base)
name="S-1-5-21-$(echo "$sid" | part 12)-$(echo "$sid" | part 16)-$(echo "$sid" | part 20)"
for share in users:513 admins:512; do
  printf '[%s]\npath = /lab/share\nread only = yes\nvalid users = %s\n' "${share%:*}" "$name-${share#*:}"
done >> "$FOLDER/smb.conf"
# The accounts of the system behind the domain's, with the numbers that winbindd gives them.
{
  cat "$ROOT/etc/passwd"
  for user in testuser administrator; do
    rid=$(sid_of "(sAMAccountName=$user)" | part 24)
    echo "CORP?$user:x:$((100000 + rid)):65534::/:/bin/false" | tr '?' '\\'
  done
} > "$FOLDER/passwd"
mount --bind "$FOLDER/passwd" "$ROOT/etc/passwd"
# Samba's servers end with their whole process group, which must not be the test's.
inside() { setsid -w chroot "$ROOT" env -u LDAPTLS_CACERT KRB5_CONFIG=/lab/krb5.conf "$@"; }
wait_for() { for try in $(seq 200); do eval "$1" && return 0; sleep 0.1; done; echo "no $1"; exit 1; }
inside python3 /lab/secrets.py "$sid"
inside winbindd --foreground --no-process-group -s /lab/smb.conf > "$FOLDER/told" 2>&1 &
wait_for '[ -S "$ROOT/run/samba/winbindd/pipe" ]'
inside smbd --foreground --no-process-group -s /lab/smb.conf >> "$FOLDER/told" 2>&1 &
wait_for 'grep -q ":01BD 00000000:0000 0A" /proc/net/tcp'
reads() {
  echo "$1 in $2: $(smbclient -s "$FOLDER/client.conf" --use-kerberos=required --use-krb5-ccache="$KRB5CCNAME" \
    "//fs1.corp.contoso.com/$2" -c 'get hello.txt -' 2>&1 | tr '\n' ' ')"
}
"#;

const WHO_READS_WHAT: &str = r#"
reads 'no ticket' users
echo "$TOMBOLO_LAB_PASSWORD" | kinit testuser
reads testuser users
reads testuser admins
klist
kdestroy
echo "$TOMBOLO_LAB_ADMIN_PASSWORD" | kinit Administrator
reads administrator admins
"#;

const FOREIGN_KEYTAB: &str = r#"
echo "$TOMBOLO_LAB_PASSWORD" | kinit testuser
reads testuser users
"#;

/// What a script says beside a member with that keytab, and what the member says.
fn with_member(keytab: &str, script: &str) -> (String, String) {
    for program in ["smbclient", "kinit", "ldapsearch"] {
        peers::program(program);
    }
    let smbd = peers::unpacked("samba-424/usr/sbin/smbd");
    let root = smbd.ancestors().nth(3).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    for name in ["share", "private", "lock", "state", "cache", "ncalrpc"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    file("share/hello.txt", "hello by ticket\n");
    file("smb.conf", CONFIGURATION);
    file("secrets.py", SECRETS);
    let private = folder.path().join("private");
    file(
        "client.conf",
        &format!(
            "[global]\nworkgroup = CORP\nrealm = CORP.CONTOSO.COM\nprivate dir = {0}\nlock directory = {0}\n\
             state directory = {0}\ncache directory = {0}\n",
            private.display()
        ),
    );
    let script = format!("KEYTAB={keytab}\n{MEMBER}{script}");
    let mut command = product::in_lab(&["--service", SERVICE], &script);
    command.env("FOLDER", folder.path()).env("ROOT", root);
    let said = Said::of(&mut command, "");
    let log = ["told", "log"]
        .map(|name| std::fs::read(folder.path().join(name)).unwrap_or_default())
        .concat();
    let log = String::from_utf8_lossy(&log).into_owned();
    assert!(said.good, "{}\n{log}", said.text);
    (said.text, log)
}

#[track_caller]
fn has(text: &str, words: &str) {
    assert!(text.contains(words), "'{words}' is missing in: {text}");
}

#[test]
fn a_ticket_opens_the_shares_of_the_groups_in_its_pac() {
    let (text, log) = with_member("$TOMBOLO_LAB_KEYTAB", WHO_READS_WHAT);
    has(&text, "testuser in users: hello by ticket");
    has(
        &text,
        "testuser in admins: tree connect failed: NT_STATUS_ACCESS_DENIED",
    );
    has(&text, "administrator in admins: hello by ticket");
    has(&text, "cifs/fs1.corp.contoso.com@CORP.CONTOSO.COM");
    let none = text.lines().find(|line| line.starts_with("no ticket"));
    assert!(!none.unwrap().contains("hello"), "{text}");
    has(&log, "primed cache");
}

#[test]
fn a_keytab_of_another_realm_opens_nothing() {
    // The same names in a house of its own, and so other keys.
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("foreign.keytab");
    let copy = format!("cp \"$TOMBOLO_LAB_KEYTAB\" {}", foreign.display());
    Said::of(&mut product::in_lab(&["--service", SERVICE], &copy), "").well();
    let (text, _) = with_member(&foreign.display().to_string(), FOREIGN_KEYTAB);
    has(
        &text,
        "testuser in users: session setup failed: NT_STATUS_LOGON_FAILURE",
    );
}
