//! security-descriptor
