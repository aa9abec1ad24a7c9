//! Models of security keys and passkey providers by AAGUID.
//!
//! The built-in table has the common ones, from vendors' and the FIDO Alliance's published lists; a file of the
//! user's adds to it and wins over it ([`Models::add_json`]). Deliberately absent: reading the FIDO metadata service.

mod known;

use std::collections::HashMap;

use types::Guid;

/// AAGUIDs and their models.
#[derive(Debug, Clone)]
pub struct Models {
    names: HashMap<Guid, String>,
}

/// The user's file is not a table of AAGUIDs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidModels {
    /// It is not JSON of the right shape.
    #[error("not a JSON object of AAGUIDs: {0}; write {{\"<aaguid>\": \"<model>\"}}")]
    NotAnObject(String),
    /// A member is not an AAGUID with a name.
    #[error("'{0}' is not an AAGUID with a model's name; write {{\"<aaguid>\": \"<model>\"}}")]
    Member(String),
}

impl Default for Models {
    fn default() -> Self {
        let names = known::MODELS
            .iter()
            .filter_map(|(aaguid, name)| Some((aaguid.parse().ok()?, (*name).to_owned())));
        Self {
            names: names.collect(),
        }
    }
}

impl Models {
    /// The model's name.
    pub fn name(&self, aaguid: Guid) -> Option<&str> {
        self.names.get(&aaguid).map(String::as_str)
    }

    /// Adds `{"<aaguid>": "<model>"}` or `{"<aaguid>": {"name": "<model>", ...}}`, the shape of the public list of
    /// passkey providers.
    pub fn add_json(&mut self, json: &[u8]) -> Result<usize, InvalidModels> {
        let members: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(json)
            .map_err(|error| InvalidModels::NotAnObject(error.to_string()))?;
        let mut added = HashMap::new();
        for (key, value) in &members {
            let name = value.as_str().or_else(|| value.get("name")?.as_str());
            match (key.trim().parse(), name) {
                (Ok(aaguid), Some(name)) => added.insert(aaguid, name.to_owned()),
                _ => return Err(InvalidModels::Member(key.chars().take(64).collect())),
            };
        }
        let count = added.len();
        self.names.extend(added);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_aaguid_is_one_and_occurs_once() {
        assert_eq!(Models::default().names.len(), known::MODELS.len());
    }

    #[test]
    fn a_file_adds_and_wins() {
        let mut models = Models::default();
        let key = "fa2b99dc-9e39-4257-8f92-4a30d23c4118";
        assert_eq!(models.name(key.parse().unwrap()), Some("YubiKey 5 NFC"));
        let json = format!(
            r#"{{"{key}": {{"name": "ours", "icon_dark": "x"}}, "00000000-0000-0000-0000-000000000001": "one"}}"#
        );
        assert_eq!(models.add_json(json.as_bytes()), Ok(2));
        assert_eq!(models.name(key.parse().unwrap()), Some("ours"));
        for (json, part) in [
            ("[]", "not a JSON object"),
            ("{\"a\":\"b\"}", "'a'"),
            ("{", "not a JSON"),
        ] {
            let error = models.add_json(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
