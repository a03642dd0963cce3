//! Moves what is in the write-ahead log into the database, on a thread of its own, so that no commit
//! waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;

/// Pages in the log behind which it is worth while to move them: 4 MiB.
const ENOUGH: usize = 1_024;

/// Pages in the log at which the writer itself begins it anew: 64 MiB. While it is written to without
/// a pause, the checkpointer never finds it at rest.
const TOO_MANY: usize = 16_384;

/// The writer's view of its log.
pub(super) struct Log {
    /// How many pages there are in it, as of the last commit.
    pages: Arc<AtomicUsize>,
    /// At which number of pages to look again.
    next: usize,
    /// At which number of pages to try again to begin anew.
    restart: usize,
    wake: SyncSender<()>,
}

impl Log {
    /// Watches the log of the writer's connection. The receiver is for [`run`].
    pub(super) fn watch(connection: &mut Connection) -> rusqlite::Result<(Self, Receiver<()>)> {
        let pages = Arc::new(AtomicUsize::new(0));
        let count = pages.clone();
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "journal_size_limit", 4_096 * TOO_MANY as i64)?;
        connection.wal_hook(Some(move |_: &mut _, pages| {
            count.store(usize::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let (wake, woken) = sync_channel(1);
        Ok((Self { pages, next: ENOUGH, restart: TOO_MANY, wake }, woken))
    }

    /// Looks at the log after a commit.
    pub(super) fn committed(&mut self, connection: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < ENOUGH {
            (self.next, self.restart) = (ENOUGH, TOO_MANY);
        } else if pages >= self.restart {
            // What the checkpointer has left is moved here. A reader can stand in the way.
            match checkpoint(connection, CheckpointMode::RESTART) {
                true => (self.next, self.restart) = (ENOUGH, TOO_MANY),
                false => self.restart = pages + ENOUGH,
            }
        } else if pages >= self.next {
            self.next = pages + ENOUGH;
            self.begin_to_move();
        }
    }

    /// Has the checkpointer move what there is.
    pub(super) fn begin_to_move(&self) {
        // It is at work, if it does not take this.
        let _ = self.wake.try_send(());
    }

    /// Empties the log, so that nothing of what was in it is on the disk. Returns whether it could.
    pub(super) fn empty(&mut self, connection: &Connection) -> bool {
        checkpoint(connection, CheckpointMode::TRUNCATE)
    }
}

/// Checkpoints without waiting for anybody. Returns whether nothing was left.
fn checkpoint(connection: &Connection, mode: CheckpointMode) -> bool {
    let done = connection
        .busy_timeout(std::time::Duration::ZERO)
        .and_then(|()| connection.wal_checkpoint_v2(None::<&str>, mode));
    let _ = connection.busy_timeout(super::directory::BUSY_TIME);
    matches!(done, Ok((pages, moved)) if pages == moved)
}

/// Moves what there is whenever the writer says so, until it is gone.
pub(super) fn run(connection: &Connection, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        if let Err(error) = connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE) {
            // The log only grows; the writer will see the same fault.
            tracing::warn!(%error, "the write-ahead log was not moved into the database");
        }
    }
}
