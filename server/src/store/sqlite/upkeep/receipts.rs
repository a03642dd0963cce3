//! Receipts: which label stood for which entry. They are kept while the server runs for two days, which
//! is more than the day that clients are promised, whatever becomes of the time of day.
//!
//! They are in the order of their authors and labels, since that is how they are looked up, and an
//! index of their ages would cost every message something. So they are gone through from one end to
//! the other, a part in each pass.

use rusqlite::Connection;

use super::{NOTHING, Progress, ROWS, transact};

/// How old they become at least, in milliseconds for which the server runs.
const AGE: u64 = 48 * 60 * 60 * 1_000;

/// How many a pass looks at, about: 144 million a day.
const PART: usize = 100_000;

/// Passes between the last receipt and the first.
const REST: u32 = 60;

/// How far it has come.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    /// The last one that was looked at.
    seen: (i64, String),
    /// How many were looked at in this pass.
    looked_at: usize,
    /// Passes that do nothing.
    rest: u32,
}

impl Receipts {
    /// Looks at the next ones, and takes away those that are too old.
    pub(super) fn step(&mut self, connection: &Connection, uptime: u64) -> rusqlite::Result<Progress> {
        if self.rest > 0 {
            self.rest -= 1;
            return Ok(NOTHING);
        }
        let since = uptime.saturating_sub(AGE) as i64;
        let mut statement = connection.prepare_cached(
            "SELECT author, label, uptime FROM receipt WHERE (author, label) > (?1, ?2)
             ORDER BY author, label LIMIT ?3",
        )?;
        let (author, label) = &self.seen;
        let found = statement
            .query_map((author, label, ROWS as i64), |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
        let found: Vec<((i64, String), i64)> = found.collect::<rusqlite::Result<_>>()?;
        let old = found.iter().filter(|(_, stored)| *stored < since).map(|(key, _)| key);
        if old.clone().next().is_some() {
            transact(connection, |connection| {
                let mut delete =
                    connection.prepare_cached("DELETE FROM receipt WHERE author = ?1 AND label = ?2")?;
                old.clone().try_for_each(|(author, label)| delete.execute((author, label)).map(drop))
            })?;
        }
        self.looked_at += found.len();
        if found.len() < ROWS {
            *self = Self { rest: REST, ..Self::default() };
            return Ok(NOTHING);
        }
        if let Some((key, _)) = found.into_iter().last() {
            self.seen = key;
        }
        let finished = self.looked_at >= PART;
        if finished {
            self.looked_at = 0;
        }
        Ok(Progress { finished, removed: false })
    }
}
