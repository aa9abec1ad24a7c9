//! Conditional Access policies, groups, what-if.

use axum::Json;
use axum::http::StatusCode;
use cloud_api::ErrorBody;
use cloud_api::conditional_access::{
    AccessPolicy, AccessPolicyList, Group, GroupList, MemberRef, WhatIf, WhatIfReply,
};

use super::extract::{At, Body, Id, Member, Options, Signed, blocking};
use super::problem::Problem;

/// All policies.
#[utoipa::path(get, path = "/graph/v1.0/identity/conditionalAccess/policies", tag = "policy",
    responses((status = 200, body = AccessPolicyList), (status = "4XX", body = ErrorBody)))]
pub(super) async fn list(
    At(cloud): At,
    Signed(caller): Signed,
) -> Result<Json<AccessPolicyList>, Problem> {
    let value = blocking(&cloud, move |cloud| cloud.access_policies(&caller)).await?;
    Ok(Json(AccessPolicyList { value }))
}

/// Adds a policy; with `validateOnly` it only says whether it could.
#[utoipa::path(post, path = "/graph/v1.0/identity/conditionalAccess/policies", tag = "policy",
    params(("validateOnly" = Option<bool>, Query)), request_body = AccessPolicy,
    responses((status = 201, body = AccessPolicy), (status = "4XX", body = ErrorBody)))]
pub(super) async fn add(
    At(cloud): At,
    Signed(caller): Signed,
    options: Options,
    Body(policy): Body<AccessPolicy>,
) -> Result<(StatusCode, Json<AccessPolicy>), Problem> {
    options.only(&["validateOnly"])?;
    match options.get("validateOnly") {
        None | Some("false") => {}
        Some("true") => {
            let checked = blocking(&cloud, move |cloud| {
                cloud.check_access_policy(&caller, &policy)?;
                Ok(policy)
            });
            return Ok((StatusCode::OK, Json(checked.await?)));
        }
        Some(_) => return Err(Problem::invalid("validateOnly must be true or false")),
    }
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
    At(cloud): At,
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
    At(cloud): At,
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
    At(cloud): At,
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
    At(cloud): At,
    Signed(caller): Signed,
) -> Result<Json<GroupList>, Problem> {
    let value = blocking(&cloud, move |cloud| cloud.groups(&caller)).await?;
    Ok(Json(GroupList { value }))
}

/// Adds a group with its members.
#[utoipa::path(post, path = "/graph/v1.0/groups", tag = "policy", request_body = Group,
    responses((status = 201, body = Group), (status = "4XX", body = ErrorBody)))]
pub(super) async fn add_group(
    At(cloud): At,
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
    At(cloud): At,
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
    At(cloud): At,
    Signed(caller): Signed,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    blocking(&cloud, move |cloud| cloud.remove_group(&caller, id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts a user into a group.
#[utoipa::path(post, path = "/graph/v1.0/groups/{id}/members/$ref", tag = "policy", params(("id" = String, Path)),
    request_body = MemberRef,
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn add_member(
    At(cloud): At,
    Signed(caller): Signed,
    Id(id): Id,
    Body(member): Body<MemberRef>,
) -> Result<StatusCode, Problem> {
    let user = member
        .user()
        .ok_or_else(|| Problem::invalid("@odata.id must end with a user's id"))?;
    blocking(&cloud, move |cloud| {
        cloud.change_member(&caller, id, user, true)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a user out of a group.
#[utoipa::path(delete, path = "/graph/v1.0/groups/{id}/members/{method}/$ref", tag = "policy",
    params(("id" = String, Path), ("method" = String, Path, description = "the user's id")),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn remove_member(
    At(cloud): At,
    Signed(caller): Signed,
    Id(id): Id,
    Member(user): Member,
) -> Result<StatusCode, Problem> {
    let user = user
        .parse()
        .map_err(|_| Problem::invalid("the path must name a user by its id"))?;
    let was_there = blocking(&cloud, move |cloud| {
        cloud.change_member(&caller, id, user, false)
    })
    .await?;
    if was_there {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(crate::error::Error::NotFound {
        what: "member",
        id: user.to_string(),
    }
    .into())
}
