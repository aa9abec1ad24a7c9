//! Which path leads to which handler, and what every reply has in common.

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post, put};
use axum::{Json, Router};
use cloud_api::error::{ErrorDetail, InnerError};
use cloud_api::{ErrorBody, ErrorCode, paths};

use super::problem::Problem;
use super::{
    audit, authorize, conditional_access, devices, document, feed, ground, keys, oidc, page,
    registration, tenant, token, trust, users,
};
use crate::service::Cloud;

/// The HTTP side of a tenant, for [`super::serve`] or for tests without a socket.
pub fn router(cloud: Cloud) -> Router {
    let body_bytes_max = cloud.limits().body_bytes_max;
    Router::new()
        .merge(for_people())
        .merge(for_keys())
        .merge(for_devices())
        .merge(for_registration())
        .merge(for_ground())
        .merge(for_applications())
        .merge(for_policies())
        .route(paths::SYNC_USERS, post(users::sync_create))
        .route(
            "/sync/v1/users/{id}",
            patch(users::sync_change).delete(users::sync_delete),
        )
        .route(paths::DEVICE_KEY_DELTA, get(feed::delta))
        .route("/devicekeys/v1/users/{id}", get(keys::device_keys))
        .route("/devicekeys/v1/users/{id}/ngc", post(keys::add_ngc))
        .route(
            "/devicekeys/v1/users/{id}/ngc/{method}",
            delete(keys::remove_ngc),
        )
        .route(
            paths::FIDO2_POLICY,
            get(tenant::policy).patch(tenant::change_policy),
        )
        .route(paths::DIRECTORY_AUDITS, get(audit::all))
        .route(paths::SIGN_INS, get(audit::sign_ins))
        .route(paths::ISSUED_TICKETS, get(audit::tickets))
        .route(
            paths::AUDIT_RETENTION,
            get(audit::retention).put(audit::set_retention),
        )
        .route(paths::HEALTH, get(tenant::health))
        .route(paths::OPENAPI, get(document::get))
        .fallback(|| async {
            Problem::new(
                StatusCode::NOT_FOUND,
                ErrorCode::NotFound,
                "no such path; see /openapi.json",
            )
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                ErrorCode::MethodNotAllowed,
                "this path has no such method; see /openapi.json",
            )
        })
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .layer(middleware::from_fn_with_state(cloud.clone(), finish))
        .with_state(cloud)
}

fn for_people() -> Router<Cloud> {
    Router::new()
        .route(paths::USERS, get(users::list).post(users::create))
        .route(
            "/graph/v1.0/users/{id}",
            get(users::get).patch(users::change).delete(users::delete),
        )
        .route(
            "/graph/v1.0/users/{id}/authentication/temporaryAccessPassMethods",
            post(users::create_pass),
        )
        .route(paths::ME, get(users::me))
        .route(paths::SIGN_IN_TEMPORARY_ACCESS_PASS, post(users::sign_in))
}

fn for_keys() -> Router<Cloud> {
    // Clients in the field ask the preview's path, some of them without the service's own prefix.
    ["/graph/v1.0", "/graph/beta", "/beta"]
        .into_iter()
        .fold(Router::new(), |router, service| {
            router.merge(keys_below(service))
        })
}

fn keys_below(service: &str) -> Router<Cloud> {
    let theirs = format!("{service}/users/{{id}}/authentication/fido2Methods");
    let mine = format!("{service}/me/authentication/fido2Methods");
    Router::new()
        .route(&theirs, get(keys::list).post(keys::register))
        .route(&format!("{theirs}/creationOptions"), get(keys::options))
        .route(
            &format!("{theirs}/{{method}}"),
            get(keys::timed_options).delete(keys::remove),
        )
        .route(&mine, get(keys::my_list).post(keys::my_register))
        .route(&format!("{mine}/creationOptions"), get(keys::my_options))
        .route(
            &format!("{mine}/{{method}}"),
            get(keys::my_timed_options).delete(keys::my_remove),
        )
}

fn for_devices() -> Router<Cloud> {
    Router::new()
        .route(paths::JOIN_DEVICE, post(devices::join))
        .route(paths::JOIN_DEVICE_ALIAS, post(devices::join))
        .route(paths::PROVISION_KEY, post(devices::provision_key))
        .route(paths::PROVISION_KEY_ALIAS, post(devices::provision_key))
        .route(paths::REGISTRATION_TOKEN, post(devices::registration_token))
        .route(paths::DEVICES, get(devices::list))
        .route(
            "/graph/v1.0/devices/{id}",
            patch(devices::change).delete(devices::remove),
        )
        .route("/{tenant}/oauth2/token", post(token::token))
        .route(paths::TRUST_WRAPPING_KEY, get(trust::wrapping_key))
        .route(paths::TRUST_SERVERS, post(trust::publish))
        .route(
            "/trust/v1/servers/{method}",
            get(trust::get).delete(trust::remove),
        )
}

