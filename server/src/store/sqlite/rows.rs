//! Rows and what they stand for.

use crosstalk_protocol::{Answered, Deleted, Edited, Message, Nick, Record, RoomName, Seq, Text};
use rusqlite::Row;
use rusqlite::types::Type;

use crate::store::{RoomId, StoredRoom, UserId};

/// Bits of an entry's id that are its number in its room: 34 billion. The rest is the room's number:
/// 268 million rooms.
pub(super) const SEQ_BITS: u32 = 35;

/// The highest number of an entry.
pub(super) const SEQ_MAX: Seq = (1 << SEQ_BITS) - 1;

/// The highest number of a room.
pub(super) const ROOM_MAX: u32 = (1 << (63 - SEQ_BITS)) - 1;

/// What an entry takes besides its text, roughly.
pub(super) const ENTRY_BYTES: usize = 64;

/// The kinds of entries.
pub(super) const MESSAGE: i64 = 0;
pub(super) const EDITED: i64 = 1;
pub(super) const DELETED: i64 = 2;

/// What [`record`] reads, of `entry AS e`, with the message that a change is about as `t`. Their order
/// is that of [`record`]'s columns.
macro_rules! columns {
    () => {
        "e.id, e.at, e.author, e.kind, e.nick, e.to_nick, e.action, e.edited, e.reply_seq, e.reply_nick, e.target"
    };
}
pub(super) use columns;

/// The id of an entry.
pub(super) fn entry_id(room: RoomId, seq: Seq) -> i64 {
    i64::from(room.0) << SEQ_BITS | seq.min(SEQ_MAX) as i64
}

/// The number in its room of an entry.
pub(super) fn seq_of(id: i64) -> Seq {
    id as u64 & SEQ_MAX
}

/// The room of an entry.
pub(super) fn room_of(id: i64) -> RoomId {
    RoomId((id >> SEQ_BITS) as u32)
}

/// An entry, of the columns that [`columns`] names and, behind them, its words.
pub(super) fn record(row: &Row<'_>, room: &RoomName) -> rusqlite::Result<Record> {
    let seq = seq_of(row.get(0)?);
    let at = row.get::<_, i64>(1)? as u64;
    let room = room.clone();
    let from = nick(row, 4)?;
    Ok(match row.get(3)? {
        MESSAGE => Record::Message(Message {
            room,
            seq,
            at,
            from,
            to: optional_nick(row, 5)?,
            text: text(row, 11)?,
            action: row.get(6)?,
            reply: match row.get::<_, Option<i64>>(8)? {
                Some(seq) => Some(Answered { seq: seq as u64, from: nick(row, 9)? }),
                None => None,
            },
            edited: row.get(7)?,
        }),
        EDITED => Record::Edited(Edited { room, seq, at, from, target: target(row)?, text: text(row, 11)? }),
        DELETED => Record::Deleted(Deleted { room, seq, at, from, target: target(row)? }),
        kind => return Err(rusqlite::Error::IntegralValueOutOfRange(3, kind)),
    })
}

/// The author of a row that [`record`] reads.
pub(super) fn author(row: &Row<'_>) -> rusqlite::Result<UserId> {
    Ok(UserId(row.get::<_, i64>(2)? as u64))
}

fn target(row: &Row<'_>) -> rusqlite::Result<Seq> {
    row.get(10).map(seq_of)
}

fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Text> {
    Text::clean(row.get_ref(column)?.as_str()?).map_err(|error| malformed(column, error))
}

/// A nickname.
pub(super) fn nick(row: &Row<'_>, column: usize) -> rusqlite::Result<Nick> {
    Nick::parse(row.get_ref(column)?.as_str()?).map_err(|error| malformed(column, error))
}

/// A nickname that may be absent.
pub(super) fn optional_nick(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Nick>> {
    match row.get_ref(column)?.as_str_or_null()? {
        Some(name) => Nick::parse(name).map(Some).map_err(|error| malformed(column, error)),
        None => Ok(None),
    }
}

/// The columns that [`room`] reads, of `room AS r`.
macro_rules! room_columns {
    () => {
        "r.id, r.name, r.epoch, r.last_seq, r.expired, r.user_a, r.user_b, r.ended"
    };
}
pub(super) use room_columns;

/// A room, of the columns that [`room_columns`] names.
pub(super) fn room(row: &Row<'_>) -> rusqlite::Result<StoredRoom> {
    let user =
        |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(|id| UserId(id as u64)));
    Ok(StoredRoom {
        id: RoomId(row.get(0)?),
        name: room_name(row, 1)?,
        epoch: row.get::<_, i64>(2)? as u64,
        last_seq: row.get::<_, i64>(3)? as u64,
        expired: row.get::<_, i64>(4)? as u64,
        pair: user(5)?.zip(user(6)?).map(|(a, b)| [a, b]),
        ended: row.get(7)?,
        seats: 0,
    })
}

/// A room's name.
pub(super) fn room_name(row: &Row<'_>, column: usize) -> rusqlite::Result<RoomName> {
    RoomName::parse(row.get_ref(column)?.as_str()?).map_err(|error| malformed(column, error))
}

fn malformed(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
