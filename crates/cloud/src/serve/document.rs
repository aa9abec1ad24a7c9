//! The OpenAPI document, made from the handlers.

use axum::Json;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{
    audit, authorize, conditional_access, devices, feed, ground, keys, oidc, page, registration,
    tenant, token, trust, users,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Tombolo cloud", description = "Users, security keys, devices, sign-in, device keys and the delta feed of one tenant."),
    paths(
        users::list, users::create, users::get, users::change, users::delete, users::me,
        users::sync_create, users::sync_change, users::sync_delete, users::create_pass, users::sign_in,
        keys::options, keys::register, keys::list, keys::remove,
        keys::my_options, keys::my_register, keys::my_list, keys::my_remove,
        keys::device_keys, keys::add_ngc, keys::remove_ngc,
        feed::delta,
        devices::join, devices::provision_key, devices::registration_token, devices::list, devices::change, devices::remove, token::token, token::token_2,
        conditional_access::list, conditional_access::add, conditional_access::change, conditional_access::remove,
        conditional_access::what_if, conditional_access::groups, conditional_access::add_group,
        conditional_access::change_group, conditional_access::add_member, conditional_access::remove_member, conditional_access::remove_group,
        oidc::discovery, oidc::keys, oidc::device_code, authorize::authorize, page::device, page::begin, page::finish,
        registration::discover, registration::nonce, registration::join, registration::leave,
        ground::list, ground::put_device, ground::remove_device, ground::put_server, ground::remove_server,
        trust::wrapping_key, trust::publish, trust::get, trust::remove,
        tenant::policy, tenant::change_policy, audit::all, audit::sign_ins, audit::tickets, audit::retention, audit::set_retention, tenant::health,
    ),
    security(("bearer" = [])),
    modifiers(&Bearer),
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", bearer);
    }
}

/// The OpenAPI 3.1 document of the API.
pub fn open_api() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

pub(super) async fn get() -> Json<utoipa::openapi::OpenApi> {
    Json(open_api())
}
