//! Retention: of each room, the oldest entries that are too old or too much go, and the room says up
//! to where. Numbers go on all the same.

use crosstalk_protocol::Seq;
use rusqlite::{Connection, OptionalExtension};

use super::entries::{Loss, Oldest, oldest};
use super::{NOTHING, Portion, Progress, transact};
use crate::store::sqlite::rows::{ENTRY_BYTES, SEQ_MAX, entry_id, seq_of};
use crate::store::{Expiry, Retention, RoomId};

/// Rooms that a step looks at. Each costs a look at its oldest entry.
const ROOMS: i64 = 100;

/// How far a pass has come.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    /// Rooms up to this number are as they should be.
    seen: RoomId,
}

/// What there is of a room.
struct Content {
    room: RoomId,
    messages: u64,
    bytes: u64,
    /// When the oldest entry was taken.
    oldest_at: Option<u64>,
}

impl Rooms {
    /// Takes a portion from the next room that has too much. Returns, too, what is gone.
    pub(super) fn step(
        &mut self,
        connection: &Connection,
        retention: Retention,
        now: u64,
        portion: Portion,
    ) -> rusqlite::Result<(Progress, Option<Expiry>)> {
        let rooms = next_rooms(connection, self.seen)?;
        let Some(last) = rooms.last() else {
            self.seen = RoomId::default();
            return Ok((NOTHING, None));
        };
        let last = last.room;
        let limits = Limits::of(retention, now);
        for content in rooms.into_iter().filter(|content| limits.are_exceeded_by(content)) {
            // If this fails, the next pass begins with the rooms behind it.
            self.seen = content.room;
            let taken = transact(connection, |connection| expire(connection, &content, limits, portion))?;
            if let Some(expiry) = taken {
                self.seen = RoomId(content.room.0.saturating_sub(1));
                return Ok((Progress { finished: false, removed: true }, Some(expiry)));
            }
        }
        self.seen = last;
        Ok((Progress::default(), None))
    }
}

/// What is kept, as of now.
#[derive(Clone, Copy)]
struct Limits {
    since: u64,
    messages: u64,
    bytes: u64,
}

impl Limits {
    fn of(retention: Retention, now: u64) -> Self {
        let Retention { age, messages, bytes } = retention;
        Self {
            since: age
                .map_or(0, |age| now.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))),
            messages: messages.unwrap_or(u64::MAX),
            bytes: bytes.unwrap_or(u64::MAX),
        }
    }

    fn are_exceeded_by(&self, content: &Content) -> bool {
        content.messages > self.messages
            || content.bytes > self.bytes
            || content.oldest_at.is_some_and(|at| at < self.since)
    }
}

fn next_rooms(connection: &Connection, after: RoomId) -> rusqlite::Result<Vec<Content>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, messages, bytes FROM room WHERE id > ?1 AND removed = 0 ORDER BY id LIMIT ?2",
    )?;
    let rooms = statement.query_map((after.0, ROOMS), |row| {
        let room = RoomId(row.get(0)?);
        let count = |column| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0));
        Ok(Content { room, messages: count(1)?, bytes: count(2)?, oldest_at: None })
    })?;
    let mut rooms = rooms.collect::<rusqlite::Result<Vec<_>>>()?;
    for content in &mut rooms {
        let bounds = (entry_id(content.room, 0), entry_id(content.room, SEQ_MAX));
        content.oldest_at = connection
            .prepare_cached("SELECT at FROM entry WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 1")?
            .query_row(bounds, |row| row.get::<_, i64>(0))
            .optional()?
            .map(|at| at as u64);
    }
    Ok(rooms)
}

/// Takes from the front until the room is within its limits, or a portion is gone. An entry that is
/// young enough ends what is too old, even if the clock has jumped back and older ones stand behind it.
fn expire(
    connection: &Connection,
    content: &Content,
    limits: Limits,
    portion: Portion,
) -> rusqlite::Result<Option<Expiry>> {
    let &Content { room, mut messages, mut bytes, .. } = content;
    let entries = oldest(connection, room, portion, |entry| {
        let exceeds = limits.are_exceeded_by(&Content { room, messages, bytes, oldest_at: Some(entry.at) });
        let Oldest { text, .. } = entry;
        messages = messages.saturating_sub(u64::from(text.is_some()));
        bytes = bytes.saturating_sub((ENTRY_BYTES + text.as_ref().map_or(0, String::len)) as u64);
        exceeds
    })?;
    let Some(last) = entries.last().map(|entry| seq_of(entry.id)) else { return Ok(None) };
    let mut loss = Loss::default();
    for entry in &entries {
        entry.remove(connection, &mut loss)?;
    }
    note(connection, room, last, loss)?;
    Ok(Some(Expiry { room, seq: last }))
}

fn note(connection: &Connection, room: RoomId, expired: Seq, loss: Loss) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE room SET expired = max(expired, ?2), messages = messages - ?3, bytes = bytes - ?4
             WHERE id = ?1",
        )?
        .execute((room.0, expired as i64, loss.messages, loss.bytes))?;
    Ok(())
}
