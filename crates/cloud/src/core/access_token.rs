//! Access tokens: signed and verified with the tenant's token key, RS256.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey,
};
use cloud_api::Base64Url;
use cloud_api::jose::{Header, Jws};
use cloud_api::oidc::SigningKey;
use cloud_api::prt::RS256;
use cloud_api::tokens::AccessClaims;
use kerberos::pkinit::RsaPublicKey;
use serde::Serialize;
use types::{Guid, Secret, Timestamp};

use crate::error::Error;

const BROKEN: Error = Error::Internal("the tenant's token key does not work");

/// Signs and verifies.
pub(crate) struct TokenSigner {
    kid: String,
    key: KeyPair,
}

impl TokenSigner {
    /// A new private key as PKCS #8.
    pub(crate) fn fresh_key() -> Result<Secret<Vec<u8>>, Error> {
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(|_| BROKEN)?;
        let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| BROKEN)?;
        Ok(Secret::new(der.as_ref().to_vec()))
    }

    /// The key as it was kept.
    pub(crate) fn new(kid: &str, private: &Secret<Vec<u8>>) -> Result<Self, Error> {
        Ok(Self {
            kid: kid.to_owned(),
            key: KeyPair::from_pkcs8(private.expose()).map_err(|_| BROKEN)?,
        })
    }

    /// The public half, for those who verify.
    pub(crate) fn public(&self) -> Result<SigningKey, Error> {
        let spki: PublicKeyX509Der<'_> = self.key.public_key().as_der().map_err(|_| BROKEN)?;
        let key = RsaPublicKey::from_spki(spki.as_ref()).map_err(|_| BROKEN)?;
        Ok(SigningKey {
            kty: "RSA".to_owned(),
            key_use: "sig".to_owned(),
            alg: RS256.to_owned(),
            kid: self.kid.clone(),
            n: Base64Url(key.modulus().to_vec()),
            e: Base64Url(key.exponent().to_vec()),
        })
    }

    /// The token as text.
    pub(crate) fn sign(&self, claims: &AccessClaims) -> Result<String, Error> {
        self.sign_as("JWT", claims)
    }

    /// Other claims of some type (RFC 9068 section 2.1).
    pub(crate) fn sign_as(&self, typ: &str, claims: &impl Serialize) -> Result<String, Error> {
        let header = Header {
            alg: RS256.to_owned(),
            typ: Some(typ.to_owned()),
            kid: Some(self.kid.clone()),
            ..Header::default()
        };
        let input = Jws::signing_input(&header, claims).map_err(|_| BROKEN)?;
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                input.as_bytes(),
                &mut signature,
            )
            .map_err(|_| BROKEN)?;
        Ok(Jws::text(&input, &signature))
    }

    /// The claims of a token of this tenant for a service that has not ended.
    pub(crate) fn verify(
        &self,
        text: &str,
        service: &str,
        tenant: Guid,
        now: Timestamp,
    ) -> Result<AccessClaims, Error> {
        let refused = Error::Unauthenticated;
        let Ok(jws) = Jws::parse(text) else {
            return Err(refused);
        };
        let is_ours = jws.must_be(RS256).is_ok() && jws.header.kid.as_ref() == Some(&self.kid);
        let signature = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.key.public_key());
        if !is_ours
            || signature
                .verify(jws.signed.as_bytes(), &jws.signature)
                .is_err()
        {
            return Err(refused);
        }
        let claims: AccessClaims = jws.claims().map_err(|_| Error::Unauthenticated)?;
        let is_good =
            claims.aud == service && claims.tid == tenant && now.unix_seconds() < claims.exp;
        if is_good { Ok(claims) } else { Err(refused) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_its_tenant_for_its_service_and_its_time() {
        let signer = TokenSigner::new("1", &TokenSigner::fresh_key().unwrap()).unwrap();
        let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
        let (tenant, user) = (Guid::v4([1; 16]), Guid::v4([2; 16]));
        let claims = AccessClaims {
            aud: "devices".to_owned(),
            iss: String::new(),
            iat: now.unix_seconds(),
            exp: now.unix_seconds() + 60,
            auth_time: now.unix_seconds(),
            oid: user,
            tid: tenant,
            upn: "testuser@corp.contoso.com".to_owned(),
            amr: Vec::new(),
            deviceid: None,
        };
        let text = signer.sign(&claims).unwrap();
        let check = |text: &str, service, tenant, at, good: bool| {
            assert_eq!(
                signer.verify(text, service, tenant, at).is_ok(),
                good,
                "{text}"
            );
        };
        check(&text, "devices", tenant, now, true);
        check(&text, "mail", tenant, now, false);
        check(&text, "devices", user, now, false);
        check(&text, "devices", tenant, now.plus_seconds(60), false);
        let (signed, _) = text.rsplit_once('.').unwrap();
        check(&format!("{signed}."), "devices", tenant, now, false);
        let none = Header {
            alg: "none".to_owned(),
            kid: Some("1".to_owned()),
            ..Header::default()
        };
        let none = Jws::text(&Jws::signing_input(&none, &claims).unwrap(), b"");
        check(&none, "devices", tenant, now, false);
        let other = TokenSigner::new("1", &TokenSigner::fresh_key().unwrap()).unwrap();
        check(&other.sign(&claims).unwrap(), "devices", tenant, now, false);
    }
}
