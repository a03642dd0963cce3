//! For how long servers have run on a database: a clock that no change of the time of day moves. It
//! stands still while no server runs, and loses what a crash leaves unsaved: about a minute.

use std::time::{Duration, Instant};

use rusqlite::Connection;

/// The clock, as it goes on since a server was started.
#[derive(Debug)]
pub(super) struct Uptime {
    before: Duration,
    started: Instant,
    /// When to write it down again.
    save_at: Instant,
}

/// Between two times of writing it down.
const SAVE_TIME: Duration = Duration::from_secs(60);

impl Uptime {
    /// Goes on where the last server has left it.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let before: i64 = connection.query_row("SELECT milliseconds FROM uptime", [], |row| row.get(0))?;
        let (before, started) = (Duration::from_millis(before.max(0) as u64), Instant::now());
        Ok(Self { before, started, save_at: started + SAVE_TIME })
    }

    /// Milliseconds.
    pub(super) fn now(&self) -> u64 {
        (self.before + self.started.elapsed()).as_millis() as u64
    }

    /// Writes down how long it was, if that is due.
    pub(super) fn save_in_time(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.save_at <= Instant::now() {
            self.save(connection)?;
            self.save_at = Instant::now() + SAVE_TIME;
        }
        Ok(())
    }

    /// Writes down how long it was.
    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.prepare_cached("UPDATE uptime SET milliseconds = ?1")?.execute([self.now() as i64])?;
        Ok(())
    }
}
