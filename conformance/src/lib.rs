//! Outside judges.
