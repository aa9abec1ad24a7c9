//! Where things are. Own layout on a single origin; Graph's names below `/graph`.

use types::Guid;

/// Users, for administrators.
pub const USERS: &str = "/graph/v1.0/users";
/// The signed-in user.
pub const ME: &str = "/graph/v1.0/me";
/// What keys the tenant accepts ([`crate::policy::Fido2Policy`]).
pub const FIDO2_POLICY: &str =
    "/graph/v1.0/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/fido2";
/// Who did what ([`crate::audit::AuditRecord`]).
pub const DIRECTORY_AUDITS: &str = "/graph/v1.0/auditLogs/directoryAudits";
/// Users, for the sync ([`crate::users::SyncUser`]).
pub const SYNC_USERS: &str = "/sync/v1/users";
/// Keys of one user: append the user's id.
pub const DEVICE_KEY_USERS: &str = "/devicekeys/v1/users";
/// The delta feed ([`crate::devicekeys::DeltaPage`]).
pub const DEVICE_KEY_DELTA: &str = "/devicekeys/v1/delta";
/// Trades a temporary access pass for a session ([`crate::access::SignIn`]).
pub const SIGN_IN_TEMPORARY_ACCESS_PASS: &str = "/signin/v1/temporaryAccessPass";
/// Joins a device ([`crate::devices::JoinDevice`]).
pub const JOIN_DEVICE: &str = "/drs/device";
/// The same, where clients in the field look for it.
pub const JOIN_DEVICE_ALIAS: &str = "/EnrollmentServer/device/";
/// Registers a Windows Hello key of a device ([`crate::hello::ProvisionKey`]).
pub const PROVISION_KEY: &str = "/drs/key";
/// The same, where clients in the field look for it.
pub const PROVISION_KEY_ALIAS: &str = "/EnrollmentServer/key/";
/// Trades a session for a token of the device registration service ([`crate::tokens::AccessAnswer`]).
pub const REGISTRATION_TOKEN: &str = "/signin/v1/deviceRegistrationToken";
/// Devices, for administrators ([`crate::devices::Device`]).
pub const DEVICES: &str = "/graph/v1.0/devices";
/// Nonces and tokens ([`crate::prt`]); `common` stands for the tenant.
pub const TOKEN: &str = "/common/oauth2/token";
/// The cloud's public key for sealed keys ([`crate::trust::WrappingKey`]).
pub const TRUST_WRAPPING_KEY: &str = "/trust/v1/wrappingKey";
/// Kerberos server objects of domains ([`crate::trust::PublishServer`]).
pub const TRUST_SERVERS: &str = "/trust/v1/servers";
/// Conditional Access policies ([`crate::conditional_access::AccessPolicy`]).
pub const ACCESS_POLICIES: &str = "/graph/v1.0/identity/conditionalAccess/policies";
/// What they would say ([`crate::conditional_access::WhatIf`]).
pub const WHAT_IF: &str = "/graph/v1.0/identity/conditionalAccess/evaluate";
/// Groups of users ([`crate::conditional_access::Group`]).
pub const GROUPS: &str = "/graph/v1.0/groups";
/// Description of this API.
pub const OPENAPI: &str = "/openapi.json";
/// Answers 200 while the server can read its store.
pub const HEALTH: &str = "/healthz";

/// One device.
pub fn device(id: Guid) -> String {
    format!("{DEVICES}/{id}")
}

/// One user, for administrators.
pub fn user(id: Guid) -> String {
    format!("{USERS}/{id}")
}

/// Security keys of a user; POST registers one.
pub fn fido2_methods(id: Guid) -> String {
    format!("{USERS}/{id}/authentication/fido2Methods")
}

/// Options for a registration on behalf of a user.
pub fn creation_options(id: Guid) -> String {
    format!("{}/creationOptions", fido2_methods(id))
}

/// One security key; `method` is the `id` of [`crate::fido2::Fido2Method`].
pub fn fido2_method(id: Guid, method: &str) -> String {
    format!("{}/{method}", fido2_methods(id))
}

/// Security keys of the signed-in user.
pub fn my_fido2_methods() -> String {
    format!("{ME}/authentication/fido2Methods")
}

/// Options for a registration by the signed-in user.
pub fn my_creation_options() -> String {
    format!("{}/creationOptions", my_fido2_methods())
}

/// Temporary access passes of a user; POST makes one.
pub fn temporary_access_passes(id: Guid) -> String {
    format!("{USERS}/{id}/authentication/temporaryAccessPassMethods")
}

/// One user, for the sync.
pub fn sync_user(id: Guid) -> String {
    format!("{SYNC_USERS}/{id}")
}

/// Keys of one user ([`crate::devicekeys::UserDeviceKeys`]).
pub fn device_keys(id: Guid) -> String {
    format!("{DEVICE_KEY_USERS}/{id}")
}

/// Adds a Windows Hello key to a user ([`crate::devicekeys::NewNgcKey`]).
pub fn ngc_keys(id: Guid) -> String {
    format!("{DEVICE_KEY_USERS}/{id}/ngc")
}

/// The Kerberos server object of one domain ([`crate::trust::PublishedServer`]).
pub fn trust_server(domain_dns_name: &str) -> String {
    format!("{TRUST_SERVERS}/{domain_dns_name}")
}
