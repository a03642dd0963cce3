//! People, their places in rooms, and the receipts by which what they send again is recognised.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::defect::{Defect, Defects};
use super::rooms::{Rooms, room_of};
use crate::store::sqlite::rows::{nick, seq_of};

/// Bytes of what is kept of a token.
const TOKEN_HASH: usize = 32;

/// Looks at all of it. Returns how many people are known.
pub(super) fn check(connection: &Connection, rooms: &Rooms, defects: &mut Defects) -> rusqlite::Result<u64> {
    let count = users(connection, defects)?;
    seats(connection, rooms, defects)?;
    receipts(connection, rooms, defects)?;
    Ok(count)
}

fn users(connection: &Connection, defects: &mut Defects) -> rusqlite::Result<u64> {
    let mut count = 0;
    let mut statement = connection.prepare("SELECT id, nick, token FROM user")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        count += 1;
        let known_by_token = matches!(row.get_ref(2)?, ValueRef::Blob(hash) if hash.len() == TOKEN_HASH);
        if !known_by_token || nick(row, 1).is_err() {
            let id: i64 = row.get(0)?;
            defects.add(Defect::UserMalformed, || format!("number {id}"));
        }
    }
    Ok(count)
}

fn seats(connection: &Connection, rooms: &Rooms, defects: &mut Defects) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT s.user, s.room, s.read, u.nick FROM seat AS s LEFT JOIN user AS u ON u.id = s.user",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (user, number, read): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let Some(nick) = row.get::<_, Option<String>>(3)? else {
            defects.add(Defect::SeatWithoutUser, || format!("of a user number {user}"));
            continue;
        };
        match rooms.get(number) {
            None => defects.add(Defect::SeatWithoutRoom, || format!("{nick}'s in a room number {number}")),
            Some(room) if !(0..=room.last_seq as i64).contains(&read) => {
                defects.add(Defect::SeatAhead, || format!("{nick} up to {read} in {}", room.name));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// A receipt outlives its entry: that of a withdrawn message, of a change of one, and of what fell to
/// retention. Where nothing fell to retention, and nothing was withdrawn later, its entry has to be
/// there.
fn receipts(connection: &Connection, rooms: &Rooms, defects: &mut Defects) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT r.author, r.entry, e.author FROM receipt AS r LEFT JOIN entry AS e ON e.id = r.entry",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (author, id): (i64, i64) = (row.get(0)?, row.get(1)?);
        let defect = match (rooms.get(room_of(id)), row.get::<_, Option<i64>>(2)?) {
            (_, Some(other)) if other != author => Defect::ReceiptOfAnother,
            (_, Some(_)) => continue,
            (None, None) if rooms.has_been(room_of(id)) => continue,
            (None, None) => Defect::ReceiptImpossible,
            (Some(room), None) => match seq_of(id) {
                seq if seq == 0 || seq > room.last_seq => Defect::ReceiptImpossible,
                seq if room.expired == 0 && room.withdrawal < seq => Defect::ReceiptLost,
                _ => continue,
            },
        };
        defects.add(defect, || rooms.name_entry(id));
    }
    Ok(())
}
