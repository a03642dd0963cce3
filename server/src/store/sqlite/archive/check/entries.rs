//! The entries of all logs, in one go: each by itself, with its room, and with the message that it is
//! about.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Row};

use super::defect::{Defect, Defects};
use super::rooms::{Home, Room, Rooms, room_of};
use crate::store::sqlite::rows::{DELETED, EDITED, MESSAGE, columns, record, seq_of};

/// Milliseconds between 1970 and 2020, before which there was no Crosstalk.
const EARLIEST: i64 = 1_577_836_800_000;

/// How far the clock of a server may have been ahead of ours.
const AHEAD: Duration = Duration::from_secs(24 * 60 * 60);

/// Looks at each, and has its room count it. Returns how many messages there are.
pub(super) fn check(
    connection: &Connection,
    rooms: &mut Rooms,
    defects: &mut Defects,
) -> rusqlite::Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let latest = (now + AHEAD).as_millis() as i64;
    let mut messages = 0;
    let mut statement = connection.prepare(concat!(
        "SELECT ",
        columns!(),
        ", coalesce(e.text, t.text), octet_length(e.text), t.id, t.kind
         FROM entry AS e LEFT JOIN entry AS t ON e.kind <> 0 AND t.id = e.target ORDER BY e.id"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let mut found = Vec::new();
        match rooms.home_of(id) {
            Home::Removed => continue,
            Home::None => found.push(Defect::EntryHomeless),
            Home::Room(room) => {
                messages += u64::from(row.get::<_, i64>(3)? == MESSAGE);
                look(row, id, room, &mut found)?;
                if !(EARLIEST..=latest).contains(&row.get(1)?) {
                    found.push(Defect::EntryTime);
                }
            }
        }
        for defect in found {
            defects.add(defect, || rooms.name_entry(id));
        }
    }
    Ok(messages)
}

fn look(row: &Row<'_>, id: i64, room: &mut Room, found: &mut Vec<Defect>) -> rusqlite::Result<()> {
    let seq = seq_of(id);
    let kind: i64 = row.get(3)?;
    room.count(kind == MESSAGE, row.get::<_, Option<i64>>(12)?.unwrap_or(0));
    if kind == DELETED {
        room.withdrawal = seq;
    }
    if seq == 0 || seq > room.last_seq {
        found.push(Defect::EntryBeyond);
    } else if seq <= room.expired {
        found.push(Defect::EntryExpired);
    }
    let target: Option<i64> = row.get(10)?;
    let target_kind: Option<i64> = row.get(14)?;
    let earlier = target.is_some_and(|target| room_of(target) == room_of(id) && target < id);
    match kind {
        EDITED if !earlier || target_kind != Some(MESSAGE) => found.push(Defect::ChangeOfNothing),
        DELETED if !earlier => found.push(Defect::ChangeOfNothing),
        DELETED if target_kind.is_some() => found.push(Defect::WithdrawnThere),
        // As whoever reads the log would.
        _ if record(row, &room.name).is_err() => found.push(Defect::EntryMalformed),
        _ => {}
    }
    Ok(())
}
