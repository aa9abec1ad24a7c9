//! Passwords: the only form in which AD takes them, and what is kept of them.
//!
//! A client writes `unicodePwd` as UTF-16LE between quotation marks over an encrypted connection (MS-ADTS
//! 3.1.1.3.1.5.1). What is kept is a PBKDF2-HMAC-SHA256 verifier and the Kerberos keys of
//! [`crate::kerberos_keys`].
//!
//! Hashing is slow by intent, so it is done before the writer's seat is taken: for the account as the last commit
//! shows it, and only where the caller may write its password. What has changed by the time of the write is made
//! again there.

use pbkdf2::pbkdf2_hmac;
use sha2::Sha256;
use types::Secret;

use super::account;
use super::place::class_of;
use crate::access::{self, ModifyDraft, PasswordWrite, WriteContext};
use crate::error::AttributeProblem;
use crate::kerberos_keys::{self, KeyPolicy, KeySet, Salted};
use crate::model::{Dnt, Object, ObjectBuilder, Reader, Snapshot, Transaction};
use crate::schema::{ClassId, Schema};
use crate::store::{Table, View, keys};
use crate::{AddRequest, Error, ModificationKind, ModifyRequest, Name, Operation, Session};

pub(crate) const SALT_LENGTH: usize = 16;
const HASH_LENGTH: usize = 32;
const VERSION: u8 = 1;
const LENGTH_MAX: usize = 256;

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

/// The account as the last commit shows it.
struct Forecast {
    salt: Option<String>,
    verifier: Option<Vec<u8>>,
    /// How long a password of this account must be for its keys to be the writer's choice.
    chosen_length_min: usize,
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

/// The account whose password is written, where the caller may write it. What is not foreseen here is refused, or
/// hashed, by the write itself.
fn forecast(
    operation: &Operation,
    session: &Session,
    snapshot: &Snapshot,
    kind: PasswordWrite,
) -> Option<Forecast> {
    if session.is_anonymous() {
        return None;
    }
    match operation {
        Operation::Add(request) => forecast_of_add(request, session, snapshot),
        Operation::Modify(request) => forecast_of_modify(request, session, snapshot, kind),
        Operation::Delete(_) | Operation::Rename(_) => None,
    }
}

fn forecast_of_add(
    request: &AddRequest,
    session: &Session,
    snapshot: &Snapshot,
) -> Option<Forecast> {
    let schema = snapshot.schema;
    let class = class_of(schema, session, request).ok()?;
    if !session.is_system() {
        let parent = Name::Dn(request.dn.parent()?);
        let parent = snapshot.find(&parent, false).ok()?;
        let descriptor = snapshot.descriptor(&parent).ok()?;
        let target = Reader::target(&parent, &descriptor);
        access::authorize_add_attempt(schema, session.token(), &target, class).ok()?;
    }
    let name = request
        .attributes
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("sAMAccountName"))
        .and_then(|(_, values)| std::str::from_utf8(values.first()?).ok());
    let salt = name.map(|account| {
        Salted {
            dns_domain: &request.dn.dns_domain(),
            account,
            is_computer: is_computer(schema, class),
        }
        .salt()
    });
    Some(Forecast {
        salt,
        verifier: None,
        chosen_length_min: chosen_length_min(name, false),
    })
}

fn forecast_of_modify(
    request: &ModifyRequest,
    session: &Session,
    snapshot: &Snapshot,
    kind: PasswordWrite,
) -> Option<Forecast> {
    let object = snapshot.find(&request.name, request.show_deleted).ok()?;
    if !session.is_system() && !may_write(&object, session, snapshot, kind)? {
        return None;
    }
    let known = snapshot.schema.known();
    let name = object.text(known.sam_account_name);
    let salt = name.map(|account| {
        Salted {
            dns_domain: &snapshot.naming.dns_domain,
            account,
            is_computer: is_computer(snapshot.schema, object.class()),
        }
        .salt()
    });
    let row = keys::dnt(object.dnt);
    Some(Forecast {
        salt,
        verifier: snapshot.view.get(Table::Secret, &row).ok()?,
        chosen_length_min: chosen_length_min(
            name,
            object.number(known.secondary_krbtgt_number).is_some(),
        ),
    })
}

fn may_write(
    object: &Object,
    session: &Session,
    snapshot: &Snapshot,
    kind: PasswordWrite,
) -> Option<bool> {
    let descriptor = snapshot.descriptor(object).ok()?;
    let draft = ModifyDraft {
        writes: Vec::new(),
        descriptor: None,
        password: Some(kind),
        context: WriteContext {
            caller_dn: None,
            sam_account_name: None,
            dns_host_name: None,
            dns_domain: String::new(),
            netbios_domain: String::new(),
        },
    };
    let target = Reader::target(object, &descriptor);
    let policy = snapshot.policy();
    let allowed =
        access::authorize_modify(snapshot.schema, session.token(), policy, &target, draft);
    Some(allowed.is_ok())
}

