//! Devices that speak for themselves: a computer of the ground joins by its synced certificate, and any device leaves by
//! the certificate that it got here.

use cloud_api::devices::{Device, DeviceCertificate, JoinType, JoinedDevice};
use cloud_api::hybrid::HybridJoin;
use data_encoding::BASE64;
use types::Guid;

use super::Cloud;
use crate::core::device_ca::{self, DeviceIds, RequestedKey};
use crate::core::hybrid::{self, NotProven};
use crate::core::wrapping;
use crate::error::Error;
use crate::store::{About, DeviceRow, SERVER_AD, Store};

impl Cloud {
    /// Joins a computer of the ground, or joins it anew: the device then has another key, and no token of before works.
    pub fn join_hybrid(&self, id: Guid, request: &HybridJoin) -> Result<JoinedDevice, Error> {
        if request.join_type != JoinType::HYBRID {
            return Err(Error::invalid(format!(
                "JoinType {} is not taken here; a computer of the ground joins with 6",
                request.join_type
            )));
        }
        let known = self.store().read(|db| Store::ground_device(db, id))?;
        let known = known.ok_or_else(|| Error::NotFound {
            what: "device; the sync has not brought it, so try again after its next cycle:",
            id: id.to_string(),
        })?;
        let now = self.now();
        let data = &request.server_ad_join_data;
        let refused = |why: NotProven| {
            let about = About {
                device: Some(id),
                ..About::default()
            };
            let text = why.to_string();
            let told = self
                .store()
                .write(|db| self.tell_sign_in(db, now, "refuseHybridJoin", about, &text));
            told.err().unwrap_or(Error::NotProven(why))
        };
        let proven =
            hybrid::check_proof(id, &known, &data.client_identity, now).map_err(refused)?;
        if !known.account_enabled {
            return Err(Error::DeviceDisabled(id));
        }
        let key = self.requested_key(&request.certificate_request)?;
        let transport_key = wrapping::transport_blob(data.transport_key.as_bytes())?;
        let ids = DeviceIds {
            device: id,
            user: None,
            tenant: self.0.tenant_id,
        };
        let certificate = self.device_ca()?.certify(&key, &ids, now)?;
        let row = DeviceRow {
            device: Device {
                id,
                display_name: known.display_name.clone(),
                account_enabled: true,
                is_compliant: false,
                trust_type: SERVER_AD.to_owned(),
                registered_owner: None,
                registration_date_time: Some(now),
                on_premises_sync_enabled: true,
                on_premises_security_identifier: Some(
                    known.on_premises_security_identifier.clone(),
                ),
            },
            device_key: key.spki,
            transport_key,
        };
        let taken = self.store().write(|db| {
            // What the sync said may have changed since it was read.
            if Store::ground_device(db, id)?.as_ref() != Some(&known) {
                return Err(Error::invalid(
                    "the device was changed meanwhile; try again",
                ));
            }
            if !Store::use_hybrid_proof(db, &proven.hash, proven.ends, now)? {
                return Ok(false);
            }
            Store::remove_device(db, id)?;
            if !Store::insert_device(db, &row)? {
                return Err(Error::invalid(
                    "this device key belongs to another device; make a new one",
                ));
            }
            let about = About {
                device: Some(id),
                ..About::default()
            };
            let detail = format!("{SERVER_AD} '{}'", row.device.display_name);
            self.tell_sign_in(db, now, "joinDevice", about, &detail)?;
            Ok(true)
        })?;
        if !taken {
            return Err(refused(NotProven::Used));
        }
        Ok(JoinedDevice {
            certificate: DeviceCertificate {
                thumbprint: certificate.thumbprint,
                raw_body: BASE64.encode(&certificate.der),
            },
            user: None,
            membership_changes: Vec::new(),
        })
    }

    /// A device leaves. `certificate` is what its end of the connection proved to have the key of.
    pub fn leave(&self, id: Guid, certificate: &[u8]) -> Result<(), Error> {
        let (named, key) = device_ca::certified(certificate).ok_or(Error::NotTheDevice)?;
        let now = self.now();
        let mark = self.random();
        self.store().write(|db| {
            let device = Store::device(db, id)?.ok_or(Error::NotTheDevice)?;
            if named != id || device.device_key != key {
                return Err(Error::NotTheDevice);
            }
            Store::remove_device(db, id)?;
            if device.device.on_premises_sync_enabled {
                // It is pending again: the computer is still on the ground.
                Store::mark_ground(db, mark)?;
            }
            let about = About {
                device: Some(id),
                ..About::default()
            };
            self.tell_sign_in(db, now, "leaveDevice", about, "")
        })
    }

    /// Reads a device's certificate request, and takes the nonce where there is one in it.
    pub(super) fn requested_key(
        &self,
        request: &cloud_api::devices::CertificateRequest,
    ) -> Result<RequestedKey, Error> {
        if !request.kind.eq_ignore_ascii_case("pkcs10") {
            return Err(Error::invalid(
                "the certificate request must be of type pkcs10",
            ));
        }
        let key = RequestedKey::of_request(request.data.as_bytes())?;
        if let Some(nonce) = &key.nonce
            && !self.0.nonces.take(nonce, self.now())
        {
            return Err(Error::invalid(
                "the nonce in the certificate request is used, stale or strange; ask for a new one",
            ));
        }
        Ok(key)
    }
}
