//! Any bytes are read or refused; what was read is written and read again without loss.
#![no_main]

use security_descriptor::{CompiledDescriptor, SecurityDescriptor, Token};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(read) = SecurityDescriptor::from_bytes(data) else {
        return;
    };
    // Parts may overlap in what is read, and lie apart in what is written: only then can the sizes overflow.
    if let Ok(written) = read.to_bytes() {
        let again = SecurityDescriptor::from_bytes(&written).expect("what we wrote is readable");
        assert_eq!(again, read);
        assert_eq!(again.to_bytes().as_deref(), Ok(written.as_slice()));
    }
    let token = Token::new(read.owner.iter().chain(&read.group).cloned());
    let _ = CompiledDescriptor::new(&read).rights(&token, read.owner.as_ref()).granted(&[]);
});
