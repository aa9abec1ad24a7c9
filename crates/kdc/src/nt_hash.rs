//! The NT hash for one who signed in by a key (MS-PKCA 3.1.5.2, MS-PAC 2.6): under the reply key, by policy alone.

use kerberos::crypto::Key;
use kerberos::messages::ErrorCode;
use kerberos::pac::{CredentialInfo, NtlmCredential};
use types::Secret;

use crate::accounts::Account;
use crate::event::Event;
use crate::kdc::Asked;
use crate::key_list::is_privileged;
use crate::refusal::Refusal;
use crate::settings::NtHashRelease;

/// The sealed hash, where the realm's policy gives it to this account.
pub(crate) fn sealed(
    asked: &mut Asked<'_>,
    client: &Account,
    reply_key: &Key,
) -> Result<Option<CredentialInfo>, Refusal> {
    let is_given = match asked.kdc.settings.nt_hash_release {
        NtHashRelease::Never => false,
        NtHashRelease::KeyOnlyAccounts => client.policy.smartcard_required,
        NtHashRelease::Unprivileged => true,
    };
    let hash = client.current().and_then(|set| set.nt_hash.as_ref());
    let Some(hash) = hash.filter(|_| is_given && !is_privileged(client)) else {
        return Ok(None);
    };
    let hash = Secret::filled_by(|place: &mut [u8; 16]| place.copy_from_slice(hash.expose()));
    let credential = NtlmCredential {
        nt_hash: Some(hash),
    };
    let info = CredentialInfo::seal(&[credential.to_supplemental()], reply_key, asked.entropy);
    let info = info.map_err(|error| {
        let why = format!("the NT hash cannot be sealed: {error}");
        Refusal::new(ErrorCode::KRB_ERR_GENERIC, why)
    })?;
    asked.events.push(Event::NtHashReleased {
        account: client.sid.clone(),
    });
    Ok(Some(info))
}
