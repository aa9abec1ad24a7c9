//! Extended operations that AD or its clients know (MS-ADTS 3.1.1.3.4.2).

/// StartTLS, RFC 4511 4.14.
pub const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// Who am I?, RFC 4532.
pub const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
/// Fast bind, MS-ADTS 3.1.1.3.4.2.1.
pub const FAST_BIND: &str = "1.2.840.113556.1.4.1781";
/// Notice of disconnection, RFC 4511 4.4.1; only the server sends it, with message id 0.
pub const NOTICE_OF_DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";
