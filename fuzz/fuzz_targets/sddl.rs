//! Any text is read or refused; what was read prints, and the print means the same.
#![no_main]

use security_descriptor::{Domains, SecurityDescriptor};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let domain = types::Sid::nt(&[21, 1, 2, 3]);
    let domains = Domains::single(&domain);
    if let Ok(read) = SecurityDescriptor::from_sddl(text, domains) {
        let printed = read.to_sddl(domains).expect("SDDL can express what it was read from");
        assert_eq!(SecurityDescriptor::from_sddl(&printed, domains).as_ref(), Ok(&read));
    }
});
