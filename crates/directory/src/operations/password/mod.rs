//! Passwords: the only form in which AD takes them, and what is kept of them.
//!
//! A client writes `unicodePwd` as UTF-16LE between quotation marks over an encrypted connection (MS-ADTS
//! 3.1.1.3.1.5.1). What is kept is a PBKDF2-HMAC-SHA256 verifier and the Kerberos keys of
//! [`crate::kerberos_keys`].
//!
//! Hashing is slow by intent, so it is done before the writer's seat is taken: for the account as the last commit
//! shows it, and only where the caller may write its password. What has changed by the time of the write is made
//! again there.

mod forecast;
mod taken;

use pbkdf2::pbkdf2_hmac;
use sha2::Sha256;
use types::Secret;

use super::account;
use crate::access::PasswordWrite;
use crate::error::AttributeProblem;
use crate::kerberos_keys::{self, KeyPolicy, KeySet, Salted};
use crate::model::{Dnt, ObjectBuilder, Snapshot, Transaction};
use crate::schema::{ClassId, Schema};
use crate::store::{Table, View, keys};
use crate::{Error, Operation, Session};
use forecast::{Forecast, forecast};
use taken::{Taken, unquoted};

pub(crate) const SALT_LENGTH: usize = 16;
const HASH_LENGTH: usize = 32;
const VERSION: u8 = 1;

/// What becomes of new passwords in a directory.
#[derive(Debug, Clone)]
pub(crate) struct PasswordPolicy {
    /// Rounds of PBKDF2 for verifiers.
    pub(crate) rounds: u32,
    pub(crate) keys: KeyPolicy,
}

/// Randomness for one password.
#[derive(Debug, Default)]
pub(crate) struct Random {
    pub(crate) salt: [u8; SALT_LENGTH],
    /// What a ticket granting account gets in place of the password that was written.
    pub(crate) password: [u8; 32],
}

/// A password on its way into the store.
#[derive(Debug)]
pub(crate) struct NewPassword {
    pub(crate) kind: PasswordWrite,
    clear: Secret<Vec<u8>>,
    /// The old one, which a change must know.
    old: Option<Secret<Vec<u8>>>,
    policy: PasswordPolicy,
    salt: [u8; SALT_LENGTH],
    ready: Option<Ready>,
}

/// What was hashed in advance.
#[derive(Debug)]
struct Ready {
    verifier: Vec<u8>,
    keys: Option<KeySet>,
    /// A verifier that was found, and whether the old password is the one behind it.
    old: Option<(Vec<u8>, bool)>,
}

impl NewPassword {
    /// Takes the password out of a request, hashed where the caller may write it.
    pub(crate) fn take(
        operation: &mut Operation,
        session: &Session,
        snapshot: &Snapshot,
        policy: &PasswordPolicy,
        random: &Random,
    ) -> Result<Option<Self>, Error> {
        let Some(taken) = Taken::out_of(operation)? else {
            return Ok(None);
        };
        if !session.is_secure() && !session.is_system() {
            return Err(Error::ConfidentialityRequired {
                what: "writing a password",
            });
        }
        let old = taken.old.map(|old| unquoted(old.expose())).transpose()?;
        let mut password = Self {
            kind: taken.kind,
            clear: unquoted(taken.new.expose())?,
            old,
            policy: policy.clone(),
            salt: random.salt,
            ready: None,
        };
        if let Some(forecast) = forecast(operation, session, snapshot, taken.kind) {
            if password.clear.expose().len() < forecast.chosen_length_min && !session.is_system() {
                let random = data_encoding::BASE64.encode(&random.password);
                password.clear = Secret::new(random.into_bytes());
            }
            password.ready = Some(password.hash(forecast)?);
        }
        Ok(Some(password))
    }

    fn hash(&self, forecast: Forecast) -> Result<Ready, Error> {
        let keys = forecast.salt.map(|salt| self.keys(salt)).transpose()?;
        let old = forecast.verifier.zip(self.old.as_ref());
        Ok(Ready {
            verifier: self.verifier(),
            keys,
            old: old.map(|(stored, old)| {
                let is_right = verify(&stored, old.expose());
                (stored, is_right)
            }),
        })
    }

    fn verifier(&self) -> Vec<u8> {
        verifier(self.clear.expose(), &self.salt, self.policy.rounds)
    }

    fn keys(&self, salt: String) -> Result<KeySet, Error> {
        KeySet::of_password(&self.policy.keys, self.clear.expose(), salt)
    }

