//! What has to be done to the database by and by: retention, the rest of removed rooms, people who do
//! not come any more, old receipts, and space that is not needed any more.
//!
//! The writer does it, in steps that are each a transaction of their own and take a few milliseconds,
//! between what it is asked for and for a bounded share of its time. A pass goes through all of it
//! about once a minute. What a crash interrupts, the next pass finds again.

mod entries;
mod receipts;
mod removal;
mod retention;
mod tidying;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

use self::receipts::Receipts;
use self::retention::Rooms;
use self::tidying::Tidying;
use super::expiries::Expiries;
use super::fault::Fault;
use super::uptime::Uptime;
use super::{Durability, SqliteOptions};
use crate::store::{Retention, Unused};

/// Between two passes.
const PASS_TIME: Duration = Duration::from_secs(60);

/// After a step, the writer is free for so many times as long as the step took: upkeep has a fifth of
/// its time while there is something else to do,
const REST: u32 = 4;

/// and half of it while there is not.
const IDLE_REST: u32 = 1;

/// What a step should take. Whoever has just sent something waits for so much longer.
const STEP_TIME: Duration = Duration::from_millis(4);

/// Rows that a step changes or looks at, at most.
const ROWS: usize = 500;

/// Bytes of entries that a step removes: at first, and within which bounds it is adapted to how fast
/// the machine is. Nearly all of the time goes into the index, from which each word is taken by itself
/// so that nothing of it stays on the disk: some 100 µs a word.
const BYTES: usize = 1024;
const BYTES_MIN: usize = 128;
const BYTES_MAX: usize = 128 * 1024;

/// Free pages that are left in the file, since what comes next needs them: 1 MiB.
const SPARE_PAGES: i64 = 256;

/// Pages that a step gives back.
const PAGES: i64 = 64;

/// The state of it.
pub(super) struct Upkeep {
    durability: Durability,
    /// Whether commits may return before they are on the disk, though they should not.
    hasty: bool,
    retention: Retention,
    fault: Arc<Fault>,
    expiries: Arc<Expiries>,
    stage: Stage,
    /// When the next step is due.
    due_at: Instant,
    /// What one step removes.
    portion: Portion,
    rooms: Rooms,
    tidying: Option<Tidying>,
    receipts: Receipts,
    uptime: Uptime,
}

/// What a pass does, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Retention,
    RemovedRooms,
    Tidying,
    Receipts,
    Space,
}

impl Stage {
    fn next(self) -> Option<Self> {
        match self {
            Self::Retention => Some(Self::RemovedRooms),
            // What tidying removes is the next pass's.
            Self::RemovedRooms => Some(Self::Tidying),
            Self::Tidying => Some(Self::Receipts),
            Self::Receipts => Some(Self::Space),
            Self::Space => None,
        }
    }
}

/// How much is removed at once.
#[derive(Clone, Copy, Debug)]
struct Portion {
    rows: usize,
    bytes: usize,
}

/// What a step has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    /// Whether there is nothing left to do of its kind.
    finished: bool,
    /// Whether words were taken away that must not be on the disk any more.
    removed: bool,
}

impl Upkeep {
    /// The first pass begins at once.
    pub(super) fn new(options: &SqliteOptions, expiries: Arc<Expiries>, uptime: Uptime) -> Self {
        let SqliteOptions { durability, retention, ref fault } = *options;
        Self {
            durability,
            hasty: false,
            retention,
            fault: fault.clone(),
            expiries,
            stage: Stage::Retention,
            due_at: Instant::now(),
            portion: Portion { rows: ROWS, bytes: BYTES },
            rooms: Rooms::default(),
            tidying: None,
            receipts: Receipts::default(),
            uptime,
        }
    }

    /// For how long servers have run on the database.
    pub(super) fn uptime(&self) -> &Uptime {
        &self.uptime
    }

    /// From now on, whoever and whatever is of no use any more is looked for.
    pub(super) fn look_for(&mut self, unused: Unused) {
        self.tidying = Some(Tidying::new(unused));
    }

    /// When there is something to do.
    pub(super) fn due_at(&self) -> Instant {
        self.due_at
    }

