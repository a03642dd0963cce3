//! Rooms, and what is counted of them.

use std::collections::{HashMap, HashSet};

use crosstalk_protocol::{RoomName, Seq};
use rusqlite::{Connection, Row};

use super::defect::{Defect, Defects};
use crate::store::sqlite::questions::last_room;
use crate::store::sqlite::rows::{ENTRY_BYTES, SEQ_MAX, room, room_columns, seq_of};

/// All rooms, by their numbers.
pub(super) struct Rooms {
    rooms: HashMap<u32, Room>,
    /// The highest number that a room has had.
    last: u32,
}

/// A room, as it says, and as its entries say.
pub(super) struct Room {
    pub(super) name: RoomName,
    pub(super) last_seq: Seq,
    pub(super) expired: Seq,
    /// It is gone, and its entries are being taken away.
    pub(super) removed: bool,
    /// The number of the last withdrawal in it; 0 if there is none.
    pub(super) withdrawal: Seq,
    says: Count,
    has: Count,
}

#[derive(Clone, Copy, Default)]
struct Count {
    messages: i64,
    bytes: i64,
}

/// Where an entry is.
pub(super) enum Home<'a> {
    /// In a room.
    Room(&'a mut Room),
    /// In a room that is gone, with all that was said in it.
    Removed,
    /// Nowhere.
    None,
}

impl Rooms {
    /// Reads them.
    pub(super) fn read(connection: &Connection, defects: &mut Defects) -> rusqlite::Result<Self> {
        let mut rooms = Self { rooms: HashMap::new(), last: last_room(connection)?.0 };
        let mut names = HashSet::new();
        let mut statement = connection.prepare(concat!(
            "SELECT ",
            room_columns!(),
            ", r.removed, r.messages, r.bytes FROM room AS r ORDER BY r.id"
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            if id > i64::from(rooms.last) {
                defects.add(Defect::RoomNumber, || format!("number {id}"));
            }
            match rooms.add(row, &mut names) {
                Ok(None) => {}
                Ok(Some((defect, name))) => defects.add(defect, || name.to_string()),
                Err(error) => defects.add(Defect::RoomMalformed, || format!("number {id}: {error}")),
            }
        }
        Ok(rooms)
    }

    fn add(
        &mut self,
        row: &Row<'_>,
        names: &mut HashSet<RoomName>,
    ) -> rusqlite::Result<Option<(Defect, RoomName)>> {
        let stored = room(row)?;
        let removed: bool = row.get(8)?;
        let name = stored.name;
        let defect = match (removed, stored.pair) {
            (true, _) => None,
            _ if !names.insert(name.clone()) => Some(Defect::RoomDoubled),
            (false, pair) => (pair.is_some() != name.is_direct()).then_some(Defect::RoomAlone),
        };
        let says = Count { messages: row.get(9)?, bytes: row.get(10)? };
        let (last_seq, expired) = (stored.last_seq, stored.expired);
        let room = Room {
            name: name.clone(),
            last_seq,
            expired,
            removed,
            withdrawal: 0,
            says,
            has: Count::default(),
        };
        self.rooms.insert(stored.id.0, room);
        Ok(defect.map(|defect| (defect, name)))
    }

    /// Those that are not gone.
    pub(super) fn count(&self) -> u64 {
        self.rooms.values().filter(|room| !room.removed).count() as u64
    }

    /// The room with that number, unless it is gone.
    pub(super) fn get(&self, number: i64) -> Option<&Room> {
        self.rooms.get(&u32::try_from(number).ok()?).filter(|room| !room.removed)
    }

    /// Where an entry is.
    pub(super) fn home_of(&mut self, id: i64) -> Home<'_> {
        match u32::try_from(room_of(id)).ok().and_then(|number| self.rooms.get_mut(&number)) {
            Some(room) if room.removed => Home::Removed,
            Some(room) => Home::Room(room),
            None => Home::None,
        }
    }

    /// Whether there has been a room with that number.
    pub(super) fn has_been(&self, number: i64) -> bool {
        (1..=i64::from(self.last)).contains(&number)
    }

    /// An entry, for people.
    pub(super) fn name_entry(&self, id: i64) -> String {
        match self.get(room_of(id)) {
            Some(room) => format!("{} in {}", seq_of(id), room.name),
            None => format!("{} in a room number {}", seq_of(id), room_of(id)),
        }
    }

    /// Whether every room counts what it has. All entries have been seen by now.
    pub(super) fn check_counts(&self, defects: &mut Defects) {
        let mut rooms: Vec<_> = self.rooms.iter().filter(|(_, room)| !room.removed).collect();
        rooms.sort_unstable_by_key(|(number, _)| **number);
        for (_, Room { name, says, has, .. }) in rooms {
            if says.messages != has.messages {
                defects.add(Defect::RoomMessages, || {
                    format!("{} for {} in {name}", says.messages, has.messages)
                });
            }
            if says.bytes != has.bytes {
                defects.add(Defect::RoomBytes, || format!("{} for {} in {name}", says.bytes, has.bytes));
            }
        }
    }
}

impl Room {
    /// Counts an entry, with the bytes of its text if it is a message.
    pub(super) fn count(&mut self, message: bool, text: i64) {
        self.has.messages += i64::from(message);
        self.has.bytes += ENTRY_BYTES as i64 + text;
    }
}

/// The number of the room of an entry.
pub(super) fn room_of(id: i64) -> i64 {
    // The bits of the entry's own number stand behind it.
    id >> SEQ_MAX.trailing_ones()
}
