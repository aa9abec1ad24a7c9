//! What an application asks for, and whether it may (RFC 6749 section 4.1, RFC 7636, RFC 8252).
//!
//! Deliberately absent: registered applications with secrets and foreign redirects. Every application is a public client
//! on the user's own machine, so a code never leaves it.

use cloud_api::Base64Url;
use cloud_api::tokens::DEVICE_REGISTRATION;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::{Host, Url};

use super::asked::Asked;
use crate::config::Compatibility;

const TEXT_BYTES_MAX: usize = 2048;
/// What a request that names a resource instead of a scope is granted.
pub(crate) const FIRST_VERSION_SCOPE: &str = "openid profile offline_access";

/// What an application asks for, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: Url,
    pub(crate) scope: String,
    pub(crate) state: Option<String>,
    pub(crate) nonce: Option<String>,
    /// What is asked of the sign-in.
    pub(crate) asked: Asked,
    /// SHA-256 of the verifier, base64url. Absent only where the tenant takes codes without.
    code_challenge: Option<String>,
}

impl Authorization {
    /// Reads the query. Nothing is sent to a redirect that was not found good, so all refusals are for the user's eyes.
    pub(crate) fn read<'a>(
        field: impl Fn(&str) -> Option<&'a str>,
        compatibility: Compatibility,
    ) -> Result<Self, String> {
        let client_id = client_id(field("client_id").unwrap_or_default())?;
        let redirect_uri = redirect(field("redirect_uri").unwrap_or_default())?;
        if field("response_type") != Some("code") {
            return Err("response_type must be code".to_owned());
        }
        if field("response_mode").is_some_and(|mode| mode != "query") {
            return Err("response_mode must be query".to_owned());
        }
        let may_lack_challenge = compatibility.code_without_challenge;
        let code_challenge = match field("code_challenge").unwrap_or_default() {
            "" if may_lack_challenge && field("code_challenge_method").is_none() => None,
            text => Some(challenge(text, field("code_challenge_method"))?),
        };
        let text = |name: &str| {
            let value = field(name).unwrap_or_default();
            match value.len() {
                0 => Ok(None),
                1..=TEXT_BYTES_MAX => Ok(Some(value.to_owned())),
                _ => Err(format!("{name} has more than {TEXT_BYTES_MAX} bytes")),
            }
        };
        let scope = match (text("scope")?, field("resource")) {
            (Some(scope), _) => scope,
            // The first version of this endpoint names a resource and gives all that there is.
            (None, Some(_)) => FIRST_VERSION_SCOPE.to_owned(),
            (None, None) => String::new(),
        };
        Ok(Self {
            client_id,
            redirect_uri,
            scope,
            state: text("state")?,
            nonce: text("nonce")?,
            asked: Asked::read(field)?,
            code_challenge,
        })
    }

    /// Whether a verifier is the one behind the challenge (RFC 7636 section 4.6). Without a challenge there must be none:
    /// else a thief of a code could leave the challenge out (RFC 9700 section 4.8.2).
    pub(crate) fn is_verified_by(&self, verifier: &str) -> bool {
        let Some(challenge) = &self.code_challenge else {
            return verifier.is_empty();
        };
        let has_good_length = (43..=128).contains(&verifier.len());
        let digest = Base64Url(Sha256::digest(verifier.as_bytes()).to_vec()).to_string();
        let is_right: bool = digest.as_bytes().ct_eq(challenge.as_bytes()).into();
        has_good_length && is_right
    }

    /// Where the browser goes with an answer.
    pub(crate) fn redirect_with(&self, name: &str, value: &str) -> String {
        let mut target = self.redirect_uri.clone();
        target.query_pairs_mut().append_pair(name, value);
        if let Some(state) = &self.state {
            target.query_pairs_mut().append_pair("state", state);
        }
        target.into()
    }
}

/// The method `plain` shows the verifier to whoever sees the request (RFC 9700 section 2.1.1).
fn challenge(text: &str, method: Option<&str>) -> Result<String, String> {
    if method != Some("S256") {
        return Err("code_challenge_method must be S256".to_owned());
    }
    if Base64Url::parse(text).map_or(0, |digest| digest.0.len()) != 32 {
        return Err("code_challenge must be a SHA-256 in base64url".to_owned());
    }
    Ok(text.trim_end_matches('=').to_owned())
}

