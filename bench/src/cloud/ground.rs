//! What the tenant knows of the ground, and whom it lets in: a Kerberos server object, a group, and Conditional Access.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use cloud::{Caller, Cloud};
use cloud_api::base64::Base64Url;
use cloud_api::conditional_access::{
    AccessPolicy, Group, STRENGTH_MFA, STRENGTH_PHISHING_RESISTANT,
};
use cloud_api::trust::{
    KerberosServer, PublishServer, SealHeader, SealedKey, TrustKey, WrappingKey,
};
use kerberos::pkinit::RsaPublicKey;
use lab::OsEntropy;
use serde_json::json;
use types::{Entropy as _, Guid, Sid};

use crate::Failure;

/// The domain on the ground.
pub(crate) const DOMAIN: &str = "corp.contoso.com";
const NUMBER: u16 = 0x9ABC;
const VERSION: u16 = 1;

/// Its SID.
pub(crate) fn domain_sid() -> Sid {
    Sid::nt(&[21, 1_004_336_348, 1_177_238_915, 682_003_330])
}

/// Gives the cloud the key of the Kerberos server object.
pub(crate) fn publish(cloud: &Cloud) -> Result<(), Failure> {
    let operator = Caller::operator();
    let server = KerberosServer {
        domain_dns_name: DOMAIN.to_owned(),
        realm: DOMAIN.to_ascii_uppercase(),
        netbios_name: "CORP".to_owned(),
        domain_sid: domain_sid(),
        computer_guid: Guid::from_bytes_le([3; 16]),
        computer_sid: domain_sid().with_rid(1600),
        computer_dn: "CN=AzureADKerberos,OU=Domain Controllers,DC=corp,DC=contoso,DC=com"
            .to_owned(),
        krbtgt_name: format!("krbtgt_{NUMBER}"),
        number: NUMBER,
    };
    let mut octets = vec![0; 32];
    OsEntropy.fill(&mut octets);
    let key = TrustKey {
        realm: server.realm.clone(),
        number: NUMBER,
        version: VERSION,
        key_type: 18,
        key: Base64Url(octets),
    };
    let sealed_key = seal(&key, &cloud.wrapping_key(&operator)?)?;
    let request = PublishServer {
        server,
        version: VERSION,
        sealed_key,
    };
    cloud.publish_server(&operator, &request)?;
    Ok(())
}

fn seal(key: &TrustKey, wrapping: &WrappingKey) -> Result<SealedKey, Failure> {
    let broken = "a key that cannot be sealed";
    let public = RsaPublicKey::new(wrapping.n.as_bytes(), wrapping.e.as_bytes())?;
    let public = PublicEncryptingKey::from_der(public.spki()).map_err(|_| broken)?;
    let public = OaepPublicEncryptingKey::new(public).map_err(|_| broken)?;
    let mut content = [0; 32];
    OsEntropy.fill(&mut content);
    let mut room = vec![0; public.ciphertext_size()];
    let wrapped = public
        .encrypt(&OAEP_SHA256_MGF1SHA256, &content, &mut room, None)
        .map_err(|_| broken)?;
    let protected = SealedKey::protect(&SealHeader::new(&wrapping.kid)).map_err(|_| broken)?;
    let plain = serde_json::to_vec(key)?;
    let payload = Payload {
        msg: &plain,
        aad: protected.as_bytes(),
    };
    // The content key seals once.
    let iv = [0; 12];
    let mut ciphertext = Aes256Gcm::new(&content.into())
        .encrypt(&Nonce::from(iv), payload)
        .map_err(|_| broken)?;
    let tag = ciphertext.split_off(ciphertext.len().saturating_sub(16));
    Ok(SealedKey {
        encrypted_key: wrapped.to_vec(),
        protected,
        iv: iv.to_vec(),
        ciphertext,
        tag,
    })
}

/// Everybody is in one group, and five policies of the usual kinds are in force, which everybody satisfies.
pub(crate) fn rules(cloud: &Cloud, people: &[Guid]) -> Result<(), Failure> {
    let operator = Caller::operator();
    let group = Group {
        id: Guid::default(),
        display_name: "Everybody".to_owned(),
        members: people.to_vec(),
    };
    let group = cloud.put_group(&operator, None, &group)?;
    let everybody = json!({"includeGroups": [group.id]});
    let all = json!({"includeUsers": ["All"]});
    let everything = json!({"includeApplications": ["All"]});
    let keys = json!({"includeUserActions": ["urn:user:registersecurityinfo"]});
    let strength = |id: &str| json!({"operator": "AND", "authenticationStrength": {"id": id}});
    let nobody = json!({"includeUsers": ["All"], "excludeGroups": [group.id]});
    for (name, users, applications, controls) in [
        ("Two factors", &all, &everything, strength(STRENGTH_MFA)),
        (
            "Keys for everybody",
            &everybody,
            &everything,
            strength(STRENGTH_PHISHING_RESISTANT),
        ),
        (
            "Who may register a key",
            &all,
            &keys,
            strength(STRENGTH_MFA),
        ),
        (
            "Devices of the domain, or keys",
            &everybody,
            &everything,
            json!({
            "operator": "OR", "builtInControls": ["domainJoinedDevice", "compliantDevice", "mfa"]}),
        ),
        (
            "Nobody else",
            &nobody,
            &everything,
            json!({"operator": "OR", "builtInControls": ["block"]}),
        ),
    ] {
        let policy: AccessPolicy = serde_json::from_value(json!({
            "displayName": name, "state": "enabled",
            "conditions": {"users": users, "applications": applications},
            "grantControls": controls,
        }))?;
        cloud.add_access_policy(&operator, &policy)?;
    }
    Ok(())
}
