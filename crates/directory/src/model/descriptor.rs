//! Security descriptors as they are kept: once each, by number, and ready for the access check.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use security_descriptor::{CompiledDescriptor, SecurityDescriptor, TooLong};

use crate::Error;

/// A descriptor's number in this store. Numbers are never used again, so answers may be remembered by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DescriptorId(pub(crate) u64);

/// A security descriptor: its bytes, its parts, and its compiled form.
#[derive(Debug, Clone)]
pub struct Descriptor {
    bytes: Vec<u8>,
    security: SecurityDescriptor,
    compiled: CompiledDescriptor,
}

impl Descriptor {
    /// Reads the self-relative form.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let security = SecurityDescriptor::from_bytes(bytes)
            .map_err(|_| Error::damaged("a security descriptor"))?;
        let compiled = CompiledDescriptor::new(&security);
        Ok(Self {
            bytes: bytes.to_vec(),
            security,
            compiled,
        })
    }

    /// From its parts.
    pub fn from_security(security: SecurityDescriptor) -> Result<Self, TooLong> {
        let bytes = security.to_bytes()?;
        let compiled = CompiledDescriptor::new(&security);
        Ok(Self {
            bytes,
            security,
            compiled,
        })
    }

    /// The self-relative form.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its parts.
    pub fn security(&self) -> &SecurityDescriptor {
        &self.security
    }

    /// The form that the access check wants.
    pub fn compiled(&self) -> &CompiledDescriptor {
        &self.compiled
    }
}

/// Descriptors in parsed form, shared by all readers.
#[derive(Debug, Default)]
pub(crate) struct DescriptorCache(RwLock<HashMap<DescriptorId, Arc<Descriptor>>>);

/// A directory has few different descriptors; one that has more starts over now and then.
const CACHE_LENGTH_MAX: usize = 20_000;

impl DescriptorCache {
    pub(crate) fn get(&self, id: DescriptorId) -> Option<Arc<Descriptor>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    pub(crate) fn insert(&self, id: DescriptorId, descriptor: Arc<Descriptor>) {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= CACHE_LENGTH_MAX {
            map.clear();
        }
        map.insert(id, descriptor);
    }
}
