//! Receipts: the feed that tells detection what the sync itself wrote.

use events::Receipt;
use rusqlite::params;

use super::{State, count};
use crate::Error;

impl State {
    /// Appends a receipt and gives it its place in the feed. Belongs into the transaction that notes the outcome.
    pub(crate) fn append_receipt(&self, mut receipt: Receipt) -> Result<(), Error> {
        let id = self
            .db
            .prepare_cached("INSERT INTO receipt (json) VALUES ('')")?
            .insert([])?;
        receipt.sequence = count(id);
        let json =
            serde_json::to_string(&receipt).map_err(|e| Error::StoreDamaged(e.to_string()))?;
        let mut update = self
            .db
            .prepare_cached("UPDATE receipt SET json = ?2 WHERE sequence = ?1")?;
        update.execute(params![id, json])?;
        Ok(())
    }

    /// Receipts after a cursor (0 for all), in order. The next cursor is the last one's `sequence`.
    pub fn receipts(&self, after: u64, limit: u32) -> Result<Vec<Receipt>, Error> {
        let sql = "SELECT json FROM receipt WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";
        let mut query = self.db.prepare_cached(sql)?;
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let mut rows = query.query(params![after, limit])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let json: String = row.get(0)?;
            let receipt = serde_json::from_str(&json);
            found
                .push(receipt.map_err(|error| Error::StoreDamaged(format!("a receipt: {error}")))?);
        }
        Ok(found)
    }
}
