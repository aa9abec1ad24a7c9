//! What keys a tenant accepts.

use cloud_api::policy::{EnforcementType, Fido2Policy, KeyRestrictions};
use types::Guid;
use x509_cert::Certificate;
use x509_cert::der::DecodePem;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

use crate::error::Error;

/// The policy in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) is_attestation_enforced: bool,
    pub(crate) is_self_service_registration_allowed: bool,
    pub(crate) key_restrictions: KeyRestrictions,
    /// Roots of attestation, PEM.
    pub(crate) attestation_roots: Vec<String>,
}

/// Why a key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyViolation {
    /// Attestation is enforced and the key's does not lead to a trusted root.
    #[error("its attestation is absent or leads to none of the tenant's attestation roots")]
    NotAttested,
    /// A list of allowed models needs attested keys.
    #[error(
        "only listed models are allowed, and without trusted attestation the model is only a claim"
    )]
    ModelUnproven,
    /// The model is not on the list of the allowed.
    #[error("model {0} is not on the list of allowed models")]
    ModelNotAllowed(Guid),
    /// The model is on the list of the blocked.
    #[error("model {0} is on the list of blocked models")]
    ModelBlocked(Guid),
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            is_attestation_enforced: true,
            is_self_service_registration_allowed: true,
            key_restrictions: KeyRestrictions::default(),
            attestation_roots: Vec::new(),
        }
    }
}

impl Policy {
    /// Whether a key of this model is accepted.
    pub(crate) fn accepts(&self, aaguid: Guid, is_attested: bool) -> Result<(), PolicyViolation> {
        if self.is_attestation_enforced && !is_attested {
            return Err(PolicyViolation::NotAttested);
        }
        let restrictions = &self.key_restrictions;
        if !restrictions.is_enforced {
            return Ok(());
        }
        let is_listed = restrictions.aa_guids.contains(&aaguid);
        match restrictions.enforcement_type {
            EnforcementType::Allow if !is_attested => Err(PolicyViolation::ModelUnproven),
            EnforcementType::Allow if !is_listed => Err(PolicyViolation::ModelNotAllowed(aaguid)),
            EnforcementType::Block if is_listed => Err(PolicyViolation::ModelBlocked(aaguid)),
            EnforcementType::Allow | EnforcementType::Block => Ok(()),
        }
    }

    /// This policy with the members of `change` that are present.
    pub(crate) fn changed_by(mut self, change: &Fido2Policy) -> Result<Self, Error> {
        if let Some(value) = change.is_attestation_enforced {
            self.is_attestation_enforced = value;
        }
        if let Some(value) = change.is_self_service_registration_allowed {
            self.is_self_service_registration_allowed = value;
        }
        if let Some(restrictions) = &change.key_restrictions {
            if restrictions.aa_guids.len() > MODELS_MAX {
                return Err(Error::invalid(format!(
                    "aaGuids has {} models; at most {MODELS_MAX} fit",
                    restrictions.aa_guids.len()
                )));
            }
            self.key_restrictions = restrictions.clone();
        }
        if let Some(roots) = &change.attestation_roots {
            if roots.len() > ROOTS_MAX {
                return Err(Error::invalid(format!(
                    "attestationRoots has {} certificates; at most {ROOTS_MAX} fit",
                    roots.len()
                )));
            }
            for (index, root) in roots.iter().enumerate() {
                check_root(root)
                    .map_err(|why| Error::invalid(format!("attestationRoots[{index}] {why}")))?;
            }
            self.attestation_roots.clone_from(roots);
        }
        Ok(self)
    }

    /// The policy as it is shown and stored.
    pub(crate) fn to_wire(&self) -> Fido2Policy {
        Fido2Policy {
            is_attestation_enforced: Some(self.is_attestation_enforced),
            is_self_service_registration_allowed: Some(self.is_self_service_registration_allowed),
            key_restrictions: Some(self.key_restrictions.clone()),
            attestation_roots: Some(self.attestation_roots.clone()),
        }
    }
}

/// A root without the marks of a certificate authority would be stored and then never trusted.
fn check_root(pem: &str) -> Result<(), String> {
    let root = Certificate::from_pem(pem)
        .map_err(|error| format!("is not one certificate in PEM: {error}"))?;
    let fields = root.tbs_certificate();
    let is_authority =
        matches!(fields.get_extension::<BasicConstraints>(), Ok(Some((_, marks))) if marks.ca);
    let may_sign =
        matches!(fields.get_extension::<KeyUsage>(), Ok(Some((_, usage))) if usage.key_cert_sign());
    if is_authority && may_sign {
        return Ok(());
    }
    Err(format!(
        "({}) is no certificate authority: it needs basic constraints CA:TRUE and key usage keyCertSign",
        fields.subject()
    ))
}

const MODELS_MAX: usize = 1000;
const ROOTS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions() {
        let model: Guid = "01020304-0506-0708-0102-030405060708".parse().unwrap();
        let policy = |enforced: bool, list: Option<(EnforcementType, bool)>| Policy {
            is_attestation_enforced: enforced,
            key_restrictions: list.map_or_else(KeyRestrictions::default, |(kind, listed)| {
                KeyRestrictions {
                    is_enforced: true,
                    enforcement_type: kind,
                    aa_guids: if listed {
                        vec![model]
                    } else {
                        vec![Guid::ZERO]
                    },
                }
            }),
            ..Policy::default()
        };
        use EnforcementType::{Allow, Block};
        use PolicyViolation::*;
        let check = |enforced, list, attested, expected| {
            assert_eq!(
                policy(enforced, list).accepts(model, attested),
                expected,
                "{enforced} {list:?} {attested}"
            );
        };
        check(false, None, false, Ok(()));
        check(true, None, true, Ok(()));
        check(true, None, false, Err(NotAttested));
        check(false, Some((Allow, true)), true, Ok(()));
        check(false, Some((Allow, true)), false, Err(ModelUnproven));
        check(
            false,
            Some((Allow, false)),
            true,
            Err(ModelNotAllowed(model)),
        );
        check(false, Some((Block, true)), true, Err(ModelBlocked(model)));
        check(false, Some((Block, true)), false, Err(ModelBlocked(model)));
        check(false, Some((Block, false)), false, Ok(()));
        check(true, Some((Block, false)), false, Err(NotAttested));
    }

    #[test]
    fn roots_must_be_certificates() {
        let change = Fido2Policy {
            attestation_roots: Some(vec![
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into(),
            ]),
            ..Fido2Policy::default()
        };
        assert!(Policy::default().changed_by(&change).is_err());
    }
}
