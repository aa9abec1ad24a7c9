//! Users: for administrators, for the sync, and for a user itself.

use axum::Json;
use axum::http::{StatusCode, request::Parts};
use cloud_api::access::{NewTemporaryAccessPass, Session, SignIn, TemporaryAccessPass};
use cloud_api::users::{NewUser, SyncUser, User, UserChange, UserPage};
use cloud_api::{ErrorBody, paths};
use types::Guid;

use super::extract::{At, Body, Id, Options, Signed, address, blocking, own_id};
use super::problem::Problem;
use crate::error::Error;
use crate::service::Cloud;

/// Users in the order of their ids; `$filter` may name one as `userPrincipalName eq '...'`.
#[utoipa::path(get, path = paths::USERS, tag = "users",
    params(("$top" = Option<u16>, Query, description = "users on a page, 1 to 999"),
           ("$skiptoken" = Option<String>, Query, description = "from a next link"),
           ("$filter" = Option<String>, Query, description = "userPrincipalName eq '...'")),
    responses((status = 200, body = UserPage), (status = "4XX", body = ErrorBody)))]
pub(super) async fn list(
    At(cloud): At,
    Signed(caller): Signed,
    options: Options,
) -> Result<Json<UserPage>, Problem> {
    options.only(&["$top", "$skiptoken", "$filter"])?;
    let top = options.top(100)?;
    if let Some(filter) = options.get("$filter") {
        let name = name_in_filter(filter)?;
        let found = blocking(&cloud, move |cloud| {
            match cloud.user_by_name(&caller, &name) {
                Ok(user) => Ok(vec![user]),
                Err(Error::NotFound { .. }) => Ok(Vec::new()),
                Err(error) => Err(error),
            }
        });
        return Ok(Json(UserPage {
            value: found.await?,
            next_link: None,
        }));
    }
    let after = options
        .get("$skiptoken")
        .map(str::parse::<Guid>)
        .transpose()
        .map_err(|_| Problem::invalid("$skiptoken is not one of ours"))?;
    let value = blocking(&cloud, move |cloud| cloud.users(&caller, after, top)).await?;
    let is_full = value.len() == usize::from(top);
    let next_link = value
        .last()
        .filter(|_| is_full)
        .map(|last| format!("{}?$top={top}&$skiptoken={}", paths::USERS, last.id));
    Ok(Json(UserPage { value, next_link }))
}

fn name_in_filter(filter: &str) -> Result<String, Problem> {
    filter
        .trim()
        .strip_prefix("userPrincipalName eq '")
        .and_then(|rest| rest.strip_suffix('\''))
        .map(|name| name.replace("''", "'"))
        .ok_or_else(|| Problem::invalid("$filter must read userPrincipalName eq '...'"))
}

/// Makes a user of the cloud alone.
#[utoipa::path(post, path = paths::USERS, tag = "users", request_body = NewUser,
    responses((status = 201, body = User), (status = "4XX", body = ErrorBody)))]
pub(super) async fn create(
    At(cloud): At,
    Signed(caller): Signed,
    Body(request): Body<NewUser>,
) -> Result<(StatusCode, Json<User>), Problem> {
    let user = blocking(&cloud, move |cloud| cloud.create_user(&caller, &request)).await?;
    Ok((StatusCode::CREATED, Json(user)))
}

/// One user.
#[utoipa::path(get, path = "/graph/v1.0/users/{id}", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = User), (status = "4XX", body = ErrorBody)))]
pub(super) async fn get(
    At(cloud): At,
    Signed(caller): Signed,
    Id(id): Id,
) -> Result<Json<User>, Problem> {
    blocking(&cloud, move |cloud| cloud.user(&caller, id))
        .await
        .map(Json)
}

/// Changes the members that are present.
#[utoipa::path(patch, path = "/graph/v1.0/users/{id}", tag = "users", params(("id" = String, Path)),
    request_body = UserChange,
    responses((status = 200, body = User), (status = "4XX", body = ErrorBody)))]
pub(super) async fn change(
    At(cloud): At,
    Signed(caller): Signed,
    Id(id): Id,
    Body(request): Body<UserChange>,
) -> Result<Json<User>, Problem> {
    blocking(&cloud, move |cloud| {
        cloud.change_user(&caller, id, &request)
    })
    .await
    .map(Json)
}

