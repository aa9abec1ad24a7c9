//! Cloud Kerberos Trust between the house's cloud and its domain, as an administrator makes it: the Kerberos server
//! object over LDAP, its key to the cloud over HTTPS. `tombolo trust create` does the same for any domain, with a plan
//! and with checks; here is what the story and the experiments need of it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use cloud_api::trust::{
    KerberosServer, PublishServer, PublishedServer, SealHeader, SealedKey, TrustKey, WrappingKey,
};
use cloud_api::{Base64Url, paths};
use directory::provision::accounts::unicode_password;
use kerberos::crypto::{EncryptionType, string_to_key};
use kerberos::pkinit::RsaPublicKey;
use types::{Dn, Entropy as _, Rdn, Secret};

use crate::domain::{group_dn, identity};
use crate::ldap_client::LdapClient;
use crate::people::random_password;
use crate::{Error, House, OsEntropy};

const ETYPE: EncryptionType = EncryptionType::AES256_CTS_HMAC_SHA1_96;
const COMPUTER: &str = "AzureADKerberos";
/// LDAP_SERVER_RODC_DCPROMO_OID, MS-ADTS 3.1.1.3.4.1.23: the directory chooses number and account name.
const PROMOTION_CONTROL: &str = "1.2.840.113556.1.4.1341";

/// Makes the Kerberos server object, lets Domain Users use it, and gives its key to the cloud.
pub fn establish(house: &House) -> Result<PublishedServer, Error> {
    let domain = house.domain_dn();
    let mut ldap = house.ldap_as_administrator()?;
    let krbtgt = domain
        .child(Rdn::new("CN", "Users"))
        .child(Rdn::new("CN", "krbtgt_AzureAD"))
        .to_string();
    // ACCOUNTDISABLE and NORMAL_ACCOUNT, as every ticket granting account has them.
    let account = [("objectClass", "user"), ("userAccountControl", "514")];
    ldap.add(&krbtgt, &account, Some(PROMOTION_CONTROL))?;
    // The directory keeps a ticket granting account's password only where it is longer than anybody's.
    let [one, other] = [(), ()].map(|()| random_password(&mut OsEntropy));
    let password = Secret::new(format!("{}{}", one.expose(), other.expose()));
    let quoted = unicode_password(password.expose());
    ldap.replace_bytes(&krbtgt, "unicodePwd", &quoted)?;

    let computer = computer_dn(domain);
    let name = format!("{COMPUTER}$");
    // WORKSTATION_TRUST_ACCOUNT, TRUSTED_TO_AUTHENTICATE_FOR_DELEGATION, PARTIAL_SECRETS_ACCOUNT (MS-ADTS 2.2.16).
    let account = [
        ("objectClass", "computer"),
        ("sAMAccountName", name.as_str()),
        ("userAccountControl", "83890176"),
    ];
    let dn = computer.to_string();
    ldap.add(&dn, &account, None)?;
    ldap.replace(&dn, "msDS-KrbTgtLink", &krbtgt)?;
    let group = |name: &str| group_dn(domain, name).to_string();
    ldap.replace(&dn, "msDS-RevealOnDemandGroup", &group("Domain Users"))?;
    let denied = group("Denied RODC Password Replication Group");
    ldap.replace(&dn, "msDS-NeverRevealGroup", &denied)?;
    publish(house, &mut ldap, &krbtgt, &password)
}

/// Removes the Kerberos server object; the cloud keeps its key, and does not know.
pub fn remove_server_object(house: &House) -> Result<(), Error> {
    let dn = computer_dn(house.domain_dn()).to_string();
    house.ldap_as_administrator()?.delete(&dn)
}

fn computer_dn(domain: &Dn) -> Dn {
    domain
        .child(Rdn::new("OU", "Domain Controllers"))
        .child(Rdn::new("CN", COMPUTER))
}