/// What devices ask without a token, where clients in the field look for it and under our own names.
fn for_registration() -> Router<Cloud> {
    let own_device = || put(registration::join).delete(registration::leave);
    Router::new()
        .route("/drs/device/{id}", own_device())
        .route("/EnrollmentServer/device/{id}", own_device())
        .route("/drs/{tenant}/Discover", get(registration::discover))
        .route("/{tenant}/Discover", get(registration::discover))
        .route("/{tenant}/discover", get(registration::discover))
        .route("/EnrollmentServer/contract", get(registration::discover))
        .route("/drs/nonce/{tenant}", get(registration::nonce))
        .route("/drs/nonce/{tenant}/", get(registration::nonce))
        .route(
            "/EnrollmentServer/nonce/{tenant}/",
            get(registration::nonce),
        )
}

fn for_ground() -> Router<Cloud> {
    Router::new()
        .route(paths::GROUND, get(ground::list))
        .route(
            "/sync/v1/devices/{id}",
            put(ground::put_device).delete(ground::remove_device),
        )
        .route(
            "/sync/v1/kerberosServers/{method}",
            put(ground::put_server).delete(ground::remove_server),
        )
}

fn for_policies() -> Router<Cloud> {
    Router::new()
        .route(
            paths::ACCESS_POLICIES,
            get(conditional_access::list).post(conditional_access::add),
        )
        .route(
            "/graph/v1.0/identity/conditionalAccess/policies/{id}",
            put(conditional_access::change).delete(conditional_access::remove),
        )
        .route(paths::WHAT_IF, post(conditional_access::what_if))
        .route(
            paths::GROUPS,
            get(conditional_access::groups).post(conditional_access::add_group),
        )
        .route(
            "/graph/v1.0/groups/{id}/members/$ref",
            post(conditional_access::add_member),
        )
        .route(
            "/graph/v1.0/groups/{id}/members/{method}/$ref",
            delete(conditional_access::remove_member),
        )
        .route(
            "/graph/v1.0/groups/{id}",
            put(conditional_access::change_group).delete(conditional_access::remove_group),
        )
}

fn for_applications() -> Router<Cloud> {
    Router::new()
        .route(
            "/{tenant}/v2.0/.well-known/openid-configuration",
            get(oidc::discovery),
        )
        .route(
            "/{tenant}/.well-known/openid-configuration",
            get(oidc::discovery),
        )
        .route("/{tenant}/discovery/keys", get(oidc::keys))
        .route("/{tenant}/oauth2/v2.0/authorize", get(authorize::authorize))
        // One client in the field writes it so.
        .route("/{tenant}/oAuth2/v2.0/authorize", get(authorize::authorize))
        .route("/{tenant}/oauth2/authorize", get(authorize::authorize))
        .route("/{tenant}/oauth2/v2.0/token", post(token::token_2))
        .route("/{tenant}/oauth2/v2.0/devicecode", post(oidc::device_code))
        .route("/{tenant}/oauth2/devicecode", post(oidc::device_code))
        .route("/signin/device", get(page::device))
        .route("/signin/page.js", get(page::script))
        .route("/signin/page.css", get(page::style))
        .route("/signin/webauthn/begin", post(page::begin))
        .route("/signin/webauthn/finish", post(page::finish))
}

/// Gives each request an id, writes the body of refusals, and forbids caching and sniffing.
async fn finish(State(cloud): State<Cloud>, request: Request, next: Next) -> Response {
    let request_id = types::Guid::v4(cloud.random()).to_string();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    let status = response.status();
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        tracing::info!(%request_id, %method, path, status = status.as_u16(), code = %problem.code, "Refused");
        let body = ErrorBody {
            error: ErrorDetail {
                code: problem.code,
                message: problem.message,
                inner_error: Some(InnerError {
                    date: cloud.now(),
                    request_id: request_id.clone(),
                }),
            },
        };
        let (parts, _) = response.into_parts();
        let (written, body) = Json(body).into_response().into_parts();
        response = Response::from_parts(parts, body);
        for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
            response.headers_mut().remove(&name);
            if let Some(value) = written.headers.get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
    } else {
        tracing::debug!(%request_id, %method, path, status = status.as_u16(), "Answered");
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert("request-id", value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    response.map(Body::new)
}
