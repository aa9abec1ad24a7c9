//! Who asks: a bound connection, as the directory sees it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use events::Subject;
use security_descriptor::Token;
use types::{Guid, Sid};

use crate::access::Readable;
use crate::model::DescriptorId;
use crate::schema::ClassId;

/// A bound connection. Cheap to clone; clones share what has been learnt about rights.
///
/// The token is fixed at the bind, as in AD: a change of group membership counts from the next bind on.
#[derive(Debug, Clone)]
pub struct Session {
    token: Arc<Token>,
    kind: Kind,
    subject: Arc<Subject>,
    remote: Option<Arc<str>>,
    secure: bool,
    readable: Arc<Mutex<HashMap<ReadKey, Arc<Readable>>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Anonymous,
    Account(Guid),
    System,
}

/// What an answer about reading depends on, besides the token.
type ReadKey = (DescriptorId, ClassId, bool);

/// Descriptors differ little in a directory; a session that meets more than this many starts over.
const READABLE_LENGTH_MAX: usize = 4096;

impl Session {
    /// Nobody: Everyone and Anonymous Logon.
    pub fn anonymous() -> Self {
        let token = Token::new([Sid::nt(&[7]), Sid::everyone()]);
        Self::new(
            token,
            Kind::Anonymous,
            subject(Sid::nt(&[7]), "ANONYMOUS LOGON", "NT AUTHORITY", 0x3E6),
        )
    }

    /// The directory itself; every right, and no schema rule about who writes what.
    pub fn system() -> Self {
        let system = Sid::nt(&[18]);
        let token = Token::new([
            system.clone(),
            Sid::everyone(),
            Sid::nt(&[11]),
            Sid::builtin(544),
        ])
        .with_all_privileges();
        Self::new(
            token,
            Kind::System,
            subject(system, "SYSTEM", "NT AUTHORITY", 0x3E7),
        )
    }

    /// An account. The groups in `token` are transitive.
    pub(crate) fn account(token: Token, object: Guid, subject: Subject) -> Self {
        Self::new(token, Kind::Account(object), subject)
    }

    fn new(token: Token, kind: Kind, subject: Subject) -> Self {
        Self {
            token: Arc::new(token),
            kind,
            subject: Arc::new(subject),
            remote: None,
            secure: false,
            readable: Arc::default(),
        }
    }

    /// Notes the client's address, for the audit records.
    #[must_use]
    pub fn with_remote(mut self, remote: impl Into<Arc<str>>) -> Self {
        self.remote = Some(remote.into());
        self
    }

    /// Notes that the connection is encrypted: passwords may be written.
    #[must_use]
    pub fn with_secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// The SIDs and privileges of the account.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The account, as audit records name it.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The client's address.
    pub fn remote(&self) -> Option<&str> {
        self.remote.as_deref()
    }

    /// Whether the connection is encrypted.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether nobody has signed in.
    pub fn is_anonymous(&self) -> bool {
        self.kind == Kind::Anonymous
    }

    /// Whether this is the directory itself.
    pub fn is_system(&self) -> bool {
        self.kind == Kind::System
    }

    /// `objectGUID` of the account.
    pub fn account_guid(&self) -> Option<Guid> {
        match self.kind {
            Kind::Account(guid) => Some(guid),
            Kind::Anonymous | Kind::System => None,
        }
    }

    /// The authorisation identity, as "Who am I?" answers (RFC 4532; the form is AD's, MS-ADTS 3.1.1.3.4.2.3).
    pub fn who_am_i(&self) -> String {
        match self.kind {
            Kind::Anonymous => String::new(),
            Kind::Account(_) | Kind::System => {
                format!("u:{}\\{}", self.subject.domain, self.subject.name)
            }
        }
    }

    /// The remembered answer about reading, or a new one.
    pub(crate) fn readable(&self, key: ReadKey, make: impl FnOnce() -> Readable) -> Arc<Readable> {
        // A poisoned lock only means that another reader panicked; the map is whole.
        let mut map = self
            .readable
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = map.get(&key) {
            return Arc::clone(known);
        }
        let made = Arc::new(make());
        if map.len() >= READABLE_LENGTH_MAX {
            map.clear();
        }
        map.insert(key, Arc::clone(&made));
        made
    }
}

fn subject(sid: Sid, name: &str, domain: &str, logon_id: u64) -> Subject {
    Subject {
        sid,
        name: name.to_owned(),
        domain: domain.to_owned(),
        logon_id,
    }
}
