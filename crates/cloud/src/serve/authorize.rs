//! Where an application sends its user: single sign-on by what the user's device shows, or the page.
//!
//! A device's browser shows its primary refresh token in the header or cookie `x-ms-RefreshTokenCredential`
//! (MS-OAPXBC 2.2.1.1). It is taken only where the user, or a program of the user's, opened this address: a foreign page that
//! leads the browser here gets the page, so that somebody must touch a key.

use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cloud_api::prt::BrowserCredential;

use super::extract::{At, address};
use super::form::Form;
use super::page;
use crate::core::application_token::ApplicationError;
use crate::core::asked::Prompt;
use crate::core::authorization::Authorization;
use crate::core::refusal::SignInError;
use crate::service::Cloud;

/// Signs the user in whom an application sent, or shows the page.
#[utoipa::path(get, path = "/{tenant}/oauth2/v2.0/authorize", tag = "applications", security(()),
    params(("tenant" = String, Path)),
    responses(
        (status = 200, description = "the page"),
        (status = 302, description = "single sign-on: to the application with a code; or here again with a nonce"),
        (status = 400, description = "a page that says why not")))]
pub(super) async fn authorize(At(cloud): At, parts: Parts) -> Response {
    let query = Form::read(parts.uri.query().unwrap_or_default().as_bytes());
    let read = Authorization::read(|name| query.get(name), cloud.compatibility());
    let request = match read {
        Ok(request) => request,
        Err(why) => return page::refused(&why),
    };
    let address = address(&parts, &cloud);
    let shown = match request.asked.prompt {
        Prompt::Page => None,
        _ => credential(&parts.headers).filter(|_| is_own_wish(&parts.headers)),
    };
    let told = match shown {
        None => None,
        Some(_) if cloud.may_try(&address).is_err() => {
            return page::refused("too many refused requests; come back later");
        }
        Some(shown) => match single_sign_on(&cloud, &request, shown).await {
            Ok(target) => return found(target),
            Err(error) => {
                if is_for_want_of_nonce(&error) && may_ask_again(&query, shown) {
                    let nonce = cloud.challenge().nonce;
                    let query = query.with(BrowserCredential::NONCE, &nonce);
                    return found(format!("{}?{query}", parts.uri.path()));
                }
                count(&cloud, &address, &error);
                Some(error)
            }
        },
    };
    if request.asked.prompt == Prompt::Never {
        // OpenID Connect Core 1.0 section 3.1.2.6.
        let error = match told {
            None => "login_required".to_owned(),
            Some(error) => error.to_wire().error,
        };
        let error = match error.as_str() {
            "access_denied" | "interaction_required" | "server_error" => error,
            _ => "login_required".to_owned(),
        };
        return found(request.redirect_with("error", &error));
    }
    if cloud.count_begun(&address).is_err() {
        return page::refused("too many sign-ins were begun from here; come back later");
    }
    let warning = told.map_or_else(String::new, |error| {
        let why = page::escaped(&error.to_wire().error_description);
        format!("<p class=\"warning\">Your device could not sign you in by itself: {why}.</p>")
    });
    let client = request.client_id.clone();
    match cloud.begin_authorization(request) {
        Some(id) => page::page(StatusCode::OK, &page::sign_in(&id, &client, &warning)),
        None => page::refused("too many sign-ins are under way; come back later"),
    }
}

async fn single_sign_on(
    cloud: &Cloud,
    request: &Authorization,
    shown: &str,
) -> Result<String, ApplicationError> {
    let (worker, request, shown) = (cloud.clone(), request.clone(), shown.to_owned());
    let work = move || worker.single_sign_on(request, &shown);
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or(Err(crate::error::Error::Internal(
        "a request's thread ended early",
    )
    .into()))
}

fn count(cloud: &Cloud, address: &str, error: &ApplicationError) {
    match error {
        ApplicationError::SignIn(SignInError::Inside(error)) => {
            tracing::error!(%error, "A single sign-on failed inside");
        }
        error => {
            tracing::info!(%error, "A single sign-on was refused");
            cloud.count_failure(address);
        }
    }
}

fn is_for_want_of_nonce(error: &ApplicationError) -> bool {
    matches!(error, ApplicationError::SignIn(SignInError::Nonce))
}

/// Whether a browser may be sent for another nonce. One that was given a nonce and signs another would go round in circles.
fn may_ask_again(query: &Form, shown: &str) -> bool {
    let Some(given) = query.get(BrowserCredential::NONCE) else {
        return true;
    };
    let jws = cloud_api::jose::Jws::parse(shown);
    let claims = jws.and_then(|jws| jws.claims::<BrowserCredential>());
    claims.is_ok_and(|claims| claims.request_nonce.as_deref() == Some(given))
}

/// What the browser shows: a header, or else a cookie (RFC 6265 section 4.2.1).
fn credential(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(BrowserCredential::NAME) {
        return value.to_str().ok();
    }
    let cookies = headers.get_all(header::COOKIE).into_iter();
    let mut pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let found = pairs.find(|(name, _)| *name == BrowserCredential::NAME);
    found.map(|(_, value)| value.trim_matches('"'))
}

/// Whether no foreign page led the browser here (Fetch Metadata Request Headers, section 2.4). Programs that are no browsers
/// do not say.
fn is_own_wish(headers: &HeaderMap) -> bool {
    match headers.get("sec-fetch-site") {
        None => true,
        Some(site) => [&b"none"[..], b"same-origin"].contains(&site.as_bytes()),
    }
}

fn found(target: String) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, target)]).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = list.iter().map(|(name, value)| {
            let value = HeaderValue::from_str(value).unwrap();
            (HeaderName::from_static(name), value)
        });
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn a_credential_is_found_in_header_or_cookie() {
        let check = |list: &[(&'static str, &str)], expected: Option<&str>| {
            assert_eq!(credential(&headers(list)), expected, "{list:?}");
        };
        check(&[], None);
        check(&[("x-ms-refreshtokencredential", "a.b.c")], Some("a.b.c"));
        check(
            &[("cookie", "x-ms-RefreshTokenCredential=a.b.c")],
            Some("a.b.c"),
        );
        check(
            &[("cookie", "a=b; x-ms-RefreshTokenCredential=\"a.b.c\"; d=e")],
            Some("a.b.c"),
        );
        check(
            &[
                ("cookie", "a=b"),
                ("cookie", "x-ms-RefreshTokenCredential=a"),
            ],
            Some("a"),
        );
        check(&[("cookie", "xx-ms-RefreshTokenCredential=a")], None);
        check(&[("cookie", "x-ms-RefreshTokenCredential")], None);
        check(
            &[
                ("x-ms-refreshtokencredential", "header"),
                ("cookie", "x-ms-RefreshTokenCredential=cookie"),
            ],
            Some("header"),
        );
    }

    #[test]
    fn a_foreign_page_wishes_nothing() {
        let check = |site: &str, own: bool| {
            let headers = headers(&[("sec-fetch-site", site)]);
            assert_eq!(is_own_wish(&headers), own, "{site}");
        };
        check("none", true);
        check("same-origin", true);
        check("same-site", false);
        check("cross-site", false);
        check("", false);
        assert!(is_own_wish(&HeaderMap::new()));
    }
}
