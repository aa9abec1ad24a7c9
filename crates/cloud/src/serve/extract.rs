//! What handlers take from a request: the caller, a body, an id, the options of a query.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::RequestExt;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use cloud_api::ErrorCode;
use serde::de::DeserializeOwned;
use types::Guid;

use super::problem::Problem;
use crate::caller::{Caller, Role};
use crate::error::Error;
use crate::service::{Cloud, Registrar};

/// The address at the other end, put into each request by the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Runs `work` on a thread that may wait for the disk.
pub(super) async fn blocking<T: Send + 'static>(
    cloud: &Cloud,
    work: impl FnOnce(&Cloud) -> Result<T, Error> + Send + 'static,
) -> Result<T, Problem> {
    let cloud = cloud.clone();
    let result = tokio::task::spawn_blocking(move || work(&cloud)).await;
    let result = result.unwrap_or(Err(Error::Internal("a request's thread ended early")));
    result.map_err(Problem::from)
}

/// A caller with a good token.
#[derive(Debug)]
pub(super) struct Signed(pub(super) Caller);

impl FromRequestParts<Cloud> for Signed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, cloud: &Cloud) -> Result<Self, Problem> {
        let caller = authenticated(parts, cloud, |cloud, token| cloud.authenticate(token)).await?;
        Ok(Self(caller))
    }
}

async fn authenticated(
    parts: &Parts,
    cloud: &Cloud,
    whose: impl FnOnce(&Cloud, &str) -> Result<Caller, Error> + Send + 'static,
) -> Result<Caller, Problem> {
    let address = address(parts, cloud);
    cloud.may_try(&address).map_err(Problem::too_many)?;
    let caller = match bearer(&parts.headers) {
        Some(token) => blocking(cloud, move |cloud| whose(cloud, &token)).await,
        None => Err(Error::Unauthenticated.into()),
    };
    let caller = caller.inspect_err(|problem| {
        if problem.status == StatusCode::UNAUTHORIZED {
            cloud.count_failure(&address);
        }
    })?;
    cloud
        .count_request(&caller.to_string())
        .map_err(Problem::too_many)?;
    Ok(caller)
}

/// A user with a token for its own keys, or any caller with a good token.
#[derive(Debug)]
pub(super) struct Myself(pub(super) Caller);

impl FromRequestParts<Cloud> for Myself {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, cloud: &Cloud) -> Result<Self, Problem> {
        let caller = authenticated(parts, cloud, |cloud, token| cloud.myself(token)).await?;
        Ok(Self(caller))
    }
}

/// A user with a token of the device registration service, or with a session.
#[derive(Debug)]
pub(super) struct Registering(pub(super) Registrar);

impl FromRequestParts<Cloud> for Registering {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, cloud: &Cloud) -> Result<Self, Problem> {
        let address = address(parts, cloud);
        cloud.may_try(&address).map_err(Problem::too_many)?;
        let registrar = match bearer(&parts.headers) {
            Some(token) => blocking(cloud, move |cloud| cloud.registrar(&token)).await,
            None => Err(Error::Unauthenticated.into()),
        };
        let registrar = registrar.inspect_err(|problem| {
            if problem.status == StatusCode::UNAUTHORIZED {
                cloud.count_failure(&address);
            }
        })?;
        cloud
            .count_request(&registrar.caller.to_string())
            .map_err(Problem::too_many)?;
        Ok(Self(registrar))
    }
}

/// The user whom a session belongs to.
pub(super) fn own_id(caller: &Caller) -> Result<Guid, Problem> {
    match caller.role() {
        Role::User(id) => Ok(id),
        Role::Administrator | Role::Sync => Err(Problem::new(
            StatusCode::FORBIDDEN,
            ErrorCode::AccessDenied,
            "only a user's own session has a 'me'; name the user by its id",
        )),
    }
}

/// The cloud as a request from one address sees it.
#[derive(Debug)]
pub(super) struct At(pub(super) Cloud);

impl FromRequestParts<Cloud> for At {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, cloud: &Cloud) -> Result<Self, Infallible> {
        Ok(Self(cloud.seen_from(client(parts, cloud))))
    }
}

/// Where the request comes from, for counting failures.
pub(super) fn address(parts: &Parts, cloud: &Cloud) -> String {
    client(parts, cloud).map_or_else(|| "in process".to_owned(), |address| address.to_string())
}

