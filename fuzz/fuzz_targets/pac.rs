//! PACs from anywhere: refused, or kept to the byte; what is inside is refused, or written again with the same sense.
#![no_main]

use kerberos::pac::{BufferType, ClientInfo, CredentialInfo, DelegationInfo, LogonInfo, Pac, UpnDnsInfo};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(pac) = Pac::decode(data) {
        assert_eq!(pac.as_bytes(), data);
        let again = Pac::from_buffers(&pac.to_buffers()).expect("our own layout is read");
        assert_eq!(again.to_buffers(), pac.to_buffers());
        for kind in pac.kinds() {
            let buffer = pac.buffer(kind).expect("it is in the table");
            if kind == BufferType::LOGON_INFO {
                logon_info(buffer);
            }
        }
    }
    logon_info(data);
    if let Ok(info) = ClientInfo::decode(data) {
        assert_eq!(ClientInfo::decode(&info.encode()).as_ref(), Ok(&info));
    }
    if let Ok(info) = DelegationInfo::decode(data) {
        assert_eq!(DelegationInfo::decode(&info.encode()).as_ref(), Ok(&info));
    }
    if let Ok(info) = CredentialInfo::decode(data) {
        assert_eq!(info.encode(), data);
    }
    let _ = UpnDnsInfo::decode(data);
});

fn logon_info(data: &[u8]) {
    if let Ok(info) = LogonInfo::decode(data) {
        assert_eq!(LogonInfo::decode(&info.encode()).as_ref(), Ok(&info));
    }
}
