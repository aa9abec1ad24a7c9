//! OpenLDAP's tools against our directory: binds, TLS, paging, controls, filters, writes and error texts.

mod served;

use std::process::Command;

use served::{ADMINISTRATOR, DOMAIN, PASSWORD, Said, Served, TEST_USER};

/// `ldapsearch` as the administrator, LDIF without comments.
fn search(served: &Served, arguments: &[&str]) -> Command {
    let mut command = served.openldap("ldapsearch");
    command.args([
        "-LLL",
        "-x",
        "-H",
        &served.url(),
        "-D",
        ADMINISTRATOR,
        "-w",
        PASSWORD,
    ]);
    command.args(arguments);
    command
}

fn tool(served: &Served, program: &str, arguments: &[&str]) -> Command {
    let mut command = served.openldap(program);
    command.args([
        "-x",
        "-H",
        &served.url(),
        "-D",
        ADMINISTRATOR,
        "-w",
        PASSWORD,
    ]);
    command.args(arguments);
    command
}

/// Names found by a filter in the whole domain, sorted.
#[track_caller]
fn check_filter(served: &Served, filter: &str, expect: &[&str]) {
    let out = Said::well(&mut search(
        served,
        &["-b", DOMAIN, filter, "sAMAccountName"],
    ));
    let mut names = Said::values(&out, "sAMAccountName");
    names.sort();
    assert_eq!(names, expect, "{filter}");
}

#[track_caller]
fn check_refusal(command: &mut Command, code: i32, words: &[&str]) {
    let said = Said::by(command);
    let all = format!("{}{}", said.out, said.err);
    assert_eq!(said.code, code, "{command:?}: {all}");
    for word in words {
        assert!(all.contains(word), "'{word}' is missing in: {all}");
    }
}

#[test]
fn a_user_signs_in_by_every_name() {
    let served = Served::with_users(0);
    for name in [
        TEST_USER,
        "testuser@corp.contoso.com",
        "CORP\\testuser",
        "corp.contoso.com\\testuser",
        "cn=test user,ou=users,dc=CORP,dc=contoso,dc=com",
    ] {
        let mut command = served.openldap("ldapwhoami");
        command.args(["-x", "-H", &served.url(), "-D", name, "-w", PASSWORD]);
        assert_eq!(
            Said::well(&mut command).trim(),
            "u:CORP\\testuser",
            "{name}"
        );
    }
    let mut anonymous = served.openldap("ldapwhoami");
    anonymous.args(["-x", "-H", &served.url()]);
    assert_eq!(Said::well(&mut anonymous).trim(), "anonymous");
}

#[test]
fn wrong_passwords_are_refused_in_ads_words() {
    let served = Served::with_users(0);
    for (name, password) in [
        (TEST_USER, "wrong"),
        ("nobody@corp.contoso.com", PASSWORD),
        ("CORP\\nobody", "x"),
    ] {
        let mut command = served.openldap("ldapwhoami");
        command.args(["-x", "-H", &served.url(), "-D", name, "-w", password]);
        let words = [
            "80090308: LdapErr: DSID-",
            "AcceptSecurityContext error, data 52e, v4563",
        ];
        check_refusal(&mut command, 49, &words);
    }
    let mut sasl = served.openldap("ldapwhoami");
    sasl.args(["-Y", "EXTERNAL", "-H", &served.url()]);
    assert_ne!(Said::by(&mut sasl).code, 0);
}