fn publish(
    house: &House,
    ldap: &mut LdapClient,
    krbtgt: &str,
    password: &Secret<String>,
) -> Result<PublishedServer, Error> {
    let mut value = |attribute: &str| {
        let found = ldap.values(krbtgt, attribute)?.into_iter().next();
        found.ok_or_else(|| Error::Story(format!("{krbtgt} shows no {attribute}")))
    };
    let number = |text: String| {
        text.parse()
            .map_err(|_| Error::Story(format!("{krbtgt}: {text} is no number of a version")))
    };
    let account = value("sAMAccountName")?;
    let (rodc, version) = (
        number(value("msDS-SecondaryKrbTgtNumber")?)?,
        number(value("msDS-KeyVersionNumber")?)?,
    );
    let (sid, guid) = identity(house.directory(), &computer_dn(house.domain_dn()))?;
    let no_domain = || Error::Story("the computer's SID is of no domain".to_owned());
    let naming = house.directory().naming();
    let server = KerberosServer {
        domain_dns_name: house.dns_domain().to_owned(),
        realm: house.realm().to_owned(),
        netbios_name: naming
            .map(|naming| naming.netbios_domain.clone())
            .unwrap_or_default(),
        domain_sid: sid.domain().ok_or_else(no_domain)?,
        computer_guid: guid,
        computer_sid: sid,
        computer_dn: computer_dn(house.domain_dn()).to_string(),
        krbtgt_name: account.clone(),
        number: rodc,
    };
    let salt = format!("{}{account}", house.realm());
    let key = string_to_key(ETYPE, password.expose().as_bytes(), salt.as_bytes(), None)
        .map_err(kerberos::client::ClientError::from)?;
    let plain = TrustKey {
        realm: server.realm.clone(),
        number: rodc,
        version,
        key_type: ETYPE.0,
        key: Base64Url(key.value().expose().clone()),
    };
    let cloud = house.cloud_as_administrator()?;
    let wrapping: WrappingKey = cloud.get(paths::TRUST_WRAPPING_KEY)?;
    let sealed_key =
        seal(&wrapping, &plain).map_err(|error| Error::Story(format!("no seal: {error}")))?;
    let request = PublishServer {
        server,
        version,
        sealed_key,
    };
    cloud.post(paths::TRUST_SERVERS, &request)
}

/// Why a key could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum NotSealed {
    /// The cloud speaks of another algorithm.
    #[error("the cloud's wrapping key is of a kind that is not known here: {0}")]
    Kind(String),
    /// The wrapping key is none.
    #[error("the cloud's wrapping key cannot be used: {0}")]
    Key(String),
    /// Nothing that a caller could mend.
    #[error("the cryptography failed")]
    Failed,
}

impl From<aws_lc_rs::error::Unspecified> for NotSealed {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Failed
    }
}

/// Seals a key so that only the cloud opens it: RSA-OAEP-256 and A256GCM (RFC 7518 sections 4.3 and 5.3).
pub fn seal(wrapping: &WrappingKey, plain: &TrustKey) -> Result<SealedKey, NotSealed> {
    if wrapping.kty != "RSA" || wrapping.alg != SealHeader::ALGORITHM {
        return Err(NotSealed::Kind(format!(
            "{} {}",
            wrapping.kty, wrapping.alg
        )));
    }
    let unusable = |why: &dyn std::fmt::Display| NotSealed::Key(why.to_string());
    let public = RsaPublicKey::new(wrapping.n.as_bytes(), wrapping.e.as_bytes())
        .map_err(|error| unusable(&error))?;
    let public = PublicEncryptingKey::from_der(public.spki()).map_err(|error| unusable(&error))?;
    let public = OaepPublicEncryptingKey::new(public)?;

    let content_key = Secret::filled_by(|key: &mut [u8; 32]| OsEntropy.fill(key));
    let mut encrypted_key = vec![0; public.ciphertext_size()];
    let length = public
        .encrypt(
            &OAEP_SHA256_MGF1SHA256,
            content_key.expose(),
            &mut encrypted_key,
            None,
        )?
        .len();
    encrypted_key.truncate(length);

    let protected =
        SealedKey::protect(&SealHeader::new(&wrapping.kid)).map_err(|_| NotSealed::Failed)?;
    let mut iv = [0; NONCE_LEN];
    OsEntropy.fill(&mut iv);
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, content_key.expose())?);
    // The plaintext is encrypted where it stands, so that no copy is left.
    let mut ciphertext = serde_json::to_vec(plain).map_err(|_| NotSealed::Failed)?;
    let tag = cipher.seal_in_place_separate_tag(
        Nonce::assume_unique_for_key(iv),
        Aad::from(protected.as_bytes()),
        &mut ciphertext,
    )?;
    Ok(SealedKey {
        protected,
        encrypted_key,
        iv: iv.to_vec(),
        ciphertext,
        tag: tag.as_ref().to_vec(),
    })
}
