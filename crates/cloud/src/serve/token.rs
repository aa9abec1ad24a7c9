//! Nonces and tokens: `POST /{tenant}/oauth2/token`, and since protocol 3 `POST /{tenant}/oauth2/v2.0/token`.

use axum::Json;
use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cloud_api::oidc::ApplicationAnswer;
use cloud_api::prt::{Challenge, GRANT_CHALLENGE, GRANT_JWT, TokenError};

use super::extract::{At, address};
use super::form::Form;
use super::oidc;
use crate::core::refusal::SignInError;
use crate::service::{Cloud, Granted, TokenForm};

/// Hands out a nonce, answers a signed request of a device, or redeems what an application brings.
///
/// The form's fields: `grant_type` `srv_challenge`; or `urn:ietf:params:oauth:grant-type:jwt-bearer` with `request` (a
/// compact JWS), `tgt` and `prt_protocol_version`; or those of `/{tenant}/oauth2/v2.0/token`.
#[utoipa::path(post, path = "/{tenant}/oauth2/token", tag = "devices",
    params(("tenant" = String, Path)),
    responses((status = 200, description = "a nonce, a token answer, or a sealed answer"), (status = "4XX", body = TokenError)))]
pub(super) async fn token(At(cloud): At, parts: Parts, body: Bytes) -> Response {
    // One client in the field sends its form without a Content-Type, so the body is read as a form whatever it says.
    let form = Form::read(&body);
    match form.get("grant_type") {
        Some(GRANT_CHALLENGE) => challenge(&cloud, &parts),
        Some(GRANT_JWT) => signed(cloud, &parts, form).await,
        _ => oidc::redeem(&cloud, &parts, form).await,
    }
}

/// The same: redeems a code, a device code or a refresh token, and answers devices.
#[utoipa::path(post, path = "/{tenant}/oauth2/v2.0/token", tag = "applications", security(()),
    params(("tenant" = String, Path)),
    responses((status = 200, body = ApplicationAnswer), (status = "4XX", body = TokenError)))]
pub(super) async fn token_2(at: At, parts: Parts, body: Bytes) -> Response {
    token(at, parts, body).await
}

fn challenge(cloud: &Cloud, parts: &Parts) -> Response {
    match cloud.may_try(&address(parts, cloud)) {
        Ok(()) => Json::<Challenge>(cloud.challenge()).into_response(),
        Err(seconds) => oidc::later("too many refused requests; come back later", seconds),
    }
}

async fn signed(cloud: Cloud, parts: &Parts, form: Form) -> Response {
    let address = address(parts, &cloud);
    if let Err(seconds) = cloud.may_try(&address) {
        return oidc::later("too many refused requests; come back later", seconds);
    }
    let worker = cloud.clone();
    let work = move || {
        let request = form.get("request").unwrap_or_default();
        // One client writes `True`.
        let tgt = form
            .get("tgt")
            .is_some_and(|tgt| tgt.eq_ignore_ascii_case("true"));
        let is_protocol_3 = match form.text("prt_protocol_version") {
            "" => false,
            "3.0" => true,
            other => {
                let other: String = other.chars().take(20).collect();
                let why = format!("prt_protocol_version '{other}' is not taken here; 3.0 is");
                return Err(SignInError::Request(why));
            }
        };
        worker.token(&TokenForm {
            request,
            tgt,
            is_protocol_3,
        })
    };
    let Ok(result) = tokio::task::spawn_blocking(work).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    match result {
        Ok(Granted::Plain(answer)) => Json(answer).into_response(),
        Ok(Granted::Sealed(text)) => {
            ([(header::CONTENT_TYPE, "application/jose")], text).into_response()
        }
        Err(error) => {
            if let SignInError::Inside(error) = &error {
                tracing::error!(%error, "A sign-in failed inside");
            } else {
                tracing::info!(%error, "A sign-in was refused");
                cloud.count_failure(&address);
            }
            refused(&error)
        }
    }
}

fn refused(error: &SignInError) -> Response {
    let status = match error {
        SignInError::Inside(_) => StatusCode::INTERNAL_SERVER_ERROR,
        SignInError::Device => StatusCode::UNAUTHORIZED,
        _ => StatusCode::BAD_REQUEST,
    };
    (status, Json(error.to_wire())).into_response()
}
