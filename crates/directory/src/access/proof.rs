//! What the access check leaves behind: without it nothing is committed.

/// A draft that the access check has let through. Only this module's parent makes one.
#[derive(Debug)]
pub struct Authorized<T>(T);

impl<T> Authorized<T> {
    /// Only for the decisions in `access`.
    pub(super) fn new(draft: T) -> Self {
        Self(draft)
    }

    /// The draft.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// The draft, to be carried out.
    pub fn into_inner(self) -> T {
        self.0
    }
}
