//! One connection: opened and bound when needed, opened again when it broke.

use std::sync::Arc;

use ldap3::controls::RawControl;
use ldap3::{LdapConn, LdapConnSettings, LdapError, LdapResult, Mod, Scope};
use rustls::{ClientConfig, RootCertStore};
use types::Secret;

use super::DirectorySettings;
use super::entry::Entry;
use crate::connector::ConnectorError;
use crate::http::is_loopback;

/// Objects in one page of a search; AD allows 1,000.
const PAGE_SIZE: i32 = 500;
/// LDAP_SERVER_SHOW_DELETED_OID, MS-ADTS 3.1.1.3.4.1.14.
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";

/// A connection to one directory.
pub struct Connection {
    settings: DirectorySettings,
    tls: Arc<ClientConfig>,
    open: Option<LdapConn>,
    root: Option<RootDse>,
}

/// What the directory says of itself.
#[derive(Debug, Clone)]
pub struct RootDse {
    /// `defaultNamingContext`.
    pub domain: String,
    /// `schemaNamingContext`.
    pub schema: String,
    /// `dsServiceName`; a server without one is no AD.
    pub settings: Option<String>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("url", &self.settings.url)
            .finish_non_exhaustive()
    }
}

/// A search that asks for what every search here asks.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Where to begin.
    pub base: &'a str,
    /// How far to go.
    pub scope: Scope,
    /// RFC 4515.
    pub filter: &'a str,
    /// What to read.
    pub attributes: &'a [&'a str],
    /// Whether deleted objects are wanted as well.
    pub deleted: bool,
}

impl Connection {
    /// Prepares the connection; it is opened with the first operation.
    pub fn new(settings: DirectorySettings) -> Result<Self, ConnectorError> {
        let refused = |why: String| ConnectorError::Refused {
            url: settings.url.clone(),
            why,
        };
        let plain = settings
            .url
            .split_once("://")
            .filter(|(scheme, _)| *scheme == "ldap");
        if let Some((_, authority)) = plain
            && !settings.start_tls
            && !is_loopback(authority)
        {
            let why = "the password would travel in the clear; use ldaps:// or StartTLS (plain is for loopback)";
            return Err(refused(why.to_owned()));
        }
        let mut roots = RootCertStore::empty();
        for root in &settings.roots {
            roots
                .add(root.clone())
                .map_err(|error| refused(format!("a trusted certificate: {error}")))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refused(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            settings,
            tls: Arc::new(tls),
            open: None,
            root: None,
        })
    }

    /// The directory's address.
    pub fn url(&self) -> &str {
        &self.settings.url
    }

    /// The name that it is bound with.
    pub fn bind_name(&self) -> &str {
        &self.settings.bind_dn
    }

    pub(super) fn nonsense(&self, why: impl Into<String>) -> ConnectorError {
        ConnectorError::Nonsense {
            url: self.settings.url.clone(),
            why: why.into(),
        }
    }

    /// The open connection with its time limit set for the next operation.
    pub(super) fn ready(&mut self) -> Result<&mut LdapConn, ConnectorError> {
        let closed = self.open.as_mut().is_none_or(LdapConn::is_closed);
        if closed {
            self.open = Some(self.connect()?);
        }
        let timeout = self.settings.timeout;
        let url = &self.settings.url;
        let unavailable = || ConnectorError::Unavailable {
            url: url.clone(),
            why: "not connected".to_owned(),
        };
        let open = self.open.as_mut().ok_or_else(unavailable)?;
        open.with_timeout(timeout);
        Ok(open)
    }

    fn connect(&self) -> Result<LdapConn, ConnectorError> {
        let settings = LdapConnSettings::new()
            .set_conn_timeout(self.settings.timeout)
            .set_config(Arc::clone(&self.tls))
            .set_starttls(self.settings.start_tls);
        let mut open =
            LdapConn::with_settings(settings, &self.settings.url).map_err(|e| self.failed(e))?;
        open.with_timeout(self.settings.timeout);
        let password: &Secret<String> = &self.settings.password;
        let bound = open.simple_bind(&self.settings.bind_dn, password.expose());
        bound
            .and_then(LdapResult::success)
            .map_err(|error| match error {
                LdapError::LdapResult { result } if matches!(result.rc, 8 | 49) => {
                    ConnectorError::Refused {
                        url: self.settings.url.clone(),
                        why: format!("the bind of {}: {}", self.settings.bind_dn, told(&result)),
                    }
                }
                other => self.failed(other),
            })?;
        Ok(open)
    }

    /// Says what went wrong with an operation that is not a write.
    pub(super) fn failed(&self, error: LdapError) -> ConnectorError {
        let url = self.settings.url.clone();
        match error {
            LdapError::LdapResult { result } if matches!(result.rc, 3 | 51 | 52) => {
                ConnectorError::Unavailable {
                    url,
                    why: told(&result),
                }
            }
            LdapError::LdapResult { result } => ConnectorError::Refused {
                url,
                why: told(&result),
            },
            other => ConnectorError::Unavailable {
                url,
                why: other.to_string(),
            },
        }
    }

    /// Runs a search page by page. A connection that broke since the last operation is opened once more; one that
    /// breaks in the middle is an error, as what came so far is not all.
    pub fn search(
        &mut self,
        query: Query<'_>,
        each: &mut dyn FnMut(Entry) -> Result<(), ConnectorError>,
    ) -> Result<(), ConnectorError> {
        let started = self.search_once(query, each);
        match started {
            Err((false, ConnectorError::Unavailable { .. })) => {
                self.open = None;
                self.search_once(query, each).map_err(|(_, error)| error)
            }
            other => other.map_err(|(_, error)| error),
        }
    }

