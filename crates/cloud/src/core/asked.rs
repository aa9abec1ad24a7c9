//! What an application asks of the sign-in itself (OpenID Connect Core 1.0 section 3.1.2.1): whether the user must be there,
//! which user, how fresh and how strong the proof must be.

use cloud_api::claims::{ClaimsRequest, METHODS, STRENGTHS};
use cloud_api::tokens::AMR_FRESH;

use super::conditional_access::strong_enough;
use super::primary_token::Strength;

/// A proof is fresh for so many seconds: what is asked for is somebody who is there.
pub(crate) const FRESH_S: i64 = 15 * 60;

/// Whether the page may, must or must not be shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// It is shown where nothing else signs the user in.
    #[default]
    AsNeeded,
    /// It is shown in any case.
    Page,
    /// It is never shown.
    Never,
}

/// What is asked of a sign-in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) prompt: Prompt,
    /// The name of the user who is expected.
    login_hint: Option<String>,
    max_age_s: Option<i64>,
    claims: ClaimsRequest,
}

impl Asked {
    /// Reads the query.
    pub(crate) fn read<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        let prompt = match field("prompt").unwrap_or_default() {
            "" => Prompt::AsNeeded,
            "none" => Prompt::Never,
            // There is nothing to consent to, and no list to choose from: whoever has the key chooses.
            "login" | "select_account" | "consent" => Prompt::Page,
            _ => return Err("prompt must be none, login, select_account or consent".to_owned()),
        };
        let max_age_s = match field("max_age").unwrap_or_default() {
            "" => None,
            text => {
                let age: Option<u32> = text.parse().ok();
                Some(
                    age.ok_or_else(|| "max_age must be seconds".to_owned())?
                        .into(),
                )
            }
        };
        let hint = field("login_hint").filter(|hint| !hint.is_empty());
        let claims = ClaimsRequest::parse(field("claims").unwrap_or_default());
        Ok(Self {
            prompt,
            login_hint: hint.map(str::to_lowercase),
            max_age_s,
            claims: claims.map_err(|error| error.to_string())?,
        })
    }

    /// Of a request for tokens alone.
    pub(crate) fn of_claims(claims: ClaimsRequest) -> Self {
        Self {
            claims,
            ..Self::default()
        }
    }

    /// The claims, for who is asked again.
    pub(crate) fn claims(&self) -> &ClaimsRequest {
        &self.claims
    }

    /// Whether this user is the one who is expected.
    pub(crate) fn expects(&self, user_principal_name: &str) -> bool {
        let name = user_principal_name.to_lowercase();
        self.login_hint.as_ref().is_none_or(|hint| *hint == name)
    }

    /// Whether a proof is fresh and strong enough. Strengths that nobody here knows ask for nothing.
    pub(crate) fn is_met_by(&self, strength: Strength, age_s: i64) -> bool {
        let mut methods = self.claims.values(METHODS);
        let wants_fresh = methods.any(|method| method == AMR_FRESH);
        let is_fresh = !wants_fresh || age_s <= FRESH_S;
        let is_young = self.max_age_s.is_none_or(|max| age_s <= max);
        let mut strengths = self.claims.values(STRENGTHS);
        let is_strong = strengths.all(|id| strong_enough(id, strength).unwrap_or(true));
        is_fresh && is_young && is_strong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &str)]) -> Result<Asked, String> {
        Asked::read(|name| {
            let mut fields = fields.iter();
            fields.find(|(field, _)| *field == name).map(|(_, v)| *v)
        })
    }

    #[test]
    fn proofs_are_measured_by_what_is_asked() {
        let check = |name: &str, value: &str, strength: Strength, age_s: i64, met: bool| {
            let asked = read(&[(name, value)]).unwrap();
            assert_eq!(
                asked.is_met_by(strength, age_s),
                met,
                "{name}={value} {age_s}"
            );
        };
        let (key, pass) = (Strength::Fido2, Strength::TemporaryAccessPass);
        check("", "", pass, i64::MAX, true);
        check("max_age", "60", key, 60, true);
        check("max_age", "60", key, 61, false);
        check("max_age", "0", key, 1, false);
        let fresh = r#"{"access_token":{"amr":{"values":["ngcmfa"]}}}"#;
        check("claims", fresh, pass, FRESH_S, true);
        check("claims", fresh, pass, FRESH_S + 1, false);
        let strong = r#"{"id_token":{"acrs":{"value":"00000000-0000-0000-0000-000000000004"}}}"#;
        check("claims", strong, key, 0, true);
        check("claims", strong, Strength::WindowsHello, 0, true);
        check("claims", strong, pass, 0, false);
        check(
            "claims",
            r#"{"id_token":{"acrs":{"value":"c1"}}}"#,
            pass,
            0,
            true,
        );
    }

    #[test]
    fn requests_are_read_or_refused() {
        for (name, value) in [
            ("prompt", "create"),
            ("max_age", "soon"),
            ("max_age", "-1"),
            ("claims", "[]"),
            ("claims", "{"),
        ] {
            assert!(read(&[(name, value)]).is_err(), "{name}={value}");
        }
        assert_eq!(read(&[("prompt", "login")]).unwrap().prompt, Prompt::Page);
        assert_eq!(read(&[("prompt", "none")]).unwrap().prompt, Prompt::Never);
        let hinted = read(&[("login_hint", "Ada@corp.contoso.com")]).unwrap();
        assert!(hinted.expects("ada@corp.contoso.com") && !hinted.expects("bob@corp.contoso.com"));
        assert!(read(&[]).unwrap().expects("anybody@corp.contoso.com"));
    }
}
