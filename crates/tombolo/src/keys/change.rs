//! A change of one object's keys: shown as a plan first, carried out with `--apply`, with a receipt and a look at the
//! result.

use std::path::PathBuf;

use events::{Operation, Receipt, ReceiptFormat, ReceiptState};
use keycred::DnBinary;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sync::connector::{Account, Permission, WriteErrorClass};
use sync::ldap::{Connection, Modification};
use sync::mend::{Mend, Reason};
use types::{Clock, Timestamp};

use super::owner::{ATTRIBUTE, Key, Owner};
use crate::io::{Failure, ReceiptFile, Shell, SystemClock, refused, table, unreachable};

/// The name of the JSON form.
const FORMAT: &str = "tombolo-key-change/1";

/// How a change is carried out; the same for all commands that make one.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    /// Carry the plan out; without it nothing is written anywhere
    #[arg(long)]
    pub(super) apply: bool,

    /// Where the receipts of what was written are appended, for `tombolo detect --receipts`
    #[arg(long, value_name = "FILE", default_value = "key-receipts.jsonl")]
    pub(super) receipts: PathBuf,

    /// Print JSON, format tombolo-key-change/1
    #[arg(long)]
    pub(super) json: bool,
}

/// What is to become of one object's keys.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Change {
    format: &'static str,
    pub(super) owner: Owner,
    /// Who writes.
    pub(super) writer: Account,
    /// The keys that stay.
    pub(super) keeps: Vec<Key>,
    pub(super) adds: Vec<Key>,
    pub(super) removes: Vec<Key>,
    permission: Permission,
    /// What the administrator should know.
    pub(super) notes: Vec<String>,
    /// Lines that give the missing right.
    mends: Vec<Mend>,
    /// Whether it was carried out.
    applied: bool,
    /// Whether the directory shows it.
    confirmed: bool,
    /// The answer to the write was lost.
    #[serde(skip)]
    is_unclear: bool,
}

impl Change {
    /// Of an object as it is now: keys to add, and those of its values that are to go.
    pub(super) fn new(
        connection: &mut Connection,
        owner: Owner,
        adds: Vec<Key>,
        is_to_go: impl Fn(&Key) -> bool,
    ) -> Result<Self, Failure> {
        check_schema(connection)?;
        let writer = connection
            .account()
            .map_err(unreachable("the directory does not say who we are"))?;
        let permission = owner.permission(connection)?;
        let (removes, keeps) = owner.keys().into_iter().partition(|key| is_to_go(key));
        let reason = match permission {
            Permission::Denied => Some(Reason::NoRight),
            Permission::DeniedByProtection => Some(Reason::ProtectedByAdminSdHolder),
            Permission::Granted | Permission::Gone | Permission::Unknown => None,
        };
        let mut notes = Vec::new();
        if owner.is_disabled {
            notes
                .push("the account is disabled: no key signs it in until it is enabled".to_owned());
        }
        Ok(Self {
            format: FORMAT,
            mends: reason
                .and_then(|reason| Mend::of(reason, ATTRIBUTE, &writer))
                .into_iter()
                .collect(),
            owner,
            writer,
            keeps,
            adds,
            removes,
            permission,
            notes,
            applied: false,
            confirmed: false,
            is_unclear: false,
        })
    }

    /// Whether the directory says that the writer may not.
    pub(super) fn is_denied(&self) -> bool {
        matches!(
            self.permission,
            Permission::Denied | Permission::DeniedByProtection
        )
    }

    /// Whether the values are written, or may be: nobody knows when the answer was lost.
    pub(super) fn may_be_written(&self) -> bool {
        self.applied || self.is_unclear
    }

    /// Writes, notes the receipts, and looks at the result.
    pub(super) fn apply(
        &mut self,
        connection: &mut Connection,
        rule: &str,
        receipts: &mut ReceiptFile,
    ) -> Result<(), Failure> {
        let what = format!("the keys of {} were not changed", self.owner.dn);
        let mut changes = Vec::new();
        if !self.removes.is_empty() {
            let values = self.removes.iter().map(|key| key.raw.clone()).collect();
            changes.push(Modification::Delete(ATTRIBUTE.to_owned(), values));
        }
        if !self.adds.is_empty() {
            let values = self.adds.iter().map(|key| {
                let value = DnBinary::new(key.binary.clone(), self.owner.dn.as_str());
                value.to_string().into_bytes()
            });
            changes.push(Modification::Add(ATTRIBUTE.to_owned(), values.collect()));
        }
        let right = format!("the right to write {ATTRIBUTE}: make it a member of Key Admins");
        let written = connection.change(&self.owner.by_guid(), changes);
        self.is_unclear = matches!(&written, Err(error) if error.class == WriteErrorClass::Retry);
        written.map_err(refused(what, right))?;
        self.applied = true;
        let now = SystemClock.now();
        self.note(rule, receipts, now, ReceiptState::Written)?;
        let dn = self.owner.by_guid();
        let found = Owner::read_again(connection, &dn)?.keys();
        let has = |key: &Key| found.iter().any(|other| other.binary == key.binary);
        self.confirmed = self.adds.iter().all(has) && !self.removes.iter().any(has);
        if self.confirmed {
            self.note(rule, receipts, now, ReceiptState::Confirmed)?;
        }
        Ok(())
    }

