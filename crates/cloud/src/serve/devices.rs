//! Devices.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use cloud_api::ErrorBody;
use cloud_api::devices::{Device, JoinDevice, JoinedDevice};
use cloud_api::hello::{ProvisionKey, ProvisionedKey};
use cloud_api::tokens::AccessAnswer;
use serde::{Deserialize, Serialize};

use super::extract::{At, Body, Id, Registering, Signed, bearer, blocking};
use super::problem::Problem;

/// Joins a device for the signed-in user.
#[utoipa::path(post, path = "/drs/device", tag = "devices", request_body = JoinDevice,
    responses((status = 200, body = JoinedDevice), (status = "4XX", body = ErrorBody)))]
pub(super) async fn join(
    At(cloud): At,
    Registering(registrar): Registering,
    Body(request): Body<JoinDevice>,
) -> Result<Json<JoinedDevice>, Problem> {
    blocking(&cloud, move |cloud| {
        cloud.join_device(&registrar.caller, &request)
    })
    .await
    .map(Json)
}

/// Registers a Windows Hello key for the user and the device that the token names.
#[utoipa::path(post, path = "/drs/key", tag = "devices", request_body = ProvisionKey,
    responses((status = 200, body = ProvisionedKey), (status = "4XX", body = ErrorBody)))]
pub(super) async fn provision_key(
    At(cloud): At,
    Registering(registrar): Registering,
    Body(request): Body<ProvisionKey>,
) -> Result<Json<ProvisionedKey>, Problem> {
    blocking(&cloud, move |cloud| {
        cloud.provision_key(&registrar, &request)
    })
    .await
    .map(Json)
}

/// Trades a session for a token of the device registration service.
#[utoipa::path(post, path = "/signin/v1/deviceRegistrationToken", tag = "devices",
    responses((status = 200, body = AccessAnswer), (status = "4XX", body = ErrorBody)))]
pub(super) async fn registration_token(
    At(cloud): At,
    Signed(caller): Signed,
    headers: HeaderMap,
) -> Result<Json<AccessAnswer>, Problem> {
    let session = bearer(&headers).unwrap_or_default();
    blocking(&cloud, move |cloud| {
        cloud.registration_token(&caller, &session)
    })
    .await
    .map(Json)
}

/// Devices of the tenant.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct DeviceList {
    value: Vec<Device>,
}

/// All devices.
#[utoipa::path(get, path = "/graph/v1.0/devices", tag = "devices",
    responses((status = 200, body = DeviceList), (status = "4XX", body = ErrorBody)))]
pub(super) async fn list(
    At(cloud): At,
    Signed(caller): Signed,
) -> Result<Json<DeviceList>, Problem> {
    let value = blocking(&cloud, move |cloud| cloud.devices(&caller)).await?;
    Ok(Json(DeviceList { value }))
}

/// What may change of a device.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ChangeDevice {
    #[serde(default)]
    account_enabled: Option<bool>,
    #[serde(default)]
    is_compliant: Option<bool>,
}

/// Enables or disables a device, marks it as compliant or not.
#[utoipa::path(patch, path = "/graph/v1.0/devices/{id}", tag = "devices", params(("id" = String, Path)),
    request_body = ChangeDevice,
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn change(
    At(cloud): At,
    Signed(caller): Signed,
    Id(id): Id,
    Body(request): Body<ChangeDevice>,
) -> Result<StatusCode, Problem> {
    blocking(&cloud, move |cloud| {
        if let Some(enabled) = request.account_enabled {
            cloud.enable_device(&caller, id, enabled)?;
        }
        if let Some(compliant) = request.is_compliant {
            cloud.mark_device(&caller, id, compliant)?;
        }
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a device.
#[utoipa::path(delete, path = "/graph/v1.0/devices/{id}", tag = "devices", params(("id" = String, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn remove(
    At(cloud): At,
    Signed(caller): Signed,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    blocking(&cloud, move |cloud| cloud.remove_device(&caller, id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
