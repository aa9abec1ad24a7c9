//! The page where users of applications sign in with a security key.
//!
//! It loads nothing from elsewhere, may not be framed, and runs no script but its own file.

use axum::Json;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cloud_api::Base64Url;
use cloud_api::prt::{FidoAssertion, TokenError};
use serde::{Deserialize, Serialize};

use super::extract::{At, Body, address, blocking};
use super::form::Form;
use super::oidc::answer;
use super::problem::Problem;
use crate::core::application_token::ApplicationError;
use crate::service::Finished;

const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Asks for the code that a device shows, and then for the key.
#[utoipa::path(get, path = "/signin/device", tag = "applications", security(()),
    responses((status = 200, description = "the page")))]
pub(super) async fn device(At(cloud): At, parts: Parts) -> Response {
    let query = Form::read(parts.uri.query().unwrap_or_default().as_bytes());
    let typed = query.get("user_code").or_else(|| query.get("otc"));
    let Some(typed) = typed else {
        return page(StatusCode::OK, &ask_for_code(""));
    };
    let address = address(&parts, &cloud);
    if cloud.may_try(&address).is_err() {
        return refused("too many wrong codes; come back later");
    }
    match cloud.begin_device_sign_in(typed) {
        Some((id, client)) => {
            let warning = "<p class=\"warning\">Go on only if you started this yourself, on a device in front of \
                           you. Nobody who calls or writes to you needs this code.</p>";
            page(StatusCode::OK, &sign_in(&id, &client, warning))
        }
        None => {
            cloud.count_failure(&address);
            let why = "<p class=\"warning\">No device waits for this code. It may have ended.</p>";
            page(StatusCode::BAD_REQUEST, &ask_for_code(why))
        }
    }
}

/// The page's script.
pub(super) async fn script() -> Response {
    (
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        SCRIPT,
    )
        .into_response()
}

/// The page's style.
pub(super) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

/// A sign-in that has begun.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Begin {
    sign_in: String,
}

/// What the page asks the key with, for `parseRequestOptionsFromJSON`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RequestOptions {
    nonce: String,
    public_key: PublicKeyOptions,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct PublicKeyOptions {
    #[schema(value_type = String)]
    challenge: Base64Url,
    rp_id: String,
    user_verification: &'static str,
    timeout: u32,
}

/// A challenge for one try. The key finds its user by itself.
#[utoipa::path(post, path = "/signin/webauthn/begin", tag = "applications", security(()), request_body = Begin,
    responses((status = 200, body = RequestOptions), (status = "4XX", body = TokenError)))]
pub(super) async fn begin(At(cloud): At, Body(begin): Body<Begin>) -> Result<Response, Problem> {
    if !cloud.is_under_way(&begin.sign_in) {
        let error = ApplicationError::Grant("sign-in").to_wire();
        return Ok((StatusCode::BAD_REQUEST, Json(error)).into_response());
    }
    let tenant = blocking(&cloud, |cloud| cloud.tenant()).await?;
    let nonce = cloud.challenge().nonce;
    let options = RequestOptions {
        public_key: PublicKeyOptions {
            challenge: Base64Url(nonce.as_bytes().to_vec()),
            rp_id: tenant.rp.id,
            user_verification: "required",
            timeout: 120_000,
        },
        nonce,
    };
    Ok(Json(options).into_response())
}

/// What the key answered.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finish {
    sign_in: String,
    nonce: String,
    credential: Credential,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Credential {
    #[schema(value_type = String)]
    id: Base64Url,
    response: AssertionResponse,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct AssertionResponse {
    #[serde(rename = "clientDataJSON")]
    #[schema(value_type = String)]
    client_data_json: Base64Url,
    #[schema(value_type = String)]
    authenticator_data: Base64Url,
    #[schema(value_type = String)]
    signature: Base64Url,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    user_handle: Option<Base64Url>,
}

/// Where the page goes now; nowhere after a device code.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Done {
    redirect: Option<String>,
}

/// Ends a sign-in.
#[utoipa::path(post, path = "/signin/webauthn/finish", tag = "applications", security(()), request_body = Finish,
    responses((status = 200, body = Done), (status = "4XX", body = TokenError)))]
pub(super) async fn finish(At(cloud): At, parts: Parts, Body(finish): Body<Finish>) -> Response {
    answer(&cloud, &parts, move |cloud| {
        let response = finish.credential.response;
        let signed = FidoAssertion {
            // The page asks for no other; what the key signed is checked.
            rp_id: cloud.tenant()?.rp.id,
            client_data_json: response.client_data_json,
            authenticator_data: response.authenticator_data,
            signature: response.signature,
            user_handle: response.user_handle,
        };
        let credential = finish.credential.id.as_bytes();
        let done = cloud.finish_sign_in(&finish.sign_in, &finish.nonce, credential, &signed)?;
        Ok(Done {
            redirect: match done {
                Finished::Redirect(target) => Some(target),
                Finished::Device => None,
            },
        })
    })
    .await
}

pub(super) fn sign_in(id: &str, client: &str, warning: &str) -> String {
    format!(
        "<main data-sign-in=\"{}\"><h1>Sign in</h1><p>The application <b>{}</b> on your device asks who you are.</p>\
         {warning}<button id=\"go\" type=\"button\">Use security key</button>\
         <p id=\"told\" role=\"status\" aria-live=\"polite\"></p>\
         <noscript><p class=\"warning\">Security keys need JavaScript.</p></noscript></main>\
         <script src=\"/signin/page.js\"></script>",
        escaped(id),
        escaped(client)
    )
}

fn ask_for_code(why: &str) -> String {
    format!(
        "<main><h1>Connect a device</h1>{why}<form action=\"/signin/device\" method=\"get\">\
         <label for=\"code\">Code that the device shows</label>\
         <input id=\"code\" name=\"user_code\" autocomplete=\"off\" autofocus required maxlength=\"16\">\
         <button>Next</button></form></main>"
    )
}

pub(super) fn refused(why: &str) -> Response {
    let body = format!(
        "<main><h1>This cannot go on</h1><p class=\"warning\">The application's request is not what it must be: \
         {}.</p></main>",
        escaped(why)
    );
    page(StatusCode::BAD_REQUEST, &body)
}

pub(super) fn page(status: StatusCode, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Sign in</title>\
         <link rel=\"stylesheet\" href=\"/signin/page.css\"></head><body>{body}</body></html>"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    (status, headers, html).into_response()
}

pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn text_is_no_markup() {
        assert_eq!(
            escaped("<a b='\"&\">"),
            "&lt;a b=&#39;&quot;&amp;&quot;&gt;"
        );
    }
}
