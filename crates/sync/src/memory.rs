//! Connectors without a network: a cloud and a directory in memory, for tests and benchmarks.
//!
//! Each is a handle; a clone is the same system, so that a test can change what the engine will see next. The
//! directory can be told to refuse, to lose its connection, and to forget its schema.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use types::{Guid, Sid};

use crate::connector::{
    Account, Anchor, Attributes, Change, ConnectorError, Cursor, ImportRequest, ObjectTarget,
    ObjectWrite, Permission, SchemaProbe, Sink, Source, StagedObject, Target, Value, ValueWrite,
    Values, WriteError, WriteErrorClass,
};

const DOMAIN: &str = "DC=corp,DC=contoso,DC=com";
const KEYS: &str = "msDS-KeyCredentialLink";

fn lock<T>(shared: &Arc<Mutex<T>>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves the maps whole: every change is one insert or remove.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn one(text: impl AsRef<[u8]>) -> Values {
    [text.as_ref().to_vec()].into()
}

/// Objects with the number of their last change; a number without an object is a deletion.
#[derive(Debug, Default)]
struct Table {
    clock: u64,
    rows: BTreeMap<Anchor, (u64, Option<StagedObject>)>,
    /// Anchors by change, so that a delta costs what changed.
    by_change: BTreeMap<u64, Anchor>,
    /// Bumped to make old cursors invalid.
    epoch: u64,
}

impl Table {
    fn put(&mut self, anchor: Anchor, object: Option<StagedObject>) {
        self.clock = self.clock.saturating_add(1);
        if let Some((before, _)) = self.rows.insert(anchor.clone(), (self.clock, object)) {
            self.by_change.remove(&before);
        }
        self.by_change.insert(self.clock, anchor);
    }

    fn change(&mut self, anchor: &Anchor, change: impl FnOnce(&mut Attributes)) {
        let row = self.rows.get(anchor).and_then(|(_, object)| object.clone());
        if let Some(mut object) = row {
            change(&mut object.attributes);
            self.put(anchor.clone(), Some(object));
        }
    }

    fn object(&self, anchor: &Anchor) -> Option<&StagedObject> {
        self.rows.get(anchor)?.1.as_ref()
    }

    fn import(
        &self,
        request: ImportRequest<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Cursor, ConnectorError> {
        let now = Cursor(format!("{}:{}", self.epoch, self.clock));
        let after = match request.since {
            None => 0,
            Some(cursor) => {
                let parts = cursor
                    .0
                    .split_once(':')
                    .filter(|(epoch, _)| *epoch == self.epoch.to_string());
                let after = parts.and_then(|(_, clock)| clock.parse::<u64>().ok());
                after.ok_or_else(|| {
                    ConnectorError::ResyncRequired(
                        "memory".to_owned(),
                        "the cursor is of another time".to_owned(),
                    )
                })?
            }
        };
        for anchor in self
            .by_change
            .range(after.saturating_add(1)..)
            .map(|(_, anchor)| anchor)
        {
            match self.object(anchor) {
                Some(object) if !request.kinds.has(&object.kind) => {}
                Some(object) => {
                    let mut object = object.clone();
                    let kind = object.kind.clone();
                    object
                        .attributes
                        .retain(|name, _| request.kinds.wants(&kind, name));
                    sink(Change::Upsert(object))?;
                }
                None if request.since.is_some() => sink(Change::Delete(anchor.clone()))?,
                None => {}
            }
        }
        Ok(now)
    }
}

/// A cloud in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryCloud(Arc<Mutex<Table>>);

impl MemoryCloud {
    /// Adds a user that belongs to a directory object.
    pub fn add_user(&self, upn: &str, object: Guid) {
        self.put(
            upn,
            [
                (
                    "sourceAnchor",
                    data_encoding::BASE64.encode(&object.to_bytes_le()),
                ),
                ("cloudMastered", "false".to_owned()),
            ],
        );
    }

    /// Adds a user of the cloud alone.
    pub fn add_cloud_user(&self, upn: &str) {
        self.put(upn, [("cloudMastered", "true".to_owned())]);
    }

    fn put<const N: usize>(&self, upn: &str, extra: [(&str, String); N]) {
        let mut attributes: Attributes = extra
            .into_iter()
            .map(|(name, value)| (name.to_owned(), one(value)))
            .collect();
        attributes.insert("userPrincipalName".to_owned(), one(upn));
        attributes.insert("cloudAnchor".to_owned(), one(format!("User_{upn}")));
        let anchor = Anchor::new(upn);
        let object = StagedObject {
            anchor: anchor.clone(),
            kind: "user".to_owned(),
            name: upn.to_owned(),
            attributes,
        };
        lock(&self.0).put(anchor, Some(object));
    }

    /// Adds a key, as the cloud stores it: without KeyHash.
    pub fn add_key(&self, upn: &str, key: impl Into<Value>) {
        let key = key.into();
        lock(&self.0).change(&Anchor::new(upn), |a| {
            a.entry("searchableDeviceKey".to_owned())
                .or_default()
                .insert(key);
        });
    }

    /// Removes a key.
    pub fn remove_key(&self, upn: &str, key: &Value) {
        lock(&self.0).change(&Anchor::new(upn), |a| {
            a.entry("searchableDeviceKey".to_owned())
                .or_default()
                .remove(key);
        });
    }

    /// An object that was carried here, by its anchor.
    pub fn object(&self, anchor: &str) -> Option<Attributes> {
        let table = lock(&self.0);
        let object = table.object(&Anchor::new(anchor));
        object.map(|object| object.attributes.clone())
    }

    /// An object is gone without the sync.
    pub fn remove_object(&self, anchor: &str) {
        lock(&self.0).put(Anchor::new(anchor), None);
    }

    /// Another sync brings an object.
    pub fn plant_object(&self, kind: &str, anchor: &str, attributes: Attributes) {
        let object = StagedObject {
            anchor: Anchor::new(anchor),
            kind: kind.to_owned(),
            name: anchor.to_owned(),
            attributes,
        };
        lock(&self.0).put(Anchor::new(anchor), Some(object));
    }

    /// Removes a user.
    pub fn remove_user(&self, upn: &str) {
        lock(&self.0).put(Anchor::new(upn), None);
    }

    /// Makes every cursor invalid, as a token that is too old.
    pub fn expire_cursors(&self) {
        let mut table = lock(&self.0);
        table.epoch = table.epoch.saturating_add(1);
    }

    /// A second feed over the same users: deliver everything once more.
    pub fn touch(&self, upn: &str) {
        lock(&self.0).change(&Anchor::new(upn), |_| {});
    }
}

impl Source for MemoryCloud {
    fn import(
        &mut self,
        request: ImportRequest<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Cursor, ConnectorError> {
        lock(&self.0).import(request, sink)
    }

    fn url(&self) -> String {
        "memory:cloud".to_owned()
    }
}

impl ObjectTarget for MemoryCloud {
    fn put(&mut self, write: &ObjectWrite) -> Result<(), WriteError> {
        let refused = |class, code, message: &str| {
            Err(WriteError {
                class,
                code: Some(code),
                message: message.to_owned(),
            })
        };
        let mut table = lock(&self.0);
        let known = table.object(&write.anchor).cloned();
        let Some(attributes) = &write.attributes else {
            if known.is_none() {
                return refused(WriteErrorClass::Gone, 404, "no such object");
            }
            table.put(write.anchor.clone(), None);
            return Ok(());
        };
        let sid = "onPremisesSecurityIdentifier";
        if known.is_some_and(|known| known.attributes.get(sid) != attributes.get(sid)) {
            return refused(WriteErrorClass::Immutable, 409, "the SID is set once");
        }
        let object = StagedObject {
            anchor: write.anchor.clone(),
            kind: write.kind.clone(),
            name: write.anchor.to_string(),
            attributes: attributes.clone(),
        };
        table.put(write.anchor.clone(), Some(object));
        Ok(())
    }
}

/// A directory in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryDirectory(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    table: Table,
    names: BTreeMap<String, Anchor>,
    users: u32,
    protected: BTreeSet<Anchor>,
    denied: bool,
    schema_lacks: BTreeSet<String>,
    failing: u32,
    writes: u64,
}

impl MemoryDirectory {
    /// Adds a user and gives its GUID.
    pub fn add_user(&self, account: &str) -> Guid {
        let mut inner = lock(&self.0);
        inner.users = inner.users.saturating_add(1);
        let number = inner.users;
        let mut random = [0; 16];
        for (octet, from) in random.iter_mut().zip(
            u128::from(number)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C)
                .to_le_bytes(),
        ) {
            *octet = from;
        }
        let guid = Guid::v4(random);
        let sid = Sid::nt(&[21, 1, 2, 3]).with_rid(number.saturating_add(1000));
        let attributes: Attributes = [
            ("objectGUID".to_owned(), one(guid.to_bytes_le())),
            ("objectSid".to_owned(), one(sid.to_bytes())),
            ("sAMAccountName".to_owned(), one(account)),
        ]
        .into();
        let anchor = Anchor::new(guid.to_string());
        let name = format!("CN={account},OU=Users,{DOMAIN}");
        let object = StagedObject {
            anchor: anchor.clone(),
            kind: "user".to_owned(),
            name,
            attributes,
        };
        inner.names.insert(account.to_owned(), anchor.clone());
        inner.table.put(anchor, Some(object));
        guid
    }

    /// Adds a computer without a certificate.
    pub fn add_computer(&self, account: &str) -> Guid {
        let guid = self.add_user(account);
        let name = account.trim_end_matches('$').to_owned();
        self.with(account, |inner, anchor| {
            let object = inner.table.object(anchor).cloned();
            if let Some(mut object) = object {
                let dn = format!("CN={name},OU=Workstations,{DOMAIN}");
                object.kind = "computer".to_owned();
                object.attributes.extend([
                    ("cn".to_owned(), one(&name)),
                    ("distinguishedName".to_owned(), one(&dn)),
                    ("userAccountControl".to_owned(), one("4096")),
                ]);
                object.name = dn;
                inner.table.put(anchor.clone(), Some(object));
            }
        });
        guid
    }

    /// Adds the account of a read-only domain controller's key.
    pub fn add_kerberos_server(&self, name: &str, number: u16, version: u16) {
        let account = format!("krbtgt_{number}");
        self.add_user(&account);
        self.with(&account, |inner, anchor| {
            let object = inner.table.object(anchor).cloned();
            if let Some(mut object) = object {
                object.kind = "kerberosServer".to_owned();
                let dn = format!("CN={name},CN=Users,{DOMAIN}");
                object.attributes.extend([
                    ("cn".to_owned(), one(name)),
                    ("distinguishedName".to_owned(), one(&dn)),
                    (
                        "msDS-SecondaryKrbTgtNumber".to_owned(),
                        one(number.to_string()),
                    ),
                    ("msDS-KeyVersionNumber".to_owned(), one(version.to_string())),
                ]);
                object.name = dn;
                inner.table.put(anchor.clone(), Some(object));
            }
        });
    }

    /// Gives an object values of an attribute in the place of all others.
    pub fn set(&self, account: &str, attribute: &str, values: Values) {
        self.with(account, |inner, anchor| {
            inner.table.change(anchor, |a| {
                a.insert(attribute.to_owned(), values);
            });
        });
    }

    fn with(&self, account: &str, change: impl FnOnce(&mut Inner, &Anchor)) {
        let mut inner = lock(&self.0);
        if let Some(anchor) = inner.names.get(account).cloned() {
            change(&mut inner, &anchor);
        }
    }

    /// Removes a user.
    pub fn remove_user(&self, account: &str) {
        self.with(account, |inner, anchor| {
            inner.table.put(anchor.clone(), None)
        });
    }

    /// The keys of a user.
    pub fn keys(&self, account: &str) -> Values {
        let mut keys = Values::new();
        self.with(account, |inner, anchor| {
            let values = inner
                .table
                .object(anchor)
                .and_then(|object| object.attributes.get(KEYS));
            keys = values.cloned().unwrap_or_default();
        });
        keys
    }

    /// Somebody else adds a key.
    pub fn plant_key(&self, account: &str, key: impl Into<Value>) {
        let key = key.into();
        self.with(account, |inner, anchor| {
            inner.table.change(anchor, |a| {
                a.entry(KEYS.to_owned()).or_default().insert(key);
            });
        });
    }

    /// Somebody else deletes a key.
    pub fn delete_key(&self, account: &str, key: &Value) {
        self.with(account, |inner, anchor| {
            inner.table.change(anchor, |a| {
                a.entry(KEYS.to_owned()).or_default().remove(key);
            });
        });
    }

    /// AdminSDHolder protects a user, or no longer does.
    pub fn protect(&self, account: &str, protected: bool) {
        self.with(account, |inner, anchor| {
            if protected {
                inner.protected.insert(anchor.clone());
            } else {
                inner.protected.remove(anchor);
            }
        });
    }

    /// The connector account has no right, or has it again.
    pub fn deny(&self, denied: bool) {
        lock(&self.0).denied = denied;
    }

    /// The schema loses an attribute, or gets it back.
    pub fn lack(&self, attribute: &str, lacks: bool) {
        let mut inner = lock(&self.0);
        if lacks {
            inner.schema_lacks.insert(attribute.to_owned());
        } else {
            inner.schema_lacks.remove(attribute);
        }
    }

    /// The next so many writes find nobody.
    pub fn fail_next(&self, writes: u32) {
        lock(&self.0).failing = writes;
    }

    /// Values written so far.
    pub fn writes(&self) -> u64 {
        lock(&self.0).writes
    }

    /// Makes every cursor invalid, as a restored database.
    pub fn expire_cursors(&self) {
        let mut inner = lock(&self.0);
        inner.table.epoch = inner.table.epoch.saturating_add(1);
    }
}

impl Inner {
    fn permission(&self, anchor: &Anchor) -> Permission {
        if self.table.object(anchor).is_none() {
            Permission::Gone
        } else if self.protected.contains(anchor) {
            Permission::DeniedByProtection
        } else if self.denied {
            Permission::Denied
        } else {
            Permission::Granted
        }
    }

    fn write(&mut self, write: &ValueWrite) -> Result<(), WriteError> {
        let error = |class, code, message: &str| WriteError {
            class,
            code: Some(code),
            message: message.to_owned(),
        };
        if self.failing > 0 {
            self.failing = self.failing.saturating_sub(1);
            return Err(error(WriteErrorClass::Retry, 51, "busy"));
        }
        if self.schema_lacks.contains(&write.attribute) {
            return Err(error(
                WriteErrorClass::Schema,
                16,
                "00000057: LdapErr: no such attribute type",
            ));
        }
        match self.permission(&write.anchor) {
            Permission::Gone => {
                return Err(error(
                    WriteErrorClass::Gone,
                    32,
                    "0000208D: NameErr: NO_OBJECT",
                ));
            }
            Permission::Denied | Permission::DeniedByProtection => {
                let text = "00002098: SecErr: problem 4003 (INSUFF_ACCESS_RIGHTS), data 0";
                return Err(error(WriteErrorClass::Denied, 50, text));
            }
            Permission::Granted | Permission::Unknown => {}
        }
        let object = self.table.object(&write.anchor);
        let present = object
            .and_then(|o| o.attributes.get(&write.attribute))
            .cloned()
            .unwrap_or_default();
        if !write.add.is_disjoint(&present) {
            return Err(error(
                WriteErrorClass::AlreadySo,
                20,
                "00002083: ATT_OR_VALUE_EXISTS",
            ));
        }
        if !write.remove.is_subset(&present) {
            return Err(error(
                WriteErrorClass::AlreadySo,
                16,
                "00002085: NO_ATTRIBUTE_OR_VAL",
            ));
        }
        let values = write.add.len().saturating_add(write.remove.len());
        self.writes = self
            .writes
            .saturating_add(u64::try_from(values).unwrap_or(0));
        self.table.change(&write.anchor, |attributes| {
            let values = attributes.entry(write.attribute.clone()).or_default();
            values.retain(|value| !write.remove.contains(value));
            values.extend(write.add.iter().cloned());
        });
        Ok(())
    }
}

impl Source for MemoryDirectory {
    fn import(
        &mut self,
        request: ImportRequest<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Cursor, ConnectorError> {
        let inner = lock(&self.0);
        let mut kinds = request.kinds.clone();
        for attributes in kinds.0.values_mut() {
            attributes.retain(|name| !inner.schema_lacks.contains(name));
        }
        inner.table.import(
            ImportRequest {
                since: request.since,
                kinds: &kinds,
            },
            sink,
        )
    }

    fn url(&self) -> String {
        "memory:directory".to_owned()
    }
}

impl Target for MemoryDirectory {
    fn schema(&mut self, attributes: &BTreeSet<String>) -> Result<SchemaProbe, ConnectorError> {
        let inner = lock(&self.0);
        Ok(SchemaProbe {
            present: attributes
                .difference(&inner.schema_lacks)
                .cloned()
                .collect(),
            version: Some(87),
        })
    }

    fn permissions(
        &mut self,
        anchors: &[Anchor],
        _: &str,
    ) -> Result<BTreeMap<Anchor, Permission>, ConnectorError> {
        let inner = lock(&self.0);
        Ok(anchors
            .iter()
            .map(|anchor| (anchor.clone(), inner.permission(anchor)))
            .collect())
    }

    fn read(&mut self, anchor: &Anchor, attribute: &str) -> Result<Option<Values>, ConnectorError> {
        let inner = lock(&self.0);
        let object = inner.table.object(anchor);
        Ok(object.map(|object| {
            object
                .attributes
                .get(attribute)
                .cloned()
                .unwrap_or_default()
        }))
    }

    fn write(&mut self, write: &ValueWrite) -> Result<(), WriteError> {
        lock(&self.0).write(write)
    }

    fn account(&mut self) -> Result<Account, ConnectorError> {
        Ok(Account {
            dn: format!("CN=MSOL_sync,CN=Users,{DOMAIN}"),
            name: "CORP\\MSOL_sync".to_owned(),
            sid: Some(Sid::nt(&[21, 1, 2, 3, 1107])),
            domain_dn: DOMAIN.to_owned(),
            url: self.url(),
        })
    }
}
