//! KERB_VALIDATION_INFO, MS-PAC 2.5: who the account is and which groups it is in.

use types::{Sid, Timestamp};

use super::ndr::{Reader, StringHead, Writer};
use super::{GroupAttributes, PacError, UserFlags};

/// GROUP_MEMBERSHIP, MS-PAC 2.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupMembership {
    /// The group's relative identifier in the domain.
    pub rid: u32,
    /// How the account is in it.
    pub attributes: GroupAttributes,
}

/// KERB_SID_AND_ATTRIBUTES, MS-PAC 2.2.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraSid {
    /// A group of another domain, or a well-known one.
    pub sid: Sid,
    /// How the account is in it.
    pub attributes: GroupAttributes,
}

/// The buffer LOGON_INFO. Times that are not set are 0, times that never come are `i64::MAX` ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the fields are named and explained in the specification"
)]
pub struct LogonInfo {
    pub logon_time: Timestamp,
    pub logoff_time: Timestamp,
    pub kick_off_time: Timestamp,
    pub password_last_set: Timestamp,
    pub password_can_change: Timestamp,
    pub password_must_change: Timestamp,
    pub effective_name: String,
    pub full_name: String,
    pub logon_script: String,
    pub profile_path: String,
    pub home_directory: String,
    pub home_directory_drive: String,
    pub logon_count: u16,
    pub bad_password_count: u16,
    pub user_id: u32,
    pub primary_group_id: u32,
    pub groups: Vec<GroupMembership>,
    pub user_flags: UserFlags,
    pub user_session_key: [u8; 16],
    pub logon_server: String,
    pub logon_domain_name: String,
    pub logon_domain_id: Option<Sid>,
    pub reserved1: [u32; 2],
    pub user_account_control: u32,
    pub sub_auth_status: u32,
    pub last_successful_logon: Timestamp,
    pub last_failed_logon: Timestamp,
    pub failed_logon_count: u32,
    pub reserved3: u32,
    pub extra_sids: Vec<ExtraSid>,
    pub resource_group_domain_sid: Option<Sid>,
    pub resource_groups: Vec<GroupMembership>,
}

const UNSET: Timestamp = Timestamp::from_ticks(0);
const NEVER: Timestamp = Timestamp::from_ticks(i64::MAX);

impl LogonInfo {
    /// An account that nothing else is known of; its primary group is its only one.
    pub fn new(effective_name: &str, domain: &Sid, user_id: u32, primary_group_id: u32) -> Self {
        Self {
            logon_time: UNSET,
            logoff_time: NEVER,
            kick_off_time: NEVER,
            password_last_set: UNSET,
            password_can_change: UNSET,
            password_must_change: NEVER,
            effective_name: effective_name.to_owned(),
            full_name: String::new(),
            logon_script: String::new(),
            profile_path: String::new(),
            home_directory: String::new(),
            home_directory_drive: String::new(),
            logon_count: 0,
            bad_password_count: 0,
            user_id,
            primary_group_id,
            groups: vec![GroupMembership {
                rid: primary_group_id,
                attributes: GroupAttributes::ORDINARY,
            }],
            user_flags: UserFlags::default(),
            user_session_key: [0; 16],
            logon_server: String::new(),
            logon_domain_name: String::new(),
            logon_domain_id: Some(domain.clone()),
            reserved1: [0; 2],
            user_account_control: 0x10, // USER_NORMAL_ACCOUNT, MS-SAMR 2.2.1.12
            sub_auth_status: 0,
            last_successful_logon: UNSET,
            last_failed_logon: UNSET,
            failed_logon_count: 0,
            reserved3: 0,
            extra_sids: Vec::new(),
            resource_group_domain_sid: None,
            resource_groups: Vec::new(),
        }
    }

    /// The account's own SID.
    pub fn user_sid(&self) -> Option<Sid> {
        Some(self.logon_domain_id.as_ref()?.with_rid(self.user_id))
    }

    /// Every SID of the token: the account, its groups, the extra ones, the resource groups.
    pub fn sids(&self) -> Vec<Sid> {
        let domain = self.logon_domain_id.iter();
        let groups =
            domain.flat_map(|domain| self.groups.iter().map(|group| domain.with_rid(group.rid)));
        let resource = self.resource_group_domain_sid.iter();
        let resource = resource.flat_map(|domain| {
            self.resource_groups
                .iter()
                .map(|group| domain.with_rid(group.rid))
        });
        self.user_sid()
            .into_iter()
            .chain(groups)
            .chain(self.extra_sids.iter().map(|extra| extra.sid.clone()))
            .chain(resource)
            .collect()
    }

    /// Reads the buffer.
    pub fn decode(bytes: &[u8]) -> Result<Self, PacError> {
        let mut r = Reader::new("KERB_VALIDATION_INFO", bytes)?;
        let mut info = Self::new("", &Sid::everyone(), 0, 0);
        for time in info.times_mut() {
            *time = r.time()?;
        }
        let mut heads = Vec::with_capacity(6);
        for _ in 0..6 {
            heads.push(r.string_head()?);
        }
        info.logon_count = r.u16()?;
        info.bad_password_count = r.u16()?;
        info.user_id = r.u32()?;
        info.primary_group_id = r.u32()?;
        let group_count = r.u32()?;
        let has_groups = r.pointer()?;
        info.user_flags = UserFlags(r.u32()?);
        info.user_session_key = r.bytes16()?;
        let server = r.string_head()?;
        let domain = r.string_head()?;
        let has_domain_id = r.pointer()?;
        info.reserved1 = [r.u32()?, r.u32()?];
        info.user_account_control = r.u32()?;
        info.sub_auth_status = r.u32()?;
        info.last_successful_logon = r.time()?;
        info.last_failed_logon = r.time()?;
        info.failed_logon_count = r.u32()?;
        info.reserved3 = r.u32()?;
        let extra_count = r.u32()?;
        let has_extra = r.pointer()?;
        let has_resource_domain = r.pointer()?;
        let resource_count = r.u32()?;
        let has_resource = r.pointer()?;

        info.read_names(&mut r, &heads)?;
        info.groups = groups(&mut r, group_count, has_groups)?;
        info.logon_server = r.string(server)?;
        info.logon_domain_name = r.string(domain)?;
        info.logon_domain_id = has_domain_id.then(|| r.sid()).transpose()?;
        info.extra_sids = extra_sids(&mut r, extra_count, has_extra)?;
        info.resource_group_domain_sid = has_resource_domain.then(|| r.sid()).transpose()?;
        info.resource_groups = groups(&mut r, resource_count, has_resource)?;
        Ok(info)
    }

