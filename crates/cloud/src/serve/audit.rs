//! The logs of the tenant: who did what, sign-ins, issued tickets, and how long they are kept.

use axum::Json;
use axum::http::StatusCode;
use cloud_api::audit::{AuditPage, AuditRetention, SignInPage};
use cloud_api::{ErrorBody, paths};

use super::extract::{At, Body, Options, Signed, blocking};
use super::filter;
use super::problem::Problem;
use crate::caller::Caller;
use crate::service::Cloud;
use crate::store::{AuditQuery, SignInLog};

/// A page that a reader asked for.
struct Wanted {
    query: AuditQuery,
    top: u16,
    filter: Option<String>,
}

impl Wanted {
    fn read(options: &Options) -> Result<Self, Problem> {
        options.only(&["$top", "$skiptoken", "$filter"])?;
        let filter = options.get("$filter").map(str::to_owned);
        let query = filter.as_deref().map(filter::of_log).transpose()?;
        let before = options
            .get("$skiptoken")
            .map(str::parse)
            .transpose()
            .map_err(|_| Problem::invalid("$skiptoken is not one of ours"))?;
        Ok(Self {
            query: AuditQuery {
                before,
                ..query.unwrap_or_default()
            },
            top: options.top(100)?,
            filter,
        })
    }

    /// Where older records are, where this page was full.
    fn next_link(&self, path: &str, count: usize, last: Option<u64>) -> Option<String> {
        let last = last.filter(|_| count == usize::from(self.top))?;
        let mut options = url::form_urlencoded::Serializer::new(String::new());
        options.append_pair("$top", &self.top.to_string());
        if let Some(filter) = &self.filter {
            options.append_pair("$filter", filter);
        }
        options.append_pair("$skiptoken", &last.to_string());
        Some(format!("{path}?{}", options.finish()))
    }
}

/// Who did what, newest first.
#[utoipa::path(get, path = paths::DIRECTORY_AUDITS, tag = "tenant",
    params(("$top" = Option<u16>, Query), ("$skiptoken" = Option<String>, Query, description = "from a next link"),
           ("$filter" = Option<String>, Query, description = "userId eq '...', activityDateTime ge ..., with `and` between")),
    responses((status = 200, body = AuditPage), (status = "4XX", body = ErrorBody)))]
pub(super) async fn all(
    At(cloud): At,
    Signed(caller): Signed,
    options: Options,
) -> Result<Json<AuditPage>, Problem> {
    let wanted = Wanted::read(&options)?;
    let (query, top) = (wanted.query, wanted.top);
    let value = blocking(&cloud, move |cloud| {
        cloud.audit_records(&caller, &query, top)
    })
    .await?;
    let last = value.last().map(|record| record.id);
    let next_link = wanted.next_link(paths::DIRECTORY_AUDITS, value.len(), last);
    Ok(Json(AuditPage { value, next_link }))
}

/// Sign-ins and renewals, granted and refused, newest first.
#[utoipa::path(get, path = paths::SIGN_INS, tag = "tenant",
    params(("$top" = Option<u16>, Query), ("$skiptoken" = Option<String>, Query, description = "from a next link"),
           ("$filter" = Option<String>, Query,
            description = "userId eq '...', deviceId eq '...', createdDateTime ge ..., status/errorCode ne 0, id gt ...")),
    responses((status = 200, body = SignInPage), (status = "4XX", body = ErrorBody)))]
pub(super) async fn sign_ins(
    At(cloud): At,
    Signed(caller): Signed,
    options: Options,
) -> Result<Json<SignInPage>, Problem> {
    page(cloud, caller, &options, SignInLog::SignIns, paths::SIGN_INS).await
}

/// Tickets for the ground and access tokens, issued and refused, newest first.
#[utoipa::path(get, path = paths::ISSUED_TICKETS, tag = "tenant",
    params(("$top" = Option<u16>, Query), ("$skiptoken" = Option<String>, Query, description = "from a next link"),
           ("$filter" = Option<String>, Query, description = "as for sign-ins")),
    responses((status = 200, body = SignInPage), (status = "4XX", body = ErrorBody)))]
pub(super) async fn tickets(
    At(cloud): At,
    Signed(caller): Signed,
    options: Options,
) -> Result<Json<SignInPage>, Problem> {
    page(
        cloud,
        caller,
        &options,
        SignInLog::Tickets,
        paths::ISSUED_TICKETS,
    )
    .await
}

async fn page(
    cloud: Cloud,
    caller: Caller,
    options: &Options,
    log: SignInLog,
    path: &str,
) -> Result<Json<SignInPage>, Problem> {
    let wanted = Wanted::read(options)?;
    let (query, top) = (wanted.query, wanted.top);
    let value = blocking(&cloud, move |cloud| {
        cloud.sign_in_records(&caller, log, &query, top)
    })
    .await?;
    let last = value.last().map(|record| record.id);
    let next_link = wanted.next_link(path, value.len(), last);
    Ok(Json(SignInPage { value, next_link }))
}

/// How long records are kept.
#[utoipa::path(get, path = paths::AUDIT_RETENTION, tag = "tenant",
    responses((status = 200, body = AuditRetention), (status = "4XX", body = ErrorBody)))]
pub(super) async fn retention(
    At(cloud): At,
    Signed(caller): Signed,
) -> Result<Json<AuditRetention>, Problem> {
    blocking(&cloud, move |cloud| cloud.audit_retention(&caller))
        .await
        .map(Json)
}

/// Replaces how long records are kept; what is absent is kept for ever.
#[utoipa::path(put, path = paths::AUDIT_RETENTION, tag = "tenant", request_body = AuditRetention,
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(super) async fn set_retention(
    At(cloud): At,
    Signed(caller): Signed,
    Body(retention): Body<AuditRetention>,
) -> Result<StatusCode, Problem> {
    blocking(&cloud, move |cloud| {
        cloud.set_audit_retention(&caller, &retention)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
