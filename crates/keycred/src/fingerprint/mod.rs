//! Who shaped this blob: platform writers and known tools, recognised by the bytes alone.
//!
//! The signs are those of `docs/keys.md`, "Writers". They raise the cost of forging and no more: an attacker who
//! copies the sync's shape has it. A verdict needs the writer's SID, the cloud's key list and the time as well.
//!
//! ```
//! use keycred::fingerprint::{Context, Writer, writers};
//! use keycred::{Draft, KeySource, KeyUsage};
//!
//! let mut draft = Draft::hashed(b"RSA1...", KeyUsage::NGC, KeySource::AD);
//! draft.device_id = Some("6f1d2c3b-9999-1111-7777-000000000001".parse()?);
//! draft.custom_key_information = Some(vec![1, 2]);
//! let blob = draft.to_blob()?;
//! let likely = writers(&blob, Context::default());
//! assert_eq!(likely[0].writer, Writer::PydsinternalsComputer);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod length;
mod signs;
mod table;

pub use length::{LengthHint, length_hint};

use crate::blob::Blob;
use signs::Signs;

/// A program, or a family of programs that write the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Writer {
    /// The cloud's sync (or ours, which writes the same).
    CloudSync,
    /// A domain-joined Windows, or its federation server, registering a user's key or device.
    WindowsUser,
    /// A Windows computer registering its own key.
    WindowsComputer,
    /// IDL_DRSWriteNgcKey (MS-DRSR 4.1.30), called by a domain controller's partner or by a tool.
    DrsWriteNgcKey,
    /// samba-tool.
    SambaTool,
    /// Whisker, KrbRelayUp, ShadowSpray and DSInternals: the same bytes as [`Writer::WindowsUser`].
    Whisker,
    /// Rubeus' cousin in C# that passes certificates.
    PassTheCert,
    /// pydsinternals for users: pywhisker before 1.0, Certipy 4, metasploit.
    PydsinternalsUser,
    /// pydsinternals 1.2.5 for computers: pywhisker 1.0 whatever the target.
    PydsinternalsComputer,
    /// impacket up to 0.12: ntlmrelayx.
    Impacket012,
    /// Certipy 5.0 on impacket 0.12.
    Certipy50,
    /// impacket 0.13.0.
    Impacket0130,
    /// impacket 0.13.1 and later, Certipy 5.1 and later.
    Impacket0131,
    /// bloodyAD since 2026.
    BloodyAd,
    /// bloodyAD before.
    BloodyAdLegacy,
    /// RedTeam Pentesting's keycred.
    Keycred,
    /// Somebody who set KeySource to AzureAD by hand.
    ForgedCloudKey,
}

/// What kind of program a writer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriterKind {
    /// Windows, its servers, the sync.
    Platform,
    /// A tool for administrators.
    Administration,
    /// A tool for attackers and testers.
    Attack,
}

/// A writer that the bytes fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likely {
    /// Who.
    pub writer: Writer,
    /// The signs that fit, in words.
    pub reasons: Vec<&'static str>,
}

/// What is known beside the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Context {
    /// The kind of object that holds the value.
    pub object: Option<ObjectKind>,
    /// Whether the hex was written in lower case. Only what a client sent shows it; directories answer in upper.
    pub lower_case_hex: Option<bool>,
}

/// The kind of object that holds a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A user.
    User,
    /// A computer.
    Computer,
    /// A registered device (`msDS-Device`).
    Device,
}

impl Writer {
    /// What kind of program this is.
    pub fn kind(self) -> WriterKind {
        match self {
            Self::CloudSync | Self::WindowsUser | Self::WindowsComputer | Self::DrsWriteNgcKey => {
                WriterKind::Platform
            }
            Self::SambaTool => WriterKind::Administration,
            _ => WriterKind::Attack,
        }
    }

    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::CloudSync => "cloud sync",
            Self::WindowsUser => "Windows or its federation server, for a user",
            Self::WindowsComputer => "Windows computer, for itself",
            Self::DrsWriteNgcKey => "IDL_DRSWriteNgcKey",
            Self::SambaTool => "samba-tool",
            Self::Whisker => "Whisker family",
            Self::PassTheCert => "PassTheCert",
            Self::PydsinternalsUser => "pydsinternals family, user mode",
            Self::PydsinternalsComputer => "pydsinternals family, computer mode",
            Self::Impacket012 => "impacket up to 0.12",
            Self::Certipy50 => "Certipy 5.0",
            Self::Impacket0130 => "impacket 0.13.0",
            Self::Impacket0131 => "impacket 0.13.1 or later, Certipy 5.1 or later",
            Self::BloodyAd => "bloodyAD",
            Self::BloodyAdLegacy => "bloodyAD before 2026",
            Self::Keycred => "keycred (Go)",
            Self::ForgedCloudKey => "forged cloud key",
        }
    }

    /// The stable word for JSON.
    pub fn id(self) -> &'static str {
        match self {
            Self::CloudSync => "cloud-sync",
            Self::WindowsUser => "windows-user",
            Self::WindowsComputer => "windows-computer",
            Self::DrsWriteNgcKey => "drs-write-ngc-key",
            Self::SambaTool => "samba-tool",
            Self::Whisker => "whisker",
            Self::PassTheCert => "pass-the-cert",
            Self::PydsinternalsUser => "pydsinternals-user",
            Self::PydsinternalsComputer => "pydsinternals-computer",
            Self::Impacket012 => "impacket-0.12",
            Self::Certipy50 => "certipy-5.0",
            Self::Impacket0130 => "impacket-0.13.0",
            Self::Impacket0131 => "impacket-0.13.1",
            Self::BloodyAd => "bloodyad",
            Self::BloodyAdLegacy => "bloodyad-legacy",
            Self::Keycred => "keycred",
            Self::ForgedCloudKey => "forged-cloud-key",
        }
    }
}

/// The writers whose every sign fits, the one with the most signs first. Empty when the shape is nobody's.
pub fn writers(blob: &Blob<'_>, context: Context) -> Vec<Likely> {
    let signs = Signs::read(&blob.credential(), context);
    let mut likely: Vec<_> = table::PROFILES
        .iter()
        .filter_map(|profile| profile.fit(&signs))
        .collect();
    likely.sort_by_key(|likely| std::cmp::Reverse(likely.reasons.len()));
    likely
}
