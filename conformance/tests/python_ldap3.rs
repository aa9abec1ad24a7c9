//! python ldap3 with the whole schema: it refuses any attribute that the subschema does not name, so this judges
//! the rootDSE and `CN=Aggregate` as much as searches and writes.

mod served;

use std::process::Command;

use served::{DOMAIN, PASSWORD, Said, Served, TEST_USER};

fn check(served: &Served, script: &str) -> String {
    let preamble = format!(
        r#"
import ssl
from ldap3 import *
from ldap3.core.exceptions import *
from ldap3.utils.conv import escape_bytes
DOMAIN = {DOMAIN:?}
USER = {TEST_USER:?}
PASSWORD = {PASSWORD:?}
tls = Tls(validate=ssl.CERT_REQUIRED, ca_certs_file={ca:?}, version=ssl.PROTOCOL_TLS_CLIENT)
server = Server('127.0.0.1', port={plain}, get_info=ALL, tls=tls)
secure = Server('127.0.0.1', port={tls}, use_ssl=True, get_info=ALL, tls=tls)
def connect(server=server, user='administrator@corp.contoso.com', **more):
    return Connection(server, user=user, password=PASSWORD, auto_bind=True, raise_exceptions=False, **more)
"#,
        ca = served.ca().display().to_string(),
        plain = served.plain.port(),
        tls = served.tls.port(),
    );
    let file = served.file("judge.py", format!("{preamble}\n{script}"));
    Said::well(Command::new(conformance::peers::python()).arg(file))
}

#[test]
fn it_reads_the_whole_schema_and_knows_an_active_directory() {
    let served = Served::with_users(0);
    let out = check(
        &served,
        r#"
c = connect()
assert server.info.other['defaultNamingContext'] == [DOMAIN]
assert 'msDS-KeyCredentialLink' in server.schema.attribute_types
assert server.schema.attribute_types['cn'].single_value
assert 'user' in server.schema.object_classes
assert 'sAMAccountName' in server.schema.object_classes['securityPrincipal'].must_contain
assert server.schema.object_classes['user'].superior == ['organizationalPerson']
assert c.extend.standard.who_am_i() == 'u:CORP\\Administrator', c.extend.standard.who_am_i()
print(len(server.schema.attribute_types), len(server.schema.object_classes))
"#,
    );
    let counts: Vec<usize> = out.split_whitespace().map(|n| n.parse().unwrap()).collect();
    assert!(counts[0] > 1400 && counts[1] > 250, "{counts:?}");
}

#[test]
fn it_adds_modifies_searches_and_pages() {
    let served = Served::with_users(250);
    check(
        &served,
        r#"
c = connect()
ada = 'CN=Ada,OU=Users,' + DOMAIN
assert c.add(ada, ['user'], {'sAMAccountName': 'ada', 'displayName': 'Ada'}), c.result
key = 'B:8:00020000:' + ada
assert c.modify(ada, {'msDS-KeyCredentialLink': [(MODIFY_REPLACE, [key])]}), c.result
assert c.search(DOMAIN, '(sAMAccountName=ada)', attributes=ALL_ATTRIBUTES), c.result
entry = c.entries[0]
assert entry['msDS-KeyCredentialLink'].value == key or key in str(entry['msDS-KeyCredentialLink'].value), entry
assert str(entry['objectSid'].value).startswith('S-1-5-21-'), entry['objectSid'].value
raw = entry['objectSid'].raw_values[0]
assert c.search(DOMAIN, '(objectSid=%s)' % escape_bytes(raw), attributes=['cn']) and len(c.entries) == 1
assert c.modify(ada, {'msDS-KeyCredentialLink': [(MODIFY_REPLACE, [])]}), c.result
found = list(c.extend.standard.paged_search(DOMAIN, '(sAMAccountName=user0*)', attributes=['cn'], paged_size=60, generator=True))
assert len([e for e in found if e['type'] == 'searchResEntry']) == 250, len(found)
assert c.modify_dn(ada, 'CN=Ada Lovelace'), c.result
assert c.delete('CN=Ada Lovelace,OU=Users,' + DOMAIN), c.result
assert not c.delete(ada) and c.result['result'] == 32, c.result
try:
    c.search(DOMAIN, '(cn=x)', attributes=['noSuchAttribute'])
    raise SystemExit('an attribute outside the schema was let through')
except LDAPAttributeError:
    pass
"#,
    );
}

#[test]
fn it_signs_in_over_tls_and_is_refused_in_ads_words() {
    let served = Served::with_users(0);
    check(
        &served,
        r#"
assert connect(secure).extend.standard.who_am_i() == 'u:CORP\\Administrator'
late = Connection(server, user='CORP\\testuser', password=PASSWORD, auto_bind=AUTO_BIND_TLS_BEFORE_BIND)
assert late.extend.standard.who_am_i() == 'u:CORP\\testuser'
late.extend.microsoft.modify_password
c = connect(secure)
assert c.extend.microsoft.modify_password(USER, 'Another-Word-2026!'), c.result
assert Connection(server, user=USER, password='Another-Word-2026!').bind()
wrong = Connection(server, user=USER, password='wrong')
assert not wrong.bind()
assert wrong.result['result'] == 49 and 'data 52e' in wrong.result['message'], wrong.result
ntlm = Connection(server, user='CORP\\testuser', password=PASSWORD, authentication=NTLM)
try:
    assert not ntlm.bind()
except LDAPException:
    pass
"#,
    );
}
