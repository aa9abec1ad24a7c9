//! What the story shows, and by whom each of it can be judged besides.

use crate::report::{Claim, Step};

/// A claim as it stands in the script.
struct Script {
    claim: &'static str,
    steps: &'static [&'static str],
    judge: &'static str,
    command: &'static str,
}

const CLAIMS: [Script; 10] = [
    Script {
        claim: "a registered key is copied into msDS-KeyCredentialLink, by a rule pair that never looks at its usage",
        steps: &[
            "register",
            "nothing-yet",
            "one-cycle",
            "raw-value",
            "decoded",
            "usage-is-not-looked-at",
        ],
        judge: "OpenLDAP, pydsinternals, Samba AD",
        command: "cargo xtask conformance openldap_ldap pydsinternals_keycred samba_sync",
    },
    Script {
        claim: "the copy needs a right; without it the export fails, loudly",
        steps: &[
            "connector-without-right",
            "directory-says-no",
            "connector-in-key-admins",
            "protected-user",
            "adminsdholder-mended",
        ],
        judge: "OpenLDAP, Samba AD",
        command: "cargo xtask conformance openldap_access samba_sync",
    },
    Script {
        claim: "a rule that is off and a schema without the attribute let nothing flow, and the plan says why",
        steps: &["rule-off", "schema-too-old"],
        judge: "",
        command: "tombolo sync plan",
    },
    Script {
        claim: "the values follow the cloud: a deleted one comes back, a removed key goes",
        steps: &["deleted-by-hand", "removed-in-cloud"],
        judge: "Samba AD",
        command: "cargo xtask conformance samba_sync",
    },
    Script {
        claim: "a planted key is told from a writeback, with reasons",
        steps: &["planted-on-user", "planted-on-computer", "own-writes"],
        judge: "",
        command: "tombolo detect explain",
    },
    Script {
        claim: "a domain controller signs in by NGC keys, without the cloud, and by FIDO entries never",
        steps: &[
            "password-ticket",
            "key-trust-ticket",
            "fido-is-no-candidate",
            "usage-decides",
        ],
        judge: "MIT Kerberos, Samba AD",
        command: "cargo xtask conformance mit_key_trust samba_key_trust",
    },
    Script {
        claim: "the Kerberos server object is the bridge: without the entries sign-in works, without the object it dies",
        steps: &["server-object", "without-the-entry", "without-the-object"],
        judge: "Samba AD, smbclient",
        command: "cargo xtask conformance samba_cloud_trust",
    },
    Script {
        claim: "without the cloud tickets live on and are renewed until their last day; none is fresh until it is back",
        steps: &["session-goes-on", "eight-days", "cloud-is-back"],
        judge: "Samba AD, MIT Kerberos",
        command: "cargo xtask conformance samba_cloud_trust",
    },
    Script {
        claim: "the same key opens the same device without the cloud, by hmac-secret, and nothing else does",
        steps: &["cached-sign-in"],
        judge: "libfido2 and python-fido2, for the key",
        command: "cargo xtask conformance libfido2_softkey python_fido2_softkey",
    },
    Script {
        claim: "NTLM lives on the hash of a key list, for as long as a policy says",
        steps: &["ntlm-by-policy"],
        judge: "Samba's smbd and its log",
        command: "cargo xtask conformance smbd_ntlm smbd_outage",
    },
];

/// Each claim, with the steps that were played for it.
pub(super) fn shown(steps: &[Step]) -> Vec<Claim> {
    let claim = |script: &Script| {
        let played: Vec<&Step> = steps
            .iter()
            .filter(|step| script.steps.contains(&step.id))
            .collect();
        Claim {
            claim: script.claim,
            steps: played.iter().map(|step| step.number).collect(),
            shown: played.len() == script.steps.len() && played.iter().all(|step| step.passed),
            judge: script.judge,
            command: script.command,
        }
    };
    CLAIMS.iter().map(claim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::SCENES;

    #[test]
    fn every_step_shows_one_claim() {
        for scene in SCENES {
            let claims = CLAIMS
                .iter()
                .filter(|claim| claim.steps.contains(&scene.id));
            assert_eq!(claims.count(), 1, "{}", scene.id);
        }
        let named: usize = CLAIMS.iter().map(|claim| claim.steps.len()).sum();
        assert_eq!(named, SCENES.len());
    }
}