    /// Everything below `base` that the filter finds.
    pub fn find_all(
        &mut self,
        base: &str,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Vec<Entry>, ConnectorError> {
        let query = Query {
            base,
            scope: Scope::Subtree,
            filter,
            attributes,
            deleted: false,
        };
        let mut found = Vec::new();
        self.search(query, &mut |entry| {
            found.push(entry);
            Ok(())
        })?;
        Ok(found)
    }

    /// The error comes with whether any entry was handed on.
    fn search_once(
        &mut self,
        query: Query<'_>,
        each: &mut dyn FnMut(Entry) -> Result<(), ConnectorError>,
    ) -> Result<(), (bool, ConnectorError)> {
        let url = self.settings.url.clone();
        let fault = |error: LdapError| match error {
            LdapError::LdapResult { result } if matches!(result.rc, 3 | 51 | 52) => {
                ConnectorError::Unavailable {
                    url: url.clone(),
                    why: told(&result),
                }
            }
            LdapError::LdapResult { result } => ConnectorError::Refused {
                url: url.clone(),
                why: told(&result),
            },
            other => ConnectorError::Unavailable {
                url: url.clone(),
                why: other.to_string(),
            },
        };
        let open = self.ready().map_err(|error| (false, error))?;
        if query.deleted {
            open.with_controls(vec![RawControl {
                ctype: SHOW_DELETED.to_owned(),
                crit: true,
                val: None,
            }]);
        }
        let attributes: Vec<String> = query
            .attributes
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        let pages = ldap3::adapters::PagedResults::new(PAGE_SIZE);
        // A paged search of one object would be refused by some servers and is of no use.
        let stream = match query.scope {
            Scope::Base => open.streaming_search(query.base, query.scope, query.filter, attributes),
            _ => {
                open.streaming_search_with(pages, query.base, query.scope, query.filter, attributes)
            }
        };
        let mut stream = stream.map_err(|error| (false, fault(error)))?;
        let mut any = false;
        while let Some(found) = stream.next().map_err(|error| (any, fault(error)))? {
            if found.is_ref() || found.is_intermediate() {
                continue;
            }
            any = true;
            let nonsense = || ConnectorError::Nonsense {
                url: url.clone(),
                why: "an entry cannot be read".to_owned(),
            };
            let entry = Entry::decode(found).ok_or_else(|| (true, nonsense()))?;
            each(entry).map_err(|error| (true, error))?;
        }
        let result = stream.result();
        result
            .success()
            .map(drop)
            .map_err(|error| (any, fault(error)))
    }

    /// One object; `None` where it is gone.
    pub fn object(
        &mut self,
        base: &str,
        attributes: &[&str],
    ) -> Result<Option<Entry>, ConnectorError> {
        let query = Query {
            base,
            scope: Scope::Base,
            filter: "(objectClass=*)",
            attributes,
            deleted: false,
        };
        let mut found = None;
        let searched = self.search(query, &mut |entry| {
            found = Some(entry);
            Ok(())
        });
        match searched {
            Ok(()) => Ok(found),
            Err(ConnectorError::Refused { why, .. }) if why.starts_with("32 ") => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// What the directory says of itself; asked once.
    pub fn root(&mut self) -> Result<RootDse, ConnectorError> {
        if let Some(root) = &self.root {
            return Ok(root.clone());
        }
        let wanted = [
            "defaultNamingContext",
            "schemaNamingContext",
            "dsServiceName",
        ];
        let entry = self
            .object("", &wanted)?
            .ok_or_else(|| self.nonsense("it has no rootDSE"))?;
        let need = |name: &str| {
            entry.text(name).ok_or_else(|| {
                self.nonsense(format!("its rootDSE has no {name}: not an AD directory"))
            })
        };
        let root = RootDse {
            domain: need("defaultNamingContext")?,
            schema: need("schemaNamingContext")?,
            settings: entry.text("dsServiceName"),
        };
        Ok(self.root.insert(root).clone())
    }

    /// Sends a modification. It is never sent twice: nobody knows whether the first was carried out.
    pub(super) fn modify(
        &mut self,
        dn: &str,
        mods: Vec<Mod<Vec<u8>>>,
    ) -> Result<LdapResult, LdapError> {
        let open = match self.ready() {
            Ok(open) => open,
            Err(error) => return Err(std::io::Error::other(error.to_string()).into()),
        };
        open.modify(dn, mods)
    }

    /// The Who am I? operation, RFC 4532.
    pub(super) fn who_am_i(&mut self) -> Result<Option<String>, ConnectorError> {
        let open = self.ready()?;
        let answer = open
            .extended(ldap3::exop::WhoAmI)
            .and_then(ldap3::result::ExopResult::success);
        match answer {
            Ok((exop, _)) => Ok(exop.val.and_then(|octets| String::from_utf8(octets).ok())),
            // Not every server has it.
            Err(LdapError::LdapResult { .. }) => Ok(None),
            Err(other) => Err(self.failed(other)),
        }
    }
}

/// A result as `50 (insufficientAccessRights): text`.
pub(super) fn told(result: &LdapResult) -> String {
    let name = match result.rc {
        3 => "timeLimitExceeded",
        8 => "strongerAuthRequired",
        16 => "noSuchAttribute",
        17 => "undefinedAttributeType",
        19 => "constraintViolation",
        20 => "attributeOrValueExists",
        32 => "noSuchObject",
        49 => "invalidCredentials",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        64 => "namingViolation",
        65 => "objectClassViolation",
        66 => "notAllowedOnNonLeaf",
        68 => "entryAlreadyExists",
        _ => "LDAP error",
    };
    // AD ends its texts with a line feed and a zero.
    let text = result.text.trim_end_matches(['\0', '\n']);
    format!("{} ({name}): {text}", result.rc)
}
