//! What normal looks like: who synchronises, what the sync says it wrote, which keys the cloud knows.

use std::collections::HashMap;

use cloud_api::devicekeys::DeltaUser;
use cloud_api::users::object_guid;
use events::{Lines, Receipt};
use keycred::SearchableDeviceKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use types::{Guid, Sid};

use crate::Sighting;
use crate::receipts::Receipts;
use crate::sighting::dn_key;

/// What normal looks like. Every part may be missing; verdicts then say so.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    /// Accounts that synchronise. Those that signed a receipt count as well.
    pub connectors: Vec<Connector>,
    /// Accounts that register keys on the ground: AD FS, a device registration service.
    pub registrars: Vec<Sid>,
    receipts: Option<Receipts>,
    cloud: Option<CloudKeys>,
}

/// An account that synchronises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connector {
    /// The account. Names are worth nothing: anybody can be called `MSOL_...`.
    pub sid: Sid,
    /// Where it runs; empty when that is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
}

/// A file of the baseline could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// The accounts.
    #[error(
        "not a baseline of the form {{\"connectors\": [{{\"sid\": \"S-1-5-...\"}}], \"registrars\": []}}: {0}"
    )]
    Accounts(serde_json::Error),
    /// The receipts.
    #[error(transparent)]
    Receipt(#[from] events::BrokenLine),
    /// The cloud's keys.
    #[error("the list of device keys is no JSON of users with searchableDeviceKey: {0}")]
    CloudKeys(serde_json::Error),
}

/// The accounts of a baseline as a file keeps them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accounts {
    #[serde(default)]
    #[expect(dead_code, reason = "read so that a file may name its format")]
    format: Option<String>,
    #[serde(default)]
    connectors: Vec<Connector>,
    #[serde(default)]
    registrars: Vec<Sid>,
}

impl Baseline {
    /// Adds the accounts of a baseline file.
    pub fn read_accounts(&mut self, text: &str) -> Result<(), BaselineError> {
        let accounts: Accounts = serde_json::from_str(text).map_err(BaselineError::Accounts)?;
        self.connectors.extend(accounts.connectors);
        self.registrars.extend(accounts.registrars);
        Ok(())
    }

    /// Adds a connector of which only the account is known.
    pub fn add_connector(&mut self, sid: Sid) {
        self.connectors.push(Connector {
            sid,
            addresses: Vec::new(),
        });
    }

    /// Adds receipts, and says by that that receipts are available: even none is an answer.
    pub fn add_receipts(&mut self, receipts: impl IntoIterator<Item = Receipt>) {
        let all = self.receipts.get_or_insert_default();
        receipts.into_iter().for_each(|receipt| all.add(receipt));
    }

    /// Adds receipts from JSON Lines. A broken one is an error: evidence must not go missing silently.
    pub fn read_receipts(&mut self, text: &str) -> Result<(), BaselineError> {
        let receipts: Vec<Receipt> = Lines::new(text).collect::<Result<_, _>>()?;
        self.add_receipts(receipts);
        Ok(())
    }

    /// Sets the cloud's keys.
    pub fn set_cloud(&mut self, cloud: CloudKeys) {
        self.cloud = Some(cloud);
    }

    /// The cloud's keys, where they are known.
    pub fn cloud(&self) -> Option<&CloudKeys> {
        self.cloud.as_ref()
    }

    /// Whether receipts are available at all.
    pub fn has_receipts(&self) -> bool {
        self.receipts.is_some()
    }

    /// Whether any account is known to write keys.
    pub fn has_writers(&self) -> bool {
        !self.connectors.is_empty()
            || !self.registrars.is_empty()
            || self.receipts.as_ref().is_some_and(Receipts::has_signers)
    }

    pub(crate) fn receipts(&self) -> Option<&Receipts> {
        self.receipts.as_ref()
    }

    pub(crate) fn connector(&self, sid: &Sid) -> Option<Connector> {
        let named = self
            .connectors
            .iter()
            .find(|connector| connector.sid == *sid)
            .cloned();
        let is_signer = || {
            self.receipts
                .as_ref()
                .is_some_and(|receipts| receipts.is_signer(sid))
        };
        let signed = || Connector {
            sid: sid.clone(),
            addresses: Vec::new(),
        };
        named.or_else(|| is_signer().then(signed))
    }
}

