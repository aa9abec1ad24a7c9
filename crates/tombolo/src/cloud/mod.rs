//! `tombolo cloud`: the identity provider, served and looked after.
//!
//! Making, serving and tokens work on the state directory itself, beside a server that may be running: whoever can open
//! it may do everything. The rest does so too, or works over HTTPS with an administrator's token (`reach`); each command
//! is the same either way (`administration`). See `docs/cloud.md`.

mod administration;
mod devices;
mod groups;
mod keys;
mod logs;
mod people;
mod policies;
mod reach;
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

From another machine, with an administrator's token:
  export TOMBOLO_CLOUD=https://login.contoso.example:8443
  export TOMBOLO_CLOUD_TOKEN_FILE=admin.token TOMBOLO_CLOUD_CA_FILE=cert.pem
  tombolo cloud users list
  tombolo cloud devices disable desk-12
  tombolo cloud signins --failed --since 24h
  tombolo cloud policies what-if testuser@corp.contoso.com --application kerberos

The certificate may come from any authority that the clients trust. One for trying things out:
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=login.contoso.example \\
      -addext subjectAltName=DNS:login.contoso.example,IP:127.0.0.1 -keyout key.pem -out cert.pem";

const LOG_EXAMPLES: &str = "\
Examples:
  tombolo cloud signins --failed --since 24h
  tombolo cloud signins --user testuser@corp.contoso.com --top 10 --json
  tombolo cloud signins --follow";

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
    Audit(logs::Read),
    /// Sign-ins and renewals, granted and refused, newest first
    #[command(name = "signin", visible_alias = "signins", after_help = LOG_EXAMPLES)]
    SignIn(logs::Read),
    /// Tickets for the ground and access tokens, issued and refused, newest first
    #[command(visible_alias = "tickets")]
    Ticket(logs::Read),
    /// How long audit records are kept
    Retention(logs::Retention),
    /// Add, list, show, disable and remove users
    #[command(subcommand, visible_alias = "users")]
    User(people::User),
    /// Make a temporary access pass for a user; prints it, once
    Pass(people::Pass),
    /// List and remove the keys of a user
    #[command(subcommand, visible_alias = "keys")]
    Key(keys::Key),
    /// Add, list, show, fill and remove groups of users
    #[command(subcommand, visible_alias = "groups")]
    Group(groups::Group),
    /// List, show, disable, mark and remove devices
    #[command(subcommand, visible_alias = "devices")]
    Device(devices::Device),
    /// Conditional Access: list, show, add, try and remove policies
    #[command(subcommand, visible_alias = "policies")]
    Policy(policies::Policy),
}

/// Does what was asked.
pub(crate) fn run(command: Command, shell: &mut Shell) -> Result<Exit, Failure> {
    match command.action {
        Action::Init(init) => tenant::init(&init, shell),
        Action::Serve(serve) => serve::run(&serve, shell),
        Action::Token(token) => tenant::token(&token, shell),
        Action::Trust(trust) => tenant::trust(&trust, shell),
        Action::Audit(read) => logs::audit(&read, shell),
        Action::SignIn(read) => logs::sign_ins(&read, shell),
        Action::Ticket(read) => logs::tickets(&read, shell),
        Action::Retention(retention) => logs::retention(&retention, shell),
        Action::User(user) => people::user(user, shell),
        Action::Pass(pass) => people::pass(&pass, shell),
        Action::Key(key) => keys::run(key, shell),
        Action::Group(group) => groups::run(group, shell),
        Action::Device(device) => devices::run(device, shell),
        Action::Policy(policy) => policies::run(policy, shell),
    }
}
