//! Who has not come for long is forgotten, and conversations go that nobody can come back to.

use rusqlite::Connection;

use super::{Progress, ROWS, transact};
use crate::store::{RoomId, Unused};

/// How far it has come.
#[derive(Debug)]
pub(super) struct Tidying {
    unused: Unused,
    people: Option<i64>,
    rooms: RoomId,
}

impl Tidying {
    pub(super) fn new(unused: Unused) -> Self {
        Self { unused, people: Some(i64::MIN), rooms: RoomId::default() }
    }

    /// Looks at the next people or, once all of them are known, at the next conversations: who is
    /// forgotten is in none any more.
    pub(super) fn step(&mut self, connection: &Connection) -> rusqlite::Result<Progress> {
        match self.people {
            Some(after) => self.forget_people(connection, after),
            None => self.remove_rooms(connection),
        }
    }

    fn forget_people(&mut self, connection: &Connection, after: i64) -> rusqlite::Result<Progress> {
        let Unused { people_since, visitors_since, lobby, .. } = self.unused;
        let mut statement = connection.prepare_cached(
            "SELECT id, seen_at, wrote OR EXISTS (SELECT 1 FROM seat WHERE user = user.id AND room <> ?3)
             FROM user WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let people = statement.query_map((after, ROWS as i64, lobby.0), |row| {
            let since = if row.get(2)? { people_since } else { visitors_since };
            Ok((row.get(0)?, (row.get::<_, i64>(1)? as u64) < since))
        })?;
        let people: Vec<(i64, bool)> = people.collect::<rusqlite::Result<_>>()?;
        let absent = people.iter().filter(|(_, is_absent)| *is_absent);
        if absent.clone().next().is_some() {
            transact(connection, |connection| {
                for (id, _) in absent.clone() {
                    connection.prepare_cached("DELETE FROM user WHERE id = ?1")?.execute([id])?;
                    connection.prepare_cached("DELETE FROM seat WHERE user = ?1")?.execute([id])?;
                }
                Ok(())
            })?;
        }
        self.people = people.last().map(|(id, _)| *id).filter(|_| people.len() == ROWS);
        Ok(Progress::default())
    }

    fn remove_rooms(&mut self, connection: &Connection) -> rusqlite::Result<Progress> {
        let mut statement = connection.prepare_cached(
            "SELECT id, EXISTS (SELECT 1 FROM seat WHERE room = room.id) FROM room
             WHERE id > ?1 AND id <= ?2 AND removed = 0 AND user_a IS NOT NULL ORDER BY id LIMIT ?3",
        )?;
        let bounds = (self.rooms.0, self.unused.rooms_until.0, ROWS as i64);
        let rooms = statement.query_map(bounds, |row| Ok((RoomId(row.get(0)?), row.get(1)?)))?;
        let rooms: Vec<(RoomId, bool)> = rooms.collect::<rusqlite::Result<_>>()?;
        let is_unused =
            |(id, has_seats): &&(RoomId, bool)| !has_seats && !self.unused.rooms_in_use.contains(id);
        if rooms.iter().any(|room| is_unused(&room)) {
            transact(connection, |connection| {
                let mut remove = connection.prepare_cached(
                    "UPDATE room SET removed = 1, user_a = NULL, user_b = NULL WHERE id = ?1",
                )?;
                rooms.iter().filter(is_unused).try_for_each(|(id, _)| remove.execute([id.0]).map(drop))
            })?;
        }
        match rooms.last() {
            Some((id, _)) if rooms.len() == ROWS => self.rooms = *id,
            _ => return Ok(Progress { finished: true, removed: false }),
        }
        Ok(Progress::default())
    }
}
