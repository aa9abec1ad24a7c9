//! Nonces and tokens for devices: `POST /{tenant}/oauth2/token`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cloud_api::prt::{Challenge, GRANT_CHALLENGE, GRANT_JWT, TokenError};

use super::extract::address;
use super::form::Form;
use crate::core::refusal::SignInError;
use crate::service::{Cloud, Granted, TokenForm};

/// Hands out a nonce, or answers a signed request.
///
/// The form's fields: `grant_type` `srv_challenge`, or `urn:ietf:params:oauth:grant-type:jwt-bearer` with `request` (a
/// compact JWS) and `tgt`.
#[utoipa::path(post, path = "/{tenant}/oauth2/token", tag = "devices",
    params(("tenant" = String, Path)),
    responses((status = 200, description = "a nonce, a token answer, or a sealed answer"), (status = "4XX", body = TokenError)))]
pub(super) async fn token(State(cloud): State<Cloud>, parts: Parts, body: Bytes) -> Response {
    let address = address(&parts);
    if let Err(seconds) = cloud.may_try(&address) {
        let error = plain_error(
            "temporarily_unavailable",
            "too many refused requests; come back later",
        );
        let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(error)).into_response();
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
        return response;
    }
    // One client in the field sends its form without a Content-Type, so the body is read as a form whatever it says.
    let form = Form::read(&body);
    match form.get("grant_type") {
        Some(GRANT_CHALLENGE) => Json::<Challenge>(cloud.challenge()).into_response(),
        Some(GRANT_JWT) => signed(cloud, form, address).await,
        other => {
            let text: String = other.unwrap_or_default().chars().take(80).collect();
            refused(&SignInError::GrantType(text))
        }
    }
}

async fn signed(cloud: Cloud, form: Form, address: String) -> Response {
    let worker = cloud.clone();
    let work = move || {
        let request = form.get("request").unwrap_or_default();
        // One client writes `True`.
        let tgt = form
            .get("tgt")
            .is_some_and(|tgt| tgt.eq_ignore_ascii_case("true"));
        worker.token(&TokenForm { request, tgt })
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

fn plain_error(error: &str, description: &str) -> TokenError {
    TokenError {
        error: error.to_owned(),
        error_description: description.to_owned(),
        suberror: None,
    }
}
