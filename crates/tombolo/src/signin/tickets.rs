//! From the partial ticket to a credential cache: the exchange at a domain controller, and tickets for services.

use ::lab::wires::ask_kdc;
use kerberos::client::{ClientError, Credentials, Principal, TgsRequest};
use kerberos::files::CredentialCache;
use types::Clock;
use workstation::offline::NtHash;
use workstation::policy::NtHashPolicy;
use workstation::sign_in::SignIn;

use crate::io::{OsEntropy, SystemClock};

/// What the domain controller gave.
pub(super) struct Gained {
    pub(super) tgt: Credentials,
    pub(super) services: Vec<Credentials>,
    pub(super) nt_hash: Option<NtHash>,
    pub(super) cache: CredentialCache,
}

/// Exchanges the partial ticket, and gets tickets for services. The error is a sentence for people.
pub(super) fn gain(
    signed: &SignIn,
    kdc: Option<&str>,
    nt_hash: NtHashPolicy,
    services: &[String],
) -> Result<Gained, String> {
    let partial = signed.ticket.as_ref().map_err(ToString::to_string)?;
    let realm = partial.realm().to_owned();
    let kdc = address(kdc.unwrap_or(&realm.to_ascii_lowercase()));
    let ask = |request: &[u8]| {
        ask_kdc(kdc.as_str(), request)
            .map_err(|error| format!("the domain controller at {kdc} cannot be asked: {error}"))
    };
    let now = SystemClock.now();
    let refused = |what: &str, error: &ClientError| format!("{what}: {}", words(error));
    let exchange = partial.exchange(nt_hash, now, &mut OsEntropy);
    let (exchange, request) = exchange.map_err(|error| error.to_string())?;
    let full = exchange.finish(&ask(&request)?).map_err(|error| {
        refused(
            "the domain controller did not exchange the cloud's ticket",
            &error,
        )
    })?;
    let tgt = full.credentials;
    let mut cache = CredentialCache::new(tgt.client.clone());
    let mut gained = vec![tgt.clone()];
    for service in services {
        let request = TgsRequest::new(Principal::service(service, &realm));
        let sealed = request.seal(&tgt, SystemClock.now(), &mut OsEntropy);
        let (pending, bytes) = sealed.map_err(|error| error.to_string())?;
        let credentials = pending
            .open(&ask(&bytes)?)
            .map_err(|error| refused(&format!("no ticket for {service}"), &error))?;
        gained.push(credentials);
    }
    for credentials in &gained {
        let credential = credentials.to_credential();
        cache
            .credentials
            .push(credential.map_err(|error| error.to_string())?);
    }
    Ok(Gained {
        services: gained.split_off(1),
        tgt,
        nt_hash: full.nt_hash,
        cache,
    })
}

/// The codes of RFC 4120 7.5.9 that a sign-in meets, in words.
fn words(error: &ClientError) -> String {
    let ClientError::Refused(refusal) = error else {
        return error.to_string();
    };
    let why = match refusal.error_code.0 {
        12 => "its policy: the Kerberos server object is not what it must be",
        18 => "the account is disabled, locked or expired",
        20 => "the account may not use the trust, or the ticket is not its own",
        23 => "the password has expired",
        31 | 44 | 45 => "it does not have the key that the cloud uses; publish it again",
        37 => "the clocks are too far apart",
        _ => return error.to_string(),
    };
    format!("{error} ({why})")
}

fn address(host: &str) -> String {
    match host.rsplit_once(':') {
        Some((_, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
        _ => format!("{host}:88"),
    }
}
