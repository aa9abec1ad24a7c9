//! Who wrote, and whether that account writes such things.

use super::case::Case;
use crate::reason::{self, Reason};
use crate::{Act, Connector};

pub(super) fn reasons(case: &Case<'_>) -> Vec<Reason> {
    if let Some(connector) = case.connector() {
        return by_connector(case, &connector);
    }
    let sighting = case.sighting;
    let who = case.writer_name();
    if case.is_by_registrar() && !sighting.is_computer() {
        let sentence = format!("{who} is a registration service of the baseline");
        return vec![reason::WRITER_IS_REGISTRAR.because(sentence)];
    }
    // Who is SYSTEM on a domain controller needs no key. Whether the note of a key's last use is audited at all is
    // not publicly documented.
    if case.is_by_system() {
        let sentence = "the domain controller itself wrote; it rewrites a key to note its last use";
        return vec![reason::WRITER_IS_SYSTEM.because(sentence)];
    }
    let mut reasons = Vec::new();
    if sighting.is_computer() {
        if sighting.is_self_write() {
            reasons.push(reason::SELF_WRITE.because(format!("{who} wrote to itself")));
            return reasons;
        }
        if sighting.act == Act::Added {
            reasons.push(reason::COMPUTER_WRITTEN_BY_OTHER.because(format!(
                "{who} wrote a key to the computer {}; only a computer itself does that",
                sighting.object.dn
            )));
        }
    } else if sighting.is_self_write() && sighting.act != Act::Deleted {
        let sentence = format!("{who} wrote a key to itself, which no default access right allows");
        reasons.push(reason::USER_WROTE_ITSELF.because(sentence));
    }
    if case.baseline.has_writers() {
        reasons.push(reason::WRITER_NOT_IN_BASELINE.because(format!(
            "{who} is neither a connector nor a registration service of the baseline"
        )));
    }
    reasons
}

fn by_connector(case: &Case<'_>, connector: &Connector) -> Vec<Reason> {
    let who = case.writer_name();
    let sighting = case.sighting;
    let elsewhere = sighting.writer.remote.as_ref().filter(|remote| {
        !connector.addresses.is_empty()
            && !connector
                .addresses
                .iter()
                .any(|known| is_address(remote, known))
    });
    let mut reasons = vec![match elsewhere {
        Some(remote) => reason::WRITER_FROM_OTHER_HOST.because(format!(
            "{who} came from {remote}, and the connector runs at {}",
            connector.addresses.join(", ")
        )),
        None => {
            reason::WRITER_IS_CONNECTOR.because(format!("{who} is a connector of the baseline"))
        }
    }];
    if sighting.act == Act::Added && sighting.object.class.is_some() && !sighting.is_user() {
        let class = sighting.object.class.as_deref().unwrap_or_default();
        reasons.push(reason::CONNECTOR_OUT_OF_SCOPE.because(format!(
            "the connector {who} wrote to a {class}, and the sync writes to users alone"
        )));
    }
    reasons
}

/// `10.0.0.5:50123`, `[::1]:50123` and `10.0.0.5` are the same host.
fn is_address(remote: &str, known: &str) -> bool {
    let host = |text: &str| -> String {
        let with_port = text
            .parse::<std::net::SocketAddr>()
            .map(|address| address.ip());
        with_port
            .or_else(|_| text.parse())
            .map_or_else(|_| text.to_owned(), |ip| ip.to_string())
    };
    host(remote) == host(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_ports() {
        assert!(is_address("10.0.0.5:50123", "10.0.0.5"));
        assert!(is_address("[::1]:50123", "::1"));
        assert!(!is_address("10.0.0.50", "10.0.0.5"));
    }
}
