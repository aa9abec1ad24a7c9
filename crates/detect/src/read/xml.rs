//! The event viewer's XML, as far as an event needs it: no namespaces, no entities but the five and numbers.

use super::fields::Fields;

/// How an event ends.
pub(super) const EVENT_END: &str = "</Event>";

/// Where an `<Event ...>` begins, if one does.
pub(super) fn event_start(line: &str) -> Option<usize> {
    const START: &str = "<Event";
    // `<Events>` and `<EventData>` are other elements.
    let mut starts = line.match_indices(START).filter(|(at, _)| {
        let after = line.as_bytes().get(at + START.len()).copied();
        after.is_none_or(|after| matches!(after, b' ' | b'>' | b'\t' | b'\r' | b'\n'))
    });
    starts.next().map(|(at, _)| at)
}

/// The fields of one event: its system part by element, its data by name.
pub(super) fn fields(event: &str) -> Fields {
    let mut fields = Fields::default();
    for name in ["EventID", "Computer", "EventRecordID", "Keywords"] {
        if let Some(text) = element(event, name) {
            fields.put(name, text);
        }
    }
    if let Some(time) = attribute(event, "TimeCreated", "SystemTime") {
        fields.put("SystemTime", time);
    }
    put_data(&mut fields, event);
    fields
}

/// Adds every `<Data Name='x'>y</Data>`.
pub(super) fn put_data(fields: &mut Fields, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find("<Data") {
        let Some(tag) = rest.get(at..) else { return };
        let Some((opening, body)) = tag.split_once('>') else {
            return;
        };
        rest = body;
        if opening.ends_with('/') {
            continue;
        }
        let Some((content, after)) = body.split_once("</Data>") else {
            return;
        };
        rest = after;
        if let Some(name) = quoted(opening, "Name") {
            fields.put(&unescape(name), unescape(content));
        }
    }
}

fn element(text: &str, name: &str) -> Option<String> {
    let opening = format!("<{name}");
    let at = text.find(&opening)?;
    let (tag, body) = text.get(at..)?.split_once('>')?;
    if tag.ends_with('/') {
        return None;
    }
    body.split_once('<')
        .map(|(content, _)| unescape(content.trim()))
}

fn attribute(text: &str, name: &str, attribute: &str) -> Option<String> {
    let at = text.find(&format!("<{name}"))?;
    let (tag, _) = text.get(at..)?.split_once('>')?;
    quoted(tag, attribute).map(unescape)
}

/// The value of `name='...'` or `name="..."` in an opening tag.
fn quoted<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}="))?;
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    rest.get(1..)?.split_once(quote).map(|(value, _)| value)
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once('&') {
        plain.push_str(head);
        let entity = tail.split_once(';').filter(|(name, _)| name.len() <= 8);
        match entity.and_then(|(name, after)| character(name).map(|c| (c, after))) {
            Some((c, after)) => {
                plain.push(c);
                rest = after;
            }
            None => {
                plain.push('&');
                rest = tail;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities() {
        assert_eq!(
            unescape("a &lt;Binary&gt; &#x41;&#66; &amp;amp; &nope; & b"),
            "a <Binary> AB &amp; &nope; & b"
        );
    }

    #[test]
    fn events_are_found_among_their_kin() {
        assert_eq!(event_start("<Events><Event xmlns='x'>"), Some(8));
        assert_eq!(event_start("<Event>"), Some(0));
        assert_eq!(event_start("<Events><EventData>"), None);
    }
}
