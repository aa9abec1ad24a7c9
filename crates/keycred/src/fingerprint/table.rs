//! The table of writers: each has signs that must all be there.

use super::signs::{Sign, Signs};
use super::{Likely, Writer, WriterKind};

pub(super) struct Profile {
    writer: Writer,
    signs: &'static [Sign],
}

use Sign::*;

/// Every known writer. Several may fit one blob: that is the truth, not an error of the table.
pub(super) const PROFILES: [Profile; 17] = [
    Profile {
        writer: Writer::CloudSync,
        signs: &[
            SourceCloud,
            HashHolds,
            CreatedDotnetUtc,
            InfoCloudLength,
            LastLogonNever,
            DeviceV4OrZeroForFido,
        ],
    },
    Profile {
        writer: Writer::WindowsUser,
        signs: &[
            SourceAd,
            HashHolds,
            InfoZero,
            CreatedFileTime,
            LastLogonAtOrAfterCreated,
            DeviceV4,
        ],
    },
    Profile {
        writer: Writer::WindowsComputer,
        signs: &[
            SourceAd,
            HashHolds,
            UsageNgc,
            NotOnUser,
            MaterialPkcs1,
            DeviceAbsent,
            CustomAbsentOrMfaNotUsed,
        ],
    },
    Profile {
        writer: Writer::DrsWriteNgcKey,
        signs: &[
            SourceAd,
            HashHolds,
            UsageNgc,
            LastLogonAtOrAfterCreated,
            InfoAbsent,
            DeviceAbsent,
        ],
    },
    Profile {
        writer: Writer::SambaTool,
        signs: &[
            MaterialSpki,
            SourceAbsent,
            DeviceAbsent,
            InfoAbsent,
            LastLogonAbsent,
        ],
    },
    Profile {
        writer: Writer::Whisker,
        signs: &[
            SourceAd,
            HashHolds,
            UsageNgc,
            MaterialRsa1,
            InfoZero,
            CreatedFileTime,
            LastLogonEqualsCreated,
            DeviceV4,
        ],
    },
    Profile {
        writer: Writer::PassTheCert,
        signs: &[
            SourceAd,
            HashHolds,
            UsageNgc,
            MaterialRsa1,
            InfoAbsent,
            LastLogonAbsent,
            DeviceV4,
        ],
    },
    Profile {
        writer: Writer::PydsinternalsUser,
        signs: &[
            SourceAd,
            HashHolds,
            UsageNgc,
            MaterialRsa1,
            InfoZero,
            LastLogonEqualsCreated,
            DeviceNotV4,
        ],
    },
    Profile {
        writer: Writer::PydsinternalsComputer,
        signs: &[
            SourceAd,
            HashHolds,
            UsageNgc,
            MaterialRsa1,
            InfoMfaNotUsed,
            LastLogonAbsent,
            DeviceNotV4,
        ],
    },
    Profile {
        writer: Writer::Impacket012,
        signs: &[
            SourceAd,
            HashOfKeyId,
            MaterialRsa1,
            InfoZero,
            LastLogonEqualsCreated,
            CreatedYearOneEpoch,
            DeviceBigEndian,
        ],
    },
    Profile {
        writer: Writer::Certipy50,
        signs: &[
            SourceAd,
            HashOfKeyId,
            MaterialRsa1,
            InfoZero,
            LastLogonEqualsCreated,
            CreatedFileTime,
            TicksOfADouble,
            DeviceBigEndian,
        ],
    },
    Profile {
        writer: Writer::Impacket0130,
        signs: &[
            SourceAd,
            HashHolds,
            MaterialRsa1,
            InfoZero,
            LastLogonEqualsCreated,
            CreatedFileTime,
            TicksOfADouble,
            DeviceBigEndian,
        ],
    },
    Profile {
        writer: Writer::Impacket0131,
        signs: &[
            SourceAd,
            HashHolds,
            MaterialRsa1,
            InfoMfaNotUsed,
            LastLogonAbsent,
            CreatedFileTime,
            TicksOfADouble,
            DeviceBigEndian,
        ],
    },
    Profile {
        writer: Writer::BloodyAd,
        signs: &[
            SourceAd,
            HashDiffers,
            MaterialRsa1,
            InfoMfaNotUsed,
            LastLogonAbsent,
            CreatedYearOneEpoch,
            DeviceBigEndian,
        ],
    },
    Profile {
        writer: Writer::BloodyAdLegacy,
        signs: &[OnlyKeyIdAndMaterial],
    },
    Profile {
        writer: Writer::Keycred,
        signs: &[
            SourceAd,
            HashHolds,
            UsageNgc,
            InfoMfaNotUsed,
            LastLogonAbsent,
            CreatedFileTime,
            DeviceBigEndianOrAbsent,
        ],
    },
    Profile {
        writer: Writer::ForgedCloudKey,
        signs: &[SourceCloud, FileTimeUnderCloud],
    },
];

impl Profile {
    /// The reasons when every sign is there.
    pub(super) fn fit(&self, signs: &Signs<'_>) -> Option<Likely> {
        if !self.signs.iter().all(|sign| signs.has(*sign)) {
            return None;
        }
        let mut reasons: Vec<_> = self
            .signs
            .iter()
            .filter_map(|sign| sign.sentence())
            .collect();
        let is_attack = self.writer.kind() == WriterKind::Attack;
        let is_mfa_not_used = self.signs.contains(&InfoMfaNotUsed);
        if is_attack && is_mfa_not_used && signs.is_on_user() {
            reasons.push("CustomKeyInformation 01 02 without LastLogon on a user is never written by the platform");
        }
        let writes_lower_case = is_attack
            && self
                .signs
                .iter()
                .any(|s| matches!(s, DeviceNotV4 | DeviceBigEndian));
        if writes_lower_case && signs.is_lower_case() {
            reasons.push("the client sent lower-case hex, as Python tools do");
        }
        Some(Likely {
            writer: self.writer,
            reasons,
        })
    }
}
