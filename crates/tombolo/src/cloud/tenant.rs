//! `cloud init`, `token`, `trust`.

use std::path::PathBuf;

use ::cloud::{Caller, NewTenant};
use cloud_api::policy::Fido2Policy;
use serde_json::json;

use super::reach::Reach;
use super::state::{FORMAT, State, done};
use crate::io::{Exit, Failure, Shell, Tell, read_input};

/// Make a tenant.
#[derive(Debug, clap::Args)]
pub(super) struct Init {
    #[command(flatten)]
    state: State,
    /// The tenant's domain, for people
    #[arg(long, value_name = "DOMAIN")]
    name: String,
    /// The domain that keys bind to; it can never be changed
    #[arg(long, value_name = "DOMAIN")]
    rp_id: String,
    /// Where keys may be registered, https://… with the port; https:// and the --rp-id when absent
    #[arg(long, value_name = "URL")]
    origin: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn init(init: &Init, shell: &mut Shell) -> Result<Exit, Failure> {
    let mut tenant = NewTenant::new(&init.name, &init.rp_id);
    if !init.origin.is_empty() {
        tenant.origins.clone_from(&init.origin);
    }
    let (cloud, administrator) = init.state.create(&tenant)?;
    let sync = cloud
        .issue_sync_token(&Caller::operator(), "first sync", None)
        .tell("could not make a token for the sync")?;
    let id = cloud.tenant().tell("could not read the tenant")?.id;
    if init.json {
        shell.json(&json!({
            "format": FORMAT,
            "tenant_id": id,
            "name": tenant.name,
            "rp_id": tenant.rp_id,
            "origins": tenant.origins,
            "administrator_token": administrator.expose(),
            "sync_token": sync.expose(),
        }))?;
        return Ok(Exit::Good);
    }
    shell.line(format_args!(
        "tenant {} ({id}) made in {}",
        tenant.name,
        init.state.display()
    ))?;
    shell.line(format_args!(
        "administrator token: {}",
        administrator.expose()
    ))?;
    shell.line(format_args!("sync token:          {}", sync.expose()))?;
    shell.note("The tokens are shown only now; only hashes of them are kept.");
    shell.note("next: name the attestation roots of your keys with `tombolo cloud trust`, then `tombolo cloud serve`");
    Ok(Exit::Good)
}

/// Make a token.
#[derive(Debug, clap::Args)]
pub(super) struct Token {
    #[command(flatten)]
    state: State,
    /// What the token may do
    #[arg(value_enum)]
    role: TokenRole,
    /// The token's name in the audit log
    #[arg(long, default_value = "command line")]
    name: String,
    /// Days until it ends; for ever when absent
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TokenRole {
    /// Manages users, keys and policy
    Admin,
    /// Brings users from the ground and reads the key feed
    Sync,
}

pub(super) fn token(token: &Token, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = token.state.open()?;
    let operator = Caller::operator();
    let seconds = token.days.map(|days| days.saturating_mul(24 * 3600));
    let made = match token.role {
        TokenRole::Admin => cloud.issue_administrator_token(&operator, &token.name, seconds),
        TokenRole::Sync => cloud.issue_sync_token(&operator, &token.name, seconds),
    }
    .tell("could not make a token")?;
    done(shell, token.json, "token", made.expose(), made.expose())
}

/// Accept keys by their attestation.
#[derive(Debug, clap::Args)]
pub(super) struct Trust {
    /// PEM files with root certificates; `-` is stdin
    #[arg(required = true)]
    roots: Vec<PathBuf>,
    /// Forget the roots that were there before
    #[arg(long)]
    replace: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

pub(super) fn trust(trust: &Trust, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = trust.reach.open()?;
    let old = cloud.fido2_policy()?;
    let mut roots = if trust.replace {
        Vec::new()
    } else {
        old.attestation_roots.unwrap_or_default()
    };
    for path in &trust.roots {
        let text = String::from_utf8_lossy(&read_input(path)?).into_owned();
        let found = certificates(&text);
        if found.is_empty() {
            return Err(
                Failure::new(format!("{} holds no certificate in PEM", path.display()))
                    .next("a certificate begins with -----BEGIN CERTIFICATE-----"),
            );
        }
        roots.extend(found);
    }
    roots.sort();
    roots.dedup();
    let count = roots.len().to_string();
    cloud.change_fido2_policy(&Fido2Policy {
        attestation_roots: Some(roots),
        ..Fido2Policy::default()
    })?;
    done(
        shell,
        trust.json,
        "attestation_roots",
        &count,
        &format!("{count} attestation roots are trusted"),
    )
}

/// The certificates in a text, each a text of its own.
fn certificates(text: &str) -> Vec<String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    text.split(BEGIN)
        .skip(1)
        .filter_map(|rest| rest.split_once(END))
        .map(|(body, _)| format!("{BEGIN}{}{END}\n", body.replace('\r', "")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_cut_apart() {
        let one = "-----BEGIN CERTIFICATE-----\r\nAAAA\r\n-----END CERTIFICATE-----\r\n";
        let text = format!("subject: x\n{one}between\n{one}-----BEGIN CERTIFICATE-----\ncut");
        let found = certificates(&text);
        assert_eq!(found.len(), 2);
        assert!(
            found
                .iter()
                .all(|pem| pem == "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        );
    }
}