/// The client's address: the other end of the connection. What `X-Forwarded-For` says counts where that end is a proxy
/// that the cloud was told to trust, and then only the part that trusted proxies wrote: anybody may send the header.
fn client(parts: &Parts, cloud: &Cloud) -> Option<IpAddr> {
    let mut address = parts.extensions.get::<Peer>()?.0.ip().to_canonical();
    let headers = parts.headers.get_all("x-forwarded-for");
    let mut hops = headers
        .into_iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .collect::<Vec<_>>()
        .into_iter()
        .rev();
    // Each trusted proxy appended the address that it saw; what stands before the first stranger is the stranger's word.
    while cloud.trusts_proxy(address) {
        match hops.next().and_then(hop) {
            Some(before) => address = before,
            None => break,
        }
    }
    Some(address)
}

/// An address of the header; some proxies write a port behind it.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = match text.parse::<SocketAddr>() {
        Ok(with_port) => with_port.ip(),
        Err(_) => text
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .ok()?,
    };
    Some(address.to_canonical())
}

/// The token of an `Authorization: Bearer` header (RFC 6750 section 2.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}

/// An id in the path; what is no id names nothing.
#[derive(Debug)]
pub(super) struct Id(pub(super) Guid);

impl FromRequestParts<Cloud> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, cloud: &Cloud) -> Result<Self, Problem> {
        let Path(members) = Path::<HashMap<String, String>>::from_request_parts(parts, cloud)
            .await
            .map_err(|_| Error::no_user(""))?;
        let text = members.get("id").map(String::as_str).unwrap_or_default();
        text.parse()
            .map(Self)
            .map_err(|_| Error::no_user(text.chars().take(100).collect::<String>()).into())
    }
}

/// The name of a method or key in the path.
#[derive(Debug)]
pub(super) struct Member(pub(super) String);

impl FromRequestParts<Cloud> for Member {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, cloud: &Cloud) -> Result<Self, Problem> {
        let Path(mut members) = Path::<HashMap<String, String>>::from_request_parts(parts, cloud)
            .await
            .map_err(|_| Problem::invalid("the path is not UTF-8"))?;
        Ok(Self(members.remove("method").unwrap_or_default()))
    }
}

/// The options of a query, `$top` and its siblings, percent-decoded.
#[derive(Debug)]
pub(super) struct Options(HashMap<String, String>);

impl FromRequestParts<Cloud> for Options {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Cloud) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let mut options = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if options
                .insert(name.to_string(), value.into_owned())
                .is_some()
            {
                return Err(Problem::invalid(format!(
                    "query option '{name}' is there twice"
                )));
            }
        }
        Ok(Self(options))
    }
}

impl Options {
    /// An option's value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Refuses options that would be ignored: a reader must not believe in a filter that is not there.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        let stranger = self.0.keys().find(|name| !known.contains(&name.as_str()));
        stranger.map_or(Ok(()), |name| {
            let name: String = name.chars().take(40).collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            Err(Problem::invalid(format!(
                "query option '{name}' is not supported here; known: {known}"
            )))
        })
    }

    /// `$top`: 1 to 999.
    pub(super) fn top(&self, default: u16) -> Result<u16, Problem> {
        let Some(text) = self.get("$top") else {
            return Ok(default);
        };
        let top = text.parse().ok().filter(|top| (1..=999).contains(top));
        top.ok_or_else(|| Problem::invalid("$top must be 1 to 999"))
    }
}

/// A JSON body: of the right type, not too large, not too deep.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Cloud> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, cloud: &Cloud) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                ErrorCode::UnsupportedMediaType,
                "the body must come with 'Content-Type: application/json'",
            ));
        }
        let limits = cloud.limits();
        let max = limits.body_bytes_max;
        let bytes: Bytes = request.extract().await.map_err(
            |rejection: axum::extract::rejection::BytesRejection| {
                if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                    Problem::new(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        ErrorCode::RequestTooLarge,
                        format!("the body has more than {max} bytes"),
                    )
                } else {
                    Problem::invalid("the body ended early")
                }
            },
        )?;
        if depth(&bytes) > limits.json_depth_max {
            return Err(Problem::invalid(format!(
                "the JSON is nested more than {} levels deep",
                limits.json_depth_max
            )));
        }
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Problem::invalid(format!("the body is not what it must be: {error}")))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// The deepest nesting of a JSON text. Of a text that is not JSON it is some number, which does no harm.
fn depth(json: &[u8]) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                now += 1;
                deepest = deepest.max(now);
            }
            (false, b'}' | b']') => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_measured_outside_strings() {
        let check = |json: &str, expected| assert_eq!(depth(json.as_bytes()), expected, "{json}");
        check("1", 0);
        check(r#"{"a":[1,{"b":2}]}"#, 3);
        check(r#"{"a":"[[[[\"{{{{"}"#, 1);
        check("]]]][", 1);
    }
}