/// Deletes a user with all keys.
#[utoipa::path(delete, path = "/graph/v1.0/users/{id}", tag = "users", params(("id" = String, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn delete(
    At(cloud): At,
    Signed(caller): Signed,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    blocking(&cloud, move |cloud| {
        caller.must_administer()?;
        cloud.delete_user(&caller, id)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The signed-in user.
#[utoipa::path(get, path = paths::ME, tag = "me",
    responses((status = 200, body = User), (status = "4XX", body = ErrorBody)))]
pub(super) async fn me(At(cloud): At, Signed(caller): Signed) -> Result<Json<User>, Problem> {
    let id = own_id(&caller)?;
    blocking(&cloud, move |cloud| cloud.user(&caller, id))
        .await
        .map(Json)
}

/// Brings a user from the ground.
#[utoipa::path(post, path = paths::SYNC_USERS, tag = "sync", request_body = SyncUser,
    responses((status = 201, body = User), (status = "4XX", body = ErrorBody)))]
pub(super) async fn sync_create(
    At(cloud): At,
    Signed(caller): Signed,
    Body(request): Body<SyncUser>,
) -> Result<(StatusCode, Json<User>), Problem> {
    let user = blocking(&cloud, move |cloud| {
        cloud.create_synced_user(&caller, &request)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(user)))
}

/// Changes the members that are present; what never changes may be repeated, not altered.
#[utoipa::path(patch, path = "/sync/v1/users/{id}", tag = "sync", params(("id" = String, Path)),
    request_body = SyncUser,
    responses((status = 200, body = User), (status = "4XX", body = ErrorBody)))]
pub(super) async fn sync_change(
    At(cloud): At,
    Signed(caller): Signed,
    Id(id): Id,
    Body(request): Body<SyncUser>,
) -> Result<Json<User>, Problem> {
    blocking(&cloud, move |cloud| {
        cloud.change_synced_user(&caller, id, &request)
    })
    .await
    .map(Json)
}

/// Deletes a user that is gone from the ground.
#[utoipa::path(delete, path = "/sync/v1/users/{id}", tag = "sync", params(("id" = String, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn sync_delete(
    At(cloud): At,
    Signed(caller): Signed,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    blocking(&cloud, move |cloud| {
        caller.must_sync()?;
        cloud.delete_user(&caller, id)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a pass that a user trades once for a session. It is shown only here.
#[utoipa::path(post, path = "/graph/v1.0/users/{id}/authentication/temporaryAccessPassMethods", tag = "users",
    params(("id" = String, Path)), request_body = NewTemporaryAccessPass,
    responses((status = 201, body = TemporaryAccessPass), (status = "4XX", body = ErrorBody)))]
pub(super) async fn create_pass(
    At(cloud): At,
    Signed(caller): Signed,
    Id(id): Id,
    Body(request): Body<NewTemporaryAccessPass>,
) -> Result<(StatusCode, Json<TemporaryAccessPass>), Problem> {
    let pass = blocking(&cloud, move |cloud| {
        cloud.issue_temporary_access_pass(&caller, id, &request)
    });
    Ok((StatusCode::CREATED, Json(pass.await?)))
}

/// Trades a pass for a session.
#[utoipa::path(post, path = paths::SIGN_IN_TEMPORARY_ACCESS_PASS, tag = "sign-in", request_body = SignIn,
    security(()),
    responses((status = 200, body = Session), (status = "4XX", body = ErrorBody)))]
pub(super) async fn sign_in(
    At(cloud): At,
    Client(address): Client,
    Body(request): Body<SignIn>,
) -> Result<Json<Session>, Problem> {
    cloud.may_try(&address).map_err(Problem::too_many)?;
    let session = blocking(&cloud, move |cloud| cloud.sign_in(&request)).await;
    if session.is_err() {
        cloud.count_failure(&address);
    }
    session.map(Json)
}

/// The client's address.
pub(super) struct Client(String);

impl axum::extract::FromRequestParts<Cloud> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, cloud: &Cloud) -> Result<Self, Problem> {
        Ok(Self(address(parts, cloud)))
    }
}
