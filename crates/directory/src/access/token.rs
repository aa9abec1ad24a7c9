//! Makes the token of an account: the user, its groups transitively, and what everybody is a member of
//! (MS-ADTS 5.1.3.4).

use std::collections::HashSet;
use std::hash::Hash;

use security_descriptor::Token;
use types::Sid;

/// Deep nesting is legal; this many groups is a broken directory (AD itself refuses logon at 1,015).
const GROUPS_COUNT_MAX: usize = 4096;

/// The token of the account `user`.
///
/// `first` are the objects from which membership starts: the account, its primary group (with its SID, since that is
/// not linked), and the foreign security principals of Everyone, Authenticated Users and This Organization. `groups_of`
/// gives the security groups that have an object as a member.
pub fn token<Id: Copy + Eq + Hash>(
    user: Sid,
    primary_group: Option<Sid>,
    first: impl IntoIterator<Item = Id>,
    mut groups_of: impl FnMut(Id) -> Vec<(Id, Sid)>,
) -> Token {
    let mut sids = vec![user];
    sids.extend(primary_group);
    sids.extend(everybody());
    let mut open: Vec<Id> = first.into_iter().collect();
    let mut seen: HashSet<Id> = open.iter().copied().collect();
    while let Some(id) = open.pop() {
        for (group, sid) in groups_of(id) {
            if seen.len() < GROUPS_COUNT_MAX && seen.insert(group) {
                sids.push(sid);
                open.push(group);
            }
        }
    }
    let token = Token::new(sids);
    if token.contains(&Sid::builtin(544)) {
        token.with_all_privileges()
    } else {
        token
    }
}

/// What every signed-in account is: Everyone, Authenticated Users, This Organization.
pub(crate) fn everybody() -> [Sid; 3] {
    [Sid::everyone(), Sid::nt(&[11]), Sid::nt(&[15])]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(id: u32) -> Vec<(u32, Sid)> {
        let sid = |rid| Sid::nt(&[21, 1, rid]);
        match id {
            1104 => vec![(1200, sid(1200))],
            1200 => vec![(1201, sid(1201)), (512, sid(512))],
            // A ring must not keep us.
            1201 => vec![(1200, sid(1200))],
            512 => vec![(544, Sid::builtin(544))],
            _ => vec![],
        }
    }

    #[test]
    fn groups_are_transitive_and_administrators_have_privileges() {
        let user = Sid::nt(&[21, 1, 1104]);
        let token = token(user.clone(), None, [1104], groups);
        assert_eq!(token.user(), Some(&user));
        for sid in [
            Sid::nt(&[21, 1, 1201]),
            Sid::builtin(544),
            Sid::everyone(),
            Sid::nt(&[11]),
        ] {
            assert!(token.contains(&sid), "{sid}");
        }
        assert!(token.has_security_privilege);
    }

    #[test]
    fn an_ordinary_user_has_no_privileges() {
        let group = Sid::nt(&[21, 1, 513]);
        let token = token(Sid::nt(&[21, 1, 1105]), Some(group.clone()), [1105], groups);
        assert!(token.contains(&group) && !token.has_security_privilege);
    }
}
