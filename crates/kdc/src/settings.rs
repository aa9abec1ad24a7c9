//! What an administrator decides for a realm.

use kerberos::crypto::EncryptionType;

use crate::key_list::KeyListPolicy;

/// Settings of a KDC. [`Settings::new`] gives the values of a domain as it is installed, with RC4 off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The realm, in capitals: `CORP.CONTOSO.COM`.
    pub realm: String,
    /// The domain's NetBIOS name, which clients may give as realm, and which the PAC tells.
    pub netbios: String,
    /// This KDC's computer name, for the PAC.
    pub server: String,
    /// Maximum tolerance for computer clock synchronization.
    pub clock_skew_s: i64,
    /// Maximum lifetime for user ticket.
    pub ticket_lifetime_s: i64,
    /// Maximum lifetime for user ticket renewal.
    pub renewable_lifetime_s: i64,
    /// Encryption types of tickets and session keys, strongest first. Types that are not here are refused.
    pub encryption_types: Vec<EncryptionType>,
    /// Takes TGS requests whose authenticator has no checksum. Windows does, and impacket and ROADtools need it; RFC 4120
    /// 7.2.2 and every other KDC refuse them, because the request body is then not protected. Each use is told as an event.
    pub allow_missing_authenticator_checksum: bool,
    /// Which long-term keys are handed to holders of a read-only server's ticket (KERB-KEY-LIST); none by default.
    pub key_list: KeyListPolicy,
    /// Accounts whose `msDS-SupportedEncryptionTypes` names RC4 may use it for their own keys (CVE-2022-37966,
    /// CVE-2026-20833). Session keys never.
    pub allow_rc4: bool,
    /// Whose NT hash is put into the ticket of a sign-in by key, sealed for the client alone (MS-PAC 2.6).
    pub nt_hash_release: NtHashRelease,
    /// Sign-ins by key need a freshness token (RFC 8070), so that a signature that was made yesterday is worth nothing.
    pub require_freshness: bool,
    /// So many sign-ins by key are worked on for one source in a second, and four times as many at once.
    pub pkinit_per_source_per_s: Option<u32>,
}

/// Whose NT hash a sign-in by key hands out. It is what a password is made of: whoever has it can use NTLM for as long as
/// the password lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NtHashRelease {
    /// Nobody's.
    #[default]
    Never,
    /// Of accounts that sign in by key only (SMARTCARD_REQUIRED), whose hash belongs to no password that is typed.
    KeyOnlyAccounts,
    /// Everybody's, as Windows does, except for privileged accounts.
    Unprivileged,
}

impl Settings {
    /// The defaults of a domain: five minutes, ten hours, seven days, AES only.
    pub fn new(realm: &str, netbios: &str, server: &str) -> Self {
        Self {
            realm: realm.to_ascii_uppercase(),
            netbios: netbios.to_ascii_uppercase(),
            server: server.to_owned(),
            clock_skew_s: 300,
            ticket_lifetime_s: 10 * 3600,
            renewable_lifetime_s: 7 * 24 * 3600,
            encryption_types: vec![
                EncryptionType::AES256_CTS_HMAC_SHA1_96,
                EncryptionType::AES128_CTS_HMAC_SHA1_96,
                EncryptionType::AES256_CTS_HMAC_SHA384_192,
                EncryptionType::AES128_CTS_HMAC_SHA256_128,
            ],
            allow_missing_authenticator_checksum: false,
            key_list: KeyListPolicy::default(),
            allow_rc4: false,
            nt_hash_release: NtHashRelease::Never,
            require_freshness: false,
            pkinit_per_source_per_s: Some(100),
        }
    }

    /// Whether a client means this realm: by its name in any case, or by the NetBIOS name.
    pub fn is_own_realm(&self, realm: &str) -> bool {
        realm.eq_ignore_ascii_case(&self.realm) || realm.eq_ignore_ascii_case(&self.netbios)
    }
}
