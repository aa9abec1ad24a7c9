//! The tenant: policy, audit log, health.

use axum::Json;
use axum::extract::State;
use cloud_api::audit::AuditPage;
use cloud_api::policy::Fido2Policy;
use cloud_api::{ErrorBody, paths};

use super::extract::{Body, Options, Signed, blocking};
use super::problem::Problem;
use crate::service::Cloud;

/// What keys the tenant accepts.
#[utoipa::path(get, path = paths::FIDO2_POLICY, tag = "tenant",
    responses((status = 200, body = Fido2Policy), (status = "4XX", body = ErrorBody)))]
pub(super) async fn policy(
    State(cloud): State<Cloud>,
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
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Body(change): Body<Fido2Policy>,
) -> Result<Json<Fido2Policy>, Problem> {
    blocking(&cloud, move |cloud| cloud.change_policy(&caller, &change))
        .await
        .map(Json)
}

/// Who did what, newest first.
#[utoipa::path(get, path = paths::DIRECTORY_AUDITS, tag = "tenant",
    params(("$top" = Option<u16>, Query), ("$skiptoken" = Option<String>, Query, description = "from a next link")),
    responses((status = 200, body = AuditPage), (status = "4XX", body = ErrorBody)))]
pub(super) async fn audit(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    options: Options,
) -> Result<Json<AuditPage>, Problem> {
    options.only(&["$top", "$skiptoken"])?;
    let top = options.top(100)?;
    let before = options
        .get("$skiptoken")
        .map(str::parse)
        .transpose()
        .map_err(|_| Problem::invalid("$skiptoken is not one of ours"))?;
    let value = blocking(&cloud, move |cloud| cloud.audit(&caller, before, top)).await?;
    let is_full = value.len() == usize::from(top);
    let next_link = value.last().filter(|_| is_full).map(|last| {
        format!(
            "{}?$top={top}&$skiptoken={}",
            paths::DIRECTORY_AUDITS,
            last.id
        )
    });
    Ok(Json(AuditPage { value, next_link }))
}

/// Whether the store can be read.
#[utoipa::path(get, path = paths::HEALTH, tag = "tenant", security(()),
    responses((status = 200, description = "ok"), (status = "5XX", body = ErrorBody)))]
pub(super) async fn health(State(cloud): State<Cloud>) -> Result<&'static str, Problem> {
    blocking(&cloud, |cloud| cloud.tenant().map(|_| ())).await?;
    Ok("ok\n")
}
