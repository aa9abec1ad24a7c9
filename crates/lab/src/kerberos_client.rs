//! A client of the house's KDC: TCP around [`kerberos::client`].

use kerberos::client::{Credentials, KeySignIn, PasswordSignIn, Principal, Step, TgsRequest};
use kerberos::pkinit::Sign;
use types::Secret;

use crate::wires::ask_kdc;
use crate::{Error, House, OsEntropy};

/// Asks one house's KDC.
pub struct KerberosClient<'a> {
    house: &'a House,
}

/// A sign-in has two requests; more would be a KDC that goes round in circles.
const STEPS_MAX: usize = 4;

impl<'a> KerberosClient<'a> {
    pub(crate) fn new(house: &'a House) -> Self {
        Self { house }
    }

    /// Signs in with a password.
    pub fn sign_in(&self, user: &str, password: &Secret<String>) -> Result<Credentials, Error> {
        let client = Principal::user(user, self.house.realm());
        let password = Secret::new(password.expose().clone());
        let now = || self.house.clock().now();
        let (mut sign_in, mut request) =
            PasswordSignIn::begin(&client, password, now(), &mut OsEntropy)?;
        for _ in 0..STEPS_MAX {
            let answer = self.ask(&request)?;
            match sign_in.step(&answer, now(), &mut OsEntropy)? {
                Step::Send(next, bytes) => (sign_in, request) = (*next, bytes),
                Step::Done(credentials) => return Ok(*credentials),
            }
        }
        Err(Error::Story(
            "the KDC asks for proof again and again".into(),
        ))
    }

    /// Signs in with a private key. The KDC's certificate must be the house's own.
    pub fn sign_in_with_key(&self, user: &str, key: &dyn Sign) -> Result<Credentials, Error> {
        let client = Principal::user(user, self.house.realm());
        let now = self.house.clock().now();
        let asked = KeySignIn::ask_freshness(&client, now, &mut OsEntropy)?;
        let token = KeySignIn::freshness_token(&self.ask(&asked)?)?;
        let (sign_in, request) =
            KeySignIn::begin(&client, key, token.as_deref(), now, &mut OsEntropy)?;
        let answer = self.ask(&request)?;
        let pinned = |certificate: &[u8]| certificate == self.house.kdc_certificate();
        Ok(sign_in.finish(&answer, &pinned)?)
    }

    /// A ticket for a service.
    pub fn ticket(&self, tgt: &Credentials, service: &str) -> Result<Credentials, Error> {
        let service = Principal::service(service, self.house.realm());
        let now = self.house.clock().now();
        let (pending, request) = TgsRequest::new(service).seal(tgt, now, &mut OsEntropy)?;
        Ok(pending.open(&self.ask(&request)?)?)
    }

    /// One message and its answer, RFC 4120 7.2.2.
    fn ask(&self, request: &[u8]) -> Result<Vec<u8>, Error> {
        let kdc = self.house.addresses().kdc;
        ask_kdc(kdc, request).map_err(Error::io("cannot ask the KDC"))
    }
}
