//! Descriptors that are not the default of their class, in SDDL (Windows Server 2016 and later).

use security_descriptor::{Domains, SecurityDescriptor};

use super::{Generation, Plan};
use crate::Error;
use crate::schema::Schema;

/// Key Admins and Enterprise Key Admins may write keys, of whatever is below: no inherited class is named.
const KEY_ADMINS: &str = "(OA;CI;RPWP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;KA)";
const ENTERPRISE_KEY_ADMINS: &str = "(OA;CI;RPWP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;EK)";
/// What operation 87 wrote by mistake, and operation 89 took away again.
const OPERATION_87: &str = "(A;CI;RPWPCRLCLOCCDCRCWDWOSDDTSW;;;EK)";

/// AdminSDHolder: no inheritance, no Key Admins, no connector account. Readers keep what they have elsewhere.
const ADMIN_SD_HOLDER: &str = "O:DAG:DAD:PAI\
    (OA;;RP;4c164200-20c0-11d0-a768-00aa006e0529;4828cc14-1437-45bc-9b07-ad6f015e5f28;RU)\
    (OA;;RP;4c164200-20c0-11d0-a768-00aa006e0529;bf967aba-0de6-11d0-a285-00aa003049e2;RU)\
    (OA;;RP;5f202010-79a5-11d0-9020-00c04fc2d4cf;4828cc14-1437-45bc-9b07-ad6f015e5f28;RU)\
    (OA;;RP;5f202010-79a5-11d0-9020-00c04fc2d4cf;bf967aba-0de6-11d0-a285-00aa003049e2;RU)\
    (OA;;RP;bc0ac240-79a9-11d0-9020-00c04fc2d4cf;4828cc14-1437-45bc-9b07-ad6f015e5f28;RU)\
    (OA;;RP;bc0ac240-79a9-11d0-9020-00c04fc2d4cf;bf967aba-0de6-11d0-a285-00aa003049e2;RU)\
    (OA;;RP;59ba2f42-79a2-11d0-9020-00c04fc2d3cf;4828cc14-1437-45bc-9b07-ad6f015e5f28;RU)\
    (OA;;RP;59ba2f42-79a2-11d0-9020-00c04fc2d3cf;bf967aba-0de6-11d0-a285-00aa003049e2;RU)\
    (OA;;RP;037088f8-0ae1-11d2-b422-00a0c968f939;4828cc14-1437-45bc-9b07-ad6f015e5f28;RU)\
    (OA;;RP;037088f8-0ae1-11d2-b422-00a0c968f939;bf967aba-0de6-11d0-a285-00aa003049e2;RU)\
    (OA;;RPWP;bf967a7f-0de6-11d0-a285-00aa003049e2;;CA)\
    (OA;;RP;46a9b11d-60ae-405a-b7e8-ff8a58d456d2;;S-1-5-32-560)\
    (OA;;RPWP;6db69a1c-9422-11d1-aebd-0000f80367c1;;S-1-5-32-561)\
    (OA;;RPWP;5805bc62-bdc9-4428-a5e2-856a0f4c185e;;S-1-5-32-561)\
    (OA;;RPLCLORC;;4828cc14-1437-45bc-9b07-ad6f015e5f28;RU)\
    (OA;;RPLCLORC;;bf967aba-0de6-11d0-a285-00aa003049e2;RU)\
    (OA;;CR;ab721a53-1e2f-11d0-9819-00aa0040529b;;WD)\
    (OA;;CR;ab721a53-1e2f-11d0-9819-00aa0040529b;;PS)\
    (OA;CI;RPWPCR;91e647de-d96f-4b70-9557-d63ff4f3ccd8;;PS)\
    (A;;CCDCLCSWRPWPLOCRRCWDWO;;;DA)\
    (A;;CCDCLCSWRPWPLOCRRCWDWO;;;EA)\
    (A;;CCDCLCSWRPWPLOCRSDRCWDWO;;;BA)\
    (A;;LCRPLORC;;;AU)\
    (A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)\
    S:AI(AU;SA;WPWDWO;;;WD)";

/// Account and print operators work in CN=Users and CN=Computers.
const USERS: &str = "D:\
    (A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)(A;;CCDCLCSWRPWPLOCRRCWDWO;;;DA)\
    (OA;;CCDC;bf967aba-0de6-11d0-a285-00aa003049e2;;AO)(OA;;CCDC;4828cc14-1437-45bc-9b07-ad6f015e5f28;;AO)\
    (OA;;CCDC;bf967a9c-0de6-11d0-a285-00aa003049e2;;AO)(OA;;CCDC;bf967aa8-0de6-11d0-a285-00aa003049e2;;PO)\
    (A;;RPLCLORC;;;AU)";