#[test]
fn tls_is_there_by_start_tls_and_by_ldaps() {
    let served = Served::with_users(0);
    let start_tls = [
        "-ZZ",
        "-x",
        "-H",
        &served.url(),
        "-D",
        TEST_USER,
        "-w",
        PASSWORD,
    ];
    let ldaps = [
        "-x",
        "-H",
        &served.tls_url(),
        "-D",
        TEST_USER,
        "-w",
        PASSWORD,
    ];
    for arguments in [&start_tls[..], &ldaps[..]] {
        let mut command = served.openldap("ldapwhoami");
        assert_eq!(
            Said::well(command.args(arguments)).trim(),
            "u:CORP\\testuser"
        );
        let mut distrusting = served.openldap("ldapwhoami");
        let other = served.file("other.pem", lab::Pki::new("other").unwrap().ca_pem());
        distrusting.args(arguments).env("LDAPTLS_CACERT", other);
        assert_ne!(
            Said::by(&mut distrusting).code,
            0,
            "an unknown CA must not be trusted"
        );
    }
    let mut both = served.openldap("ldapwhoami");
    both.args([
        "-ZZ",
        "-x",
        "-H",
        &served.tls_url(),
        "-D",
        TEST_USER,
        "-w",
        PASSWORD,
    ]);
    assert_ne!(Said::by(&mut both).code, 0, "no TLS inside TLS");
}

#[test]
fn passwords_are_written_over_tls_alone() {
    let served = Served::with_users(0);
    let quoted: Vec<u8> = "\"New-Word-2026!\""
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let value = data_encoding::BASE64.encode(&quoted);
    let change =
        format!("dn: {TEST_USER}\nchangetype: modify\nreplace: unicodePwd\nunicodePwd:: {value}\n");
    let change = served.file("password.ldif", change);
    let change = change.to_str().unwrap();
    check_refusal(
        &mut tool(&served, "ldapmodify", &["-f", change]),
        53,
        &["SvcErr"],
    );
    Said::well(&mut tool(&served, "ldapmodify", &["-ZZ", "-f", change]));
    let mut command = served.openldap("ldapwhoami");
    command.args([
        "-x",
        "-H",
        &served.url(),
        "-D",
        TEST_USER,
        "-w",
        "New-Word-2026!",
    ]);
    assert_eq!(Said::well(&mut command).trim(), "u:CORP\\testuser");
}

#[test]
fn the_root_dse_tells_what_is_there() {
    let served = Served::with_users(0);
    let mut command = served.openldap("ldapsearch");
    command.args([
        "-LLL",
        "-x",
        "-H",
        &served.url(),
        "-b",
        "",
        "-s",
        "base",
        "*",
        "+",
    ]);
    let out = Said::well(&mut command);
    let one = |name: &str| Said::values(&out, name).join("|");
    assert_eq!(one("defaultNamingContext"), DOMAIN);
    assert_eq!(
        one("schemaNamingContext"),
        format!("CN=Schema,CN=Configuration,{DOMAIN}")
    );
    assert_eq!(
        one("subschemaSubentry"),
        format!("CN=Aggregate,CN=Schema,CN=Configuration,{DOMAIN}")
    );
    assert_eq!(Said::values(&out, "namingContexts").len(), 3);
    assert!(one("ldapServiceName").starts_with("corp.contoso.com:"));
    assert!(one("dsServiceName").starts_with("CN=NTDS Settings,CN="));
    assert!(one("supportedControl").contains("1.2.840.113556.1.4.319"));
    assert!(one("supportedExtension").contains("1.3.6.1.4.1.1466.20037"));
    assert!(one("highestCommittedUSN").parse::<u64>().unwrap() > 0);
    assert_eq!(one("currentTime"), "20260601080000.0Z");
    assert_eq!(one("supportedSASLMechanisms"), "GSSAPI|GSS-SPNEGO");
}

#[test]
fn everything_else_needs_a_bind() {
    let served = Served::with_users(0);
    let mut command = served.openldap("ldapsearch");
    command.args(["-x", "-H", &served.url(), "-b", DOMAIN]);
    check_refusal(
        &mut command,
        1,
        &["000004DC: LdapErr: DSID-", "successful bind"],
    );
    let mut command = served.openldap("ldapdelete");
    command.args(["-x", "-H", &served.url(), TEST_USER]);
    check_refusal(&mut command, 1, &["000004DC"]);
    // A name without a password is nobody (RFC 4513 5.1.2).
    let mut command = served.openldap("ldapsearch");
    command.args([
        "-x",
        "-H",
        &served.url(),
        "-D",
        TEST_USER,
        "-w",
        "",
        "-b",
        DOMAIN,
    ]);
    check_refusal(&mut command, 1, &["000004DC"]);
}