/// An application's name. It becomes the audience of tokens, so it must never be one of our own services.
pub(crate) fn client_id(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let is_good = (1..=64).contains(&text.len()) && text.chars().all(is_plain);
    if !is_good || text == DEVICE_REGISTRATION {
        return Err("client_id must have 1 to 64 letters, digits, '-', '.' or '_'".to_owned());
    }
    Ok(text.to_owned())
}

/// A redirect to the user's own machine, with any port (RFC 8252 section 7.3).
fn redirect(text: &str) -> Result<Url, String> {
    let refused =
        "redirect_uri must be http://localhost or a loopback address, with any port and path";
    let url = Url::parse(text).map_err(|_| refused.to_owned())?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if text.len() <= TEXT_BYTES_MAX && url.scheme() == "http" && is_loopback && is_bare {
        Ok(url)
    } else {
        Err(refused.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    /// RFC 7636 appendix B.
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn read(changed: &str, value: &str) -> Result<Authorization, String> {
        read_with(Compatibility::default(), changed, value)
    }

    fn read_with(
        compatibility: Compatibility,
        changed: &str,
        value: &str,
    ) -> Result<Authorization, String> {
        let owned = [
            ("client_id", "app"),
            ("redirect_uri", "http://localhost:8400/back"),
            ("response_type", "code"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("scope", "openid"),
            ("state", "a&b"),
        ]
        .map(|(name, usual)| (name, if name == changed { value } else { usual }));
        let extra = [(changed, value)];
        let field = |name: &str| {
            let mut fields = owned.iter().chain(&extra);
            fields
                .find(|(field, _)| *field == name)
                .map(|(_, v)| *v)
                .filter(|value| *value != ABSENT)
        };
        Authorization::read(field, compatibility)
    }

    const ABSENT: &str = "(absent)";

    #[test]
    fn requests_are_checked() {
        let check = |name: &str, value: &str, good: bool| {
            assert_eq!(read(name, value).is_ok(), good, "{name}={value}");
        };
        check("", "", true);
        check("redirect_uri", "http://127.0.0.1:1/", true);
        check("redirect_uri", "http://[::1]:1/", true);
        check("redirect_uri", "https://evil.example/", false);
        check("redirect_uri", "http://localhost.evil.example/", false);
        check("redirect_uri", "http://localhost@evil.example/", false);
        check("redirect_uri", "http://user@localhost/", false);
        check("redirect_uri", "http://localhost/#part", false);
        check("redirect_uri", "javascript:alert(1)", false);
        check("redirect_uri", "", false);
        check("response_type", "token", false);
        check("response_type", "code id_token", false);
        check("response_mode", "fragment", false);
        check("code_challenge_method", "plain", false);
        check("code_challenge", "short", false);
        check("code_challenge", ABSENT, false);
        check("prompt", "none", true);
        check("prompt", "often", false);
        check("claims", "[]", false);
        check("client_id", "", false);
        check("client_id", DEVICE_REGISTRATION, false);
        check("client_id", &"a".repeat(65), false);
        check("state", &"a".repeat(TEXT_BYTES_MAX + 1), false);
    }

    #[test]
    fn a_code_without_challenge_needs_a_switch_and_takes_no_verifier() {
        let tolerant = Compatibility {
            code_without_challenge: true,
            ..Compatibility::default()
        };
        let query = |name: &str| match name {
            "client_id" => Some("app"),
            "redirect_uri" => Some("http://localhost:8400/back"),
            "response_type" => Some("code"),
            "resource" => Some("mail"),
            _ => None,
        };
        assert!(Authorization::read(query, Compatibility::default()).is_err());
        let request = Authorization::read(query, tolerant).unwrap();
        assert_eq!(request.scope, FIRST_VERSION_SCOPE);
        assert!(request.is_verified_by(""));
        assert!(!request.is_verified_by(VERIFIER));
        // Who brings half of it meant to bring it.
        assert!(read_with(tolerant, "code_challenge", "").is_err());
        assert!(read_with(tolerant, "code_challenge_method", "plain").is_err());
        let request = read_with(tolerant, "", "").unwrap();
        assert!(!request.is_verified_by("") && request.is_verified_by(VERIFIER));
    }

    #[test]
    fn a_verifier_is_the_one_behind_the_challenge() {
        let request = read("", "").unwrap();
        assert!(request.is_verified_by(VERIFIER));
        for other in ["", CHALLENGE, &VERIFIER.to_lowercase()] {
            assert!(!request.is_verified_by(other), "{other}");
        }
        assert_eq!(
            request.redirect_with("code", "c"),
            "http://localhost:8400/back?code=c&state=a%26b"
        );
    }
}
