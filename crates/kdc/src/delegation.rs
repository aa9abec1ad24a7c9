//! Which service may come to which in a user's name (MS-SFU 3.2.5.2): by a list that the first one's account has, or
//! by a security descriptor that the second one's account has.

use security_descriptor::{AccessMask, SecurityDescriptor, Token, check};
use types::Sid;

use crate::accounts::Account;

/// By what right a name is carried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `msDS-AllowedToDelegateTo` of the service that asks.
    Constrained,
    /// `msDS-AllowedToActOnBehalfOfOtherIdentity` of the service that is asked for.
    ResourceBased,
}

/// Whether the asker's list has the target's name.
pub(crate) fn is_listed(asker: &Account, target: &str) -> bool {
    let mut listed = asker.allowed_to_delegate_to.iter();
    listed.any(|name| name.eq_ignore_ascii_case(target))
}

/// Whether the target lets the asker come in the names of others.
pub(crate) fn is_let_in(asker: &Account, target: &Account) -> bool {
    let descriptor = target.allowed_to_act.as_deref();
    let Some(Ok(descriptor)) = descriptor.map(SecurityDescriptor::from_bytes) else {
        return false;
    };
    // A descriptor without a DACL lets everybody do everything. Whoever wrote none here has not thought of that.
    if descriptor.effective_dacl().is_none() {
        return false;
    }
    let itself = Some(&target.sid);
    check(
        &descriptor,
        &token(asker),
        itself,
        AccessMask::CONTROL_ACCESS,
        &[],
    )
}

fn token(asker: &Account) -> Token {
    let primary = asker
        .sid
        .domain()
        .map(|domain| domain.with_rid(asker.primary_group));
    // Everyone, Authenticated Users, and the identity that a KDC vouches for.
    let everybody = [Sid::new(1, &[0]), Sid::new(5, &[11]), Sid::new(18, &[1])];
    let own = std::iter::once(asker.sid.clone());
    let groups = asker.groups.iter().cloned().chain(primary);
    Token::new(own.chain(groups).chain(everybody.into_iter().flatten()))
}

#[cfg(test)]
mod tests {
    use security_descriptor::Domains;
    use types::SeededEntropy;

    use super::*;
    use crate::accounts::AccountKind;
    use crate::memory::MemoryAccounts;

    fn accounts() -> (Account, Account) {
        let domain = Sid::nt(&[21, 1, 2, 3]);
        let realm = "CORP.CONTOSO.COM";
        let accounts = MemoryAccounts::new(realm, domain, &mut SeededEntropy::new(1)).unwrap();
        let web = accounts.draft("WEB$", AccountKind::Computer, 1104);
        let data = accounts.draft("DATA$", AccountKind::Computer, 1105);
        (web, data)
    }

    #[test]
    fn the_list_names_services() {
        let (mut web, _) = accounts();
        assert!(!is_listed(&web, "cifs/data"));
        web.allowed_to_delegate_to = vec!["CIFS/data".to_owned()];
        assert!(is_listed(&web, "cifs/DATA"));
        assert!(!is_listed(&web, "cifs/data.corp.contoso.com"));
    }

    #[test]
    fn the_descriptor_lets_in_by_account_and_group() {
        let domain = Sid::nt(&[21, 1, 2, 3]);
        for (sddl, expect) in [
            (
                "O:BAD:(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;S-1-5-21-1-2-3-1104)",
                true,
            ),
            ("O:BAD:(A;;CR;;;S-1-5-21-1-2-3-1104)", true),
            // By its primary group, Domain Computers; by a group; by everybody's.
            ("O:BAD:(A;;CR;;;S-1-5-21-1-2-3-515)", true),
            ("O:BAD:(A;;CR;;;S-1-5-21-1-2-3-2000)", true),
            ("O:BAD:(A;;CR;;;AU)", true),
            // Somebody else, another right, denied first, for children only, nobody, no DACL.
            ("O:BAD:(A;;CR;;;S-1-5-21-1-2-3-1105)", false),
            ("O:BAD:(A;;RPWP;;;S-1-5-21-1-2-3-1104)", false),
            (
                "O:BAD:(D;;CR;;;S-1-5-21-1-2-3-2000)(A;;CR;;;S-1-5-21-1-2-3-1104)",
                false,
            ),
            ("O:BAD:(A;CIIO;CR;;;S-1-5-21-1-2-3-1104)", false),
            ("O:BAD:", false),
            ("O:BA", false),
            // The owner's implicit rights are not enough.
            ("O:S-1-5-21-1-2-3-1104D:", false),
        ] {
            let (mut web, mut data) = accounts();
            web.groups.push(domain.with_rid(2000));
            let descriptor = SecurityDescriptor::from_sddl(sddl, Domains::single(&domain)).unwrap();
            data.allowed_to_act = Some(descriptor.to_bytes().unwrap());
            assert_eq!(is_let_in(&web, &data), expect, "{sddl}");
        }
        let (web, mut data) = accounts();
        assert!(!is_let_in(&web, &data), "no descriptor");
        data.allowed_to_act = Some(vec![1, 0, 4]);
        assert!(!is_let_in(&web, &data), "no descriptor that can be read");
    }
}