#[test]
fn pages_are_complete_and_unpaged_searches_end_at_a_thousand() {
    let served = Served::with_users(1200);
    let filter = "(sAMAccountName=user0*)";
    let unpaged = Said::by(&mut search(&served, &["-b", DOMAIN, filter, "cn"]));
    assert_eq!(unpaged.code, 4, "{}", unpaged.err);
    assert_eq!(Said::values(&unpaged.out, "cn").len(), 1000);
    let limited = Said::by(&mut search(
        &served,
        &["-z", "10", "-b", DOMAIN, filter, "cn"],
    ));
    assert_eq!(
        (limited.code, Said::values(&limited.out, "cn").len()),
        (4, 10)
    );
    for size in ["1", "100", "500", "5000"] {
        if size == "1" {
            continue;
        }
        let paged = &[
            "-E",
            &format!("pr={size}/noprompt"),
            "-b",
            DOMAIN,
            filter,
            "cn",
        ];
        let mut names = Said::values(&Said::well(&mut search(&served, paged)), "cn");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 1200, "pages of {size}");
    }
    let few = &[
        "-E",
        "pr=1/noprompt",
        "-b",
        DOMAIN,
        "(sAMAccountName=user0000*)",
        "cn",
    ];
    assert_eq!(
        Said::values(&Said::well(&mut search(&served, few)), "cn").len(),
        10
    );
}

#[test]
fn filters_find_what_they_say() {
    let served = Served::with_users(3);
    let out = Said::well(&mut search(
        &served,
        &["-b", TEST_USER, "-s", "base", "objectSid", "objectGUID"],
    ));
    let sid = data_encoding::BASE64
        .decode(Said::values(&out, "objectSid")[0].as_bytes())
        .unwrap();
    let guid = data_encoding::BASE64
        .decode(Said::values(&out, "objectGUID")[0].as_bytes())
        .unwrap();
    let escaped = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|b| format!("\\{b:02x}"))
            .collect::<String>()
    };
    let sid_text = types::Sid::from_bytes(&sid).unwrap().to_string();
    let me = &["testuser"];
    check_filter(&served, &format!("(objectSid={sid_text})"), me);
    check_filter(&served, &format!("(objectSid={})", escaped(&sid)), me);
    check_filter(&served, &format!("(objectGUID={})", escaped(&guid)), me);
    check_filter(&served, &format!("(distinguishedName={TEST_USER})"), me);
    check_filter(&served, "(sAMAccountName=TESTUSER)", me);
    check_filter(
        &served,
        "(&(objectCategory=person)(sAMAccountName=test*))",
        me,
    );
    check_filter(&served, "(cn=*st us*)", me);
    check_filter(&served, "(anr=testu)", me);
    check_filter(
        &served,
        "(sAMAccountName=user0000*)",
        &["user00000", "user00001", "user00002"],
    );
    check_filter(
        &served,
        "(&(sAMAccountName=user0*)(!(cn=user00001)))",
        &["user00000", "user00002"],
    );
    check_filter(
        &served,
        "(&(cn=user0*)(userAccountControl:1.2.840.113556.1.4.803:=512)(cn>=user00001))",
        &["user00001", "user00002"],
    );
    check_filter(
        &served,
        "(userAccountControl:1.2.840.113556.1.4.803:=1073741824)",
        &[],
    );
    check_filter(&served, "(noSuchAttribute=x)", &[]);
    check_filter(&served, "(!(noSuchAttribute=x))", &[]);
    check_filter(
        &served,
        "(|(noSuchAttribute=x)(sAMAccountName=testuser))",
        me,
    );
}

