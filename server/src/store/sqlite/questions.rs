//! What is asked of the database. Each question has a bound, and needs no more than a few pages.

use crosstalk_protocol::{HistoryRange, Message, Nick, Record, RoomName, Seq};
use rusqlite::{Connection, OptionalExtension, Row};

use super::rows::{
    SEQ_BITS, SEQ_MAX, author, columns, entry_id, nick, optional_nick, record, room, room_columns, room_name,
    seq_of,
};
use crate::store::{
    Authored, Hits, Page, Partner, RoomId, RoomKey, StoredRoom, StoredSeat, StoredUser, TokenHash, UserId,
};

/// How many of the newest entries are looked at for somebody's last message.
const LOOK_BACK: i64 = 10_000;

/// Every public room.
pub(super) fn rooms(connection: &Connection) -> rusqlite::Result<Vec<StoredRoom>> {
    connection
        .prepare_cached(concat!(
            "SELECT ",
            room_columns!(),
            ", (SELECT count(*) FROM seat WHERE seat.room = r.id)
             FROM room AS r WHERE removed = 0 AND name NOT LIKE '@%'"
        ))?
        .query_map([], |row| Ok(StoredRoom { seats: row.get::<_, i64>(8)? as usize, ..room(row)? }))?
        .collect()
}

/// The highest number that a room has ever had.
pub(super) fn last_room(connection: &Connection) -> rusqlite::Result<RoomId> {
    let number = connection
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'room'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(RoomId(number.unwrap_or(0)))
}

/// Whoever has that token. Asked within a transaction, so that both statements see the same state.
pub(super) fn user(connection: &Connection, token: TokenHash) -> rusqlite::Result<Option<StoredUser>> {
    let found = connection
        .prepare_cached("SELECT id, nick, hidden FROM user WHERE token = ?1")?
        .query_row([token.0], |row| Ok((row.get::<_, i64>(0)?, nick(row, 1)?, row.get(2)?)))
        .optional()?;
    let Some((id, nick, hidden)) = found else { return Ok(None) };
    let seats = seats(connection, id)?;
    Ok(Some(StoredUser { id: UserId(id as u64), nick, hidden, seats }))
}

fn seats(connection: &Connection, user: i64) -> rusqlite::Result<Vec<StoredSeat>> {
    connection
        .prepare_cached(concat!(
            "SELECT ",
            room_columns!(),
            ", s.read, iif(r.user_a = ?1, r.user_b, r.user_a), u.nick
             FROM seat AS s JOIN room AS r ON r.id = s.room AND r.removed = 0
             LEFT JOIN user AS u ON u.id = iif(r.user_a = ?1, r.user_b, r.user_a)
             WHERE s.user = ?1 ORDER BY s.place"
        ))?
        .query_map([user], |row| {
            let room = room(row)?;
            let with = match row.get::<_, Option<i64>>(9)? {
                None => None,
                Some(id) => match optional_nick(row, 10)? {
                    Some(nick) => Some(Partner { id: UserId(id as u64), nick, returns: true }),
                    None => passed_by(connection, room.id, id)?,
                },
            };
            Ok(StoredSeat { room, read: row.get::<_, i64>(8)? as u64, with })
        })?
        .collect()
}

/// Where the entry is that a label stands for.
pub(super) fn labelled(
    connection: &Connection,
    author: UserId,
    label: &str,
) -> rusqlite::Result<Option<(RoomName, Seq)>> {
    connection
        .prepare_cached(
            "SELECT r.name, p.entry FROM receipt AS p JOIN room AS r ON r.id = p.entry >> ?3
             WHERE p.author = ?1 AND p.label = ?2",
        )?
        .query_row((author.0 as i64, label, SEQ_BITS), |row| Ok((room_name(row, 0)?, seq_of(row.get(1)?))))
        .optional()
}

/// Somebody who is not known any more, by what they wrote or were written last.
fn passed_by(connection: &Connection, room: RoomId, user: i64) -> rusqlite::Result<Option<Partner>> {
    let bounds = (entry_id(room, 0), entry_id(room, SEQ_MAX), user);
    let nick = connection
        .prepare_cached(
            "SELECT iif(author = ?3, nick, to_nick) FROM entry
             WHERE id BETWEEN ?1 AND ?2 AND kind = 0 ORDER BY id DESC LIMIT 1",
        )?
        .query_row(bounds, |row| optional_nick(row, 0))
        .optional()?
        .flatten();
    Ok(nick.map(|nick| Partner { id: UserId(user as u64), nick, returns: false }))
}

/// Part of a room's log. The words of a change are those that its message has now; a change of what
/// is there no longer has none, and is left out.
macro_rules! log {
    ($messages:literal, $order:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            ", coalesce(e.text, t.text) FROM entry AS e LEFT JOIN entry AS t ON e.kind = 1 AND t.id = e.target
             WHERE e.id BETWEEN ?1 AND ?2 AND ",
            $messages,
            " ORDER BY e.id ",
            $order,
            " LIMIT ?3"
        )
    };
}

/// At most `limit` entries of a room, oldest first.
pub(super) fn records(
    connection: &Connection,
    key: &RoomKey,
    range: HistoryRange,
    limit: usize,
) -> rusqlite::Result<Page> {
    let (oldest, newest) =
        (log!("(e.kind <> 1 OR t.id IS NOT NULL)", "ASC"), log!("(e.kind <> 1 OR t.id IS NOT NULL)", "DESC"));
    // What is said to be gone has to be what is missing.
    let transaction = connection.unchecked_transaction()?;
    let expired = transaction
        .prepare_cached("SELECT expired FROM room WHERE id = ?1")?
        .query_row([key.id.0], |row| row.get::<_, i64>(0))
        .optional()?;
    let records = page(&transaction, key, range, limit, [oldest, newest], |row| record(row, &key.name))?;
    Ok(Page { records, expired: expired.unwrap_or(0) as u64 })
}

