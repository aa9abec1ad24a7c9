//! A house in a network of its own, and a command inside of it: the names and ports that the world knows, the files
//! and variables by which clients find them, and an end for whatever the command left running.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use kerberos::files::Keytab;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, waitpid};
use tokio::signal::unix::{SignalKind, signal};

use crate::namespace;
use crate::people::TEST_USER;
use crate::responder::{self, Zone};
use crate::{Error, House};

/// What a command finds in its environment, and where the files behind it are.
#[derive(Debug)]
pub struct Surroundings {
    /// The variables.
    pub variables: Vec<(&'static str, OsString)>,
}

/// Lays out names and files for a house that was started inside [`namespace::enter`], on
/// [`Ports::WELL_KNOWN`](crate::Ports::WELL_KNOWN). `hosts` are further names that lead to it; `services` join the domain.
pub fn furnish(
    house: &House,
    hosts: &[String],
    services: &[String],
) -> Result<Surroundings, Error> {
    let (domain, server) = (house.dns_domain(), house.server());
    responder::start(Zone::new(domain, server, hosts))?;
    replace_names(house, hosts)?;
    let place = |name: &str| house.state().join(name);
    let configuration = krb5_configuration(house)?;
    let user = house.account(TEST_USER)?;
    let (administrator, administrator_password) = house.administrator();
    let text = |text: &str| OsString::from(text);
    let file = |name: &str| place(name).into_os_string();
    let cache = |name: &str| {
        let mut value = OsString::from("FILE:");
        value.push(place(name));
        value
    };
    let mut variables = vec![
        ("TOMBOLO_LAB_REALM", text(house.realm())),
        ("TOMBOLO_LAB_DOMAIN", text(domain)),
        ("TOMBOLO_LAB_BASE_DN", text(&house.domain_dn().to_string())),
        ("TOMBOLO_LAB_SERVER", text(server)),
        ("TOMBOLO_LAB_CLOUD", text(&house.cloud_origin())),
        ("TOMBOLO_LAB_STATE", house.state().into()),
        ("TOMBOLO_LAB_KDC_LOG", house.kdc_log().path().into()),
        ("TOMBOLO_LAB_USER", text(TEST_USER.account)),
        ("TOMBOLO_LAB_USER_DN", text(&user.dn)),
        ("TOMBOLO_LAB_PASSWORD", text(user.password.expose())),
        ("TOMBOLO_LAB_ADMIN", text(&administrator)),
        (
            "TOMBOLO_LAB_ADMIN_PASSWORD",
            text(administrator_password.expose()),
        ),
        ("TOMBOLO_LAB_KEY", text(&house.addresses().key.to_string())),
        ("TOMBOLO_LAB_KEY_PIN", text(house.key_pin().expose())),
        ("KRB5_CONFIG", configuration.into()),
        ("KRB5CCNAME", cache("tickets")),
        ("LDAPTLS_CACERT", file("ca.pem")),
        // On loopback OpenLDAP would otherwise ask for a ticket for the machine's own name.
        ("LDAPSASL_NOCANON", text("on")),
        ("CURL_CA_BUNDLE", file("ca.pem")),
        ("SSL_CERT_FILE", file("ca.pem")),
        ("REQUESTS_CA_BUNDLE", file("ca.pem")),
    ];
    if !services.is_empty() {
        write_keytab(house, services, &place("service.keytab"))?;
        variables.push(("TOMBOLO_LAB_KEYTAB", file("service.keytab")));
        variables.push(("KRB5_KTNAME", cache("service.keytab")));
    }
    Ok(Surroundings { variables })
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Error> {
    fs::write(path, content).map_err(Error::io(format!("cannot write {}", path.display())))
}

/// The files that resolvers read. Where the machine has none, nothing reads it either.
fn replace_names(house: &House, others: &[String]) -> Result<(), Error> {
    let (domain, server) = (house.dns_domain(), house.server());
    let mut hosts = format!("127.0.0.1 localhost\n::1 localhost\n127.0.0.1 {server} {domain}\n");
    hosts.push_str(&format!("127.0.0.1 login.{domain}\n"));
    for other in others {
        hosts.push_str(&format!("127.0.0.1 {other}\n"));
    }
    let resolv = format!("nameserver 127.0.0.1\nsearch {domain}\noptions timeout:2 attempts:1\n");
    let nsswitch = Path::new("/etc/nsswitch.conf");
    // A resolver that is reached over a socket file (systemd-resolved) belongs to the machine's network.
    let switch: String = fs::read_to_string(nsswitch)
        .unwrap_or_default()
        .lines()
        .map(|line| match line.trim_start().starts_with("hosts:") {
            true => "hosts: files dns\n".to_owned(),
            false => format!("{line}\n"),
        })
        .collect();
    for (place, content) in [
        (Path::new("/etc/hosts"), hosts),
        (Path::new("/etc/resolv.conf"), resolv),
        (nsswitch, switch),
    ] {
        if !place.exists() {
            continue;
        }
        let name = place.file_name().unwrap_or_default();
        let own = house.state().join(name);
        write(&own, content)?;
        put_in_place(&own, place)?;
    }
    Ok(())
}

/// The configuration of Kerberos, in the place of the machine's where it has one: what runs inside as somebody else
/// cannot look into the house's directory.
fn krb5_configuration(house: &House) -> Result<PathBuf, Error> {
    let own = house.state().join("shell-krb5.conf");
    write(&own, krb5_conf(house, &house.state().join("ca.pem")))?;
    let place = Path::new("/etc/krb5.conf");
    if !place.exists() {
        return Ok(own);
    }
    put_in_place(&own, place)?;
    Ok(place.to_owned())
}

/// Services inside may run as somebody else: all may read it.
fn put_in_place(own: &Path, place: &Path) -> Result<(), Error> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(own, mode)
        .map_err(Error::io(format!("cannot open {} to all", own.display())))?;
    namespace::replace(place, own)
}

/// Unlike the house's own krb5.conf, this one names no KDC: clients find it as they find a domain's, by DNS.
fn krb5_conf(house: &House, anchors: &Path) -> String {
    let (realm, dns) = (house.realm(), house.dns_domain());
    format!(
        "# The realm of this lab: its KDC is found by its SRV records.\n\
         [libdefaults]\n default_realm = {realm}\n dns_lookup_kdc = true\n dns_lookup_realm = false\n \
         dns_canonicalize_hostname = false\n rdns = false\n\
         [realms]\n {realm} = {{\n  pkinit_anchors = FILE:{anchors}\n  pkinit_kdc_hostname = {server}\n }}\n\
         [domain_realm]\n {dns} = {realm}\n .{dns} = {realm}\n",
        anchors = anchors.display(),
        server = house.server(),
    )
}

fn write_keytab(house: &House, services: &[String], path: &Path) -> Result<(), Error> {
    let mut all = Keytab::default();
    for service in services {
        all.entries.extend(house.join_service(service)?.entries);
    }
    let bytes = all
        .encode()
        .map_err(|error| Error::Story(format!("no keytab: {error}")))?;
    write(path, bytes)
}

/// Starts a command, waits for it, and ends what it left running. Ctrl-C is the command's affair; a request to end is
/// passed on to it. `meanwhile` is called twice a second, and once at the end.
pub fn attend(
    spawn: impl FnOnce() -> io::Result<Child>,
    meanwhile: &mut dyn FnMut(),
) -> io::Result<ExitStatus> {
    // Whoever loses its parent becomes a child of ours, so that it can be found.
    set_child_subreaper(Some(rustix::process::getpid()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let status = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut quit = signal(SignalKind::quit())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut tick = tokio::time::interval(MEANWHILE_EVERY);
        let mut child = spawn()?;
        let pid = Pid::from_child(&child);
        let mut waiting = tokio::task::spawn_blocking(move || child.wait());
        // A command that has just ended hears nothing any more.
        let pass_on = |signal| {
            let _ = kill_process(pid, signal);
        };
        loop {
            tokio::select! {
                ended = &mut waiting => return ended.map_err(io::Error::other)?,
                // The terminal tells the command as well.
                _ = interrupt.recv() => (),
                _ = quit.recv() => (),
                _ = terminate.recv() => pass_on(Signal::TERM),
                _ = hang_up.recv() => pass_on(Signal::HUP),
                _ = tick.tick() => meanwhile(),
            }
        }
    });
    end_the_rest();
    meanwhile();
    status
}

const MEANWHILE_EVERY: Duration = Duration::from_millis(500);

/// The exit code of a shell: the command's own, or 128 and the signal that ended it.
pub fn exit_code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX)
}