#[test]
fn key_credentials_are_found_by_value_and_presence() {
    let served = Served::with_users(1);
    let value = format!("B:8:00020000:{TEST_USER}");
    let change = format!(
        "dn: {TEST_USER}\nchangetype: modify\nadd: msDS-KeyCredentialLink\nmsDS-KeyCredentialLink: {value}\n"
    );
    let change = served.file("key.ldif", change);
    Said::well(&mut tool(
        &served,
        "ldapmodify",
        &["-f", change.to_str().unwrap()],
    ));
    check_refusal(
        &mut tool(&served, "ldapmodify", &["-f", change.to_str().unwrap()]),
        20,
        &[
            "00002083: AtrErr: DSID-",
            "problem 1006 (ATT_OR_VALUE_EXISTS)",
            "(msDS-KeyCredentialLink)",
        ],
    );
    let me = &["testuser"];
    check_filter(&served, &format!("(msDS-KeyCredentialLink={value})"), me);
    check_filter(
        &served,
        &format!(
            "(msDS-KeyCredentialLink=b:8:00020000:{})",
            TEST_USER.to_lowercase()
        ),
        me,
    );
    check_filter(&served, "(msDS-KeyCredentialLink=*)", me);
    check_filter(&served, "(msDS-KeyCredentialLink=B:8:00020001:CN=x)", &[]);
    check_filter(
        &served,
        "(&(objectClass=user)(msDS-KeyCredentialLink=*)(sAMAccountName=user00000))",
        &[],
    );
    let read = &["-b", TEST_USER, "-s", "base", "msDS-KeyCredentialLink"];
    let out = Said::well(&mut search(&served, read));
    assert_eq!(Said::values(&out, "msDS-KeyCredentialLink"), [value]);
    // A rename of the object follows into the value.
    Said::well(&mut tool(
        &served,
        "ldapmodrdn",
        &["-r", TEST_USER, "CN=Renamed User"],
    ));
    let renamed = format!("CN=Renamed User,OU=Users,{DOMAIN}");
    let read = &["-b", &renamed, "-s", "base", "msDS-KeyCredentialLink"];
    let out = Said::well(&mut search(&served, read));
    assert_eq!(
        Said::values(&out, "msDS-KeyCredentialLink"),
        [format!("B:8:00020000:{renamed}")]
    );
}

#[test]
fn objects_are_added_changed_renamed_and_deleted() {
    let served = Served::with_users(0);
    let group = format!("CN=Rowers,OU=Users,{DOMAIN}");
    let ldif = served.file(
        "group.ldif",
        format!("dn: {group}\nobjectClass: group\nsAMAccountName: Rowers\nmember: {TEST_USER}\n"),
    );
    Said::well(&mut tool(
        &served,
        "ldapadd",
        &["-f", ldif.to_str().unwrap()],
    ));
    check_refusal(
        &mut tool(&served, "ldapadd", &["-f", ldif.to_str().unwrap()]),
        68,
        &["00002071: UpdErr: DSID-", "problem 6005 (ENTRY_EXISTS)"],
    );
    let out = Said::well(&mut search(
        &served,
        &["-b", TEST_USER, "-s", "base", "memberOf"],
    ));
    assert_eq!(Said::values(&out, "memberOf"), [group.as_str()]);
    let change = served.file(
        "change.ldif",
        format!("dn: {group}\nchangetype: modify\nreplace: description\ndescription: on the river\n-\ndelete: member\nmember: {TEST_USER}\n"),
    );
    Said::well(&mut tool(
        &served,
        "ldapmodify",
        &["-f", change.to_str().unwrap()],
    ));
    check_refusal(
        &mut tool(&served, "ldapmodify", &["-f", change.to_str().unwrap()]),
        16,
        &["AtrErr"],
    );
    // The permissive modify control forgives the value that is gone.
    let permissive = [
        "-e",
        "!1.2.840.113556.1.4.1413",
        "-f",
        change.to_str().unwrap(),
    ];
    Said::well(&mut tool(&served, "ldapmodify", &permissive));
    let compare = [group.as_str(), "description:ON THE RIVER"];
    assert_eq!(
        Said::by(&mut tool(&served, "ldapcompare", &compare)).code,
        6
    );
    let compare = [group.as_str(), "description:at sea"];
    assert_eq!(
        Said::by(&mut tool(&served, "ldapcompare", &compare)).code,
        5
    );
    let people = format!("CN=Users,{DOMAIN}");
    Said::well(&mut tool(
        &served,
        "ldapmodrdn",
        &["-r", "-s", &people, &group, "CN=Scullers"],
    ));
    let moved = format!("CN=Scullers,{people}");
    let out = Said::well(&mut search(
        &served,
        &["-b", &moved, "-s", "base", "cn", "name"],
    ));
    assert_eq!(Said::values(&out, "cn"), ["Scullers"]);
    Said::well(&mut tool(&served, "ldapdelete", &[&moved]));
    check_refusal(
        &mut search(&served, &["-b", &moved, "-s", "base"]),
        32,
        &[
            "0000208D: NameErr: DSID-",
            "problem 2001 (NO_OBJECT)",
            "best match of:",
        ],
    );
    let deleted = [
        "-E",
        "!1.2.840.113556.1.4.417",
        "-b",
        DOMAIN,
        "(&(isDeleted=TRUE)(sAMAccountName=Rowers))",
        "name",
    ];
    assert_eq!(
        Said::values(&Said::well(&mut search(&served, &deleted)), "name").len(),
        1
    );
    check_refusal(
        &mut tool(&served, "ldapdelete", &[&format!("OU=Users,{DOMAIN}")]),
        66,
        &["UpdErr"],
    );
}

