//! `cloud serve`: the API over HTTPS until the process is stopped.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use ::cloud::Cloud;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::net::TcpListener;
use types::Clock;

use super::state::{FORMAT, State};
use crate::io::{Exit, Failure, Shell, SystemClock, Tell, read_file};

const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);

/// Serve the API.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    #[command(flatten)]
    state: State,
    /// Listen on this address; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// The server's certificate chain, PEM, leaf first
    #[arg(long, value_name = "FILE")]
    tls_cert: PathBuf,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE")]
    tls_key: PathBuf,
    /// Believe what this proxy writes into X-Forwarded-For (repeatable); nobody's word counts without it
    #[arg(long, value_name = "IP")]
    trusted_proxy: Vec<IpAddr>,
    /// Print the address as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(serve: &Serve, shell: &mut Shell) -> Result<Exit, Failure> {
    let cloud = serve.state.open_behind(serve.trusted_proxy.clone())?;
    let tls = tls(serve)?;
    let runtime = tokio::runtime::Runtime::new().tell("could not start the server")?;
    runtime.block_on(async {
        let what = format!("could not listen on {}", serve.listen);
        let listener = TcpListener::bind(serve.listen).await.tell(what.clone())?;
        let address = listener.local_addr().tell(what)?;
        if !address.ip().is_loopback() {
            shell.note(format!(
                "warning: {address} can be reached from other machines"
            ));
        }
        let tenant = cloud.tenant().tell("could not read the tenant")?;
        if serve.json {
            shell.json_line(&json!({
                "format": FORMAT,
                "listening": address,
                "tenant_id": tenant.id,
                "origins": tenant.rp.origins,
            }))?;
        } else {
            shell.line(format_args!(
                "tenant {} on https://{address}, see /openapi.json",
                tenant.name
            ))?;
        }
        shell.flush()?;
        let keeper = tokio::spawn(keep_trimmed(cloud.clone()));
        let served = ::cloud::serve(listener, tls, cloud, stopped()).await;
        keeper.abort();
        served.tell(format!("could not go on serving on {address}"))
    })?;
    shell.note("stopped");
    Ok(Exit::Good)
}

/// Lets audit records go that the retention no longer keeps: at the start, and every hour.
async fn keep_trimmed(cloud: Cloud) {
    let mut hours = tokio::time::interval(HOUR);
    loop {
        hours.tick().await;
        let cloud = cloud.clone();
        let trimmed = tokio::task::spawn_blocking(move || {
            while cloud.trim_audit(SystemClock.now())?.has_more {}
            Ok::<(), ::cloud::Error>(())
        });
        if let Ok(Err(error)) = trimmed.await {
            Shell::new(false).note(format_args!("the audit log could not be trimmed: {error}"));
        }
    }
}

/// The interrupt of the terminal, or the polite signal of a service manager.
async fn stopped() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    if let Ok(mut terminate) =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
    {
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    // Without signals the process can still be ended from outside.
    if interrupt.await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn tls(serve: &Serve) -> Result<Arc<ServerConfig>, Failure> {
    let (cert, key) = (serve.tls_cert.display(), serve.tls_key.display());
    let chain = CertificateDer::pem_slice_iter(&read_file(&serve.tls_cert)?)
        .collect::<Result<Vec<_>, _>>()
        .tell(format!("could not read certificates from {cert}"))?;
    if chain.is_empty() {
        return Err(Failure::new(format!("{cert} holds no certificate in PEM")));
    }
    let private = PrivateKeyDer::from_pem_slice(&read_file(&serve.tls_key)?)
        .tell(format!("could not read a private key from {key}"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    // Devices leave by the certificate that they got here.
    let devices = cloud::device_certificates(Arc::clone(&provider));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_client_cert_verifier(devices)
                .with_single_cert(chain, private)
        })
        .tell(format!("could not serve with {cert} and {key}"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
