//! DN-Binary values, and the scanner that finds them in any text.
#![no_main]

use std::sync::LazyLock;

use audit::inventory;
use audit::models::Models;
use audit::report::Report;
use keycred::DnBinary;

static MODELS: LazyLock<Models> = LazyLock::new(Models::default);

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut report = Report::default();
    inventory::read("fuzz", data, &mut |item| report.add(item, &MODELS));
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    inventory::read_value("fuzz", text, &mut |item| report.add(item, &MODELS));
    if let Ok(value) = text.parse::<DnBinary>() {
        assert_eq!(value.to_string().parse::<DnBinary>().as_ref(), Ok(&value));
        // What is a value by itself is found as one when it stands on a line of its own.
        if text.starts_with("B:") && !value.binary.is_empty() {
            let mut found = 0;
            inventory::read("fuzz", data, &mut |_| found += 1);
            assert!(found > 0);
        }
    }
});