const COMPUTERS: &str = "D:\
    (A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)(A;;CCDCLCSWRPWPLOCRRCWDWO;;;DA)\
    (OA;;CCDC;bf967a86-0de6-11d0-a285-00aa003049e2;;AO)(OA;;CCDC;bf967aba-0de6-11d0-a285-00aa003049e2;;AO)\
    (OA;;CCDC;4828cc14-1437-45bc-9b07-ad6f015e5f28;;AO)(OA;;CCDC;bf967a9c-0de6-11d0-a285-00aa003049e2;;AO)\
    (OA;;CCDC;bf967aa8-0de6-11d0-a285-00aa003049e2;;PO)(A;;RPLCLORC;;;AU)";
/// CN=Keys belongs to the key administrators.
const KEYS: &str = "D:\
    (A;CI;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;KA)(A;CI;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;EK)\
    (A;CI;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;DD)(A;CI;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)\
    (A;CI;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;DA)(A;CI;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;EA)(A;;RPLCLORC;;;AU)";

/// Replication rights of the two forest-wide naming contexts, and their administrators.
const FOREST_HEAD: &str = "O:EAG:EAD:\
    (OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;ED)(OA;;CR;1131f6ab-9c07-11d1-f79f-00c04fc2dcd2;;ED)\
    (OA;;CR;1131f6ac-9c07-11d1-f79f-00c04fc2dcd2;;ED)(OA;;CR;1131f6ad-9c07-11d1-f79f-00c04fc2dcd2;;DD)\
    (OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;BA)(OA;;CR;1131f6ab-9c07-11d1-f79f-00c04fc2dcd2;;BA)\
    (OA;;CR;1131f6ac-9c07-11d1-f79f-00c04fc2dcd2;;BA)(OA;;CR;1131f6ad-9c07-11d1-f79f-00c04fc2dcd2;;BA)\
    (A;;RPLCLORC;;;AU)(A;CI;RPWPCRLCLOCCDCRCWDWOSDDTSW;;;EA)(A;;RPWPCRLCLOCCDCRCWDWOSDDTSW;;;SY)";

/// Which object a descriptor is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    DomainHead,
    ConfigurationHead,
    SchemaHead,
    AdminSdHolder,
    Users,
    Computers,
    Keys,
}

/// The descriptor of `place` as bytes of `nTSecurityDescriptor`.
pub(super) fn of(place: Place, schema: &Schema, plan: &Plan) -> Result<Vec<u8>, Error> {
    let text = match place {
        Place::DomainHead => domain_head(schema, plan.generation),
        Place::ConfigurationHead => {
            format!("{FOREST_HEAD}(A;CIIO;RPWPCRLCLOCCRCWDWOSDSW;;;DA)S:(AU;SA;WPWDWO;;;WD)")
        }
        Place::SchemaHead => {
            format!(
                "{FOREST_HEAD}(A;CI;RPWPCRLCLOCCRCWDWOSW;;;SA)S:(AU;CISA;WPCCDCWDWOSDDTSW;;;WD)"
            )
        }
        Place::AdminSdHolder => ADMIN_SD_HOLDER.to_owned(),
        Place::Users => USERS.to_owned(),
        Place::Computers => COMPUTERS.to_owned(),
        Place::Keys => KEYS.to_owned(),
    };
    sddl(&text, plan)
}

fn sddl(text: &str, plan: &Plan) -> Result<Vec<u8>, Error> {
    let damaged = |why: String| Error::damaged(format!("a default descriptor: {why}"));
    SecurityDescriptor::from_sddl(text, Domains::single(&plan.domain_sid))
        .map_err(|why| damaged(why.to_string()))?
        .to_bytes()
        .map_err(|why| damaged(why.to_string()))
}

/// The published default of `domainDNS` with what domain preparation adds.
fn domain_head(schema: &Schema, generation: Generation) -> String {
    let default = schema
        .class("domainDNS")
        .map(|class| class.default_descriptor)
        .unwrap_or_default()
        .replace("S-1-5-21-2063560558-3296776465-833389195-498", "RO");
    let (dacl, sacl) = default.split_once("S:").unwrap_or((&default, ""));
    let keys = match (schema.level(), generation) {
        (crate::schema::SchemaLevel::WindowsServer2012R2, _) => String::new(),
        (_, Generation::Current) => format!("{KEY_ADMINS}{ENTERPRISE_KEY_ADMINS}"),
        (_, Generation::Server2016Rtm) => format!("{KEY_ADMINS}{OPERATION_87}"),
    };
    format!("O:BAG:BA{dacl}{keys}S:{sacl}")
}
