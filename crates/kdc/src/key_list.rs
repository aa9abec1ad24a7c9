//! KERB-KEY-LIST: long-term keys handed to the holder of a read-only server's ticket (MS-KILE 2.2.11, 2.2.12, 3.3.5.7.8).
//!
//! It is how somebody who signed in by a key obtains an NT hash for servers that only know NTLM. It gives away what a
//! password is made of, so it is off unless an administrator turns it on, it is never given for privileged accounts,
//! whatever the lists of the server say, and each release is told to the audit log.

use kerberos::crypto::EncryptionType;
use kerberos::messages::{Der, EncryptionKey, KerbKeyListReq, PaData, PaType, SecretBytes};
use types::Sid;

use crate::accounts::Account;
use crate::event::Event;
use crate::kdc::Asked;
use crate::read_only_server::{ReadOnlyServer, identities};
use crate::refusal::Refusal;

/// What may be handed out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyListPolicy {
    /// The types of keys that are handed out; none by default. The NT hash is type 23.
    pub released: Vec<EncryptionType>,
}

impl KeyListPolicy {
    /// The NT hash alone: what NTLM needs.
    pub fn nt_hash() -> Self {
        Self {
            released: vec![EncryptionType::RC4_HMAC],
        }
    }
}

/// More types than anybody has use for.
const TYPES_MAX: usize = 4;

/// The answer to a key list request, if one was made. `server` is the read-only server whose ticket was shown; a ticket
/// of the domain gets no keys.
pub(crate) fn answer(
    asked: &mut Asked<'_>,
    server: Option<&ReadOnlyServer>,
    client: &Account,
) -> Result<Option<PaData>, Refusal> {
    let Some(value) = asked.request.padata(PaType::KERB_KEY_LIST_REQ) else {
        return Ok(None);
    };
    let wanted = KerbKeyListReq::from_der(value)?;
    let released = &asked.kdc.settings.key_list.released;
    let withheld = match server {
        None => Some("the ticket is the domain's own"),
        Some(_) if released.is_empty() => Some("no key is handed out by policy"),
        Some(_) if is_privileged(client) => Some("the account is privileged"),
        Some(_) => None,
    };
    let keys = match withheld {
        Some(_) => Vec::new(),
        None => keys(&wanted, released, client),
    };
    let Some(server) = server.filter(|_| !keys.is_empty()) else {
        asked.events.push(Event::KeysWithheld {
            account: client.sid.clone(),
            why: withheld.unwrap_or("the account has no key of a type that may be handed out"),
        });
        return Ok(None);
    };
    asked.events.push(Event::KeysReleased {
        account: client.sid.clone(),
        server: server.name.clone(),
        types: keys.iter().map(|key| key.keytype).collect(),
    });
    Ok(Some(PaData::new(PaType::KERB_KEY_LIST_REP, keys.to_der()?)))
}

fn keys(
    wanted: &[EncryptionType],
    released: &[EncryptionType],
    client: &Account,
) -> Vec<EncryptionKey> {
    let Some(current) = client.current() else {
        return Vec::new();
    };
    let wanted = wanted.iter().filter(|etype| released.contains(etype));
    let found = wanted.filter_map(|etype| match (*etype, &current.nt_hash) {
        (EncryptionType::RC4_HMAC, Some(hash)) => Some(EncryptionKey {
            keytype: *etype,
            keyvalue: SecretBytes::new(hash.expose().to_vec()),
        }),
        (EncryptionType::RC4_HMAC, None) => None,
        _ => current
            .of_type(*etype)
            .map(|key| EncryptionKey::from_key(key)),
    });
    found.take(TYPES_MAX).collect()
}

/// Groups whose members administer the domain, by RID below the domain: Domain Admins, Domain Controllers, Schema and
/// Enterprise Admins, Group Policy Creator Owners, Read-only Domain Controllers, Protected Users, Key Admins,
/// Enterprise Key Admins (MS-DTYP 2.4.2.4, MS-ADTS 6.1.1.4.12).
const PRIVILEGED_DOMAIN: [u32; 9] = [512, 516, 518, 519, 520, 521, 525, 526, 527];
/// And in BUILTIN: Administrators, Account, Server, Print and Backup Operators, Replicator.
const PRIVILEGED_BUILTIN: [u32; 6] = [544, 548, 549, 550, 551, 552];
/// The account that made the domain, and `krbtgt`.
const PRIVILEGED_ACCOUNTS: [u32; 2] = [500, 502];

/// Accounts whose keys never leave, whatever a server's lists say.
pub(crate) fn is_privileged(account: &Account) -> bool {
    let own = account.sid.domain();
    let own_rid = account.sid.rid();
    own_rid.is_some_and(|rid| PRIVILEGED_ACCOUNTS.contains(&rid))
        || identities(account).iter().any(|sid| {
            let Some(rid) = sid.rid() else {
                return false;
            };
            let is_builtin = *sid == Sid::nt(&[32, rid]);
            // Universal groups of the forest's root may be of another domain.
            (is_builtin && PRIVILEGED_BUILTIN.contains(&rid))
                || (sid.domain().is_some() && own.is_some() && PRIVILEGED_DOMAIN.contains(&rid))
        })
}

#[cfg(test)]
mod tests {
    use types::SeededEntropy;

    use super::*;
    use crate::accounts::AccountKind;
    use crate::memory::MemoryAccounts;

    #[test]
    fn privileged_accounts_are_told_by_their_groups() {
        let domain = Sid::nt(&[21, 1, 2, 3]);
        let mut entropy = SeededEntropy::new(1);
        let accounts =
            MemoryAccounts::new("CORP.CONTOSO.COM", domain.clone(), &mut entropy).unwrap();
        let with = |rid: u32, groups: &[Sid]| {
            let mut account = accounts.draft("someone", AccountKind::User, rid);
            account.groups = groups.to_vec();
            is_privileged(&account)
        };
        assert!(!with(1104, &[]));
        assert!(!with(1104, &[domain.with_rid(571), Sid::nt(&[32, 545])]));
        assert!(with(500, &[]));
        for group in PRIVILEGED_DOMAIN {
            assert!(with(1104, &[domain.with_rid(group)]), "{group}");
        }
        for group in PRIVILEGED_BUILTIN {
            assert!(with(1104, &[Sid::nt(&[32, group])]), "{group}");
        }
        assert!(with(1104, &[Sid::nt(&[21, 9, 9, 9, 519])]), "of the root");
    }
}
