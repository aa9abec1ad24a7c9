//! What a tenant is made of, and the limits of its server.

use cloud_api::jose::SessionCipher;
use types::{Guid, Timestamp};

use crate::error::Error;

/// A tenant to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTenant {
    /// The tenant's own domain, for people.
    pub name: String,
    /// The domain that keys bind to; keys are worth nothing under another, so it never changes.
    pub rp_id: String,
    /// The relying party's name on the key's display.
    pub rp_name: String,
    /// Origins that may run a registration, such as `https://login.contoso.example:8443`.
    pub origins: Vec<String>,
}

impl NewTenant {
    /// A tenant whose only origin is `https://` and its relying party id.
    pub fn new(name: &str, rp_id: &str) -> Self {
        Self {
            name: name.to_owned(),
            rp_id: rp_id.to_owned(),
            rp_name: name.to_owned(),
            origins: vec![format!("https://{rp_id}")],
        }
    }

    /// Checks what would make every registration fail later.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.name.trim().is_empty() || self.name.len() > NAME_BYTES_MAX {
            return Err(Error::invalid("the tenant needs a name of 1 to 256 bytes"));
        }
        if !is_domain(&self.rp_id) {
            return Err(Error::invalid(format!(
                "relying party id '{}' is not a lower-case domain name; write it as login.contoso.example",
                self.rp_id
            )));
        }
        if self.origins.is_empty() {
            return Err(Error::invalid("the tenant needs at least one origin"));
        }
        for origin in &self.origins {
            parse_origin(origin, &self.rp_id)?;
        }
        Ok(())
    }
}

/// Reads an origin and checks that the relying party id may be used there (WebAuthn Level 3, section 5.1.3 step 8).
pub(crate) fn parse_origin(origin: &str, rp_id: &str) -> Result<url::Url, Error> {
    let refuse = |why: &str| Error::invalid(format!("origin '{origin}' {why}"));
    let parsed = url::Url::parse(origin).map_err(|_| refuse("is not a URL"))?;
    let host = parsed.host_str().ok_or_else(|| refuse("has no host"))?;
    let is_local = host == "localhost";
    if parsed.scheme() != "https" && !(is_local && parsed.scheme() == "http") {
        return Err(refuse("must begin with https://"));
    }
    let is_below = host
        .strip_suffix(rp_id)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if !is_below {
        return Err(refuse("is not the relying party id or below it"));
    }
    if parsed.path() != "/" || parsed.query().is_some() {
        return Err(refuse("must have no path"));
    }
    Ok(parsed)
}

fn is_domain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
}

/// The tenant as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The tenant's identity.
    pub id: Guid,
    /// The tenant's own domain.
    pub name: String,
    /// Who keys are registered with.
    pub rp: RelyingParty,
    /// When it was made.
    pub created: Timestamp,
    /// Names this run of the store: delta tokens of another are refused.
    pub(crate) epoch: [u8; 16],
}

/// Who keys are registered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    /// The domain that keys bind to.
    pub id: String,
    /// The name on the key's display.
    pub name: String,
    /// Origins that may run a registration.
    pub origins: Vec<String>,
}

/// How much a caller may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// Nesting of a request's JSON.
    pub json_depth_max: usize,
    /// Security keys of one user.
    pub keys_per_user_max: usize,
    /// Connections at a time.
    pub connections_max: usize,
    /// Seconds for a TLS handshake, and again for the head of each request.
    pub handshake_seconds: u64,
    /// Requests of one token; `None` for no limit.
    pub requests: Option<Rate>,
    /// Requests of one address that carried no good token or pass; `None` for no limit.
    pub failures: Option<Rate>,
    /// Sign-ins of applications that one address begins, since anybody may begin one; `None` for no limit.
    pub begun: Option<Rate>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 64 * 1024,
            json_depth_max: 16,
            keys_per_user_max: 10,
            connections_max: 512,
            handshake_seconds: 10,
            requests: Some(Rate {
                burst: 2_000,
                per_second: 200,
            }),
            failures: Some(Rate {
                burst: 30,
                per_second: 1,
            }),
            begun: Some(Rate {
                burst: 120,
                per_second: 1,
            }),
        }
    }
}

/// Tolerances that some clients in the field need. Each is off unless somebody turns it on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compatibility {
    /// How answers to renewals are sealed.
    pub response_cipher: SessionCipher,
    /// Takes requests signed by the first key derivation, which does not bind the key to the request (CVE-2021-33781).
    pub first_key_derivation: bool,
    /// Takes an assertion of a device's own Windows Hello key that answers another fresh nonce than the request's.
    /// Without it they must be the same (CVE-2023-35348).
    pub any_fresh_assertion_nonce: bool,
    /// Takes requests for a code without the challenge of RFC 7636. The redirect still leads to the user's own machine.
    pub code_without_challenge: bool,
    /// In which form answers bring the ticket for the ground.
    pub ticket_form: TicketForm,
    /// Says in `tgt_cloud` that there is no ticket for a realm of the cloud's own, for readers that miss the member.
    pub empty_cloud_ticket: bool,
}

/// The two forms of the ticket for the ground. An answer never has both: some readers take that for an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TicketForm {
    /// One text, `tgt_ad`.
    #[default]
    Field,
    /// The older three: `tgt_client_key`, `tgt_key_type`, `tgt_message_buffer`.
    ThreeFields,
}

/// So many at once, and so many a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// Refilled each second.
    pub per_second: u32,
}

/// Bytes of a name that people read.
pub(crate) const NAME_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_are_checked() {
        let check = |rp_id: &str, origin: &str, good: bool| {
            let mut tenant = NewTenant::new("contoso.example", rp_id);
            tenant.origins = vec![origin.to_owned()];
            assert_eq!(tenant.check().is_ok(), good, "{rp_id} {origin}");
        };
        check(
            "login.contoso.example",
            "https://login.contoso.example",
            true,
        );
        check(
            "contoso.example",
            "https://login.contoso.example:8443",
            true,
        );
        check("localhost", "http://localhost:8080", true);
        check(
            "login.contoso.example",
            "http://login.contoso.example",
            false,
        );
        check(
            "login.contoso.example",
            "https://evil-login.contoso.example",
            false,
        );
        check(
            "login.contoso.example",
            "https://login.contoso.example/path",
            false,
        );
        check(
            "Login.contoso.example",
            "https://login.contoso.example",
            false,
        );
        check("login.contoso.example", "login.contoso.example", false);
        check("", "https://login.contoso.example", false);
    }
}