    /// Does the next step, after something else or after nothing. Returns whether words were taken away
    /// that must not be on the disk any more.
    pub(super) fn step(&mut self, connection: &Connection, idle: bool) -> bool {
        let began = Instant::now();
        let progress = self.without_haste(connection).unwrap_or_else(|error| {
            tracing::warn!(%error, stage = ?self.stage, "a step of upkeep has failed; the next pass tries again");
            rewind(connection);
            Progress { finished: true, removed: false }
        });
        let took = began.elapsed();
        if progress.removed {
            self.portion.adapt(took);
        }
        let mut rest = took * if idle { IDLE_REST } else { REST };
        if progress.finished {
            self.stage = self.stage.next().unwrap_or_else(|| {
                rest = self.fault.upkeep().unwrap_or(PASS_TIME);
                Stage::Retention
            });
        }
        self.due_at = Instant::now() + rest;
        progress.removed
    }

    /// Nobody waits for a step to be on the disk: if the power fails before the next job is, it is
    /// done once more.
    fn without_haste(&mut self, connection: &Connection) -> rusqlite::Result<Progress> {
        if self.durability != Durability::Full {
            return self.try_step(connection);
        }
        self.hasty = true;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let progress = self.try_step(connection);
        if progress.is_err() {
            // Within a transaction it could not be set.
            rewind(connection);
        }
        // If this fails, the writer tries again, and stores nothing before that.
        let _ = self.end_haste(connection);
        progress
    }

    /// Sees that from now on each commit is on the disk when it returns, if that was asked for.
    pub(super) fn end_haste(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.hasty {
            self.fault.end_haste()?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            self.hasty = false;
        }
        Ok(())
    }

    fn try_step(&mut self, connection: &Connection) -> rusqlite::Result<Progress> {
        let now = self.now();
        match self.stage {
            Stage::Retention if self.retention.is_off() => Ok(NOTHING),
            Stage::Retention => {
                let (progress, expiry) = self.rooms.step(connection, self.retention, now, self.portion)?;
                if let Some(expiry) = expiry {
                    self.expiries.add(expiry.room, expiry.seq);
                }
                Ok(progress)
            }
            Stage::RemovedRooms => removal::step(connection, self.portion),
            Stage::Tidying => {
                let Some(tidying) = &mut self.tidying else { return Ok(NOTHING) };
                let progress = tidying.step(connection)?;
                if progress.finished {
                    self.tidying = None;
                }
                Ok(progress)
            }
            Stage::Receipts => {
                self.uptime.save_in_time(connection)?;
                let uptime = self.uptime.now() + self.fault.clock_ahead().as_millis() as u64;
                self.receipts.step(connection, uptime)
            }
            Stage::Space => give_back_space(connection),
        }
    }

    /// Milliseconds since 1970.
    fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (since + self.fault.clock_ahead()).as_millis() as u64
    }
}

/// There is nothing to do.
const NOTHING: Progress = Progress { finished: true, removed: false };

impl Portion {
    /// A step took so long: the next ones are to take [`STEP_TIME`].
    fn adapt(&mut self, took: Duration) {
        if took > STEP_TIME {
            self.bytes = (self.bytes / 2).max(BYTES_MIN);
        } else if took < STEP_TIME / 2 {
            self.bytes = (self.bytes * 5 / 4).min(BYTES_MAX);
        }
    }
}

fn give_back_space(connection: &Connection) -> rusqlite::Result<Progress> {
    let free: i64 = connection.prepare_cached("PRAGMA freelist_count")?.query_row([], |row| row.get(0))?;
    let pages = (free - SPARE_PAGES).min(PAGES);
    if pages <= 0 {
        return Ok(NOTHING);
    }
    connection.pragma(None, "incremental_vacuum", pages, |_| Ok(()))?;
    let left: i64 = connection.prepare_cached("PRAGMA freelist_count")?.query_row([], |row| row.get(0))?;
    // A file that cannot shrink has not, and would be asked for ever.
    Ok(Progress { finished: left >= free, removed: false })
}

/// Runs a step as one transaction: all of it, or nothing.
fn transact<T>(
    connection: &Connection,
    step: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let done = step(connection)?;
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(done)
}

/// Leaves no transaction behind. After some faults SQLite has rolled back already, and after others it
/// has not.
fn rewind(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a transaction was not rolled back");
    }
}
