//! `tombolo cloud`: the identity provider, served and looked after.
//!
//! Every subcommand but `serve` works on the state directory itself, beside a server that may be running: whoever can
//! open it may do everything. Over the network the same is done with tokens, see `docs/cloud-api.md`.

mod keys;
mod people;
mod serve;
mod state;
mod tenant;

use crate::io::{EXIT_CODES, Exit, Failure, Shell};

const EXAMPLES: &str = "\
Examples:
  tombolo cloud init --state cloud --name contoso.example --rp-id login.contoso.example \\
      --origin https://login.contoso.example:8443
  tombolo softkey attestation-root --state key.json > root.pem
  tombolo cloud trust --state cloud root.pem                 accept keys whose attestation leads there
  tombolo cloud serve --state cloud --tls-cert cert.pem --tls-key key.pem
  tombolo cloud user add --state cloud testuser@corp.contoso.com
  tombolo cloud pass --state cloud testuser@corp.contoso.com  lets the user register the first key
  tombolo cloud key list --state cloud testuser@corp.contoso.com

The certificate may come from any authority that the clients trust. One for trying things out:
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=login.contoso.example \\
      -addext subjectAltName=DNS:login.contoso.example,IP:127.0.0.1 -keyout key.pem -out cert.pem";

/// The identity provider: users, security keys, and the feed that a sync follows
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a tenant; prints the tokens of its first administrator and of a sync, once
    Init(tenant::Init),
    /// Serve the API over HTTPS until the process is stopped
    Serve(serve::Serve),
    /// Make a token for an administrator or a sync; prints it, once
    Token(tenant::Token),
    /// Accept keys whose attestation leads to the root certificates in these files
    Trust(tenant::Trust),
    /// Who did what, newest first
    Audit(tenant::Audit),
    /// Add, list, disable and remove users
    #[command(subcommand)]
    User(people::User),
    /// Make a temporary access pass for a user; prints it, once
    Pass(people::Pass),
    /// List and remove the keys of a user
    #[command(subcommand)]
    Key(keys::Key),
}

/// Does what was asked.
pub(crate) fn run(command: Command, shell: &mut Shell) -> Result<Exit, Failure> {
    match command.action {
        Action::Init(init) => tenant::init(&init, shell),
        Action::Serve(serve) => serve::run(&serve, shell),
        Action::Token(token) => tenant::token(&token, shell),
        Action::Trust(trust) => tenant::trust(&trust, shell),
        Action::Audit(audit) => tenant::audit(&audit, shell),
        Action::User(user) => people::user(user, shell),
        Action::Pass(pass) => people::pass(&pass, shell),
        Action::Key(key) => keys::run(key, shell),
    }
}