pub(crate) fn is_password(attribute: &str) -> bool {
    attribute.eq_ignore_ascii_case("unicodePwd") || attribute == "1.2.840.113556.1.4.90"
}

/// The values of a request that are passwords.
struct Taken {
    new: Secret<Vec<u8>>,
    old: Option<Secret<Vec<u8>>>,
    kind: PasswordWrite,
}

impl Taken {
    fn out_of(operation: &mut Operation) -> Result<Option<Self>, Error> {
        match operation {
            Operation::Add(request) => Self::out_of_add(request),
            Operation::Modify(request) => Self::out_of_modify(request),
            Operation::Delete(_) | Operation::Rename(_) => Ok(None),
        }
    }

    fn out_of_add(request: &mut AddRequest) -> Result<Option<Self>, Error> {
        let Some(at) = request
            .attributes
            .iter()
            .position(|(name, _)| is_password(name))
        else {
            return Ok(None);
        };
        let (_, values) = request.attributes.remove(at);
        if request.attributes.iter().any(|(name, _)| is_password(name)) {
            return Err(refused("exactly one password is wanted"));
        }
        Ok(Some(Self {
            new: single(values)?,
            old: None,
            kind: PasswordWrite::Reset,
        }))
    }

    fn out_of_modify(request: &mut ModifyRequest) -> Result<Option<Self>, Error> {
        let (passwords, rest): (Vec<_>, Vec<_>) = request
            .modifications
            .drain(..)
            .partition(|m| is_password(&m.attribute));
        request.modifications = rest;
        let mut steps = passwords.into_iter().map(|m| (m.kind, m.values));
        let (new, old) = match (steps.next(), steps.next(), steps.next()) {
            (None, ..) => return Ok(None),
            (Some((ModificationKind::Replace, values)), None, None) => (values, None),
            (Some((ModificationKind::Delete, old)), Some((ModificationKind::Add, new)), None)
            | (Some((ModificationKind::Add, new)), Some((ModificationKind::Delete, old)), None) => {
                (new, Some(old))
            }
            _ => {
                return Err(refused(
                    "write one replace, or a delete of the old and an add of the new one",
                ));
            }
        };
        let kind = match old {
            Some(_) => PasswordWrite::Change,
            None => PasswordWrite::Reset,
        };
        Ok(Some(Self {
            new: single(new)?,
            old: old.map(single).transpose()?,
            kind,
        }))
    }
}

fn refused(why: &str) -> Error {
    // ERROR_GEN_FAILURE leads AD's answer here.
    Error::unwilling(0x1F, why)
}

fn single(values: Vec<Vec<u8>>) -> Result<Secret<Vec<u8>>, Error> {
    let mut values = values.into_iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(Secret::new(value)),
        _ => Err(refused("exactly one password is wanted")),
    }
}

/// The password in UTF-8 from its quoted UTF-16LE form.
fn unquoted(value: &[u8]) -> Result<Secret<Vec<u8>>, Error> {
    let bad = || refused("a password is written as UTF-16LE between quotation marks");
    let (units, rest) = value.as_chunks::<2>();
    if !rest.is_empty() || units.len() > LENGTH_MAX {
        return Err(bad());
    }
    let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    let quote = u16::from(b'"');
    match units.as_slice() {
        [first, inner @ .., last] if *first == quote && *last == quote && !inner.is_empty() => {
            let text = String::from_utf16(inner).map_err(|_| bad())?;
            Ok(Secret::new(text.into_bytes()))
        }
        _ => Err(bad()),
    }
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

    fn quoted(password: &str) -> Vec<u8> {
        format!("\"{password}\"")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect()
    }

    #[test]
    fn only_the_quoted_form_is_a_password() {
        assert_eq!(
            unquoted(&quoted("Pä55")).unwrap().expose(),
            "Pä55".as_bytes()
        );
        assert!(unquoted(b"\"plain\"").is_err());
        assert!(unquoted(&quoted("")).is_err());
        assert!(unquoted(&[0x22]).is_err());
    }

    #[test]
    fn verifiers_verify() {
        let stored = verifier(b"secret", &[1; SALT_LENGTH], 10);
        assert!(verify(&stored, b"secret"));
        assert!(!verify(&stored, b"Secret"));
        assert!(!verify(&stored[..20], b"secret"));
    }
}