/// Asks the processes that are left to end, and ends those that do not. Each one's children become ours in turn.
fn end_the_rest() {
    let began = Instant::now();
    loop {
        while let Ok(Some(_)) = waitpid(None, WaitOptions::NOHANG) {}
        let left = children();
        if left.is_empty() || began.elapsed() > GRACE * 2 {
            return;
        }
        let signal = if began.elapsed() < GRACE {
            Signal::TERM
        } else {
            Signal::KILL
        };
        for pid in left {
            // It may have ended by itself.
            let _ = kill_process(pid, signal);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

const GRACE: Duration = Duration::from_secs(2);

/// The processes whose parent this one is, by `/proc/PID/stat` (proc(5)): the parent comes after the state, which
/// comes after the name in parentheses.
fn children() -> Vec<Pid> {
    let own = rustix::process::getpid().as_raw_nonzero().to_string();
    let is_child = |stat: &Path| {
        let line = fs::read_to_string(stat).unwrap_or_default();
        let after_name = line.rsplit_once(')').map(|(_, rest)| rest);
        after_name.and_then(|rest| rest.split_whitespace().nth(1)) == Some(own.as_str())
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|folder| is_child(&folder.join("stat")))
        .filter_map(|folder: PathBuf| folder.file_name()?.to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .collect()
}