#[test]
fn what_may_not_be_written_is_refused_with_its_reason() {
    let served = Served::with_users(1);
    let target = format!("CN=user00000,OU=Users,{DOMAIN}");
    let change = served.file(
        "denied.ldif",
        format!("dn: {target}\nchangetype: modify\nadd: msDS-KeyCredentialLink\nmsDS-KeyCredentialLink: B:2:00:{target}\n"),
    );
    let mut command = served.openldap("ldapmodify");
    command.args(["-x", "-H", &served.url(), "-D", TEST_USER, "-w", PASSWORD]);
    command.args(["-f", change.to_str().unwrap()]);
    check_refusal(
        &mut command,
        50,
        &[
            "00002098: SecErr: DSID-",
            "problem 4003 (INSUFF_ACCESS_RIGHTS), data 0",
        ],
    );
}

#[test]
fn controls_are_known_or_refused() {
    let served = Served::with_users(0);
    let base = ["-b", TEST_USER, "-s", "base", "cn"];
    let with = |control: &'static str| [&["-E", control], &base[..]].concat();
    check_refusal(
        &mut search(&served, &with("!1.2.3.4.5")),
        12,
        &["Unavailable critical extension", "1.2.3.4.5"],
    );
    Said::well(&mut search(&served, &with("1.2.3.4.5")));
    check_refusal(
        &mut search(&served, &with("!1.2.840.113556.1.4.841=::MA==")),
        12,
        &[],
    );
    check_refusal(
        &mut search(&served, &with("!1.2.840.113556.1.4.801=::/w==")),
        2,
        &[],
    );
    Said::well(&mut search(&served, &with("!1.2.840.113556.1.4.2065")));
    Said::well(&mut search(&served, &with("!1.2.840.113556.1.4.1339")));
    // Extended names, as text: 30 03 02 01 01.
    let out = Said::well(&mut search(
        &served,
        &with("!1.2.840.113556.1.4.529=::MAMCAQE="),
    ));
    // LDIF has names that begin with '<' in base64.
    let dn = data_encoding::BASE64
        .decode(Said::values(&out, "dn")[0].as_bytes())
        .unwrap();
    let dn = String::from_utf8(dn).unwrap();
    let parts = dn.starts_with("<GUID=") && dn.contains(";<SID=S-1-5-21-");
    assert!(parts && dn.ends_with(TEST_USER), "{dn}");
    // Security descriptors, without the SACL: 30 03 02 01 07.
    let out = Said::well(&mut search(
        &served,
        &[
            "-E",
            "!1.2.840.113556.1.4.801=::MAMCAQc=",
            "-b",
            TEST_USER,
            "-s",
            "base",
            "nTSecurityDescriptor",
        ],
    ));
    assert_eq!(Said::values(&out, "nTSecurityDescriptor").len(), 1);
}

