//! The tenant: policy, health.

use axum::Json;
use cloud_api::policy::Fido2Policy;
use cloud_api::{ErrorBody, paths};

use super::extract::{At, Body, Signed, blocking};
use super::problem::Problem;

/// What keys the tenant accepts.
#[utoipa::path(get, path = paths::FIDO2_POLICY, tag = "tenant",
    responses((status = 200, body = Fido2Policy), (status = "4XX", body = ErrorBody)))]
pub(super) async fn policy(
    At(cloud): At,
    Signed(caller): Signed,
) -> Result<Json<Fido2Policy>, Problem> {
    blocking(&cloud, move |cloud| cloud.policy(&caller))
        .await
        .map(Json)
}

/// Changes the members that are present.
#[utoipa::path(patch, path = paths::FIDO2_POLICY, tag = "tenant", request_body = Fido2Policy,
    responses((status = 200, body = Fido2Policy), (status = "4XX", body = ErrorBody)))]
pub(super) async fn change_policy(
    At(cloud): At,
    Signed(caller): Signed,
    Body(change): Body<Fido2Policy>,
) -> Result<Json<Fido2Policy>, Problem> {
    blocking(&cloud, move |cloud| cloud.change_policy(&caller, &change))
        .await
        .map(Json)
}

/// Whether the store can be read.
#[utoipa::path(get, path = paths::HEALTH, tag = "tenant", security(()),
    responses((status = 200, description = "ok"), (status = "5XX", body = ErrorBody)))]
pub(super) async fn health(At(cloud): At) -> Result<&'static str, Problem> {
    blocking(&cloud, |cloud| cloud.tenant().map(|_| ())).await?;
    Ok("ok\n")
}