    /// Writes the buffer.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        for time in self.times() {
            w.time(time);
        }
        for name in self.names() {
            w.string_head(name);
        }
        w.u16(self.logon_count);
        w.u16(self.bad_password_count);
        w.u32(self.user_id);
        w.u32(self.primary_group_id);
        w.count(self.groups.len());
        w.pointer(!self.groups.is_empty());
        w.u32(self.user_flags.0);
        w.raw(&self.user_session_key);
        w.string_head(&self.logon_server);
        w.string_head(&self.logon_domain_name);
        w.pointer(self.logon_domain_id.is_some());
        self.reserved1.iter().for_each(|word| w.u32(*word));
        w.u32(self.user_account_control);
        w.u32(self.sub_auth_status);
        w.time(self.last_successful_logon);
        w.time(self.last_failed_logon);
        w.u32(self.failed_logon_count);
        w.u32(self.reserved3);
        w.count(self.extra_sids.len());
        w.pointer(!self.extra_sids.is_empty());
        w.pointer(self.resource_group_domain_sid.is_some());
        w.count(self.resource_groups.len());
        w.pointer(!self.resource_groups.is_empty());

        for name in self.names() {
            w.string(name);
        }
        write_groups(&mut w, &self.groups);
        w.string(&self.logon_server);
        w.string(&self.logon_domain_name);
        self.logon_domain_id.iter().for_each(|sid| w.sid(sid));
        if !self.extra_sids.is_empty() {
            w.count(self.extra_sids.len());
            for extra in &self.extra_sids {
                w.pointer(true);
                w.u32(extra.attributes.0);
            }
            self.extra_sids.iter().for_each(|extra| w.sid(&extra.sid));
        }
        self.resource_group_domain_sid
            .iter()
            .for_each(|sid| w.sid(sid));
        write_groups(&mut w, &self.resource_groups);
        w.finish()
    }

    fn times(&self) -> [Timestamp; 6] {
        [
            self.logon_time,
            self.logoff_time,
            self.kick_off_time,
            self.password_last_set,
            self.password_can_change,
            self.password_must_change,
        ]
    }

    fn times_mut(&mut self) -> [&mut Timestamp; 6] {
        [
            &mut self.logon_time,
            &mut self.logoff_time,
            &mut self.kick_off_time,
            &mut self.password_last_set,
            &mut self.password_can_change,
            &mut self.password_must_change,
        ]
    }

    fn names(&self) -> [&str; 6] {
        [
            &self.effective_name,
            &self.full_name,
            &self.logon_script,
            &self.profile_path,
            &self.home_directory,
            &self.home_directory_drive,
        ]
    }

    fn read_names(&mut self, r: &mut Reader<'_>, heads: &[StringHead]) -> Result<(), PacError> {
        let names = [
            &mut self.effective_name,
            &mut self.full_name,
            &mut self.logon_script,
            &mut self.profile_path,
            &mut self.home_directory,
            &mut self.home_directory_drive,
        ];
        for (name, head) in names.into_iter().zip(heads) {
            *name = r.string(*head)?;
        }
        Ok(())
    }
}

fn groups(
    r: &mut Reader<'_>,
    named: u32,
    is_there: bool,
) -> Result<Vec<GroupMembership>, PacError> {
    if !is_there {
        return absent(r, named);
    }
    let count = r.count(named, 8)?;
    (0..count)
        .map(|_| {
            Ok(GroupMembership {
                rid: r.u32()?,
                attributes: GroupAttributes(r.u32()?),
            })
        })
        .collect()
}

fn extra_sids(r: &mut Reader<'_>, named: u32, is_there: bool) -> Result<Vec<ExtraSid>, PacError> {
    if !is_there {
        return absent(r, named);
    }
    let count = r.count(named, 8)?;
    let mut attributes = Vec::with_capacity(count);
    for _ in 0..count {
        if !r.pointer()? {
            return Err(r.invalid("an extra SID is null"));
        }
        attributes.push(GroupAttributes(r.u32()?));
    }
    attributes
        .into_iter()
        .map(|attributes| {
            Ok(ExtraSid {
                sid: r.sid()?,
                attributes,
            })
        })
        .collect()
}

fn absent<T>(r: &Reader<'_>, named: u32) -> Result<Vec<T>, PacError> {
    if named == 0 {
        Ok(Vec::new())
    } else {
        Err(r.invalid("an array has a length but no content"))
    }
}

fn write_groups(w: &mut Writer, groups: &[GroupMembership]) {
    if groups.is_empty() {
        return;
    }
    w.count(groups.len());
    for group in groups {
        w.u32(group.rid);
        w.u32(group.attributes.0);
    }
}
