//! Records as JSON: our own, and Windows events in the nesting of any shipper.
//!
//! A shipper's nesting does not matter: the names of event fields are the same everywhere (Wazuh starts them with
//! a small letter), so all leaves are collected by name.

use events::Record;
use serde_json::Value;

use super::fields::Fields;
use super::{RECORD_BYTES_MAX, windows, xml};
use crate::{Form, Sighting};

/// Deeper nesting than any shipper makes.
const DEPTH_MAX: usize = 16;

/// The sightings in one record.
pub(super) fn sightings(source: &str, line: usize, text: &str) -> Result<Vec<Sighting>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    of_value(source, line, value)
}

/// What each record of a document gave.
type Records = Vec<Result<Vec<Sighting>, String>>;

/// One JSON value that spans lines, and how many bytes it took. An array is read as its records.
pub(super) fn document(source: &str, line: usize, rest: &str) -> Result<(Records, usize), String> {
    let is_array = rest.trim_start().starts_with('[');
    // An array is a whole export; anything else is one record.
    let window = if is_array {
        rest.len()
    } else {
        rest.len().min(RECORD_BYTES_MAX)
    };
    let bytes = rest.as_bytes().get(..window).unwrap_or_default();
    let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    let value = match stream.next() {
        Some(Ok(value)) => value,
        Some(Err(error)) => return Err(error.to_string()),
        None => return Err("an empty record".to_owned()),
    };
    let taken = stream.byte_offset();
    let records = match value {
        Value::Array(records) => records
            .into_iter()
            .map(|record| of_value(source, line, record))
            .collect(),
        record => vec![of_value(source, line, record)],
    };
    Ok((records, taken))
}

fn of_value(source: &str, line: usize, value: Value) -> Result<Vec<Sighting>, String> {
    if value.get("record").is_some_and(Value::is_string) {
        let record: Record = serde_json::from_value(value).map_err(|error| error.to_string())?;
        return Ok(Sighting::from_record(source, line, &record)
            .into_iter()
            .collect());
    }
    let mut fields = Fields::default();
    collect(&mut fields, "", &value, 0);
    let found = windows::sighting(source, line, Form::WindowsJson, &fields)?;
    Ok(found.into_iter().collect())
}

fn collect(fields: &mut Fields, name: &str, value: &Value, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Object(members) => {
            if let Some((name, text)) = named_data(value) {
                fields.put(name, text);
                return;
            }
            for (member, value) in members {
                // `{"EventID": {"#text": 5136, "#attributes": {...}}}`
                let is_text = matches!(member.as_str(), "#text" | "Value" | "value" | "$");
                collect(
                    fields,
                    if is_text { name } else { member },
                    value,
                    depth + 1,
                );
            }
        }
        Value::Array(items) => {
            items
                .iter()
                .for_each(|item| collect(fields, name, item, depth + 1));
        }
        // Some tables keep the event's data as XML in one column.
        Value::String(text) if text.trim_start().starts_with("<EventData") => {
            xml::put_data(fields, text);
        }
        Value::String(text) => fields.put(name, text.as_str()),
        Value::Number(number) => fields.put(name, number.to_string()),
        Value::Bool(_) | Value::Null => {}
    }
}

/// `{"@Name": "ObjectDN", "#text": "CN=..."}`, as converters from XML write it.
fn named_data(value: &Value) -> Option<(&str, &str)> {
    let member = |names: &[&str]| names.iter().find_map(|name| value.get(*name)?.as_str());
    let name = member(&["@Name", "Name", "@name"]);
    let text = member(&["#text", "Text", "Value", "value"]);
    name.zip(text)
}