    /// A receipt for each value.
    fn note(
        &self,
        rule: &str,
        receipts: &mut ReceiptFile,
        time: Timestamp,
        state: ReceiptState,
    ) -> Result<(), Failure> {
        let added = self.adds.iter().map(|key| (Operation::ValueAdded, key));
        let gone = self
            .removes
            .iter()
            .map(|key| (Operation::ValueDeleted, key));
        for (operation, key) in gone.chain(added) {
            receipts.append(Receipt {
                format: ReceiptFormat,
                sequence: 0,
                time,
                cycle: 0,
                connector: self.writer.sid.clone(),
                target: self.writer.url.clone(),
                object_guid: self.owner.object_guid,
                object_dn: self.owner.dn.clone(),
                attribute: ATTRIBUTE.to_owned(),
                operation,
                value_sha256: data_encoding::HEXLOWER.encode(&Sha256::digest(&key.binary)),
                value_length: key.binary.len(),
                rule: rule.to_owned(),
                cloud_object: String::new(),
                state,
            })?;
        }
        Ok(())
    }

    /// The plan, or what became of it, for people.
    pub(super) fn tell(&self, shell: &mut Shell) -> Result<(), Failure> {
        shell.line(format!("object: {}", self.owner.dn))?;
        let sid = self.writer.sid.as_ref();
        let sid = sid.map_or_else(String::new, |sid| format!(" ({sid})"));
        shell.line(format!("writer: {}{sid}", self.writer.name))?;
        let mut rows = table(["", "Key", "Usage", "Source", "Created", "Device"]);
        let signed = [("", &self.keeps), ("-", &self.removes), ("+", &self.adds)];
        for (sign, key) in signed
            .into_iter()
            .flat_map(|(sign, keys)| keys.iter().map(move |key| (sign, key)))
        {
            rows.add_row([
                sign.to_owned(),
                key.key_id.get(..16).unwrap_or(&key.key_id).to_owned(),
                key.usage.clone(),
                key.source.clone(),
                key.created.clone().unwrap_or_default(),
                key.device_id.map(|id| id.to_string()).unwrap_or_default(),
            ]);
        }
        shell.line(rows)?;
        for note in &self.notes {
            shell.line(format!("note: {note}"))?;
        }
        let mut state = match self.permission {
            Permission::Granted => "the directory says that the writer may change these keys",
            Permission::Denied => "the directory says that the writer may NOT change these keys",
            Permission::DeniedByProtection => {
                "the directory says that the writer may NOT change these keys: AdminSDHolder protects the object"
            }
            Permission::Gone => "the object is gone",
            Permission::Unknown => {
                "the directory does not say whether the writer may change these keys"
            }
        };
        if self.applied {
            state = match self.confirmed {
                true => "written, and read back from the directory",
                false => "written, but the directory does not show it yet: look again",
            };
        }
        shell.line(state)?;
        for mend in &self.mends {
            shell.line(format!("next: {}", mend.advice))?;
            for line in &mend.lines {
                shell.line(format!("  {}: {}", line.tool, line.line))?;
            }
        }
        Ok(())
    }

    /// Whether all went well: it is confirmed, or could be carried out.
    pub(super) fn is_well(&self) -> bool {
        match self.applied {
            true => self.confirmed,
            false => !self.is_denied() && self.permission != Permission::Gone,
        }
    }
}

fn check_schema(connection: &mut Connection) -> Result<(), Failure> {
    let wanted = [ATTRIBUTE.to_owned()].into();
    let probe = connection
        .schema(&wanted)
        .map_err(unreachable("the directory's schema cannot be read"))?;
    if !probe.present.is_empty() {
        return Ok(());
    }
    let version = probe
        .version
        .map_or_else(|| "unknown".to_owned(), |version| version.to_string());
    Err(Failure::new("the directory cannot hold keys")
        .why(format!("its schema (objectVersion {version}) has no {ATTRIBUTE}"))
        .next("extend the schema to Windows Server 2016 (objectVersion 87): adprep /forestprep, or samba-tool domain schemaupgrade --schema=2019"))
}
