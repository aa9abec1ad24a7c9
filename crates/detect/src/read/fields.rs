//! The fields of one event by name, wherever its shipper nested them.

/// Field names in lower case, with their text.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

/// An event has about forty fields; a record with more is none.
const FIELDS_MAX: usize = 512;

impl Fields {
    /// Adds a field. The first of a name stays: outer copies made by shippers come later.
    pub(super) fn put(&mut self, name: &str, text: impl Into<String>) {
        let name = name.to_ascii_lowercase();
        let is_known = self.0.iter().any(|(known, _)| *known == name);
        if !is_known && self.0.len() < FIELDS_MAX {
            self.0.push((name, text.into()));
        }
    }

    /// The first of these fields (in lower case) that is there and says something.
    pub(super) fn any(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| {
            let found = self.0.iter().find(|(known, _)| known == name);
            found
                .map(|(_, text)| text.trim())
                .filter(|text| !text.is_empty() && *text != "-")
        })
    }

    /// One field (in lower case), if it says something.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.any(&[name])
    }
}
