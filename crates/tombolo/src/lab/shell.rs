//! `tombolo lab shell`: a command inside the lab's own network.

const AFTER_HELP: &str = "\
The house gets a network of its own, in which only loopback exists, with the ports and names that clients know:
dc1.corp.contoso.com (Kerberos 88, password change 464, LDAP 389 and 636), login.corp.contoso.com (443), the service
records of the domain, and any other host of it. CMD runs inside; without CMD, your $SHELL. Nothing of the machine's
network or of its /etc is touched, and nothing is left when CMD ends. Works as root, and as anybody else where the
kernel allows user namespaces (CMD then sees itself as root, which it is in there alone).

CMD finds:
  TOMBOLO_LAB_USER, TOMBOLO_LAB_PASSWORD        testuser, and its password
  TOMBOLO_LAB_ADMIN, TOMBOLO_LAB_ADMIN_PASSWORD the domain's administrator
  TOMBOLO_LAB_REALM, _DOMAIN, _BASE_DN, _SERVER, _CLOUD, _USER_DN, _KEY, _KEY_PIN
  TOMBOLO_LAB_STATE                             files of the house (ca.pem, sync.toml, tokens, changes.jsonl)
  TOMBOLO_LAB_KDC_LOG                           what the KDC says of each request
  TOMBOLO_LAB_KEYTAB, KRB5_KTNAME               the keys of the --service options
  KRB5_CONFIG, KRB5CCNAME, LDAPTLS_CACERT, CURL_CA_BUNDLE, SSL_CERT_FILE, REQUESTS_CA_BUNDLE

Examples:
  tombolo lab shell
  tombolo lab shell -- sh -c 'echo \"$TOMBOLO_LAB_PASSWORD\" | kinit testuser && klist'
  tombolo lab shell -- sh -c 'echo \"$TOMBOLO_LAB_PASSWORD\" | kinit testuser && ldapsearch -LLL -Y GSSAPI \\
      -H ldap://dc1.corp.contoso.com -b \"$TOMBOLO_LAB_BASE_DN\" \"(sAMAccountName=testuser)\" memberOf'
  tombolo lab shell --service HTTP/www.corp.contoso.com -- sh -c 'klist -k \"$TOMBOLO_LAB_KEYTAB\"'
  tombolo lab shell -- sh -c 'tombolo sync run --config \"$TOMBOLO_LAB_STATE/sync.toml\"'

Exit codes:
  the command's own; 128 and the signal's number where a signal ended it
  3    the lab could not be built
  126  the command could not be started
  127  the command was not found";

/// Run a command inside the lab, with Kerberos, LDAP and DNS on the ports and names that clients know
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Command {
    /// A service that joins the domain: `HTTP/www.corp.contoso.com` (again for more); its keys are in a keytab
    #[arg(long, value_name = "CLASS/HOST")]
    service: Vec<String>,

    /// A further name that leads to the lab (again for more)
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,

    /// The command and its arguments; without one, $SHELL
    #[arg(last = true, value_name = "CMD")]
    command: Vec<std::ffi::OsString>,
}

#[cfg(target_os = "linux")]
pub(super) use inside::run;

#[cfg(not(target_os = "linux"))]
pub(super) fn run(
    _: &Command,
    _: &mut crate::io::Shell,
) -> Result<crate::io::Exit, crate::io::Failure> {
    Err(
        crate::io::Failure::new("a network of one's own is a thing of Linux")
            .next("use `tombolo lab up`"),
    )
}

#[cfg(target_os = "linux")]
mod inside {
    use std::ffi::OsString;
    use std::io::ErrorKind;
    use std::process;
    use std::sync::Arc;

    use ::lab::shell::{attend, exit_code, furnish};
    use ::lab::{House, Options, Ports, namespace};

    use super::Command;
    use crate::io::{Exit, Failure, Shell, SystemClock, Tell, as_the_caller, environment};
    use crate::lab::files::{Files, append_records};

    pub(in crate::lab) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
        // First of all: the progress line is a thread already.
        namespace::enter().tell("the lab got no network of its own")?;
        let progress = shell.progress("building the house", None);
        let options = Options {
            ports: Ports::WELL_KNOWN,
            ..Options::new(Arc::new(SystemClock))
        };
        let house = House::start(options).tell("the house could not be built")?;
        house
            .register_first_key()
            .tell("the first key could not be registered")?;
        let files = Files::write(&house)?;
        let found = furnish(&house, &command.host, &command.service)
            .tell("the lab could not be furnished")?;
        drop(progress);
        let (program, arguments) = chosen(command, shell);
        let mut inside = process::Command::new(&program);
        inside.args(arguments).envs(found.variables);
        shell.flush()?;
        let mut cursor = 0;
        let mut trouble = None;
        let ended = attend(
            || as_the_caller(|| inside.spawn()),
            &mut || match append_records(&house, &files.log, cursor) {
                Ok(last) => cursor = last,
                Err(failure) => trouble = Some(failure),
            },
        );
        if let Some(failure) = trouble {
            shell.note(failure);
        }
        match ended {
            Ok(status) => Ok(Exit::Code(exit_code(status))),
            Err(error) => {
                let what = format!("could not run {}", program.display());
                shell.note(Failure::new(what).why(&error));
                Ok(Exit::Code(match error.kind() {
                    ErrorKind::NotFound => 127,
                    _ => 126,
                }))
            }
        }
    }

    fn chosen<'a>(command: &'a Command, shell: &Shell) -> (OsString, &'a [OsString]) {
        if let Some((program, arguments)) = command.command.split_first() {
            return (program.clone(), arguments);
        }
        shell.note(
            "inside the lab's own network. Try: echo \"$TOMBOLO_LAB_PASSWORD\" | kinit testuser && klist\n\
             `exit` takes the house down.",
        );
        let own = environment("SHELL").unwrap_or_else(|| "/bin/sh".to_owned());
        (own.into(), &[])
    }
}
