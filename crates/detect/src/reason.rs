//! The weights: one table, from which every verdict is summed.
//!
//! Positive weights speak for a planted key, negative ones for an honest write. A few rules decide alone.
//! `docs/detect.md` shows the same table; a test keeps the two equal.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::Word;

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its stable name.
    pub id: &'static str,
    /// What it adds to the score.
    pub weight: i32,
    /// The word that it decides alone, whatever the score.
    pub decides: Option<Word>,
    /// What it means.
    pub meaning: &'static str,
}

/// A rule that applied, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The rule's stable name.
    pub id: &'static str,
    /// Its weight.
    pub weight: i32,
    /// Whether it decided the verdict alone.
    pub decides: Option<Word>,
    /// What was seen, in a sentence.
    pub sentence: String,
}

/// Which way a reason leans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Towards a planted key.
    Against,
    /// Towards an honest write.
    For,
    /// Neither: worth knowing.
    Note,
}

impl Side {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Against => "planted",
            Self::For => "legitimate",
            Self::Note => "note",
        }
    }
}

impl Reason {
    /// Which way it leans.
    pub fn side(&self) -> Side {
        match self.weight {
            1.. => Side::Against,
            0 => Side::Note,
            _ => Side::For,
        }
    }
}

impl Rule {
    /// The rule applied, and this is what was seen.
    pub fn because(&self, sentence: impl Into<String>) -> Reason {
        Reason {
            id: self.id,
            weight: self.weight,
            decides: self.decides,
            sentence: sentence.into(),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reason = serializer.serialize_struct("Reason", 5)?;
        reason.serialize_field("id", self.id)?;
        reason.serialize_field("side", self.side().as_str())?;
        reason.serialize_field("weight", &self.weight)?;
        reason.serialize_field("decides", &self.decides)?;
        reason.serialize_field("sentence", &self.sentence)?;
        reason.end()
    }
}

/// From here on a score says `planted`.
pub(crate) const PLANTED_FROM: i32 = 60;
/// From here on a score says `suspicious`.
pub(crate) const SUSPICIOUS_FROM: i32 = 25;
/// Down to here a score says nothing; from here on down it says `legitimate`.
pub(crate) const LEGITIMATE_DOWN_TO: i32 = -40;

macro_rules! rules {
    ($($name:ident = $id:literal, $weight:literal $(, decides $word:ident)?, $meaning:literal;)*) => {
        $(pub(crate) const $name: Rule = Rule {
            id: $id,
            weight: $weight,
            decides: rules!(@word $($word)?),
            meaning: $meaning,
        };)*

        /// Every rule, in the order of the documentation.
        pub const WEIGHTS: &[Rule] = &[$($name),*];
    };
    (@word $word:ident) => { Some(Word::$word) };
    (@word) => { None };
}

rules! {
    // Who wrote.
    WRITER_IS_CONNECTOR = "writer-is-connector", -30,
        "the writer's SID is a connector of the baseline";
    WRITER_IS_REGISTRAR = "writer-is-registrar", -45,
        "the writer's SID is a registration service of the baseline, and the value looks like its own";
    WRITER_NOT_IN_BASELINE = "writer-not-in-baseline", 40,
        "the baseline names the accounts that write keys, and the writer is none of them";
    WRITER_IS_SYSTEM = "writer-is-system", 0,
        "the domain controller itself wrote, as it does when it notes the last use of a key";
    WRITER_FROM_OTHER_HOST = "writer-from-other-host", 60,
        "the connector's account came from an address that is not the connector's";
    SELF_WRITE = "self-write", -20,
        "a computer wrote to itself, as Windows does";
    USER_WROTE_ITSELF = "user-wrote-itself", 25,
        "a user wrote a key to itself, which takes an access right that nobody has by default";
    COMPUTER_WRITTEN_BY_OTHER = "computer-written-by-other", 80, decides Planted,
        "a computer's key was written by another account; only the computer itself does that";
    CONNECTOR_OUT_OF_SCOPE = "connector-out-of-scope", 80, decides Planted,
        "the connector's account wrote to an object that no sync writes to: its password is in other hands";
    SEVERAL_OBJECTS = "several-objects", 20,
        "an account outside the baseline wrote keys to three objects or more within an hour";

    // What the sync says.
    RECEIPT_MATCHES = "receipt-matches", -60, decides LegitimateWriteback,
        "the sync has a receipt for exactly this value, object, time and account";
    RECEIPT_FITS = "receipt-fits", -40,
        "the sync has a receipt for a value of this length on this object at this time";
    RECEIPT_OF_OTHER_ACCOUNT = "receipt-of-other-account", 15,
        "the sync has a receipt for this value, but another account wrote it";
    NO_RECEIPT = "no-receipt", 15,
        "the sync has no receipt for this value";
    CONNECTOR_WITHOUT_RECEIPT = "connector-without-receipt", 70,
        "the connector's account wrote what the sync says it never wrote";

    // What the cloud says.
    CLOUD_HAS_VALUE = "cloud-has-value", -50,
        "the cloud has this key for this user, and its form converts to exactly this value";
    CLOUD_HAS_KEY = "cloud-has-key", -30,
        "the cloud has this key for this user with the same material; other entries of the value differ";
    CLOUD_KEY_FROM_OTHER_WRITER = "cloud-key-from-other-writer", -10,
        "the cloud has this key for this user, but not the sync wrote it";
    CLOUD_LACKS_KEY = "cloud-lacks-key", 70, decides Planted,
        "the value says it comes from the cloud, and the cloud does not know the key";
    CLOUD_LACKS_KEY_TODAY = "cloud-lacks-key-today", 70,
        "the connector wrote a key that the cloud does not know today; without receipts of that time it may have been removed since";
    CLOUD_LACKS_AD_KEY = "cloud-lacks-ad-key", 25,
        "the key says it was registered on the ground; the cloud does not know it either";
    CLOUD_MATERIAL_DIFFERS = "cloud-material-differs", 80, decides Planted,
        "the cloud knows this key id with other key material";
    CLOUD_KEY_OF_OTHER_USER = "cloud-key-of-other-user", 70, decides Planted,
        "the cloud has this key for another user";
    NEVER_ENROLLED = "never-enrolled", 25,
        "a Windows Hello key on a user for whom the cloud has none";

    // What the value looks like.
    SHAPE_OF_SYNC = "shape-of-sync", -15,
        "the value has the shape that the sync writes: cloud source, .NET time, long CustomKeyInformation";
    SHAPE_OF_TOOL = "shape-of-tool", 30,
        "the value has a shape that only a public attack tool writes";
    SHAPE_OF_COMPUTER = "shape-of-computer", -30,
        "the value has the shape of a computer's own key: PKCS#1, no device";
    COMPUTER_KEY_OF_TOOL = "computer-key-of-tool", 85,
        "a computer wrote itself a key that Windows never makes for computers: its account was relayed";
    CKI_OF_TOOL_ON_USER = "cki-of-tool-on-user", 30,
        "CustomKeyInformation 0102 without LastLogon on a user, which no product writes there";
    CLOUD_SOURCE_FORGED = "cloud-source-forged", 50,
        "the value says it comes from the cloud, but its time is written as Active Directory writes it";
    CONNECTOR_WROTE_AD_SOURCE = "connector-wrote-ad-source", 40,
        "the connector's account wrote a key that says it was registered on the ground";
    KEY_HASH_DIFFERS = "key-hash-differs", 40,
        "KeyHash is not the hash of the value: it was edited, or its writer does not know how";
    KEY_ID_DIFFERS = "key-id-differs", 30,
        "KeyID does not belong to the key material";
    ENTRY_REPEATED = "entry-repeated", 80,
        "an entry is there twice, so two readers may see two keys; no product writes that";
    VALUE_UNREADABLE = "value-unreadable", 30,
        "the value is not a key credential";
    CREATED_IN_FUTURE = "created-in-future", 15,
        "the key says it was made more than an hour after it was written";
    DN_PART_DIFFERS = "dn-part-differs", 40,
        "the name inside the value is not the name of the object";
    SAME_KEY_ON_SEVERAL = "same-key-on-several", 50,
        "the same key material was written to more than one object";
    AMBIGUOUS_SHAPE = "ambiguous-shape", 0,
        "the value's shape is shared by a product and a tool, so it tells nothing";
    NOT_FOR_KERBEROS = "not-for-kerberos", 0,
        "no domain controller uses a key of this usage for sign-in";

    // What the length alone tells, where the value is hidden.
    LENGTH_OF_SYNC = "length-of-sync", -10,
        "the length is one that the sync writes; a hint alone, padding is easy";
    LENGTH_OF_COMPUTER = "length-of-computer", -20,
        "the length is one of a computer's own key";
    LENGTH_OF_TOOL = "length-of-tool", 15,
        "the length is one that only public attack tools write";
    LENGTH_OF_TOOL_ON_COMPUTER = "length-of-tool-on-computer", 50,
        "a computer wrote itself a value longer than Windows makes for computers";
    LENGTH_AMBIGUOUS = "length-ambiguous", 0,
        "the length is one that a product and attack tools write";

    // What happened around it.
    REMOVED_WITHIN_SECONDS = "removed-within-seconds", 40,
        "the same account added the value and removed it within two minutes";
    LOOKS_LIKE_ROTATION = "looks-like-rotation", 20,
        "a delete and an add of equal length in one operation, but not by the sync";
    REPLACED_OTHER_KEYS = "replaced-other-keys", 15,
        "the same operation removed other keys of the object";

    // Deletions and refusals.
    PLANTS_NOTHING = "plants-nothing", -10,
        "a deletion plants nothing";
    CLEANS_UP_PLANTED = "cleans-up-planted", 80, decides Planted,
        "the account that planted this value took it away again";
    CLEANS_UP_SUSPICIOUS = "cleans-up-suspicious", 30,
        "the account that added this suspicious value took it away again";
    REMOVES_PLANTED = "removes-planted", -60,
        "another account took a planted value away";
    REAL_KEY_REMOVED = "real-key-removed", 15,
        "a key that the sync wrote or the cloud has was removed by another account; it comes back with the next cycle";
    REFUSED = "refused", 10,
        "a refused attempt";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_documentation_shows_the_same_table() {
        let page = include_str!("../../../docs/detect.md");
        let ids: BTreeSet<&str> = WEIGHTS.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), WEIGHTS.len(), "an id is used twice");
        for rule in WEIGHTS {
            let decides = rule
                .decides
                .map_or(String::new(), |word| format!(", decides `{word}`"));
            let row = format!(
                "| `{}` | {}{decides} | {} |",
                rule.id, rule.weight, rule.meaning
            );
            assert!(page.contains(&row), "docs/detect.md lacks this row:\n{row}");
        }
        let rows = page
            .lines()
            .filter(|line| line.starts_with("| `") && line.contains("-"))
            .count();
        assert!(rows >= WEIGHTS.len());
    }

    #[test]
    fn rules_that_decide_would_decide_by_weight_too() {
        for rule in WEIGHTS {
            match rule.decides {
                Some(Word::Planted) => assert!(rule.weight >= PLANTED_FROM, "{}", rule.id),
                Some(Word::LegitimateWriteback) => assert!(rule.weight <= LEGITIMATE_DOWN_TO),
                _ => {}
            }
        }
    }
}
