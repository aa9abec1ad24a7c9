//! keycred
