//! OAuth 2.0 and OpenID Connect for applications.

use axum::Json;
use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cloud_api::ErrorBody;
use cloud_api::claims::ClaimsRequest;
use cloud_api::oidc::{
    DeviceAuthorization, Discovery, GRANT_CODE, GRANT_DEVICE_CODE, GRANT_DEVICE_CODE_SHORT, KeySet,
};
use cloud_api::prt::{GRANT_REFRESH, TokenError};
use serde::Serialize;

use super::extract::{At, address, blocking};
use super::form::Form;
use super::problem::Problem;
use crate::core::application_token::ApplicationError;
use crate::core::authorization::FIRST_VERSION_SCOPE;
use crate::core::refusal::SignInError;
use crate::service::Cloud;

/// Where an application finds everything.
#[utoipa::path(get, path = "/{tenant}/v2.0/.well-known/openid-configuration", tag = "applications", security(()),
    params(("tenant" = String, Path)),
    responses((status = 200, body = Discovery), (status = "5XX", body = ErrorBody)))]
pub(super) async fn discovery(At(cloud): At) -> Result<Json<Discovery>, Problem> {
    blocking(&cloud, |cloud| cloud.discovery()).await.map(Json)
}

/// The keys of the signatures.
#[utoipa::path(get, path = "/{tenant}/discovery/keys", tag = "applications", security(()),
    params(("tenant" = String, Path)),
    responses((status = 200, body = KeySet), (status = "5XX", body = ErrorBody)))]
pub(super) async fn keys(At(cloud): At) -> Result<Json<KeySet>, Problem> {
    blocking(&cloud, |cloud| cloud.key_set()).await.map(Json)
}

/// Redeems a code, a device code or a refresh token, as every request of an application for tokens does.
///
/// The form's fields: `client_id`, `grant_type`, and `code`, `redirect_uri` and `code_verifier`; or `device_code`; or
/// `refresh_token` and `claims`.
pub(super) async fn redeem(cloud: &Cloud, parts: &Parts, form: Form) -> Response {
    answer(cloud, parts, move |cloud| {
        let client = form.text("client_id");
        match form.text("grant_type") {
            GRANT_CODE => cloud.redeem_code(
                client,
                form.text("code"),
                form.text("redirect_uri"),
                form.text("code_verifier"),
            ),
            GRANT_DEVICE_CODE | GRANT_DEVICE_CODE_SHORT => {
                // The first version of the endpoint has another name for it.
                let code = form.get("device_code").or_else(|| form.get("code"));
                cloud.poll_device(client, code.unwrap_or_default())
            }
            GRANT_REFRESH => {
                let claims = ClaimsRequest::parse(form.text("claims"));
                let claims =
                    claims.map_err(|error| ApplicationError::Request(error.to_string()))?;
                cloud.refresh_application(client, form.text("refresh_token"), claims)
            }
            other => {
                let text: String = other.chars().take(80).collect();
                Err(SignInError::GrantType(text).into())
            }
        }
    })
    .await
}

/// Begins a sign-in of a device without a browser. The form's fields: `client_id`, `scope`.
#[utoipa::path(post, path = "/{tenant}/oauth2/v2.0/devicecode", tag = "applications", security(()),
    params(("tenant" = String, Path)),
    responses((status = 200, body = DeviceAuthorization), (status = "4XX", body = TokenError)))]
pub(super) async fn device_code(At(cloud): At, parts: Parts, body: Bytes) -> Response {
    if let Err(seconds) = cloud.count_begun(&address(&parts, &cloud)) {
        return later(
            "too many sign-ins were begun from here; come back later",
            seconds,
        );
    }
    let form = Form::read(&body);
    answer(&cloud, &parts, move |cloud| {
        let scope = match (form.text("scope"), form.get("resource")) {
            ("", Some(_)) => FIRST_VERSION_SCOPE,
            (scope, _) => scope,
        };
        cloud.device_authorization(form.text("client_id"), scope)
    })
    .await
}

/// Runs `work` for an address that may still try, and writes what comes of it.
pub(super) async fn answer<T: Serialize + Send + 'static>(
    cloud: &Cloud,
    parts: &Parts,
    work: impl FnOnce(&Cloud) -> Result<T, ApplicationError> + Send + 'static,
) -> Response {
    let address = address(parts, cloud);
    if let Err(seconds) = cloud.may_try(&address) {
        return later("too many refused requests; come back later", seconds);
    }
    let worker = cloud.clone();
    match tokio::task::spawn_blocking(move || work(&worker)).await {
        Ok(Ok(answer)) => Json(answer).into_response(),
        Ok(Err(error)) => refused(cloud, &address, &error),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub(super) fn later(why: &str, seconds: u64) -> Response {
    let error = TokenError {
        error: "temporarily_unavailable".to_owned(),
        error_description: why.to_owned(),
        suberror: None,
        claims: None,
    };
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(error)).into_response();
    let seconds = HeaderValue::from(seconds);
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response
}

fn refused(cloud: &Cloud, address: &str, error: &ApplicationError) -> Response {
    let status = match error {
        ApplicationError::SignIn(SignInError::Inside(error)) => {
            tracing::error!(%error, "A request of an application failed inside");
            StatusCode::INTERNAL_SERVER_ERROR
        }
        // To wait is what a device is asked to do.
        ApplicationError::Pending | ApplicationError::SlowDown => StatusCode::BAD_REQUEST,
        error => {
            tracing::info!(%error, "A request of an application was refused");
            cloud.count_failure(address);
            StatusCode::BAD_REQUEST
        }
    };
    (status, Json(error.to_wire())).into_response()
}
