//! The connection that writes, and those who wait for it.
//!
//! The disk makes a commit slow, not the work in it. So whoever finds others waiting leaves the transaction open for them, and
//! the last one commits for all. Each piece of work is a savepoint: it counts whole or not at all, whatever becomes of its
//! neighbours. Nobody hears of its result before the commit of them all is on disk; where that fails, it fails for each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ffi};

use crate::error::Error;

/// Pieces of work in one commit.
const MEMBERS_MAX: usize = 128;

/// The writing connection.
pub(super) struct Writer {
    seat: Mutex<Seat>,
    /// Who is about to take the seat.
    coming: AtomicUsize,
}

struct Seat {
    connection: Connection,
    /// Whose transaction is open.
    group: Option<Arc<Group>>,
    members: usize,
}

/// Those whom one commit is for.
#[derive(Default)]
struct Group {
    outcome: Mutex<Option<Outcome>>,
    is_told: Condvar,
}

type Outcome = Result<(), (ffi::Error, Option<String>)>;

impl Writer {
    pub(super) fn new(connection: Connection) -> Self {
        let seat = Seat {
            connection,
            group: None,
            members: 0,
        };
        Self {
            seat: Mutex::new(seat),
            coming: AtomicUsize::new(0),
        }
    }

    /// Runs `work` as a whole; it is on disk when this returns `Ok`, and never was otherwise.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.coming.fetch_add(1, Ordering::SeqCst);
        let mut turn = Turn {
            seat: locked(&self.seat),
            coming: &self.coming,
        };
        self.coming.fetch_sub(1, Ordering::SeqCst);
        let group = turn.seat.join()?;
        let result = turn.seat.carry_out(work);
        drop(turn);
        group.wait()?;
        result
    }
}

/// One's time in the seat. It ends with the commit, unless somebody comes who will see to it; also where the work panicked.
struct Turn<'a> {
    seat: MutexGuard<'a, Seat>,
    coming: &'a AtomicUsize,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let nobody_comes = self.coming.load(Ordering::SeqCst) == 0;
        if nobody_comes || self.seat.members >= MEMBERS_MAX || self.seat.is_lost() {
            self.seat.commit();
        }
    }
}

impl Seat {
    fn join(&mut self) -> Result<Arc<Group>, Error> {
        self.members += 1;
        if let Some(group) = &self.group {
            return Ok(Arc::clone(group));
        }
        self.members = 1;
        // The lock is taken at once: whoever only begins to write when others did since would have to start anew.
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let group = Arc::default();
        self.group = Some(Arc::clone(&group));
        Ok(group)
    }

    fn carry_out<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let savepoint = self.connection.savepoint()?;
        // Dropped without a commit it is rolled back.
        let result = work(&savepoint)?;
        savepoint.commit()?;
        Ok(result)
    }

    /// Some failures, such as a full disk, roll back more than the work that met them.
    fn is_lost(&self) -> bool {
        self.group.is_some() && self.connection.is_autocommit()
    }

    fn commit(&mut self) {
        let Some(group) = self.group.take() else {
            return;
        };
        let outcome = match self.connection.is_autocommit() {
            true => Err((ffi::Error::new(ffi::SQLITE_ABORT), None)),
            false => self.connection.execute_batch("COMMIT").map_err(plain),
        };
        if !self.connection.is_autocommit() {
            // What cannot be committed must not stay open for the next ones.
            let rolled_back = self.connection.execute_batch("ROLLBACK");
            if let Err(error) = rolled_back {
                tracing::error!(%error, "A failed transaction could not be rolled back");
            }
        }
        group.tell(outcome);
    }
}

impl Group {
    fn tell(&self, outcome: Outcome) {
        *locked(&self.outcome) = Some(outcome);
        self.is_told.notify_all();
    }

    fn wait(&self) -> Result<(), Error> {
        let mut outcome = locked(&self.outcome);
        loop {
            match &*outcome {
                Some(Ok(())) => return Ok(()),
                Some(Err((code, text))) => {
                    return Err(rusqlite::Error::SqliteFailure(*code, text.clone()).into());
                }
                None => {
                    let woken = self.is_told.wait(outcome);
                    outcome = woken.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

/// What can be told to many.
fn plain(error: rusqlite::Error) -> (ffi::Error, Option<String>) {
    match error {
        rusqlite::Error::SqliteFailure(code, text) => (code, text),
        other => (ffi::Error::new(ffi::SQLITE_ERROR), Some(other.to_string())),
    }
}

/// A thread that panicked in its work rolled it back on its way out, so the connection is sound.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    fn writer() -> Writer {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE number (value INTEGER PRIMARY KEY)")
            .unwrap();
        Writer::new(connection)
    }

    fn add(writer: &Writer, number: usize) -> Result<(), Error> {
        writer.write(|db| {
            let number = i64::try_from(number).unwrap();
            db.execute("INSERT INTO number VALUES (?1)", [number])?;
            if number % 3 == 0 {
                // Undone with all that was written before it.
                return Err(Error::Internal("no multiple of three"));
            }
            Ok(())
        })
    }

    fn count(writer: &Writer) -> i64 {
        let rows = "SELECT count(*) FROM number";
        writer
            .write(|db| Ok(db.query_row(rows, [], |row| row.get(0))?))
            .unwrap()
    }

    #[test]
    fn neighbours_in_one_commit_stand_and_fall_alone() {
        let writer = writer();
        let at_once = Barrier::new(8);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (writer, at_once) = (&writer, &at_once);
                scope.spawn(move || {
                    at_once.wait();
                    for number in 0..60 {
                        let number = thread * 60 + number;
                        assert_eq!(add(writer, number).is_ok(), number % 3 != 0);
                    }
                });
            }
        });
        assert_eq!(count(&writer), 8 * 40);
    }

    #[test]
    fn a_panic_takes_nothing_along() {
        let writer = writer();
        std::thread::scope(|scope| {
            let panics = scope.spawn(|| {
                writer.write::<()>(|db| {
                    db.execute("INSERT INTO number VALUES (100)", [])?;
                    panic!("in the middle of it");
                })
            });
            assert!(panics.join().is_err());
        });
        add(&writer, 1).unwrap();
        assert_eq!(count(&writer), 1);
    }

    #[test]
    fn a_transaction_that_was_rolled_back_underneath_is_told_to_all() {
        let writer = writer();
        // As SQLite does by itself where the disk is full.
        let lost = writer.write(|db| Ok(db.execute_batch("ROLLBACK")?));
        assert!(lost.is_err());
        add(&writer, 1).unwrap();
        assert_eq!(count(&writer), 1);
    }
}
