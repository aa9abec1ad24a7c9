//! Kerberos messages from anywhere: refused, or written again as the same message.
#![no_main]

use kerberos::messages::*;
use kerberos::pkinit::{AuthPack, KdcDhKeyInfo, PaPkAsRep, PaPkAsReq, ReplyKeyPack};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // Requests keep their bodies raw, so the bytes themselves come back but for what DER allows twice.
    if let Ok(request) = KdcRequest::from_der(data) {
        let bytes = request.to_der().expect("what was read can be written");
        assert_eq!(KdcRequest::from_der(&bytes).as_ref(), Ok(&request));
    }
    if let Ok(reply) = KdcReply::from_der(data) {
        let bytes = reply.to_der().expect("what was read can be written");
        assert_eq!(KdcReply::from_der(&bytes).as_ref(), Ok(&reply));
    }
    if let Ok(part) = EncKdcRepPart::from_reply(data) {
        let bytes = part.to_as_reply().expect("what was read can be written");
        assert_eq!(EncKdcRepPart::from_reply(&bytes).as_ref(), Ok(&part));
    }
    again::<Ticket>(data);
    again::<EncTicketPart>(data);
    again::<ApReq>(data);
    again::<Authenticator>(data);
    again::<ApRep>(data);
    again::<EncApRepPart>(data);
    again::<KrbPriv>(data);
    again::<KrbSafe>(data);
    again::<KrbCred>(data);
    again::<EncKrbCredPart>(data);
    again::<KrbError>(data);
    again::<Vec<PaData>>(data);
    again::<Vec<TypedData>>(data);
    again::<Vec<AuthorizationData>>(data);
    again::<Vec<EtypeInfo2Entry>>(data);
    again::<KerbKeyListReq>(data);
    again::<KerbKeyListRep>(data);
    again::<PaForUser>(data);
    again::<PaS4uX509User>(data);
    again::<PaPacOptions>(data);
    again::<ChangePasswdData>(data);
    if let Ok(envelope) = KdcProxyMessage::from_der(data) {
        // The message inside is a request like any other.
        let _ = envelope.message().map(KdcRequest::from_der);
    }
    again::<KdcProxyMessage>(data);
    again::<PaFxFastRequest>(data);
    again::<PaFxFastReply>(data);
    again::<PaPkAsReq>(data);
    again::<PaPkAsRep>(data);
    again::<AuthPack>(data);
    again::<KdcDhKeyInfo>(data);
    again::<ReplyKeyPack>(data);
});

fn again<T: Der + PartialEq + std::fmt::Debug>(data: &[u8]) {
    if let Ok(value) = T::from_der(data) {
        let bytes = value.to_der().expect("what was read can be written");
        assert_eq!(T::from_der(&bytes).as_ref(), Ok(&value));
    }
}
