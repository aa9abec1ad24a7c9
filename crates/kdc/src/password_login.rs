//! Signing in by password: PA-ENC-TIMESTAMP (RFC 4120 5.2.7.2), and inside an armour PA-ENCRYPTED-CHALLENGE (RFC 6113
//! 5.4.6).
//!
//! Inside an armour the plain timestamp is not taken: it would protect the password no better than without.

use std::sync::Arc;

use kerberos::crypto::{Key, KeyUsage};
use kerberos::messages::{
    Der, EncryptedData, ErrorCode, EtypeInfo2Entry, KerberosString, KerberosTime, Kvno, PaData,
    PaEncTsEnc, PaType,
};

use crate::accounts::{Account, KeySet};
use crate::encryption;
use crate::event::{Event, Proof};
use crate::fast::Armour;
use crate::kdc::Asked;
use crate::refusal::Refusal;
use crate::tickets::SealingKey;

/// What a sign-in proved, and what it is answered with.
pub(crate) struct Proved {
    pub(crate) key: SealingKey,
    pub(crate) padata: Vec<PaData>,
    pub(crate) proof: Proof,
}

/// The keys of an account's password that the client can make, strongest first.
pub(crate) fn usable_keys(asked: &Asked<'_>, client: &Account) -> Vec<Arc<Key>> {
    let offered = &asked.request.body().etype;
    let Some(set) = client.current() else {
        return Vec::new();
    };
    encryption::key_types(&asked.kdc.settings, client)
        .into_iter()
        .filter(|etype| offered.contains(etype))
        .filter_map(|etype| set.of_type(etype).map(Arc::clone))
        .collect()
}

/// What was proved by the password; `None` where nothing was offered.
pub(crate) fn prove(
    asked: &mut Asked<'_>,
    client: &Account,
    usable: &[Arc<Key>],
) -> Result<Option<Proved>, Refusal> {
    let request = asked.request;
    let (key, mut padata, proof) = match asked.armour {
        None => match request.padata(PaType::PA_ENC_TIMESTAMP) {
            None => return Ok(None),
            Some(value) => {
                let key = check_timestamp(asked, client, usable, value)?;
                (key, Vec::new(), Proof::EncryptedTimestamp)
            }
        },
        Some(armour) => match request.padata(PaType::PA_ENCRYPTED_CHALLENGE) {
            None | Some([]) => return Ok(None),
            Some(value) => {
                let (key, answer) = check_challenge(asked, armour, client, usable, value)?;
                (key, vec![answer], Proof::EncryptedChallenge)
            }
        },
    };
    padata.insert(0, etype_info(client, std::slice::from_ref(&key))?);
    let key = sealing(client, key);
    Ok(Some(Proved { key, padata, proof }))
}

/// A reply for an account that need not prove anything (DONT_REQUIRE_PREAUTH): who has the password can read it.
pub(crate) fn unproved(client: &Account, key: &Arc<Key>) -> Result<Proved, Refusal> {
    Ok(Proved {
        padata: vec![etype_info(client, std::slice::from_ref(key))?],
        key: sealing(client, Arc::clone(key)),
        proof: Proof::Nothing,
    })
}

fn sealing(client: &Account, key: Arc<Key>) -> SealingKey {
    let kvno = client.current().map(|set| i64::from(set.version));
    let kvno = kvno.and_then(Kvno::from_wire);
    SealingKey { key, kvno }
}

/// PA-ENC-TIMESTAMP: the key that opened it.
fn check_timestamp(
    asked: &mut Asked<'_>,
    client: &Account,
    usable: &[Arc<Key>],
    timestamp: &[u8],
) -> Result<Arc<Key>, Refusal> {
    let sealed = EncryptedData::from_der(timestamp)?;
    let key = usable.iter().find(|key| key.etype() == sealed.etype);
    let key = key.ok_or_else(|| {
        let why = format!("a timestamp under encryption type {}", sealed.etype);
        Refusal::new(ErrorCode::KDC_ERR_ETYPE_NOSUPP, why)
    })?;
    let Ok(plain) = sealed.open(key, KeyUsage::AS_REQ_TIMESTAMP) else {
        let was = |set: &KeySet| {
            let key = set.of_type(sealed.etype);
            key.is_some_and(|key| sealed.open(key, KeyUsage::AS_REQ_TIMESTAMP).is_ok())
        };
        let is_previous = client.keys.iter().skip(1).any(was);
        return Err(wrong_password(asked, client, is_previous));
    };
    check_time(asked, &plain)?;
    asked.kdc.lockout.succeeded(&client.sid);
    Ok(Arc::clone(key))
}

