//! KRB-ERROR, RFC 4120 5.9.1, and what its e-data holds.

use rasn::types::OctetString;

use super::{
    Der, ErrorCode, KerberosString, KerberosTime, Malformed, MessageType, PaData, PaType,
    PrincipalName, Realm, sequence,
};

sequence! {
    /// KRB-ERROR, RFC 4120 5.9.1.
    KrbError [tag(explicit(application, 30))] {
        0 pvno [i32],
        1 msg_type [MessageType],
        2 ctime [Option<KerberosTime>],
        3 cusec [Option<i32>],
        4 stime [KerberosTime],
        5 susec [i32],
        6 error_code [ErrorCode],
        7 crealm [Option<Realm>],
        8 cname [Option<PrincipalName>],
        9 realm [Realm],
        10 sname [PrincipalName],
        11 e_text [Option<KerberosString>],
        12 e_data [Option<OctetString>],
    }

    /// One element of TYPED-DATA, RFC 4120 5.9.1.
    TypedData {
        0 data_type [PaType],
        1 data_value [Option<OctetString>],
    }
}

impl KrbError {
    /// An error with nothing but what must be there.
    pub fn new(
        error_code: ErrorCode,
        stime: KerberosTime,
        realm: Realm,
        sname: PrincipalName,
    ) -> Self {
        Self {
            pvno: super::kdc::PVNO,
            msg_type: MessageType::KRB_ERROR,
            ctime: None,
            cusec: None,
            stime,
            susec: 0,
            error_code,
            crealm: None,
            cname: None,
            realm,
            sname,
            e_text: None,
            e_data: None,
        }
    }

    /// Puts METHOD-DATA into e-data.
    pub fn with_method_data(mut self, method_data: &Vec<PaData>) -> Result<Self, Malformed> {
        self.e_data = Some(OctetString::from(method_data.to_der()?));
        Ok(self)
    }

    /// Puts TYPED-DATA into e-data.
    pub fn with_typed_data(mut self, typed_data: &Vec<TypedData>) -> Result<Self, Malformed> {
        self.e_data = Some(OctetString::from(typed_data.to_der()?));
        Ok(self)
    }

    /// e-data as METHOD-DATA, as KDC_ERR_PREAUTH_REQUIRED has it.
    pub fn method_data(&self) -> Option<Result<Vec<PaData>, Malformed>> {
        self.e_data.as_ref().map(|bytes| Vec::from_der(bytes))
    }

    /// e-data as TYPED-DATA, as the errors of PKINIT have it.
    pub fn typed_data(&self) -> Option<Result<Vec<TypedData>, Malformed>> {
        self.e_data.as_ref().map(|bytes| Vec::from_der(bytes))
    }
}
