//! Conditional Access policies, groups, what-if.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cloud_api::ErrorBody;
use cloud_api::conditional_access::{
    AccessPolicy, AccessPolicyList, Group, GroupList, WhatIf, WhatIfReply,
};

use super::extract::{Body, Id, Signed, blocking};
use super::problem::Problem;
use crate::service::Cloud;

/// All policies.
#[utoipa::path(get, path = "/graph/v1.0/identity/conditionalAccess/policies", tag = "policy",
    responses((status = 200, body = AccessPolicyList), (status = "4XX", body = ErrorBody)))]
pub(super) async fn list(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
) -> Result<Json<AccessPolicyList>, Problem> {
    let value = blocking(&cloud, move |cloud| cloud.access_policies(&caller)).await?;
    Ok(Json(AccessPolicyList { value }))
}

/// Adds a policy.
#[utoipa::path(post, path = "/graph/v1.0/identity/conditionalAccess/policies", tag = "policy",
    request_body = AccessPolicy,
    responses((status = 201, body = AccessPolicy), (status = "4XX", body = ErrorBody)))]
pub(super) async fn add(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Body(policy): Body<AccessPolicy>,
) -> Result<(StatusCode, Json<AccessPolicy>), Problem> {
    let policy = blocking(&cloud, move |cloud| {
        cloud.add_access_policy(&caller, &policy)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(policy)))
}

/// Replaces a policy as a whole.
#[utoipa::path(put, path = "/graph/v1.0/identity/conditionalAccess/policies/{id}", tag = "policy",
    params(("id" = String, Path)), request_body = AccessPolicy,
    responses((status = 200, body = AccessPolicy), (status = "4XX", body = ErrorBody)))]
pub(super) async fn change(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Id(id): Id,
    Body(policy): Body<AccessPolicy>,
) -> Result<Json<AccessPolicy>, Problem> {
    blocking(&cloud, move |cloud| {
        cloud.change_access_policy(&caller, id, &policy)
    })
    .await
    .map(Json)
}

/// Removes a policy.
#[utoipa::path(delete, path = "/graph/v1.0/identity/conditionalAccess/policies/{id}", tag = "policy",
    params(("id" = String, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn remove(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    blocking(&cloud, move |cloud| cloud.remove_access_policy(&caller, id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the policies would say of a sign-in.
#[utoipa::path(post, path = "/graph/v1.0/identity/conditionalAccess/evaluate", tag = "policy",
    request_body = WhatIf,
    responses((status = 200, body = WhatIfReply), (status = "4XX", body = ErrorBody)))]
pub(super) async fn what_if(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Body(question): Body<WhatIf>,
) -> Result<Json<WhatIfReply>, Problem> {
    blocking(&cloud, move |cloud| cloud.what_if(&caller, &question))
        .await
        .map(Json)
}

/// All groups.
#[utoipa::path(get, path = "/graph/v1.0/groups", tag = "policy",
    responses((status = 200, body = GroupList), (status = "4XX", body = ErrorBody)))]
pub(super) async fn groups(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
) -> Result<Json<GroupList>, Problem> {
    let value = blocking(&cloud, move |cloud| cloud.groups(&caller)).await?;
    Ok(Json(GroupList { value }))
}

/// Adds a group with its members.
#[utoipa::path(post, path = "/graph/v1.0/groups", tag = "policy", request_body = Group,
    responses((status = 201, body = Group), (status = "4XX", body = ErrorBody)))]
pub(super) async fn add_group(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Body(group): Body<Group>,
) -> Result<(StatusCode, Json<Group>), Problem> {
    let group = blocking(&cloud, move |cloud| cloud.put_group(&caller, None, &group)).await?;
    Ok((StatusCode::CREATED, Json(group)))
}

/// Replaces a group and its members.
#[utoipa::path(put, path = "/graph/v1.0/groups/{id}", tag = "policy", params(("id" = String, Path)),
    request_body = Group,
    responses((status = 200, body = Group), (status = "4XX", body = ErrorBody)))]
pub(super) async fn change_group(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Id(id): Id,
    Body(group): Body<Group>,
) -> Result<Json<Group>, Problem> {
    blocking(&cloud, move |cloud| {
        cloud.put_group(&caller, Some(id), &group)
    })
    .await
    .map(Json)
}

/// Removes a group that no policy names.
#[utoipa::path(delete, path = "/graph/v1.0/groups/{id}", tag = "policy", params(("id" = String, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn remove_group(
    State(cloud): State<Cloud>,
    Signed(caller): Signed,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    blocking(&cloud, move |cloud| cloud.remove_group(&caller, id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
