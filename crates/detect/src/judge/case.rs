//! One change and the baseline: questions that several rules ask, and what is missing.

use crate::reason::{self, Reason};
use crate::{Act, Baseline, Confidence, Connector, Form, Sighting, Tier, Word};

/// One change before the judge.
pub(super) struct Case<'a> {
    pub(super) sighting: &'a Sighting,
    pub(super) baseline: &'a Baseline,
}

impl Case<'_> {
    /// The connector that wrote, if one did.
    pub(super) fn connector(&self) -> Option<Connector> {
        self.sighting
            .writer
            .sid
            .as_ref()
            .and_then(|sid| self.baseline.connector(sid))
    }

    /// Whether a registration service wrote.
    pub(super) fn is_by_registrar(&self) -> bool {
        let sid = self.sighting.writer.sid.as_ref();
        sid.is_some_and(|sid| self.baseline.registrars.contains(sid))
    }

    /// Whether the domain controller itself did it, for somebody else's sake.
    pub(super) fn is_by_system(&self) -> bool {
        self.sighting
            .writer
            .sid
            .as_ref()
            .is_some_and(|sid| sid.to_string() == "S-1-5-18")
    }

    /// The writer as people know it.
    pub(super) fn writer_name(&self) -> String {
        let writer = &self.sighting.writer;
        match (&writer.domain, &writer.name, &writer.sid) {
            (Some(domain), Some(name), _) => format!("{domain}\\{name}"),
            (None, Some(name), _) => name.clone(),
            (_, None, Some(sid)) => sid.to_string(),
            (_, None, None) => "an account that the event does not name".to_owned(),
        }
    }

    /// How much evidence there is.
    pub(super) fn tier(&self) -> Tier {
        let has_value = self.sighting.value.octets.is_some();
        let knows_sync = self.baseline.has_writers() || self.baseline.has_receipts();
        match (has_value, self.baseline.cloud().is_some() && knows_sync) {
            (true, true) => Tier::T3,
            (true, false) => Tier::T2,
            (false, _) => Tier::T1,
        }
    }

    /// The word for an honest write: what the sync does is writeback, all else is registration.
    pub(super) fn legitimate_word(&self) -> Word {
        if self.connector().is_none() && (self.is_by_registrar() || self.sighting.is_self_write()) {
            Word::LegitimateRegistration
        } else {
            Word::LegitimateWriteback
        }
    }

    /// A refused attempt.
    pub(super) fn refused(&self) -> Reason {
        let sentence = match self.connector() {
            Some(_) => {
                "the directory refused the connector: it lacks a right on this object".to_owned()
            }
            None => format!("the directory refused an attempt by {}", self.writer_name()),
        };
        reason::REFUSED.because(sentence)
    }

    /// Evidence that would have been useful and is not there.
    pub(super) fn not_available(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let mut lacks = |is_missing: bool, what: &str| {
            if is_missing {
                missing.push(what.to_owned());
            }
        };
        let sighting = self.sighting;
        let is_refused = sighting.act == Act::Refused;
        lacks(
            sighting.value.octets.is_none() && !is_refused,
            "the value itself: this event carries only its length",
        );
        lacks(
            is_refused,
            "the value that should have been written: a refusal does not carry it",
        );
        lacks(
            !self.baseline.has_writers(),
            "which accounts write keys: no connector is named",
        );
        lacks(!self.baseline.has_receipts(), "the sync's receipts");
        lacks(
            self.baseline
                .receipts()
                .is_some_and(|receipts| !receipts.cover(sighting.time)),
            "receipts of that time: the feed begins later",
        );
        // It excuses nothing: whoever holds the connector's password would write after the last receipt.
        let last = self
            .connector()
            .and_then(|_| self.baseline.receipts()?.end_before(sighting.time));
        lacks(
            last.is_some(),
            &format!(
                "receipts after {}: if the feed was read before this change, read it again",
                last.map_or_else(String::new, |last| last.to_string())
            ),
        );
        lacks(
            self.baseline.cloud().is_none(),
            "the cloud's list of device keys",
        );
        lacks(sighting.writer.sid.is_none(), "the writer's SID");
        lacks(sighting.time.is_none(), "the time of the change");
        lacks(
            sighting.object.class.is_none() && !is_refused,
            "the object's class, which decides what is normal",
        );
        lacks(sighting.writer.remote.is_none(), &self.missing_address());
        missing
    }

    fn missing_address(&self) -> String {
        match self.sighting.writer.logon_id {
            Some(id) => format!(
                "the client's address: event 4624 with TargetLogonId {id:#x} on the same domain controller has it"
            ),
            None => "the client's address".to_owned(),
        }
    }

    /// One command that would settle it.
    pub(super) fn settle(&self, word: Word, confidence: Confidence) -> Option<String> {
        let sighting = self.sighting;
        if sighting.act == Act::Refused {
            return None;
        }
        if sighting.value.octets.is_none() && sighting.origin.form != Form::Own {
            let server = sighting.computer.as_deref().unwrap_or("DC");
            // A deleted value keeps its stamp, with the value, until the tombstone lifetime is over
            // (MS-ADTS 3.1.1.4.5.13).
            return Some(format!(
                "ldapsearch -o ldif-wrap=no -H ldap://{server} -b {} -s base msDS-KeyCredentialLink \
                 msDS-ReplValueMetaData > keys.ldif   # then scan again with --inventory keys.ldif",
                quoted(&sighting.object.dn)
            ));
        }
        if confidence == Confidence::High && word != Word::Suspicious {
            return None;
        }
        if !self.baseline.has_receipts() {
            return Some(
                "tombolo sync receipts > receipts.jsonl   # then scan again with --receipts receipts.jsonl"
                    .to_owned(),
            );
        }
        if self.baseline.cloud().is_none() {
            return Some(
                "curl -H 'Authorization: Bearer TOKEN' https://CLOUD/devicekeys/v1/delta > cloud.json   \
                 # then scan again with --device-keys cloud.json"
                    .to_owned(),
            );
        }
        let account = sighting.writer.name.as_deref().unwrap_or("the account");
        Some(format!(
            "ask the owner of {account} whether this was an administrator's work"
        ))
    }
}

/// A DN as one word of a shell.
fn quoted(dn: &str) -> String {
    format!("'{}'", dn.replace('\'', r"'\''"))
}
