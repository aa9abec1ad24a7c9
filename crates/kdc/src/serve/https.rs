//! The Kerberos proxy, MS-KKDCP: `POST /KdcProxy` over TLS, for clients that reach nothing but HTTPS.
//!
//! Only messages to this KDC's own realm are taken; nothing is forwarded anywhere, so nobody is reached through it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use kerberos::messages::{Der as _, KdcProxyMessage};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::door::Door;
use super::seats::Seats;
use super::{PATIENCE, Surroundings, is_passing, stopped};
use crate::kdc::{Kdc, REQUEST_BYTES_MAX};

/// Serves AS, TGS and password messages over HTTPS until `stop`.
pub async fn https(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    kdc: Arc<Kdc>,
    mut around: Surroundings,
) -> io::Result<()> {
    let seats = Seats::new(CONNECTIONS_MAX, CONNECTIONS_PER_SOURCE_MAX);
    let acceptor = TlsAcceptor::from(tls);
    let router = router(kdc, around.clone());
    loop {
        let (stream, client) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_passing(&error) => {
                    tokio::task::yield_now().await;
                    continue;
                }
                Err(error) => return Err(error),
            },
            () = stopped(&mut around.stop) => return Ok(()),
        };
        let Some(seat) = seats.take(client.ip()) else {
            continue;
        };
        let (acceptor, router, mut stop) = (acceptor.clone(), router.clone(), around.stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                // A connection that breaks harms nobody else.
                _ = connection(stream, client, acceptor, router) => {}
                () = stopped(&mut stop) => {}
            }
            drop(seat);
        });
    }
}

async fn connection(
    stream: TcpStream,
    client: SocketAddr,
    acceptor: TlsAcceptor,
    router: Router,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let server = stream.local_addr()?;
    let stream = timeout(PATIENCE, acceptor.accept(stream)).await??;
    let peers = Peers { client, server };
    let service = TowerToHyperService::new(router.layer(Extension(peers)));
    let mut builder = Builder::new(TokioExecutor::new());
    let timer = TokioTimer::new();
    builder
        .http1()
        .timer(timer.clone())
        .header_read_timeout(PATIENCE);
    builder
        .http2()
        .timer(timer)
        .keep_alive_interval(PATIENCE)
        .keep_alive_timeout(PATIENCE);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    timeout(LIFE, connection).await?.map_err(io::Error::other)
}

#[derive(Debug, Clone, Copy)]
struct Peers {
    client: SocketAddr,
    server: SocketAddr,
}

struct Proxy {
    kdc: Arc<Kdc>,
    around: Surroundings,
}

fn router(kdc: Arc<Kdc>, around: Surroundings) -> Router {
    Router::new()
        .route("/KdcProxy", post(relay))
        .layer(DefaultBodyLimit::max(
            REQUEST_BYTES_MAX + ENVELOPE_BYTES_MAX,
        ))
        .with_state(Arc::new(Proxy { kdc, around }))
}

/// MS-KKDCP 3.2.5.1: the message is taken out, answered, and the answer put back in.
async fn relay(
    State(proxy): State<Arc<Proxy>>,
    Extension(peers): Extension<Peers>,
    body: Bytes,
) -> Result<Response, StatusCode> {
    let envelope = KdcProxyMessage::from_der(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let settings = proxy.kdc.settings();
    if let Some(realm) = &envelope.target_domain
        && !settings.is_own_realm(realm.as_str().unwrap_or_default())
    {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let message = envelope.message().ok_or(StatusCode::BAD_REQUEST)?;
    let now = proxy.around.clock.now();
    let mut entropy = (proxy.around.entropy)();
    let answer = Door::of(message).answer(
        &proxy.kdc,
        message,
        peers.client,
        peers.server,
        now,
        &mut *entropy,
    );
    for event in answer.events {
        (proxy.around.audit)(peers.client, event);
    }
    let reply = answer.reply.ok_or(StatusCode::BAD_REQUEST)?;
    let envelope = KdcProxyMessage::around(&reply);
    let bytes = envelope
        .and_then(|envelope| envelope.to_der())
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let kind = [(header::CONTENT_TYPE, "application/kerberos")];
    Ok((kind, bytes).into_response())
}

/// What DER and a realm's name add to a message.
const ENVELOPE_BYTES_MAX: usize = 1024;
const CONNECTIONS_MAX: usize = 1024;
const CONNECTIONS_PER_SOURCE_MAX: usize = 256;
/// A client's sign-in is over in seconds; nobody keeps a seat for longer by sending slowly.
const LIFE: std::time::Duration = std::time::Duration::from_secs(120);
