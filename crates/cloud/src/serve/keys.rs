//! Security keys and device keys.

use axum::Json;
use axum::http::StatusCode;
use cloud_api::devicekeys::{NewNgcKey, UserDeviceKeys};
use cloud_api::fido2::{CreationOptionsReply, Fido2Method, Fido2MethodList, NewFido2Method};
use cloud_api::{ErrorBody, ErrorCode};
use keycred::SearchableDeviceKey;

use super::extract::{At, Body, Id, Member, Myself, Options, Signed, blocking, own_id};
use super::problem::Problem;

/// Options for a registration on behalf of a user. The challenge works once, for this user, for five minutes.
#[utoipa::path(get, path = "/graph/v1.0/users/{id}/authentication/fido2Methods/creationOptions", tag = "security keys",
    params(("id" = String, Path)),
    responses((status = 200, body = CreationOptionsReply), (status = "4XX", body = ErrorBody)))]
pub(super) async fn options(
    At(cloud): At,
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
    At(cloud): At,
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
    At(cloud): At,
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
    At(cloud): At,
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
    At(cloud): At,
    Myself(caller): Myself,
    query: Options,
) -> Result<Json<CreationOptionsReply>, Problem> {
    query.only(&[])?;
    let id = own_id(&caller)?;
    blocking(&cloud, move |cloud| cloud.begin_registration(&caller, id))
        .await
        .map(Json)
}

/// The same by another name: `creationOptions(challengeTimeoutInMinutes=10)`. The challenge lasts as long as any other.
pub(super) async fn my_timed_options(
    at: At,
    caller: Myself,
    Member(method): Member,
    query: Options,
) -> Result<Json<CreationOptionsReply>, Problem> {
    must_be_timed(&method)?;
    my_options(at, caller, query).await
}

/// The same on behalf of a user.
pub(super) async fn timed_options(
    at: At,
    caller: Signed,
    id: Id,
    Member(method): Member,
    query: Options,
) -> Result<Json<CreationOptionsReply>, Problem> {
    must_be_timed(&method)?;
    options(at, caller, id, query).await
}

fn must_be_timed(method: &str) -> Result<(), Problem> {
    let minutes = method
        .strip_prefix("creationOptions(challengeTimeoutInMinutes=")
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|minutes| minutes.parse().ok());
    match minutes {
        Some(5_u32..=43_200) => Ok(()),
        Some(_) => Err(Problem::invalid(
            "challengeTimeoutInMinutes must be 5 to 43200",
        )),
        None => Err(Problem::new(
            StatusCode::NOT_FOUND,
            ErrorCode::NotFound,
            "keys are read as a list; see /openapi.json",
        )),
    }
}

/// Registers a security key of the signed-in user.
#[utoipa::path(post, path = "/graph/v1.0/me/authentication/fido2Methods", tag = "me", request_body = NewFido2Method,
    responses((status = 201, body = Fido2Method), (status = "4XX", body = ErrorBody)))]
pub(super) async fn my_register(
    At(cloud): At,
    Myself(caller): Myself,
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
    At(cloud): At,
    Myself(caller): Myself,
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
    At(cloud): At,
    Myself(caller): Myself,
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
    At(cloud): At,
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
    At(cloud): At,
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
    At(cloud): At,
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
