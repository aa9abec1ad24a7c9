//! The two-letter names of well-known SIDs (MS-DTYP 2.5.1.1, table of SID tokens).

use types::Sid;

use super::Domains;

/// Where the SID of an alias comes from.
enum Source {
    /// `S-1-<authority>-<sub-authorities>`.
    Fixed(u64, &'static [u32]),
    /// A RID of the domain.
    Domain(u32),
    /// A RID of the forest's root domain.
    ForestRoot(u32),
}

use Source::{Domain, Fixed, ForestRoot};

const ALIASES: &[(&str, Source)] = &[
    ("WD", Fixed(1, &[0])),
    ("CO", Fixed(3, &[0])),
    ("CG", Fixed(3, &[1])),
    ("OW", Fixed(3, &[4])),
    ("NU", Fixed(5, &[2])),
    ("IU", Fixed(5, &[4])),
    ("SU", Fixed(5, &[6])),
    ("AN", Fixed(5, &[7])),
    ("ED", Fixed(5, &[9])),
    ("PS", Fixed(5, &[10])),
    ("AU", Fixed(5, &[11])),
    ("RC", Fixed(5, &[12])),
    ("SY", Fixed(5, &[18])),
    ("LS", Fixed(5, &[19])),
    ("NS", Fixed(5, &[20])),
    ("WR", Fixed(5, &[33])),
    ("UD", Fixed(5, &[84, 0, 0, 0, 0, 0])),
    ("BA", Fixed(5, &[32, 544])),
    ("BU", Fixed(5, &[32, 545])),
    ("BG", Fixed(5, &[32, 546])),
    ("PU", Fixed(5, &[32, 547])),
    ("AO", Fixed(5, &[32, 548])),
    ("SO", Fixed(5, &[32, 549])),
    ("PO", Fixed(5, &[32, 550])),
    ("BO", Fixed(5, &[32, 551])),
    ("RE", Fixed(5, &[32, 552])),
    ("RU", Fixed(5, &[32, 554])),
    ("RD", Fixed(5, &[32, 555])),
    ("NO", Fixed(5, &[32, 556])),
    ("MU", Fixed(5, &[32, 558])),
    ("LU", Fixed(5, &[32, 559])),
    ("IS", Fixed(5, &[32, 568])),
    ("CY", Fixed(5, &[32, 569])),
    ("ER", Fixed(5, &[32, 573])),
    ("CD", Fixed(5, &[32, 574])),
    ("RA", Fixed(5, &[32, 575])),
    ("ES", Fixed(5, &[32, 576])),
    ("MS", Fixed(5, &[32, 577])),
    ("HA", Fixed(5, &[32, 578])),
    ("AA", Fixed(5, &[32, 579])),
    ("RM", Fixed(5, &[32, 580])),
    ("AC", Fixed(15, &[2, 1])),
    ("LW", Fixed(16, &[4096])),
    ("ME", Fixed(16, &[8192])),
    ("MP", Fixed(16, &[8448])),
    ("HI", Fixed(16, &[12288])),
    ("SI", Fixed(16, &[16384])),
    ("AS", Fixed(18, &[1])),
    ("SS", Fixed(18, &[2])),
    ("LA", Domain(500)),
    ("LG", Domain(501)),
    ("DA", Domain(512)),
    ("DU", Domain(513)),
    ("DG", Domain(514)),
    ("DC", Domain(515)),
    ("DD", Domain(516)),
    ("CA", Domain(517)),
    ("PA", Domain(520)),
    ("CN", Domain(522)),
    ("AP", Domain(525)),
    ("KA", Domain(526)),
    ("RS", Domain(553)),
    ("RO", ForestRoot(498)),
    ("SA", ForestRoot(518)),
    ("EA", ForestRoot(519)),
    ("EK", ForestRoot(527)),
];

impl Source {
    fn sid(&self, domains: Domains<'_>) -> Option<Sid> {
        match *self {
            Fixed(authority, subs) => Sid::new(authority, subs),
            Domain(rid) => Some(domains.domain.with_rid(rid)),
            ForestRoot(rid) => Some(domains.forest_root.with_rid(rid)),
        }
    }

    fn is(&self, sid: &Sid, domains: Domains<'_>) -> bool {
        let in_domain = |domain: &Sid, rid: u32| {
            let subs = sid.sub_authorities();
            sid.authority() == domain.authority()
                && subs.split_last() == Some((&rid, domain.sub_authorities()))
        };
        match *self {
            Fixed(authority, subs) => sid.authority() == authority && sid.sub_authorities() == subs,
            Domain(rid) => in_domain(domains.domain, rid),
            ForestRoot(rid) => in_domain(domains.forest_root, rid),
        }
    }
}

/// The SID that two letters stand for.
pub(super) fn resolve(letters: &str, domains: Domains<'_>) -> Option<Sid> {
    ALIASES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(letters))
        .and_then(|(_, source)| source.sid(domains))
}

/// The two letters for a SID that has some.
pub(super) fn letters(sid: &Sid, domains: Domains<'_>) -> Option<&'static str> {
    ALIASES
        .iter()
        .find(|(_, source)| source.is(sid, domains))
        .map(|(name, _)| *name)
}
