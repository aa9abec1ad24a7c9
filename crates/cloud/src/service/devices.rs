//! Devices: joining, listing, disabling, removing.

use cloud_api::conditional_access::ACTION_REGISTER_DEVICE;
use cloud_api::devices::{
    Device, DeviceCertificate, JoinDevice, JoinType, JoinedBy, JoinedDevice, MembershipChange,
};
use data_encoding::BASE64;
use types::Guid;

use super::conditional_access::{Proof, check_action};
use super::{Cloud, check_name};
use crate::caller::{Caller, Role};
use crate::core::device_ca::DeviceIds;
use crate::core::wrapping;
use crate::error::Error;
use crate::store::{DeviceRow, Store};

/// Devices that one user may join, as in the original.
const DEVICES_PER_USER_MAX: usize = 50;
/// BUILTIN\Administrators of the device itself.
const LOCAL_ADMINISTRATORS: &str = "S-1-5-32-544";

impl Cloud {
    /// Joins a device for the user whose session this is, and certifies its key.
    pub fn join_device(
        &self,
        caller: &Caller,
        request: &JoinDevice,
    ) -> Result<JoinedDevice, Error> {
        let Role::User(owner) = caller.role() else {
            return Err(Error::Denied {
                who: caller.to_string(),
                need: "user: a device is joined by the user who will sign in there",
            });
        };
        check_name("DeviceDisplayName", &request.device_display_name, 256)?;
        let trust_type = match request.join_type {
            JoinType::JOIN | JoinType::JOIN_NEWER => "AzureAd",
            JoinType::REGISTER => "Workplace",
            other => {
                return Err(Error::invalid(format!(
                    "JoinType {other} is not taken here; 0 and 8 join a device, 4 registers one, and a computer of the \
                     ground joins with 6 by PUT of its own device"
                )));
            }
        };
        let key = self.requested_key(&request.certificate_request)?;
        let transport_key = wrapping::transport_blob(request.transport_key.as_bytes())?;
        let now = self.now();
        let device = Device {
            id: Guid::v4(self.random()),
            display_name: request.device_display_name.clone(),
            account_enabled: true,
            is_compliant: false,
            trust_type: trust_type.to_owned(),
            registered_owner: Some(owner),
            registration_date_time: Some(now),
            on_premises_sync_enabled: false,
            on_premises_security_identifier: None,
        };
        let ids = DeviceIds {
            device: device.id,
            user: Some(owner),
            tenant: self.0.tenant_id,
        };
        let certificate = self.device_ca()?.certify(&key, &ids, now)?;
        let row = DeviceRow {
            device,
            device_key: key.spki,
            transport_key,
        };
        let upn = self.store().write(|db| {
            let user = Store::user(db, owner)?;
            if !user.account_enabled {
                return Err(Error::Disabled(owner));
            }
            check_action(db, caller, ACTION_REGISTER_DEVICE, &Proof::SESSION)?;
            if Store::count_devices(db, owner)? >= DEVICES_PER_USER_MAX {
                return Err(Error::invalid(format!(
                    "user {owner} has joined {DEVICES_PER_USER_MAX} devices already; remove one first"
                )));
            }
            if !Store::insert_device(db, &row)? {
                return Err(Error::invalid(
                    "this device key belongs to a device already; make a new one",
                ));
            }
            let detail = format!("{trust_type} '{}'", row.device.display_name);
            let id = row.device.id.to_string();
            self.tell(db, now, "joinDevice", caller, &id, &detail)?;
            Ok(user.user_principal_name)
        })?;
        Ok(JoinedDevice {
            certificate: DeviceCertificate {
                thumbprint: certificate.thumbprint,
                raw_body: BASE64.encode(&certificate.der),
            },
            user: Some(JoinedBy { upn }),
            membership_changes: vec![MembershipChange {
                local_sid: LOCAL_ADMINISTRATORS.to_owned(),
                add_sids: Vec::new(),
            }],
        })
    }

    /// All devices.
    pub fn devices(&self, caller: &Caller) -> Result<Vec<Device>, Error> {
        caller.must_administer()?;
        self.store().read(|db| Store::devices(db))
    }

    /// Enables or disables a device. A disabled one renews nothing from that moment on.
    pub fn enable_device(&self, caller: &Caller, id: Guid, enabled: bool) -> Result<(), Error> {
        caller.must_administer()?;
        let now = self.now();
        let activity = if enabled {
            "enableDevice"
        } else {
            "disableDevice"
        };
        self.store().write(|db| {
            if Store::ground_device(db, id)?.is_some() {
                Store::block_device(db, id, !enabled)?;
            } else if !Store::enable_device(db, id, enabled)? {
                return Err(no_device(id));
            }
            self.tell(db, now, activity, caller, &id.to_string(), "")
        })
    }

    /// Removes a device. Its certificate and its tokens are worth nothing from that moment on. One of the ground comes
    /// back with the next cycle of the sync, pending and enabled: to keep a computer out, disable it.
    pub fn remove_device(&self, caller: &Caller, id: Guid) -> Result<(), Error> {
        caller.must_administer()?;
        let now = self.now();
        let mark = self.random();
        self.store().write(|db| {
            let was_joined = Store::remove_device(db, id)?;
            let was_of_ground = Store::remove_ground_device(db, id)?;
            if !was_joined && !was_of_ground {
                return Err(no_device(id));
            }
            if was_of_ground {
                Store::block_device(db, id, false)?;
                Store::mark_ground(db, mark)?;
            }
            let id = id.to_string();
            self.tell(db, now, "removeDevice", caller, &id, "")
        })
    }
}

fn no_device(id: Guid) -> Error {
    Error::NotFound {
        what: "device",
        id: id.to_string(),
    }
}