    /// A change must know the old password.
    pub(crate) fn check_old(&self, transaction: &Transaction<'_>, dnt: Dnt) -> Result<(), Error> {
        if self.kind == PasswordWrite::Reset {
            return Ok(());
        }
        let stored = transaction
            .overlay
            .get(Table::Secret, &keys::dnt(dnt))?
            .unwrap_or_default();
        let known = self.ready.as_ref().and_then(|ready| ready.old.as_ref());
        let is_right = match (known, &self.old) {
            (Some((verified, is_right)), _) if *verified == stored => *is_right,
            (_, Some(old)) => verify(&stored, old.expose()),
            (_, None) => false,
        };
        if is_right {
            return Ok(());
        }
        // ERROR_INVALID_PASSWORD as a constraint violation, as AD answers.
        let attribute = transaction
            .schema
            .attribute_by_id(transaction.schema.known().unicode_pwd);
        Err(Error::attribute(attribute, AttributeProblem::Constraint))
    }

    /// Puts verifier and keys of the account into the store, and the time into its record.
    pub(crate) fn keep(
        &self,
        transaction: &mut Transaction<'_>,
        builder: &mut ObjectBuilder,
    ) -> Result<(), Error> {
        let known = transaction.schema.known();
        let row = keys::dnt(builder.dnt);
        let verifier = match &self.ready {
            Some(ready) => ready.verifier.clone(),
            None => self.verifier(),
        };
        transaction.overlay.put(Table::Secret, row, verifier);
        builder.set_text(known.pwd_last_set, transaction.now.ticks());
        let name = builder.values(known.sam_account_name).first();
        let Some(name) = name.and_then(|name| std::str::from_utf8(name).ok()) else {
            return Ok(());
        };
        let salt = Salted {
            dns_domain: &transaction.naming.dns_domain,
            account: name,
            is_computer: is_computer(transaction.schema, builder.header.class),
        }
        .salt();
        let is_krbtgt = is_krbtgt(name) || builder.has(known.secondary_krbtgt_number);
        let made;
        let ready = self.ready.as_ref().and_then(|ready| ready.keys.as_ref());
        let new = match ready.filter(|keys| keys.salt == salt) {
            Some(keys) => keys,
            None => {
                made = self.keys(salt)?;
                &made
            }
        };
        let old = transaction
            .overlay
            .get(Table::Key, &row)?
            .unwrap_or_default();
        let renewed = kerberos_keys::renewed(&old, new, is_krbtgt)?;
        transaction.overlay.put(Table::Key, row, renewed);
        Ok(())
    }
}

fn is_computer(schema: &Schema, class: ClassId) -> bool {
    account::kind(schema, class) == Some(account::Kind::Computer)
}

/// `krbtgt`, and those of read-only domain controllers.
fn is_krbtgt(name: &str) -> bool {
    name.eq_ignore_ascii_case("krbtgt") || is_secondary_krbtgt(name)
}

fn is_secondary_krbtgt(name: &str) -> bool {
    name.split_at_checked(7)
        .is_some_and(|(head, _)| head.eq_ignore_ascii_case("krbtgt_"))
}

/// MS-SAMR 3.1.1.8.7: nobody chooses the keys of the ticket granting account. Those of a read-only domain controller
/// may be chosen, because the controller must know them; but then the password has to be as good as a random one.
fn chosen_length_min(name: Option<&str>, has_number: bool) -> usize {
    match name {
        Some(name) if has_number || is_secondary_krbtgt(name) => 40,
        Some(name) if is_krbtgt(name) => usize::MAX,
        _ => 0,
    }
}

pub(crate) fn is_password(attribute: &str) -> bool {
    attribute.eq_ignore_ascii_case("unicodePwd") || attribute == "1.2.840.113556.1.4.90"
}

/// `version 1 | rounds 4 | salt 16 | hash 32`
pub(crate) fn verifier(password: &[u8], salt: &[u8; SALT_LENGTH], rounds: u32) -> Vec<u8> {
    let mut hash = [0; HASH_LENGTH];
    pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut hash);
    let mut bytes = vec![VERSION];
    bytes.extend(rounds.to_le_bytes());
    bytes.extend(salt);
    bytes.extend(hash);
    bytes
}

/// Whether `password` is the one behind `stored`. Takes the same time for any password.
pub(crate) fn verify(stored: &[u8], password: &[u8]) -> bool {
    let parts = || {
        let ([VERSION], rest) = stored.split_first_chunk::<1>()? else {
            return None;
        };
        let (rounds, rest) = rest.split_first_chunk::<4>()?;
        let (salt, hash) = rest.split_first_chunk::<SALT_LENGTH>()?;
        Some((
            u32::from_le_bytes(*rounds),
            *salt,
            <[u8; HASH_LENGTH]>::try_from(hash).ok()?,
        ))
    };
    let Some((rounds, salt, hash)) = parts() else {
        return false;
    };
    let mut computed = [0; HASH_LENGTH];
    pbkdf2_hmac::<Sha256>(password, &salt, rounds, &mut computed);
    subtle::ConstantTimeEq::ct_eq(computed.as_slice(), hash.as_slice()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifiers_verify() {
        let stored = verifier(b"secret", &[1; SALT_LENGTH], 10);
        assert!(verify(&stored, b"secret"));
        assert!(!verify(&stored, b"Secret"));
        assert!(!verify(&stored[..20], b"secret"));
    }
}
