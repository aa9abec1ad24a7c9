//! The rows: what people want to do, and what is publicly known of how the original system does it.

/// Something that people want to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// A name that stays the same from version to version.
    pub id: &'static str,
    /// What it belongs to.
    pub group: &'static str,
    /// In words.
    pub title: &'static str,
    /// What the public record says of the original system, and where.
    pub record: &'static str,
    /// Whether that record answers the row's question; where it does not, the row shows what ours does.
    pub is_documented: bool,
}

const fn row(
    id: &'static str,
    group: &'static str,
    title: &'static str,
    record: &'static str,
) -> Row {
    Row {
        id,
        group,
        title,
        record,
        is_documented: true,
    }
}

const fn unknown(
    id: &'static str,
    group: &'static str,
    title: &'static str,
    record: &'static str,
) -> Row {
    Row {
        is_documented: false,
        ..row(id, group, title, record)
    }
}

const DEVICE: &str = "the device";
const TICKETS: &str = "tickets of the domain";
const SAME: &str = "NTLM in the same session";
const ANEW: &str = "NTLM after signing in anew";
const OTHERS: &str = "other ways";
const AFTER: &str = "afterwards";
const KERBEROS: &str =
    "ordinary Kerberos (RFC 4120 3.3); 10 hours and 7 days are a domain's policy as installed";
const IN_SESSION: &str = "the hash comes with a key list request (MS-KILE 2.2.11); how long a session keeps it is not publicly documented";
const AFTER_UNLOCK: &str = "whether the hash survives into a cached session is not publicly documented; shown is ours, by its policy";

/// The rows, in the order of a day.
pub const ROWS: [Row; 16] = [
    unknown(
        "device",
        DEVICE,
        "sign in with the security key",
        "cached sign-in needs hmac-secret and a first sign-in online (hybrid FIDO2 FAQ; page on compatible keys); for how long it opens is not publicly documented",
    ),
    row(
        "service",
        TICKETS,
        "a service whose ticket is at hand",
        KERBEROS,
    ),
    row(
        "tgt",
        TICKETS,
        "the TGT of the sign-in, not renewed",
        KERBEROS,
    ),
    row(
        "new-service",
        TICKETS,
        "a ticket for a new service",
        KERBEROS,
    ),
    row("renewal", TICKETS, "renewing the TGT", KERBEROS),
    row(
        "fresh-tgt",
        TICKETS,
        "a fresh TGT",
        "a partial TGT comes with a refresh of the PRT, and from nowhere else (hybrid FIDO2 FAQ)",
    ),
    unknown("ntlm-session-never", SAME, "hash: never", IN_SESSION),
    unknown("ntlm-session-session", SAME, "hash: session", IN_SESSION),
    unknown("ntlm-session-sealed", SAME, "hash: sealed", IN_SESSION),
    unknown("ntlm-anew-never", ANEW, "hash: never", AFTER_UNLOCK),
    unknown("ntlm-anew-session", ANEW, "hash: session", AFTER_UNLOCK),
    unknown("ntlm-anew-sealed", ANEW, "hash: sealed", AFTER_UNLOCK),
    row(
        "cloud",
        OTHERS,
        "a resource of the cloud",
        "a PRT lives for 14 days, and the cloud alone gives tokens for it (MS-OAPXBC 3.2.5.1.3)",
    ),
    row(
        "key-trust",
        OTHERS,
        "key trust (NGC key) at the domain",
        "PKINIT with the domain controller alone (MS-PKCA, MS-KILE)",
    ),
    row(
        "password",
        OTHERS,
        "password at the domain",
        "Kerberos with the domain controller alone (RFC 4120 3.1)",
    ),
    row(
        "back",
        AFTER,
        "all is back: a fresh TGT, no touch",
        "the PRT is refreshed in the background, and a partial TGT comes with it (hybrid FIDO2 FAQ)",
    ),
];
