//! How the rooms of the house are opened, before anybody serves them.

use std::path::Path;
use std::sync::Arc;

use cloud::{Caller, Cloud, NewTenant, Surroundings};
use cloud_api::policy::Fido2Policy;
use directory::Directory;
use rustls::ServerConfig;
use softkey::Softkey;
use types::{Entropy as _, Secret};

use crate::{Error, Options, OsEntropy};

/// A directory for secrets: nobody but the owner may look into it.
pub(crate) fn private_directory() -> std::io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("tombolo-lab-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir()
}

/// The directory, empty.
pub(crate) fn open_directory(state: &Path, options: &Options) -> Result<Directory, Error> {
    let clock = Arc::clone(&options.clock);
    let mut directory = directory::Options::new(clock, Box::new(OsEntropy));
    directory.schema = options.schema;
    directory.kerberos_keys.keeps_nt_hash = options.nt_hashes;
    Ok(Directory::open(&state.join("directory.redb"), directory)?)
}

/// The cloud with one tenant, and its administrator's token.
pub(crate) fn open_cloud(
    state: &Path,
    options: &Options,
    login: &str,
    key: &Softkey,
) -> Result<(Cloud, Secret<String>), Error> {
    let surroundings = Surroundings::new(Arc::clone(&options.clock), Box::new(OsEntropy));
    let tenant = NewTenant::new(&options.dns_domain, login);
    let (cloud, token) = Cloud::create(&state.join("cloud.sqlite"), &tenant, surroundings)?;
    // The tenant trusts this maker of keys, and no other.
    let root = key.attestation_root_pem();
    let policy = Fido2Policy {
        is_attestation_enforced: Some(true),
        attestation_roots: Some(vec![root]),
        ..Fido2Policy::default()
    };
    cloud.change_policy(&Caller::operator(), &policy)?;
    Ok((cloud, token))
}

/// Serves the cloud for as long as the runtime that this is called in.
pub(crate) fn serve_cloud(
    listener: tokio::net::TcpListener,
    tls: Arc<ServerConfig>,
    cloud: &Cloud,
) {
    let cloud = cloud.clone();
    tokio::spawn(async move {
        let served = cloud::serve(listener, tls, cloud, std::future::pending()).await;
        if let Err(error) = served {
            tracing::error!(%error, "The cloud stopped");
        }
    });
}

/// A listener for the runtime that it is called in.
pub(crate) fn for_tokio(listener: std::net::TcpListener) -> Result<tokio::net::TcpListener, Error> {
    listener
        .set_nonblocking(true)
        .and_then(|()| tokio::net::TcpListener::from_std(listener))
        .map_err(Error::io("cannot serve a listener"))
}

/// A PIN of eight digits.
pub(crate) fn random_pin() -> Secret<String> {
    let mut bytes = [0; 4];
    OsEntropy.fill(&mut bytes);
    Secret::new(format!("{:08}", u32::from_le_bytes(bytes) % 100_000_000))
}
