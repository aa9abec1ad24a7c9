//! A key that does not know hmac-secret: getInfo does not list it, and whoever asks for it is not heard.
//!
//! The authenticator knows the extension always, so requests and replies are changed on their way. Neither is signed
//! by the platform over that part: a PIN proof covers the client data alone.

use ciborium::Value;

const EXTENSION: &str = "hmac-secret";
const MAKE_CREDENTIAL: u8 = 0x01;
const GET_ASSERTION: u8 = 0x02;
const GET_INFO: u8 = 0x04;

/// The request as a key without hmac-secret understands it.
pub(crate) fn request(request: &[u8]) -> Vec<u8> {
    let extensions = match request.first() {
        Some(&MAKE_CREDENTIAL) => 6,
        Some(&GET_ASSERTION) => 4,
        _ => return request.to_vec(),
    };
    change(request, |fields| {
        let wanted = |(name, _): &(Value, Value)| name.as_text() != Some(EXTENSION);
        for (name, value) in fields.iter_mut() {
            if let (true, Value::Map(entries)) = (*name == Value::from(extensions), value) {
                entries.retain(wanted);
            }
        }
        // CTAP wants no empty map.
        fields.retain(|(name, value)| {
            *name != Value::from(extensions) || !value.as_map().is_some_and(Vec::is_empty)
        });
    })
}

/// The reply to a request as such a key gives it.
pub(crate) fn reply(request: &[u8], reply: Vec<u8>) -> Vec<u8> {
    if request.first() != Some(&GET_INFO) {
        return reply;
    }
    change(&reply, |fields| {
        for (name, value) in fields {
            if let (true, Value::Array(names)) = (*name == Value::from(2), value) {
                names.retain(|name| name.as_text() != Some(EXTENSION));
            }
        }
    })
}

/// One byte, and a map that is changed. What is no such thing stays as it is.
fn change(message: &[u8], change: impl FnOnce(&mut Vec<(Value, Value)>)) -> Vec<u8> {
    let Some((first, body)) = message.split_first() else {
        return Vec::new();
    };
    let Ok(Value::Map(mut fields)) =
        ciborium::de::from_reader_with_recursion_limit::<Value, _>(body, 8)
    else {
        return message.to_vec();
    };
    change(&mut fields);
    let mut changed = vec![*first];
    // INVARIANT: writing a `Value` to a `Vec` cannot fail.
    ciborium::into_writer(&Value::Map(fields), &mut changed).unwrap_or_default();
    changed
}
