//! Rooms that are gone for everybody: their entries are taken away, and in the end the room itself.
//! Its number is not given again.

use rusqlite::{Connection, OptionalExtension};

use super::entries::{Loss, oldest};
use super::{NOTHING, Portion, Progress, transact};
use crate::store::RoomId;

/// Takes away a portion of one of them.
pub(super) fn step(connection: &Connection, portion: Portion) -> rusqlite::Result<Progress> {
    let room = connection
        .prepare_cached("SELECT id FROM room WHERE removed = 1 LIMIT 1")?
        .query_row([], |row| row.get(0).map(RoomId))
        .optional()?;
    let Some(room) = room else { return Ok(NOTHING) };
    transact(connection, |connection| {
        let entries = oldest(connection, room, portion, |_| true)?;
        // Nobody asks any more how much there is.
        let mut loss = Loss::default();
        for entry in &entries {
            entry.remove(connection, &mut loss)?;
        }
        if entries.is_empty() {
            connection.prepare_cached("DELETE FROM room WHERE id = ?1")?.execute([room.0])?;
        }
        Ok(Progress { finished: false, removed: !entries.is_empty() })
    })
}
