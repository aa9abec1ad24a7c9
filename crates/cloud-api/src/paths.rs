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
/// Sign-ins ([`crate::audit::SignInRecord`]).
pub const SIGN_INS: &str = "/graph/v1.0/auditLogs/signIns";
/// Tickets and access tokens ([`crate::audit::SignInRecord`]). Our own path.
pub const ISSUED_TICKETS: &str = "/graph/v1.0/auditLogs/issuedTickets";
/// How long all of these are kept ([`crate::audit::AuditRetention`]). Our own path.
pub const AUDIT_RETENTION: &str = "/graph/v1.0/auditLogs/retention";
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
/// Nonces for certificate requests ([`crate::hybrid::EnrollmentNonce`]); `common` stands for the tenant.
pub const ENROLLMENT_NONCE: &str = "/drs/nonce/common";
/// Where everything about devices is ([`crate::hybrid::Discovery`]); `common` stands for the tenant.
pub const DISCOVERY: &str = "/drs/common/Discover";
/// What the cloud has of the ground, for the sync ([`crate::ground::GroundPage`]).
pub const GROUND: &str = "/sync/v1/ground";
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

/// One device, as it speaks for itself: PUT is a hybrid join ([`crate::hybrid::HybridJoin`]), DELETE leaves.
pub fn own_device(id: Guid) -> String {
    format!("{JOIN_DEVICE}/{id}")
}

/// A computer of the ground, for the sync ([`crate::ground::SyncDevice`]).
pub fn sync_device(id: Guid) -> String {
    format!("/sync/v1/devices/{id}")
}

/// The Kerberos server object of a domain, for the sync ([`crate::ground::SyncKerberosServer`]).
pub fn sync_kerberos_server(domain_dns_name: &str) -> String {
    format!("/sync/v1/kerberosServers/{domain_dns_name}")
}

/// One user, for administrators.
pub fn user(id: Guid) -> String {
    format!("{USERS}/{id}")
}

/// One group.
pub fn group(id: Guid) -> String {
    format!("{GROUPS}/{id}")
}

/// Members of a group; POST adds one ([`crate::conditional_access::MemberRef`]).
pub fn group_members(id: Guid) -> String {
    format!("{GROUPS}/{id}/members/$ref")
}

/// One member of a group; DELETE takes it out.
pub fn group_member(id: Guid, user: Guid) -> String {
    format!("{GROUPS}/{id}/members/{user}/$ref")
}

/// One Conditional Access policy.
pub fn access_policy(id: Guid) -> String {
    format!("{ACCESS_POLICIES}/{id}")
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
