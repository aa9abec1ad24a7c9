//! The device registration service as devices speak to it without a user: where it is, nonces, hybrid join, leaving.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header;
use axum::http::request::Parts;
use cloud_api::ErrorBody;
use cloud_api::devices::JoinedDevice;
use cloud_api::hybrid::{
    AuthenticationService, DeviceJoinService, Discovery, EnrollmentNonce, HybridJoin,
    KeyProvisioningService, NonceService, OAuth2Endpoints, TenantInfo,
};
use cloud_api::paths;
use cloud_api::tokens::DEVICE_REGISTRATION;

use super::certificates::DeviceCertificate;
use super::extract::{At, Body, Id, address, blocking};
use super::problem::Problem;
use crate::error::Error;
use crate::service::Cloud;

/// A request without a token, whose failures count against its address.
#[derive(Debug)]
pub(super) struct Stranger(String);

impl FromRequestParts<Cloud> for Stranger {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, cloud: &Cloud) -> Result<Self, Problem> {
        let address = address(parts, cloud);
        cloud.may_try(&address).map_err(Problem::too_many)?;
        Ok(Self(address))
    }
}

impl Stranger {
    /// Counts a refusal.
    fn heard<T>(&self, cloud: &Cloud, answer: Result<T, Problem>) -> Result<T, Problem> {
        answer.inspect_err(|_| cloud.count_failure(&self.0))
    }
}

/// The origin that the client asked, by its own words: what it is told to ask next is no more than that.
#[derive(Debug)]
pub(super) struct Origin(String);

impl FromRequestParts<Cloud> for Origin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Cloud) -> Result<Self, Problem> {
        // HTTP/2 has the host in the target, HTTP/1.1 in a header.
        let host = parts.uri.authority().map(ToString::to_string).or_else(|| {
            let host = parts.headers.get(header::HOST)?.to_str().ok()?;
            Some(host.to_owned())
        });
        let is_sound = |host: &String| {
            !host.is_empty()
                && host.len() <= 300
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
        };
        let host = host.filter(is_sound);
        let host = host.ok_or_else(|| Problem::invalid("the request names no host"))?;
        Ok(Self(format!("https://{host}")))
    }
}

/// Where everything about devices is. `{tenant}` is any word.
#[utoipa::path(get, path = "/drs/{tenant}/Discover", tag = "devices", params(("tenant" = String, Path)),
    responses((status = 200, body = Discovery), (status = "4XX", body = ErrorBody)))]
pub(super) async fn discover(
    At(cloud): At,
    Origin(origin): Origin,
) -> Result<Json<Discovery>, Problem> {
    let tenant = blocking(&cloud, Cloud::tenant).await?;
    let id = tenant.id;
    Ok(Json(Discovery {
        device_join_service: DeviceJoinService {
            join_endpoint: format!("{origin}{}/", paths::JOIN_DEVICE),
            join_resource_id: DEVICE_REGISTRATION.to_owned(),
            service_version: "2.0".to_owned(),
        },
        key_provisioning_service: KeyProvisioningService {
            key_provision_endpoint: format!("{origin}{}/", paths::PROVISION_KEY),
            key_provision_resource_id: DEVICE_REGISTRATION.to_owned(),
            service_version: "1.0".to_owned(),
        },
        nonce_service: NonceService {
            endpoint: format!("{origin}/drs/nonce/{id}/"),
            service_version: "1.0".to_owned(),
        },
        authentication_service: AuthenticationService {
            oauth2: OAuth2Endpoints {
                auth_code_endpoint: format!("{origin}/{id}/oauth2/v2.0/authorize"),
                token_endpoint: format!("{origin}/{id}/oauth2/v2.0/token"),
            },
        },
        tenant_info: TenantInfo {
            display_name: tenant.name.clone(),
            tenant_id: id,
            tenant_name: tenant.name,
        },
    }))
}

/// A nonce for a certificate request.
#[utoipa::path(get, path = "/drs/nonce/{tenant}", tag = "devices", params(("tenant" = String, Path)),
    responses((status = 200, body = EnrollmentNonce), (status = "4XX", body = ErrorBody)))]
pub(super) async fn nonce(At(cloud): At) -> Json<EnrollmentNonce> {
    let value = cloud.challenge().nonce;
    Json(EnrollmentNonce { value })
}

/// A computer of the ground joins, by its synced certificate.
#[utoipa::path(put, path = "/drs/device/{id}", tag = "devices", params(("id" = String, Path)),
    request_body = HybridJoin,
    responses((status = 200, body = JoinedDevice), (status = "4XX", body = ErrorBody)))]
pub(super) async fn join(
    At(cloud): At,
    stranger: Stranger,
    Id(id): Id,
    Body(request): Body<HybridJoin>,
) -> Result<Json<JoinedDevice>, Problem> {
    let joined = blocking(&cloud, move |cloud| cloud.join_hybrid(id, &request)).await;
    stranger.heard(&cloud, joined).map(Json)
}

/// A device leaves, by its TLS client certificate.
#[utoipa::path(delete, path = "/drs/device/{id}", tag = "devices", params(("id" = String, Path)),
    responses((status = 200), (status = "4XX", body = ErrorBody)))]
pub(super) async fn leave(
    At(cloud): At,
    stranger: Stranger,
    DeviceCertificate(certificate): DeviceCertificate,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let left = match certificate {
        Some(certificate) => blocking(&cloud, move |cloud| cloud.leave(id, &certificate)).await,
        None => Err(Error::NotTheDevice.into()),
    };
    stranger.heard(&cloud, left)?;
    Ok(StatusCode::OK)
}
