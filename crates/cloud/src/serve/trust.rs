//! Kerberos server objects.

use axum::Json;
use axum::http::StatusCode;
use cloud_api::ErrorBody;
use cloud_api::trust::{PublishServer, PublishedServer, WrappingKey};

use super::extract::{At, Body, Member, Signed, blocking};
use super::problem::Problem;

/// The public key to which keys of Kerberos server objects are sealed.
#[utoipa::path(get, path = "/trust/v1/wrappingKey", tag = "trust",
    responses((status = 200, body = WrappingKey), (status = "4XX", body = ErrorBody)))]
pub(super) async fn wrapping_key(
    At(cloud): At,
    Signed(caller): Signed,
) -> Result<Json<WrappingKey>, Problem> {
    blocking(&cloud, move |cloud| cloud.wrapping_key(&caller))
        .await
        .map(Json)
}

/// Publishes a version of the key of a domain's object.
#[utoipa::path(post, path = "/trust/v1/servers", tag = "trust", request_body = PublishServer,
    responses((status = 200, body = PublishedServer), (status = "4XX", body = ErrorBody)))]
pub(super) async fn publish(
    At(cloud): At,
    Signed(caller): Signed,
    Body(request): Body<PublishServer>,
) -> Result<Json<PublishedServer>, Problem> {
    blocking(&cloud, move |cloud| cloud.publish_server(&caller, &request))
        .await
        .map(Json)
}

/// The object of a domain, without its keys.
#[utoipa::path(get, path = "/trust/v1/servers/{method}", tag = "trust", params(("method" = String, Path)),
    responses((status = 200, body = PublishedServer), (status = "4XX", body = ErrorBody)))]
pub(super) async fn get(
    At(cloud): At,
    Signed(caller): Signed,
    Member(domain): Member,
) -> Result<Json<PublishedServer>, Problem> {
    blocking(&cloud, move |cloud| cloud.kerberos_server(&caller, &domain))
        .await
        .map(Json)
}

/// Forgets the object of a domain and its keys.
#[utoipa::path(delete, path = "/trust/v1/servers/{method}", tag = "trust", params(("method" = String, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn remove(
    At(cloud): At,
    Signed(caller): Signed,
    Member(domain): Member,
) -> Result<StatusCode, Problem> {
    blocking(&cloud, move |cloud| {
        cloud.remove_kerberos_server(&caller, &domain)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
