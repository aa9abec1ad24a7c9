//! impacket reads the credential cache that `tombolo signin` writes: its own reader, and `describeTicket`, unmodified.

mod device_served;

use std::process::Command;

use conformance::{Said, peers};
use device_served::Device;

/// What impacket's library finds in the cache, as its own tools would use it.
const READ: &str = "
import sys
from impacket.krb5.ccache import CCache
cache = CCache.loadFile('tickets')
realm = sys.argv[1]
found = cache.getCredential(f'krbtgt/{realm}@{realm}')
ticket = found.toTGT()
print('agreed:', cache.principal.prettyPrint().decode(), ticket['sessionKey'].enctype, len(ticket['KDC_REP']) > 0)
";

#[test]
fn it_reads_the_tickets_of_a_sign_in() {
    let device = Device::new(false);
    device.sign_in(&[]).well();
    let realm = device.house.dns_domain().to_uppercase();
    let python = |words: &[&str]| {
        let mut command = Command::new(peers::python());
        command
            .args(["-W", "ignore"])
            .args(words)
            .current_dir(device.folder.path())
            .env_remove("KRB5CCNAME");
        Said::of(&mut command, "").well()
    };
    let said = python(&["-c", READ, &realm]);
    assert!(
        said.contains(&format!("agreed: testuser@{realm} 18 True")),
        "{said}"
    );
    let script = peers::unpacked("venv/bin/describeTicket.py");
    let said = python(&[&script.display().to_string(), "tickets"]);
    for words in [
        "User Name                     : testuser",
        &format!("User Realm                    : {realm}"),
        &format!("Service Name                  : krbtgt/{realm}"),
        "aes256_cts_hmac_sha1_96",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
