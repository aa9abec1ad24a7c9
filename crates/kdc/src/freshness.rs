//! Freshness tokens (RFC 8070): given with the hints, wanted back under the signature of a sign-in by key.
//!
//! A signature over a token was made after the token. Without one it may have been made long before, by somebody who had
//! the key then and has a clock to set.

use kerberos::messages::{ErrorCode, PaData, PaType};
use kerberos::pkinit::{freshness_key_version, freshness_time, freshness_token};

use crate::kdc::Asked;
use crate::names;
use crate::refusal::Refusal;
use crate::tickets;

/// A token of this moment.
pub(crate) fn token(asked: &mut Asked<'_>) -> Result<PaData, Refusal> {
    let kdc = asked.kdc;
    let krbtgt = names::krbtgt(&*kdc.accounts, 0)?;
    let sealing = tickets::sealing_key(&kdc.settings, &krbtgt)?;
    let failed = |why: String| Refusal::new(ErrorCode::KRB_ERR_GENERIC, why);
    let kvno = sealing
        .kvno
        .ok_or_else(|| failed("the krbtgt key has no version".to_owned()))?;
    let token = freshness_token(asked.now, &sealing.key, kvno, asked.entropy)
        .map_err(|error| failed(format!("a freshness token: {error}")))?;
    Ok(PaData::new(PaType::PA_AS_FRESHNESS, token))
}

/// Whether a token came back, made here and lately. A bad one is refused, and a missing one where the realm wants one.
pub(crate) fn check(asked: &Asked<'_>, token: Option<&[u8]>) -> Result<bool, Refusal> {
    let settings = &asked.kdc.settings;
    let Some(token) = token else {
        if settings.require_freshness {
            let why = "the signature is over no freshness token, and the realm requires one";
            return Err(Refusal::new(ErrorCode::KDC_ERR_PREAUTH_FAILED, why));
        }
        return Ok(false);
    };
    let made = time(asked, token)?.ok_or_else(|| {
        let why = "the freshness token was not made here";
        Refusal::new(ErrorCode::KRB_AP_ERR_MODIFIED, why)
    })?;
    let age_s = asked.now.seconds_since(made);
    if age_s.unsigned_abs() > settings.clock_skew_s.unsigned_abs() {
        let why = format!("the freshness token is {age_s} s old");
        return Err(Refusal::new(ErrorCode::KDC_ERR_PREAUTH_EXPIRED, why));
    }
    Ok(true)
}

fn time(asked: &Asked<'_>, token: &[u8]) -> Result<Option<types::Timestamp>, Refusal> {
    let krbtgt = names::krbtgt(&*asked.kdc.accounts, 0)?;
    let version = freshness_key_version(token).filter(|kvno| kvno.rodc == 0);
    Ok(version.and_then(|kvno| {
        let mut sets = krbtgt.keys.iter();
        let set = sets.find(|set| tickets::low_half(set.version) == kvno.version)?;
        set.keys.iter().find_map(|key| freshness_time(token, key))
    }))
}
