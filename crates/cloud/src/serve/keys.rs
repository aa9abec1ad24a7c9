//! Security keys and device keys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cloud_api::ErrorBody;
use cloud_api::devicekeys::{NewNgcKey, UserDeviceKeys};
use cloud_api::fido2::{CreationOptionsReply, Fido2Method, Fido2MethodList, NewFido2Method};
use keycred::SearchableDeviceKey;

use super::extract::{Body, Id, Member, Options, Signed, blocking, own_id};
use super::problem::Problem;
use crate::service::Cloud;

/// Options for a registration on behalf of a user. The challenge works once, for this user, for five minutes.
#[utoipa::path(get, path = "/graph/v1.0/users/{id}/authentication/fido2Methods/creationOptions", tag = "security keys",
    params(("id" = String, Path)),
    responses((status = 200, body = CreationOptionsReply), (status = "4XX", body = ErrorBody)))]
pub(super) async fn options(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Id(id): Id,
    query: Options,
) -> Result<Json<CreationOptionsReply>, Problem> {
    query.only(&[])?;
    blocking(&cloud, move |cloud| cloud.begin_registration(&caller, id))
        .await
        .map(Json)
}

/// Registers a security key of a user.
#[utoipa::path(post, path = "/graph/v1.0/users/{id}/authentication/fido2Methods", tag = "security keys",
    params(("id" = String, Path)), request_body = NewFido2Method,
    responses((status = 201, body = Fido2Method), (status = "4XX", body = ErrorBody)))]
pub(super) async fn register(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Id(id): Id,
    Body(request): Body<NewFido2Method>,
) -> Result<(StatusCode, Json<Fido2Method>), Problem> {
    let method = blocking(&cloud, move |cloud| {
        cloud.finish_registration(&caller, id, &request)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(method)))
}

/// The security keys of a user.
#[utoipa::path(get, path = "/graph/v1.0/users/{id}/authentication/fido2Methods", tag = "security keys",
    params(("id" = String, Path)),
    responses((status = 200, body = Fido2MethodList), (status = "4XX", body = ErrorBody)))]
pub(super) async fn list(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Id(id): Id,
) -> Result<Json<Fido2MethodList>, Problem> {
    let value = blocking(&cloud, move |cloud| cloud.security_keys(&caller, id)).await?;
    Ok(Json(Fido2MethodList { value }))
}

/// Removes a security key; the feed tells of it.
#[utoipa::path(delete, path = "/graph/v1.0/users/{id}/authentication/fido2Methods/{method}", tag = "security keys",
    params(("id" = String, Path), ("method" = String, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn remove(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Id(id): Id,
    Member(method): Member,
) -> Result<StatusCode, Problem> {
    blocking(&cloud, move |cloud| {
        cloud.remove_security_key(&caller, id, &method)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Options for a registration by the signed-in user.
#[utoipa::path(get, path = "/graph/v1.0/me/authentication/fido2Methods/creationOptions", tag = "me",
    responses((status = 200, body = CreationOptionsReply), (status = "4XX", body = ErrorBody)))]
pub(super) async fn my_options(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    query: Options,
) -> Result<Json<CreationOptionsReply>, Problem> {
    query.only(&[])?;
    let id = own_id(&caller)?;
    blocking(&cloud, move |cloud| cloud.begin_registration(&caller, id))
        .await
        .map(Json)
}

/// Registers a security key of the signed-in user.
#[utoipa::path(post, path = "/graph/v1.0/me/authentication/fido2Methods", tag = "me", request_body = NewFido2Method,
    responses((status = 201, body = Fido2Method), (status = "4XX", body = ErrorBody)))]
pub(super) async fn my_register(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Body(request): Body<NewFido2Method>,
) -> Result<(StatusCode, Json<Fido2Method>), Problem> {
    let id = own_id(&caller)?;
    let method = blocking(&cloud, move |cloud| {
        cloud.finish_registration(&caller, id, &request)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(method)))
}

/// The security keys of the signed-in user.
#[utoipa::path(get, path = "/graph/v1.0/me/authentication/fido2Methods", tag = "me",
    responses((status = 200, body = Fido2MethodList), (status = "4XX", body = ErrorBody)))]
pub(super) async fn my_list(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
) -> Result<Json<Fido2MethodList>, Problem> {
    let id = own_id(&caller)?;
    let value = blocking(&cloud, move |cloud| cloud.security_keys(&caller, id)).await?;
    Ok(Json(Fido2MethodList { value }))
}

/// Removes a security key of the signed-in user.
#[utoipa::path(delete, path = "/graph/v1.0/me/authentication/fido2Methods/{method}", tag = "me",
    params(("method" = String, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn my_remove(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Member(method): Member,
) -> Result<StatusCode, Problem> {
    let id = own_id(&caller)?;
    blocking(&cloud, move |cloud| {
        cloud.remove_security_key(&caller, id, &method)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All keys of a user, whatever their usage, in the form that the sync carries.
#[utoipa::path(get, path = "/devicekeys/v1/users/{id}", tag = "device keys", params(("id" = String, Path)),
    responses((status = 200, body = UserDeviceKeys), (status = "4XX", body = ErrorBody)))]
pub(super) async fn device_keys(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Id(id): Id,
) -> Result<Json<UserDeviceKeys>, Problem> {
    blocking(&cloud, move |cloud| cloud.device_keys(&caller, id))
        .await
        .map(Json)
}

/// Adds a Windows Hello key to a user (draft: stands in for provisioning by a registered device).
#[utoipa::path(post, path = "/devicekeys/v1/users/{id}/ngc", tag = "device keys", params(("id" = String, Path)),
    request_body = NewNgcKey,
    responses((status = 201, description = "the searchableDeviceKey"), (status = "4XX", body = ErrorBody)))]
pub(super) async fn add_ngc(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Id(id): Id,
    Body(request): Body<NewNgcKey>,
) -> Result<(StatusCode, Json<SearchableDeviceKey>), Problem> {
    let key = blocking(&cloud, move |cloud| {
        cloud.add_ngc_key(&caller, id, &request)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(key)))
}

/// Removes a Windows Hello key, named by its identifier in base64url.
#[utoipa::path(delete, path = "/devicekeys/v1/users/{id}/ngc/{method}", tag = "device keys",
    params(("id" = String, Path), ("method" = String, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn remove_ngc(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Id(id): Id,
    Member(method): Member,
) -> Result<StatusCode, Problem> {
    blocking(&cloud, move |cloud| {
        cloud.remove_ngc_key(&caller, id, &method)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
