//! The parameter `claims`: what a sign-in is asked to prove (OpenID Connect Core 1.0 section 5.5).
//!
//! A service that refuses for want of a stronger or newer proof says in its refusal what to ask for
//! ([`ClaimsRequest::challenge`]); the application hands that text on to the next sign-in as it is.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use types::Guid;

/// The claim whose values are strengths, by the ids of [`crate::conditional_access`].
pub const STRENGTHS: &str = "acrs";
/// The claim whose values are methods (RFC 8176), and [`crate::tokens::AMR_FRESH`].
pub const METHODS: &str = "amr";
/// The claim whose values are policies that were not content.
const POLICIES: &str = "capolids";

const TEXT_BYTES_MAX: usize = 4096;

/// A text that asks for nothing that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "claims must be a JSON object of at most 4096 bytes, as OpenID Connect Core 5.5 has it: {0}"
)]
pub struct ClaimsError(String);

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimsRequest(BTreeMap<String, Vec<String>>);

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    access_token: Option<Members>,
    #[serde(default)]
    id_token: Option<Members>,
}

type Members = BTreeMap<String, Option<Asked>>;

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    value: Option<Value>,
    #[serde(default)]
    values: Option<Vec<Value>>,
}

impl ClaimsRequest {
    /// Reads the parameter; an empty text asks for nothing. Claims that nobody here knows are kept and ask for nothing.
    pub fn parse(text: &str) -> Result<Self, ClaimsError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(ClaimsError(format!("{} bytes", text.len())));
        }
        // serde would read a list as well.
        if !text.trim_ascii_start().starts_with('{') {
            return Err(ClaimsError("no object".to_owned()));
        }
        let document: Document =
            serde_json::from_str(text).map_err(|error| ClaimsError(error.to_string()))?;
        let mut all = BTreeMap::<String, Vec<String>>::new();
        let members = [document.access_token, document.id_token];
        for (name, asked) in members.into_iter().flatten().flatten() {
            let asked = asked.into_iter();
            let values = asked.flat_map(|asked| {
                asked
                    .value
                    .into_iter()
                    .chain(asked.values.into_iter().flatten())
            });
            let texts = values.filter_map(|value| value.as_str().map(str::to_owned));
            all.entry(name).or_default().extend(texts);
        }
        Ok(Self(all))
    }

    /// The values that are asked for of one claim.
    pub fn values(&self, claim: &str) -> impl Iterator<Item = &str> {
        self.0.get(claim).into_iter().flatten().map(String::as_str)
    }

    /// What to ask for after a policy was not content, for want of a strength where it wants one.
    pub fn challenge(policy: Guid, strength: Option<&str>) -> String {
        let policies = json!({"essential": true, "values": [policy.to_string()]});
        let mut claims = json!({ POLICIES: policies });
        if let (Some(strength), Some(members)) = (strength, claims.as_object_mut()) {
            let strength = json!({"essential": true, "value": strength});
            members.insert(STRENGTHS.to_owned(), strength);
        }
        json!({ "access_token": claims }).to_string()
    }

    /// What to ask for to be given what this asks for.
    pub fn again(&self) -> String {
        let claims: BTreeMap<_, _> = self
            .0
            .iter()
            .map(|(name, values)| (name, json!({"essential": true, "values": values})))
            .collect();
        json!({ "access_token": claims }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::conditional_access::STRENGTH_PHISHING_RESISTANT;

    #[test]
    fn a_challenge_is_read_back() {
        let policy = Guid::from_bytes_le([7; 16]);
        let text = ClaimsRequest::challenge(policy, Some(STRENGTH_PHISHING_RESISTANT));
        let asked = ClaimsRequest::parse(&text).unwrap();
        let strengths: Vec<_> = asked.values(STRENGTHS).collect();
        assert_eq!(strengths, [STRENGTH_PHISHING_RESISTANT]);
        let policies: Vec<_> = asked.values(POLICIES).collect();
        assert_eq!(policies, [policy.to_string()]);
        assert_eq!(ClaimsRequest::parse(&asked.again()).unwrap(), asked);
        let text = ClaimsRequest::challenge(policy, None);
        let asked = ClaimsRequest::parse(&text).unwrap();
        assert_eq!(asked.values(STRENGTHS).count(), 0);
    }

    #[test]
    fn texts_are_read_or_refused() {
        let check = |text: &str, expected: Option<&[&str]>| {
            let read = ClaimsRequest::parse(text).ok();
            let values = read.as_ref().map(|read| read.values(METHODS).collect());
            assert_eq!(values, expected.map(<[&str]>::to_vec), "{text}");
        };
        check("", Some(&[]));
        check("{}", Some(&[]));
        check(r#"{"userinfo":{"name":null}}"#, Some(&[]));
        check(
            r#"{"access_token":{"amr":{"values":["ngcmfa","mfa"]}}}"#,
            Some(&["ngcmfa", "mfa"]),
        );
        check(
            r#"{"id_token":{"amr":{"essential":true,"value":"mfa"}}}"#,
            Some(&["mfa"]),
        );
        check(
            r#"{"access_token":{"amr":null,"xms_cc":{"values":["CP1"]}}}"#,
            Some(&[]),
        );
        check(r#"{"access_token":{"amr":{"value":7}}}"#, Some(&[]));
        check(r#"{"access_token":null}"#, Some(&[]));
        check("[]", None);
        check("nothing", None);
        check(r#"{"access_token":[]}"#, None);
        check(r#"{"access_token":{"amr":"mfa"}}"#, None);
        check(&format!("{{}}{}", " ".repeat(TEXT_BYTES_MAX)), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in r#"[{}\[\]":,a-z_ ]{0,80}"#) {
            let _ = ClaimsRequest::parse(&text);
        }
    }
}
