//! Key credentials: the values of `msDS-KeyCredentialLink`, their cloud form, and what both tell.
//!
//! [`DnBinary`] is the attribute's string form, [`Blob`] the bytes inside (MS-ADTS 2.2.20), [`KeyCredential`]
//! the typed view of them, [`SearchableDeviceKey`] the cloud's JSON of the same key. The meaning of a blob is
//! decided here once, for every room. Two questions are kept apart: *can it be read* ([`Blob::decode`]) and
//! *does it conform* ([`KeyCredential::findings`]); real writers break the specification every day.
//!
//! ```
//! use keycred::{Blob, DnBinary, Draft, KeySource, KeyUsage};
//!
//! let blob = Draft::new(b"key id of the credential", b"{}", KeyUsage::FIDO, KeySource::AZURE_AD).to_blob()?;
//! let value = DnBinary::new(blob.encode(), "CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com");
//! let line = value.to_string();
//!
//! let read: DnBinary = line.parse()?;
//! let blob = Blob::decode(&read.binary)?;
//! let key = blob.credential();
//! assert_eq!(key.usage(), Some(KeyUsage::FIDO));
//! assert!(key.key_hash_check().holds());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Deliberately absent: any I/O, any clock, writing to a directory, and signing (a KDC's work).

mod blob;
mod builder;
mod credential;
mod custom_key_information;
mod dn_binary;
mod error;
pub mod findings;
pub mod fingerprint;
mod key_hash;
mod key_time;
pub mod material;
mod numbers;
mod searchable_device_key;
mod validated_write;

pub use blob::{BLOB_BYTES_MAX, Blob, Entries, Entry};
pub use builder::{BlobBuilder, Draft};
pub use credential::{DeviceIdShape, HashCheck, KeyCredential, KeyIdCheck, device_id_shape};
pub use custom_key_information::{CustomKeyInformation, ExtendedInformation};
pub use dn_binary::{DnBinary, InvalidDnBinary};
pub use error::{BuildError, Malformed};
pub use findings::{Finding, Severity};
pub use key_hash::{NotConvertible, is_keycred, with_key_hash, without_key_hash};
pub use key_time::{KeyClock, KeyTime, Reading};
pub use material::{FidoKeyMaterial, KeyMaterial, PublicKey};
pub use numbers::{CustomKeyFlags, EntryId, KeySource, KeyStrength, KeyUsage, Version, VolumeType};
pub use searchable_device_key::SearchableDeviceKey;
pub use validated_write::{NotValidated, ValidatedWriteMode, validated_write};
