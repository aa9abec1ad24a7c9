//! What an administrator may change about the server. The numbers are AD's LDAP policies (MS-ADTS 3.1.1.3.4.6).

use std::sync::Arc;
use std::time::Duration;

use ldap::Limits;

use super::KerberosRules;
use crate::SignIns;

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The certificate, for LDAPS and StartTLS; without one neither is offered.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Lets passwords arrive in clear text from other machines as well. From loopback they always may.
    pub clear_text_binds: bool,
    /// Who counts wrong passwords and says which accounts are locked; without one no account is ever locked here.
    pub sign_ins: Option<Arc<dyn SignIns>>,
    /// Binds with tickets.
    pub kerberos: KerberosRules,
    /// MaxPageSize: most entries of one page, and of a search without pages.
    pub page_size_max: usize,
    /// MaxQueryDuration.
    pub search_time_max: Duration,
    /// MaxConnIdleTime.
    pub idle_time_max: Duration,
    /// InitRecvTimeout: until the first bind, and for the rest of a message that has begun.
    pub receive_time_max: Duration,
    /// How long a client may refuse to take what it asked for.
    pub send_time_max: Duration,
    /// MaxActiveConnections.
    pub connections_max: usize,
    /// Binds and writes at the same time, and as many long searches; others wait.
    pub jobs_max: usize,
    /// For messages of clients that have not signed in.
    pub limits_before_bind: Limits,
    /// For messages of clients that have; MaxReceiveBuffer is its length.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls: None,
            clear_text_binds: false,
            sign_ins: None,
            kerberos: KerberosRules::default(),
            page_size_max: 1000,
            search_time_max: Duration::from_secs(120),
            idle_time_max: Duration::from_secs(900),
            receive_time_max: Duration::from_secs(120),
            send_time_max: Duration::from_secs(60),
            connections_max: 5000,
            jobs_max: 64,
            limits_before_bind: Limits::before_bind(),
            limits: Limits::default(),
        }
    }
}
