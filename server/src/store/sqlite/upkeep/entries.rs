//! The oldest entries of a room, and how they are taken away: with their words in the index and with
//! the changes of them.

use rusqlite::{Connection, Row};

use super::Portion;
use crate::store::RoomId;
use crate::store::sqlite::index;
use crate::store::sqlite::rows::{ENTRY_BYTES, SEQ_MAX, entry_id};

/// An entry of a room.
pub(super) struct Oldest {
    pub(super) id: i64,
    /// When it was taken, in milliseconds since 1970.
    pub(super) at: u64,
    /// What it says, if it is a message.
    pub(super) text: Option<String>,
}

/// What was taken from a room.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loss {
    pub(super) messages: i64,
    pub(super) bytes: i64,
}

impl Oldest {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, at: row.get::<_, i64>(1)? as u64, text: row.get(2)? })
    }

    /// Takes it away.
    pub(super) fn remove(&self, connection: &Connection, loss: &mut Loss) -> rusqlite::Result<()> {
        // A change of something older went with it.
        let gone = connection.prepare_cached("DELETE FROM entry WHERE id = ?1")?.execute([self.id])?;
        loss.bytes += (gone * ENTRY_BYTES) as i64;
        if let Some(text) = &self.text {
            index::remove(connection, self.id, text)?;
            let changes = connection
                .prepare_cached("DELETE FROM entry WHERE kind = 1 AND target = ?1")?
                .execute([self.id])?;
            loss.messages += 1;
            loss.bytes += (changes * ENTRY_BYTES + text.len()) as i64;
        }
        Ok(())
    }
}

/// The first entries of a room, a portion at most and one at least, as long as `take` holds.
pub(super) fn oldest(
    connection: &Connection,
    room: RoomId,
    portion: Portion,
    mut take: impl FnMut(&Oldest) -> bool,
) -> rusqlite::Result<Vec<Oldest>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, at, iif(kind = 0, text, NULL) FROM entry WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3",
    )?;
    let bounds = (entry_id(room, 0), entry_id(room, SEQ_MAX), portion.rows as i64);
    let (mut found, mut bytes) = (Vec::new(), 0);
    for entry in statement.query_map(bounds, Oldest::read)? {
        let entry = entry?;
        bytes += ENTRY_BYTES + entry.text.as_ref().map_or(0, String::len);
        if (bytes > portion.bytes && !found.is_empty()) || !take(&entry) {
            break;
        }
        found.push(entry);
    }
    Ok(found)
}