/// The keys that the cloud knows, per user.
#[derive(Debug, Clone, Default)]
pub struct CloudKeys {
    users: Vec<CloudUser>,
    by_guid: HashMap<Guid, usize>,
    by_sid: HashMap<Sid, usize>,
    by_dn: HashMap<String, usize>,
    by_key: HashMap<Vec<u8>, Vec<usize>>,
}

/// A user of the cloud, as far as keys are concerned.
#[derive(Debug, Clone)]
pub(crate) struct CloudUser {
    pub(crate) name: String,
    pub(crate) keys: Vec<SearchableDeviceKey>,
}

impl CloudKeys {
    /// From users as the delta feed tells them.
    pub fn new(users: impl IntoIterator<Item = DeltaUser>) -> Self {
        let mut all = Self::default();
        for user in users {
            all.add(user);
        }
        all
    }

    /// From JSON: pages of the delta feed, arrays of users, or one user a line, in any mixture.
    pub fn read(text: &str) -> Result<Self, BaselineError> {
        let mut all = Self::default();
        for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
            let users = match value.map_err(BaselineError::CloudKeys)? {
                Value::Array(users) => users,
                Value::Object(mut page) => match page.remove("value") {
                    Some(Value::Array(users)) => users,
                    _ => vec![Value::Object(page)],
                },
                other => vec![other],
            };
            for user in users {
                all.add(serde_json::from_value(user).map_err(BaselineError::CloudKeys)?);
            }
        }
        Ok(all)
    }

    fn add(&mut self, user: DeltaUser) {
        let index = self.users.len();
        let identity = &user.on_premises;
        if let Some(guid) = identity
            .on_premises_immutable_id
            .as_deref()
            .and_then(object_guid)
        {
            self.by_guid.insert(guid, index);
        }
        if let Some(sid) = &identity.on_premises_security_identifier {
            self.by_sid.insert(sid.clone(), index);
        }
        if let Some(dn) = &identity.on_premises_distinguished_name {
            self.by_dn.insert(dn_key(dn), index);
        }
        let keys = user.searchable_device_key.unwrap_or_default();
        for key in &keys {
            self.by_key
                .entry(key.key_identifier.clone())
                .or_default()
                .push(index);
        }
        let name = user
            .user_principal_name
            .or(user.display_name)
            .unwrap_or(user.id);
        self.users.push(CloudUser { name, keys });
    }

    /// How many users are known.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether no user is known.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The user behind an object of the directory.
    pub(crate) fn user(&self, sighting: &Sighting) -> Option<&CloudUser> {
        let object = &sighting.object;
        let by_guid = object.guid.and_then(|guid| self.by_guid.get(&guid));
        let by_sid = || object.sid.as_ref().and_then(|sid| self.by_sid.get(sid));
        let by_dn = || self.by_dn.get(&dn_key(&object.dn));
        by_guid
            .or_else(by_sid)
            .or_else(by_dn)
            .and_then(|index| self.users.get(*index))
    }

    /// The users that have a key with this identifier.
    pub(crate) fn owners(&self, key_id: &[u8]) -> impl Iterator<Item = &CloudUser> {
        let found = self
            .by_key
            .get(key_id)
            .map(Vec::as_slice)
            .unwrap_or_default();
        found.iter().filter_map(|index| self.users.get(*index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_strictly() {
        let mut baseline = Baseline::default();
        baseline
            .read_accounts(
                r#"{"format": "tombolo-baseline/1",
                    "connectors": [{"sid": "S-1-5-21-1-2-3-1105", "addresses": ["10.0.0.5"]}],
                    "registrars": ["S-1-5-21-1-2-3-1106"]}"#,
            )
            .unwrap();
        assert!(baseline.has_writers());
        let error = baseline.read_accounts(r#"{"connector": []}"#).unwrap_err();
        assert!(error.to_string().contains("connectors"), "{error}");
        assert!(baseline.read_receipts("{}\n").is_err());
    }

    #[test]
    fn pages_and_lines_of_users() {
        let user = r#"{"id": "1", "userPrincipalName": "ada@corp.contoso.com",
            "onPremisesImmutableId": "D9ZHW5BgskCfNypN6I8wYw==", "searchableDeviceKey": []}"#;
        for text in [
            format!("{{\"value\": [{user}, {user}]}}"),
            format!("[{user},{user}]"),
            format!("{user}\n{user}"),
        ] {
            let cloud = CloudKeys::read(&text).unwrap();
            assert_eq!((cloud.len(), cloud.by_guid.len()), (2, 1), "{text}");
        }
        assert!(CloudKeys::read("not json").is_err());
    }
}
