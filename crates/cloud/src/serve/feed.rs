//! The key feed over HTTP.

use axum::Json;
use axum::http::{HeaderMap, Uri, header, uri::Authority};
use cloud_api::{DeltaPage, ErrorBody, paths};

use super::extract::{At, Options, Signed, blocking};
use super::problem::Problem;
use crate::core::delta::{DeltaToken, PAGE_USERS_DEFAULT};
use crate::service::From;

const SKIP: &str = "$skiptoken";
const DELTA: &str = "$deltatoken";
const TOP: &str = "$top";

/// Users with their keys: all of them without a token, those that changed since with one.
#[utoipa::path(get, path = paths::DEVICE_KEY_DELTA, tag = "device keys",
    params(("$top" = Option<u16>, Query, description = "users on a page, 1 to 999; kept in the tokens"),
           ("$skiptoken" = Option<String>, Query, description = "from a next link"),
           ("$deltatoken" = Option<String>, Query, description = "from a delta link, or 'latest'")),
    responses((status = 200, body = DeltaPage),
              (status = 410, body = ErrorBody, description = "read the feed from its beginning, at Location"),
              (status = "4XX", body = ErrorBody)))]
pub(super) async fn delta(
    At(cloud): At,
    Signed(caller): Signed,
    options: Options,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<DeltaPage>, Problem> {
    let from = beginning(&options)?;
    let page = blocking(&cloud, move |cloud| cloud.delta(&caller, from)).await?;
    let name = if page.is_last { DELTA } else { SKIP };
    let link = format!(
        "{}{}?{name}={}",
        origin(&uri, &headers),
        paths::DEVICE_KEY_DELTA,
        page.token.encode()
    );
    let (next_link, delta_link) = if page.is_last {
        (None, Some(link))
    } else {
        (Some(link), None)
    };
    Ok(Json(DeltaPage {
        value: page.users,
        next_link,
        delta_link,
    }))
}

fn beginning(options: &Options) -> Result<From, Problem> {
    options.only(&[TOP, SKIP, DELTA])?;
    let token = match (options.get(SKIP), options.get(DELTA)) {
        (None, None) => return options.top(PAGE_USERS_DEFAULT).map(From::Beginning),
        (None, Some("latest")) => return options.top(PAGE_USERS_DEFAULT).map(From::Now),
        (Some(token), None) | (None, Some(token)) => token,
        (Some(_), Some(_)) => {
            return Err(Problem::invalid(
                "$skiptoken and $deltatoken exclude each other",
            ));
        }
    };
    if options.get(TOP).is_some() {
        return Err(Problem::invalid("$top is kept in the token; leave it out"));
    }
    DeltaToken::decode(token).map(From::Token).ok_or_else(|| {
        Problem::invalid("the token is not one of ours; read the feed from its beginning")
    })
}

/// The origin that the client used, so that links lead back the way it came; nothing when it cannot be told. HTTP/2 has
/// it in the request's URI, HTTP/1.1 in a header.
fn origin(uri: &Uri, headers: &HeaderMap) -> String {
    let named = || {
        let host = headers.get(header::HOST)?.to_str().ok()?;
        host.parse::<Authority>().ok()
    };
    uri.authority()
        .cloned()
        .or_else(named)
        .filter(|authority| !authority.as_str().contains('@'))
        .map(|authority| format!("https://{authority}"))
        .unwrap_or_default()
}