/// The messages alone.
pub(super) fn messages(
    connection: &Connection,
    key: &RoomKey,
    range: HistoryRange,
    limit: usize,
) -> rusqlite::Result<Vec<Message>> {
    let statements = [log!("e.kind = 0", "ASC"), log!("e.kind = 0", "DESC")];
    page(connection, key, range, limit, statements, |row| message(row, key))
}

fn page<T>(
    connection: &Connection,
    key: &RoomKey,
    range: HistoryRange,
    limit: usize,
    [oldest, newest]: [&str; 2],
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let (statement, first, last) = match range {
        HistoryRange::Latest => (newest, 0, SEQ_MAX),
        HistoryRange::Before(before) => match before.checked_sub(1) {
            Some(last) => (newest, 0, last),
            None => return Ok(Vec::new()),
        },
        HistoryRange::After(after) if after >= SEQ_MAX => return Ok(Vec::new()),
        HistoryRange::After(after) => (oldest, after + 1, SEQ_MAX),
    };
    let bounds = (entry_id(key.id, first), entry_id(key.id, last), limit as i64);
    let mut rows: Vec<T> =
        connection.prepare_cached(statement)?.query_map(bounds, read)?.collect::<Result<_, _>>()?;
    if !matches!(range, HistoryRange::After(_)) {
        rows.reverse();
    }
    Ok(rows)
}

/// One message.
pub(super) fn one(connection: &Connection, key: &RoomKey, seq: Seq) -> rusqlite::Result<Option<Authored>> {
    if seq > SEQ_MAX {
        return Ok(None);
    }
    let id = entry_id(key.id, seq);
    connection
        .prepare_cached(log!("e.kind = 0", ""))?
        .query_row((id, id, 1), |row| authored(row, key))
        .optional()
}

/// By whom a message is.
pub(super) enum Author {
    Nick(Nick),
    User(UserId),
}

/// The newest message of somebody among the newest entries of a room.
pub(super) fn last_of(
    connection: &Connection,
    key: &RoomKey,
    by: &Author,
) -> rusqlite::Result<Option<Authored>> {
    let mut statement = connection.prepare_cached(log!("e.kind = 0", "DESC"))?;
    let mut rows = statement.query((entry_id(key.id, 0), entry_id(key.id, SEQ_MAX), LOOK_BACK))?;
    while let Some(row) = rows.next()? {
        let theirs = match by {
            Author::User(user) => author(row)? == *user,
            Author::Nick(wanted) => {
                let name = row.get_ref(4)?.as_str()?;
                // To parse each would take most of the time.
                if name.is_ascii() && wanted.as_str().is_ascii() {
                    name.eq_ignore_ascii_case(wanted.as_str())
                } else {
                    nick(row, 4)? == *wanted
                }
            }
        };
        if theirs {
            return authored(row, key).map(Some);
        }
    }
    Ok(None)
}

/// How many messages stand behind `after`, `max` at most.
pub(super) fn unread(
    connection: &Connection,
    room: RoomId,
    after: Seq,
    max: usize,
) -> rusqlite::Result<usize> {
    let bounds = (entry_id(room, after), entry_id(room, SEQ_MAX), max as i64);
    connection
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM entry WHERE id > ?1 AND id <= ?2 AND kind = 0 LIMIT ?3)",
        )?
        .query_row(bounds, |row| row.get::<_, i64>(0))
        .map(|count| count as usize)
}

/// At most `limit` messages that the index finds, the newest of those before `before`.
pub(super) fn search(
    connection: &Connection,
    key: &RoomKey,
    expression: &str,
    before: Option<Seq>,
    limit: usize,
) -> rusqlite::Result<Hits> {
    let Some(last) = before.unwrap_or(SEQ_MAX).checked_sub(1) else { return Ok(Hits::default()) };
    // The index and the messages have to be of the same state.
    let transaction = connection.unchecked_transaction()?;
    let mut find = transaction.prepare_cached(
        "SELECT rowid FROM word WHERE word MATCH ?1 AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid DESC LIMIT ?4",
    )?;
    let bounds = (expression, entry_id(key.id, 0), entry_id(key.id, last), limit as i64 + 1);
    let ids: Vec<i64> = find.query_map(bounds, |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut hits = Hits { messages: Vec::with_capacity(ids.len()), more: ids.len() > limit };
    let mut read = transaction.prepare_cached(log!("e.kind = 0", ""))?;
    for id in ids.iter().take(limit).rev() {
        let found = read.query_row((id, id, 1), |row| message(row, key)).optional()?;
        match found {
            Some(message) => hits.messages.push(message),
            None => tracing::warn!(seq = seq_of(*id), "the index has a message that is not there"),
        }
    }
    Ok(hits)
}

fn message(row: &Row<'_>, key: &RoomKey) -> rusqlite::Result<Message> {
    match record(row, &key.name)? {
        Record::Message(message) => Ok(message),
        Record::Edited(_) | Record::Deleted(_) => Err(rusqlite::Error::QueryReturnedNoRows),
    }
}

fn authored(row: &Row<'_>, key: &RoomKey) -> rusqlite::Result<Authored> {
    Ok(Authored { author: author(row)?, message: message(row, key)? })
}
