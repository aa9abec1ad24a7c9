//! From the feed's JSON to a staged object, under the names that the rules use.

use cloud_api::DeltaUser;
use keycred::SearchableDeviceKey;

use crate::connector::{Anchor, Attributes, Kinds, StagedObject, Value};

/// The user's lasting name.
pub(super) fn anchor(user: &DeltaUser) -> Anchor {
    Anchor::new(user.id.clone())
}

/// The user with the attributes that are asked for.
pub(super) fn staged(user: DeltaUser, asked: &Kinds) -> StagedObject {
    let anchor = anchor(&user);
    let name = user
        .user_principal_name
        .clone()
        .unwrap_or_else(|| user.id.clone());
    let mut attributes = Attributes::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value
            && asked.wants("user", name)
        {
            attributes.entry(name.to_owned()).or_default().insert(value);
        }
    };
    let text = |text: Option<String>| text.map(String::into_bytes);
    let truth = |truth: bool| Some(truth.to_string().into_bytes());
    // Whoever has a source anchor was brought by a sync from a directory.
    put(
        "cloudMastered",
        truth(user.on_premises.on_premises_immutable_id.is_none()),
    );
    put("cloudAnchor", text(Some(format!("User_{}", user.id))));
    put(
        "sourceAnchor",
        text(user.on_premises.on_premises_immutable_id),
    );
    put("userPrincipalName", text(user.user_principal_name));
    put("displayName", text(user.display_name));
    put("accountEnabled", user.account_enabled.and_then(truth));
    for key in user.searchable_device_key.into_iter().flatten() {
        put("searchableDeviceKey", Some(raw(&key)));
    }
    StagedObject {
        anchor,
        kind: "user".to_owned(),
        name,
        attributes,
    }
}

/// The key as the rules take it: the directory's value without KeyHash. One that has no such form stays JSON, which
/// the transform refuses by name, rather than disappearing here.
fn raw(key: &SearchableDeviceKey) -> Value {
    key.to_raw()
        .unwrap_or_else(|_| serde_json::to_vec(key).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_gets_the_names_of_the_rules() {
        let user: DeltaUser = serde_json::from_str(
            r#"{"id":"5b47d60f-6090-40b2-9f37-2a4de88f3063","userPrincipalName":"testuser@corp.contoso.com",
                "accountEnabled":true,"onPremisesImmutableId":"D9ZHW5BgskCfNypN6I8wYw==",
                "searchableDeviceKey":[{"usage":"FIDO","keyIdentifier":"AAECAw==","keyMaterial":"e30=",
                "creationTime":"2026-06-10T05:06:07.1234567Z","deviceId":"00000000-0000-0000-0000-000000000000",
                "customKeyInformation":"AQEAAAAAAAAAAAAAAAAA"}]}"#,
        )
        .unwrap();
        let names = ["cloudMastered", "sourceAnchor", "searchableDeviceKey"];
        let names = names.map(str::to_owned).into();
        let asked = Kinds([("user".to_owned(), names)].into());
        let staged = staged(user, &asked);
        assert_eq!(staged.name, "testuser@corp.contoso.com");
        assert_eq!(staged.attributes.len(), 3);
        let value = |name: &str| staged.attributes[name].first().unwrap().clone();
        assert_eq!(value("cloudMastered"), b"false");
        assert_eq!(value("sourceAnchor"), b"D9ZHW5BgskCfNypN6I8wYw==");
        assert!(crate::keys::is_keycred(&value("searchableDeviceKey")));
    }
}
