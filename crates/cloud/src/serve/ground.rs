//! What the sync brings beside users.

use axum::Json;
use axum::http::StatusCode;
use cloud_api::ErrorBody;
use cloud_api::ground::{GroundPage, SyncDevice, SyncKerberosServer};
use cloud_api::paths;

use super::extract::{At, Body, Id, Member, Options, Signed, blocking};
use super::problem::Problem;

/// Computers and Kerberos server objects as the cloud has them.
#[utoipa::path(get, path = "/sync/v1/ground", tag = "sync",
    params(("version" = Option<String>, Query), ("$skiptoken" = Option<String>, Query)),
    responses((status = 200, body = GroundPage), (status = "4XX", body = ErrorBody)))]
pub(super) async fn list(
    At(cloud): At,
    Signed(caller): Signed,
    options: Options,
) -> Result<Json<GroundPage>, Problem> {
    options.only(&["version", "$skiptoken"])?;
    let known = options.get("version").map(str::to_owned);
    let after = match options.get("$skiptoken").map(str::parse) {
        None => None,
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => return Err(Problem::invalid("$skiptoken is none of this list")),
    };
    let (mut page, next) = blocking(&cloud, move |cloud| {
        cloud.ground(&caller, known.as_deref(), after)
    })
    .await?;
    page.next_link = next.map(|id| format!("{}?$skiptoken={id}", paths::GROUND));
    Ok(Json(page))
}

/// Brings a computer, or changes it.
#[utoipa::path(put, path = "/sync/v1/devices/{id}", tag = "sync", params(("id" = String, Path)),
    request_body = SyncDevice,
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn put_device(
    At(cloud): At,
    Signed(caller): Signed,
    Id(id): Id,
    Body(device): Body<SyncDevice>,
) -> Result<StatusCode, Problem> {
    blocking(&cloud, move |cloud| {
        cloud.put_ground_device(&caller, id, &device)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a computer and the device that it joined as.
#[utoipa::path(delete, path = "/sync/v1/devices/{id}", tag = "sync", params(("id" = String, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn remove_device(
    At(cloud): At,
    Signed(caller): Signed,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    blocking(&cloud, move |cloud| cloud.remove_ground_device(&caller, id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Notes what the sync sees of a Kerberos server object.
#[utoipa::path(put, path = "/sync/v1/kerberosServers/{method}", tag = "sync", params(("method" = String, Path)),
    request_body = SyncKerberosServer,
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn put_server(
    At(cloud): At,
    Signed(caller): Signed,
    Member(domain): Member,
    Body(server): Body<SyncKerberosServer>,
) -> Result<StatusCode, Problem> {
    blocking(&cloud, move |cloud| {
        cloud.put_ground_server(&caller, &domain, &server)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The Kerberos server object is gone from the ground.
#[utoipa::path(delete, path = "/sync/v1/kerberosServers/{method}", tag = "sync", params(("method" = String, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn remove_server(
    At(cloud): At,
    Signed(caller): Signed,
    Member(domain): Member,
) -> Result<StatusCode, Problem> {
    blocking(&cloud, move |cloud| {
        cloud.remove_ground_server(&caller, &domain)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