/// PA-ENCRYPTED-CHALLENGE: the key that opened it, and the KDC's answer, which proves that it has the key too.
fn check_challenge(
    asked: &mut Asked<'_>,
    armour: &Armour,
    client: &Account,
    usable: &[Arc<Key>],
    challenge: &[u8],
) -> Result<(Arc<Key>, PaData), Refusal> {
    let sealed = EncryptedData::from_der(challenge)?;
    let opens = |key: &Key| {
        let (client, _) = armour.challenge_keys(key).ok()?;
        sealed.open(&client, KeyUsage::ENC_CHALLENGE_CLIENT).ok()
    };
    let found = usable.iter().find_map(|key| Some((key, opens(key)?)));
    let Some((key, plain)) = found else {
        let mut old = client.keys.iter().skip(1).flat_map(|set| &set.keys);
        let is_previous = old.any(|key| opens(key).is_some());
        return Err(wrong_password(asked, client, is_previous));
    };
    check_time(asked, &plain)?;
    asked.kdc.lockout.succeeded(&client.sid);
    let (_, kdc) = armour.challenge_keys(key)?;
    let now = PaEncTsEnc {
        patimestamp: KerberosTime::new(asked.now),
        pausec: Some(0),
    };
    let usage = KeyUsage::ENC_CHALLENGE_KDC;
    let answer = EncryptedData::seal(&kdc, None, usage, &now.to_der()?, asked.entropy)?;
    let answer = PaData::new(PaType::PA_ENCRYPTED_CHALLENGE, answer.to_der()?);
    Ok((Arc::clone(key), answer))
}

fn check_time(asked: &Asked<'_>, plain: &[u8]) -> Result<(), Refusal> {
    let inside = PaEncTsEnc::from_der(plain)
        .map_err(|error| Refusal::new(ErrorCode::KDC_ERR_PREAUTH_FAILED, error.to_string()))?;
    let apart_s = inside.patimestamp.timestamp().seconds_since(asked.now);
    if apart_s.unsigned_abs() > asked.kdc.settings.clock_skew_s.unsigned_abs() {
        let why = format!("the client's clock is {apart_s} s away");
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_SKEW, why));
    }
    Ok(())
}

/// A service that still has last month's password must not lock its account out.
fn wrong_password(asked: &mut Asked<'_>, client: &Account, is_previous: bool) -> Refusal {
    let code = ErrorCode::KDC_ERR_PREAUTH_FAILED;
    if is_previous {
        return Refusal::new(code, "the password is the previous one");
    }
    if asked.kdc.lockout.failed(&client.sid, asked.now) {
        asked.events.push(Event::LockedOut {
            account: client.sid.clone(),
        });
    }
    Refusal::new(code, "the password is wrong")
}

/// PA-ETYPE-INFO2: how to make the key from the password. The salt of an RC4 key is nothing.
pub(crate) fn etype_info(client: &Account, keys: &[Arc<Key>]) -> Result<PaData, Refusal> {
    let salt = client.current().map(|set| set.salt.as_str());
    let entries: Vec<EtypeInfo2Entry> = keys
        .iter()
        .map(|key| EtypeInfo2Entry {
            etype: key.etype(),
            salt: salt
                .filter(|_| !encryption::is_rc4(key.etype()))
                .map(KerberosString::from),
            s2kparams: None,
        })
        .collect();
    Ok(PaData::new(PaType::PA_ETYPE_INFO2, entries.to_der()?))
}
