//! DNs, SIDs, GUIDs and times: text that parses is written back as text that means the same.
#![no_main]

use types::{Dn, Guid, Sid, Timestamp};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(sid) = Sid::from_bytes(data) {
        assert_eq!(sid.to_bytes(), data);
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(dn) = text.parse::<Dn>() {
        assert_eq!(dn.to_string().parse::<Dn>().as_ref(), Ok(&dn));
    }
    if let Ok(sid) = text.parse::<Sid>() {
        assert_eq!(sid.to_string().parse::<Sid>().as_ref(), Ok(&sid));
    }
    if let Ok(guid) = text.parse::<Guid>() {
        assert_eq!(guid.to_string().parse::<Guid>().as_ref(), Ok(&guid));
    }
    let _ = Timestamp::parse_rfc3339(text);
    let _ = Timestamp::parse_generalized_time(text);
});
