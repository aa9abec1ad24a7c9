//! The configuration: partitions, the one server, services, and the names of rights (MS-ADTS 6.1.1.2).

use types::Dn;

use super::Plan;
use super::domain::LEVEL_2016;
use super::object::{cn, object};
use crate::Operation;
use crate::access::rights::EXTENDED_RIGHTS;

/// FLAG_DISALLOW_DELETE | FLAG_CONFIG_ALLOW_RENAME and so on do not matter here; this forbids deletion.
const NO_DELETE: &str = "-2147483648";

/// LDAP policies (MS-ADTS 3.1.1.3.4.6): those a client can meet.
const ADMIN_LIMITS: [&str; 12] = [
    "MaxValRange=1500",
    "MaxReceiveBuffer=10485760",
    "MaxDatagramRecv=4096",
    "MaxPoolThreads=4",
    "MaxResultSetSize=262144",
    "MaxTempTableSize=10000",
    "MaxQueryDuration=120",
    "MaxPageSize=1000",
    "MaxNotificationPerConn=5",
    "MaxActiveQueries=20",
    "MaxConnIdleTime=900",
    "InitRecvTimeout=120",
];

pub(super) fn objects(list: &mut Vec<Operation>, plan: &Plan) {
    partitions(list, plan);
    sites(list, plan);
    services(list, plan);
    extended_rights(list, plan);
}

fn partitions(list: &mut Vec<Operation>, plan: &Plan) {
    let partitions = cn(&plan.configuration_dn(), "Partitions");
    list.push(Operation::Add(
        object(partitions.clone(), "crossRefContainer")
            .with("systemFlags", [NO_DELETE])
            .with("msDS-Behavior-Version", [LEVEL_2016]),
    ));
    // FLAG_CR_NTDS_NC, and FLAG_CR_NTDS_DOMAIN for the domain (MS-ADTS 6.1.1.2.1.1.1).
    let cross_reference = |name: &str, naming_context: Dn, flags: &str| {
        object(cn(&partitions, name), "crossRef")
            .with("nCName", [naming_context.to_string()])
            .with("dnsRoot", [plan.dns_domain.as_str()])
            .with("systemFlags", [flags])
    };
    list.extend(
        [
            cross_reference(&plan.netbios_domain, plan.domain_dn(), "3")
                .with("nETBIOSName", [plan.netbios_domain.as_str()])
                .with("msDS-Behavior-Version", [LEVEL_2016]),
            cross_reference("Enterprise Configuration", plan.configuration_dn(), "1"),
            cross_reference("Enterprise Schema", plan.schema_dn(), "1"),
        ]
        .map(Operation::Add),
    );
}

fn sites(list: &mut Vec<Operation>, plan: &Plan) {
    let sites = cn(&plan.configuration_dn(), "Sites");
    let site = cn(&sites, &plan.site);
    let naming_contexts = [plan.domain_dn(), plan.configuration_dn(), plan.schema_dn()];
    let settings = object(plan.ntds_settings_dn(), "nTDSDSA")
        .with("options", ["1"])
        .with("msDS-Behavior-Version", [LEVEL_2016])
        .with("dMDLocation", [plan.schema_dn().to_string()])
        .with("msDS-HasDomainNCs", [plan.domain_dn().to_string()])
        .with(
            "hasMasterNCs",
            naming_contexts.each_ref().map(Dn::to_string),
        )
        .with(
            "msDS-hasMasterNCs",
            naming_contexts.each_ref().map(Dn::to_string),
        );
    list.extend(
        [
            object(sites, "sitesContainer").with("systemFlags", [NO_DELETE]),
            object(site.clone(), "site"),
            object(cn(&site, "Servers"), "serversContainer"),
            object(plan.server_dn(), "server").with("dNSHostName", [plan.server_dns_name()]),
            settings,
        ]
        .map(Operation::Add),
    );
}

fn services(list: &mut Vec<Operation>, plan: &Plan) {
    let services = cn(&plan.configuration_dn(), "Services");
    let windows = cn(&services, "Windows NT");
    let directory_service = cn(&windows, "Directory Service");
    let policies = cn(&directory_service, "Query-Policies");
    list.extend(
        [
            object(services, "container").with("systemFlags", [NO_DELETE]),
            object(windows, "container"),
            object(directory_service, "nTDSService")
                .with("tombstoneLifetime", ["180"])
                .with("sPNMappings", [HOST_ALIASES]),
            object(policies.clone(), "container"),
            object(cn(&policies, "Default Query Policy"), "queryPolicy")
                .with("lDAPAdminLimits", ADMIN_LIMITS),
        ]
        .map(Operation::Add),
    );
}

fn extended_rights(list: &mut Vec<Operation>, plan: &Plan) {
    let container = cn(&plan.configuration_dn(), "Extended-Rights");
    list.push(Operation::Add(
        object(container.clone(), "container").with("systemFlags", [NO_DELETE]),
    ));
    for right in EXTENDED_RIGHTS {
        list.push(Operation::Add(
            object(cn(&container, right.cn), "controlAccessRight")
                .with("displayName", [right.display_name])
                .with("rightsGuid", [right.guid.to_string()])
                .with("validAccesses", [right.valid_accesses.to_string()])
                .with(
                    "appliesTo",
                    right.applies_to.iter().map(ToString::to_string),
                ),
        ));
    }
}

/// The service classes that a computer's `HOST` name stands for, as a new forest has them.
const HOST_ALIASES: &str = "host=alerter,appmgmt,cisvc,clipsrv,browser,dhcp,dnscache,replicator,eventlog,eventsystem,\
policyagent,oakley,dmserver,dns,mcsvc,fax,msiserver,ias,messenger,netlogon,netman,netdde,netddedsm,nmagent,plugplay,\
protectedstorage,rasman,rpclocator,rpc,rpcss,remoteaccess,rsvp,samss,scardsvr,scesrv,seclogon,scm,dcom,cifs,spooler,\
snmp,schedule,tapisrv,trksvr,trkwks,ups,time,wins,www,http,w3svc,iisadmin,msdtc";
