//! The controls of one request, gathered (MS-ADTS 3.1.1.3.4.1).

use ldap::controls::{self, ExtendedDn, PagedResults, SdFlags, SearchOptions};
use ldap::diagnostic::Dsid;
use ldap::{Control, LdapResult, RequestControl, ResultCode};

use super::reply;

/// What the rootDSE offers, and nothing else: a critical control outside this list ends the operation.
pub(super) const SUPPORTED: &[&str] = &[
    controls::PAGED_RESULTS,
    controls::SD_FLAGS,
    controls::SHOW_DELETED,
    controls::SHOW_RECYCLED,
    controls::SHOW_DEACTIVATED_LINK,
    controls::EXTENDED_DN,
    controls::PERMISSIVE_MODIFY,
    controls::DOMAIN_SCOPE,
    controls::SEARCH_OPTIONS,
    controls::TREE_DELETE,
    controls::VERIFY_NAME,
    controls::LAZY_COMMIT,
    controls::BYPASS_QUOTA,
    controls::RODC_PROMOTION,
];

/// What the client asked for by controls.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) page: Option<PagedResults>,
    pub(super) descriptor_flags: Option<u32>,
    pub(super) show_deleted: bool,
    pub(super) extended_dn: Option<ExtendedDn>,
    pub(super) permissive: bool,
    pub(super) tree_delete: bool,
    pub(super) phantom_root: bool,
    pub(super) rodc_promotion: bool,
}

impl Asked {
    /// Reads them all, or says why the operation cannot be done.
    pub(super) fn read(controls: &[Control]) -> Result<Self, LdapResult> {
        let mut asked = Self::default();
        for control in controls {
            if !SUPPORTED.contains(&control.oid.as_str()) {
                if control.critical {
                    return Err(unavailable(control));
                }
                continue;
            }
            let understood = RequestControl::parse(control).map_err(|_| malformed(control))?;
            asked.take(understood);
        }
        Ok(asked)
    }

    fn take(&mut self, control: RequestControl) {
        match control {
            RequestControl::PagedResults(page) => self.page = Some(page),
            // Zero asks for everything (MS-ADTS 3.1.1.3.4.1.11).
            RequestControl::SdFlags(SdFlags(flags)) => {
                self.descriptor_flags = Some(if flags & 0xF == 0 { 0xF } else { flags & 0xF });
            }
            RequestControl::ShowDeleted | RequestControl::ShowRecycled => self.show_deleted = true,
            RequestControl::ExtendedDn(format) => self.extended_dn = Some(format),
            RequestControl::PermissiveModify => self.permissive = true,
            RequestControl::TreeDelete => self.tree_delete = true,
            RequestControl::RodcPromotion => self.rodc_promotion = true,
            RequestControl::SearchOptions(options) => {
                self.phantom_root = options.contains(SearchOptions::PHANTOM_ROOT);
            }
            // One server, which gives no referrals and has no quotas, and which always waits for the disk: these ask
            // for what is so already, or for less than what is done.
            _ => {}
        }
    }
}

fn unavailable(control: &Control) -> LdapResult {
    // The OID is the client's own text; a long one is cut before it goes back.
    let oid: String = control.oid.chars().take(64).collect();
    reply::head_refusal(
        ResultCode::UNAVAILABLE_CRITICAL_EXTENSION,
        ERROR_DS_UNSUPPORTED_CONTROL,
        Dsid::CONTROLS,
        &format!("Unavailable critical extension {oid}"),
    )
}

fn malformed(control: &Control) -> LdapResult {
    reply::head_refusal(
        ResultCode::PROTOCOL_ERROR,
        ldap::diagnostic::win32::ERROR_INVALID_PARAMETER,
        Dsid::CONTROLS,
        &format!("Error processing control {}", control.oid),
    )
}

/// ERROR_DS_NOT_SUPPORTED (MS-ERREF 2.2), which AD gives for controls it does not have.
const ERROR_DS_UNSUPPORTED_CONTROL: u32 = 0x2040;