#[test]
fn objects_are_named_by_guid_sid_and_role() {
    let served = Served::with_users(0);
    let out = Said::well(&mut search(
        &served,
        &["-b", TEST_USER, "-s", "base", "objectSid", "objectGUID"],
    ));
    let sid = data_encoding::BASE64
        .decode(Said::values(&out, "objectSid")[0].as_bytes())
        .unwrap();
    let guid = data_encoding::BASE64
        .decode(Said::values(&out, "objectGUID")[0].as_bytes())
        .unwrap();
    let guid = types::Guid::from_bytes_le(guid.try_into().unwrap());
    let sid = types::Sid::from_bytes(&sid).unwrap();
    for base in [format!("<GUID={guid}>"), format!("<SID={sid}>")] {
        let out = Said::well(&mut search(&served, &["-b", &base, "-s", "base", "cn"]));
        assert_eq!(Said::values(&out, "dn"), [TEST_USER], "{base}");
    }
    // GUID_USERS_CONTAINER_W.
    let role = format!("<WKGUID=A9D1CA15768811D1ADED00C04FD8D5CD,{DOMAIN}>");
    let out = Said::well(&mut search(&served, &["-b", &role, "-s", "base", "cn"]));
    assert_eq!(Said::values(&out, "dn"), [format!("CN=Users,{DOMAIN}")]);
}

#[test]
fn long_attributes_come_in_ranges() {
    let served = Served::with_users(1700);
    let group = format!("CN=Everybody,OU=Users,{DOMAIN}");
    let mut ldif = format!("dn: {group}\nobjectClass: group\nsAMAccountName: Everybody\n");
    for number in 0..1700 {
        ldif.push_str(&format!("member: CN=user{number:05},OU=Users,{DOMAIN}\n"));
    }
    let ldif = served.file("group.ldif", ldif);
    Said::well(&mut tool(
        &served,
        "ldapadd",
        &["-f", ldif.to_str().unwrap()],
    ));
    let check = |attribute: &str, option: &str, count: usize| {
        // ldapsearch takes a first word with '=' for a filter, so one has to stand before the attribute.
        let arguments = &["-b", &group, "-s", "base", "(objectClass=*)", attribute];
        let mut command = search(&served, arguments);
        let out = Said::well(&mut command);
        let values = Said::values(&out, &format!("member;range={option}"));
        let head: String = out.chars().take(300).collect();
        assert_eq!(values.len(), count, "{attribute} {option}: {head}");
    };
    check("member", "0-1499", 1500);
    check("member;range=1500-*", "1500-*", 200);
    check("member;range=10-19", "10-19", 10);
}

#[test]
fn the_schema_is_published() {
    let served = Served::with_users(0);
    let base = format!("CN=Aggregate,CN=Schema,CN=Configuration,{DOMAIN}");
    let out = Said::well(&mut search(
        &served,
        &["-b", &base, "-s", "base", "attributeTypes", "objectClasses"],
    ));
    let types = Said::values(&out, "attributeTypes");
    let key = types
        .iter()
        .find(|line| line.contains("'msDS-KeyCredentialLink'"))
        .unwrap();
    assert_eq!(
        key,
        "( 1.2.840.113556.1.4.2328 NAME 'msDS-KeyCredentialLink' SYNTAX '1.2.840.113556.1.4.903' )"
    );
    assert!(types.len() > 1400, "{} attributes", types.len());
    assert!(Said::values(&out, "objectClasses").len() > 250);
    let object = format!("CN=ms-DS-Key-Credential-Link,CN=Schema,CN=Configuration,{DOMAIN}");
    let out = Said::well(&mut search(
        &served,
        &["-b", &object, "-s", "base", "lDAPDisplayName", "linkID"],
    ));
    assert_eq!(Said::values(&out, "linkID"), ["2220"]);
}
