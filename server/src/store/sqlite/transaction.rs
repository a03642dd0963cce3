//! One transaction: what jobs do to the database. Nothing of it is there before it is committed.

use std::collections::{BTreeMap, HashSet};

use crosstalk_protocol::{Deleted, Edited, Message, Record, RoomName, Seq, Text};
use rusqlite::{Connection, OptionalExtension, params};

use super::index::Additions;
use super::rows::{DELETED, EDITED, ENTRY_BYTES, ROOM_MAX, SEQ_MAX, entry_id, room_of, seq_of};
use super::uptime::Uptime;
use crate::store::{Change, Draft, Outcome, RoomId, UserId};

/// A transaction that is under way.
pub(super) struct Transaction<'c> {
    connection: &'c Connection,
    /// For how long servers have run on the database, in milliseconds.
    uptime: i64,
    additions: Additions,
    rooms: BTreeMap<RoomId, Growth>,
    /// The rooms that were looked for, and whether they are there.
    there: BTreeMap<RoomId, bool>,
    /// Whether words were taken away that must not be on the disk any more.
    withdrawn: bool,
    /// Authors whose rows, if they have any, say that they have written.
    authors: &'c HashSet<UserId>,
    /// Others whose rows this transaction has marked so.
    new_authors: HashSet<UserId>,
}

/// What a committed transaction leaves to be done.
pub(super) struct Committed {
    /// Whether words were taken away that must not be on the disk any more.
    pub(super) withdrawn: bool,
    /// Authors whose rows say now that they have written.
    pub(super) new_authors: HashSet<UserId>,
}

/// What a transaction changes about a room.
#[derive(Default)]
struct Growth {
    last_seq: Seq,
    messages: i64,
    bytes: i64,
}

impl Growth {
    fn write(self, connection: &Connection, room: RoomId) -> rusqlite::Result<()> {
        let Self { last_seq, messages, bytes } = self;
        let grown = connection
            .prepare_cached(
                "UPDATE room SET last_seq = max(last_seq, ?2), messages = messages + ?3, bytes = bytes + ?4
                 WHERE id = ?1 AND removed = 0",
            )?
            .execute((room.0, last_seq as i64, messages, bytes))?;
        // Otherwise the entries would be nobody's.
        if grown == 0 { Err(refused(format!("there is no room {}", room.0))) } else { Ok(()) }
    }
}

impl<'c> Transaction<'c> {
    /// Begins, when servers have run on the database for `uptime`. `authors` are known to have written.
    pub(super) fn begin(
        connection: &'c Connection,
        uptime: &Uptime,
        authors: &'c HashSet<UserId>,
    ) -> rusqlite::Result<Self> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self {
            connection,
            uptime: uptime.now() as i64,
            additions: Additions::default(),
            rooms: BTreeMap::new(),
            there: BTreeMap::new(),
            withdrawn: false,
            authors,
            new_authors: HashSet::new(),
        })
    }

    /// Commits.
    pub(super) fn commit(self) -> rusqlite::Result<Committed> {
        let Self { connection, additions, rooms, withdrawn, new_authors, .. } = self;
        additions.write(connection)?;
        for (room, growth) in rooms {
            growth.write(connection, room)?;
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(Committed { withdrawn, new_authors })
    }

    /// Appends a batch.
    pub(super) fn append(&mut self, batch: &[Draft]) -> rusqlite::Result<Vec<Outcome>> {
        let connection = self.connection;
        let mut note = connection.prepare_cached(
            "INSERT OR IGNORE INTO receipt (author, label, entry, digest, uptime) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        let mut insert = connection.prepare_cached(
            "INSERT INTO entry (id, at, author, kind, nick, to_nick, action, edited, reply_seq, reply_nick, text)
             VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for draft in batch {
            let seq = draft.record.seq();
            if seq == 0 || seq > SEQ_MAX {
                return Err(refused(format!("{seq} is no number of an entry")));
            }
            let id = entry_id(draft.room, seq);
            let at = draft.record.at() as i64;
            let author = draft.author.0 as i64;
            if !self.has_room(draft.room)? {
                outcomes.push(Outcome::NoRoom);
                continue;
            }
            // A change has to be possible before its label stands for it.
            if !matches!(draft.record, Record::Message(_)) {
                outcomes.push(self.alter(draft, id)?);
                continue;
            }
            if let Some(label) = &draft.id {
                let digest = draft.digest();
                if note.execute((author, label.as_str(), id, digest, self.uptime))? == 0 {
                    outcomes.push(self.receipt(draft, digest)?.unwrap_or(Outcome::Reused));
                    continue;
                }
            }
            if let Record::Message(message) = &draft.record {
                let Message { from, to, text, action, edited, reply, .. } = message;
                insert.execute(params![
                    id,
                    at,
                    author,
                    from.as_str(),
                    to.as_ref().map(|to| to.as_str()),
                    action,
                    edited,
                    reply.as_ref().map(|reply| reply.seq as i64),
                    reply.as_ref().map(|reply| reply.from.as_str()),
                    text.as_str(),
                ])?;
                self.additions.add(id, text.clone());
                self.grow(draft.room, seq, 1, text.as_str().len());
                self.mark_author(draft.author)?;
            }
            outcomes.push(Outcome::Stored);
        }
        Ok(outcomes)
    }

    /// Notes that somebody has written, if they are somebody who can come back.
    fn mark_author(&mut self, author: UserId) -> rusqlite::Result<()> {
        if self.authors.contains(&author) || self.new_authors.contains(&author) {
            return Ok(());
        }
        // Who cannot come back has no row, and need not be looked for with each message either.
        self.connection
            .prepare_cached("UPDATE user SET wrote = 1 WHERE id = ?1")?
            .execute([author.0 as i64])?;
        self.new_authors.insert(author);
        Ok(())
    }

    /// Whether there is such a room, as far as this transaction has come.
    fn has_room(&mut self, room: RoomId) -> rusqlite::Result<bool> {
        if let Some(there) = self.there.get(&room) {
            return Ok(*there);
        }
        let there = self
            .connection
            .prepare_cached("SELECT 1 FROM room WHERE id = ?1 AND removed = 0")?
            .exists([room.0])?;
        self.there.insert(room, there);
        Ok(there)
    }

    /// What the label of a draft stands for already.
    fn receipt(&self, draft: &Draft, digest: i64) -> rusqlite::Result<Option<Outcome>> {
        let Some(label) = &draft.id else { return Ok(None) };
        let known = self
            .connection
            .prepare_cached("SELECT entry, digest FROM receipt WHERE author = ?1 AND label = ?2")?
            .query_row((draft.author.0 as i64, label.as_str()), |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })
            .optional()?;
        Ok(known.map(|(entry, known)| {
            if known != digest {
                return Outcome::Reused;
            }
            // The room is part of the digest, unless it is a direct conversation.
            let room = match room_of(entry) {
                room if room == draft.room => draft.record.room().clone(),
                room => RoomName::direct(u64::from(room.0)),
            };
            Outcome::Known { room, seq: seq_of(entry) }
        }))
    }

    /// Appends the change or the withdrawal of a message.
    fn alter(&mut self, draft: &Draft, id: i64) -> rusqlite::Result<Outcome> {
        let digest = draft.digest();
        if let Some(outcome) = self.receipt(draft, digest)? {
            return Ok(outcome);
        }
        let (kind, target, from, words) = match &draft.record {
            Record::Edited(Edited { target, from, text, .. }) => (EDITED, *target, from, Some(text)),
            Record::Deleted(Deleted { target, from, .. }) => (DELETED, *target, from, None),
            Record::Message(_) => return Err(refused("a message changes nothing".to_owned())),
        };
        let target = entry_id(draft.room, target);
        let Some(old) = self.own_message(target, draft.author)? else {
            return Ok(Outcome::Gone);
        };
        self.additions.remove(self.connection, target, &old)?;
        self.withdrawn = true;
        match words {
            Some(text) => self.replace(draft.room, target, &old, text)?,
            None => self.take_away(draft.room, target, &old)?,
        }
        let at = draft.record.at() as i64;
        let author = draft.author.0 as i64;
        self.connection
            .prepare_cached(
                "INSERT INTO entry (id, at, author, kind, nick, action, edited, target)
                 VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, ?6)",
            )?
            .execute((id, at, author, kind, from.as_str(), target))?;
        self.grow(draft.room, seq_of(id), 0, 0);
        if let Some(label) = &draft.id {
            self.connection
                .prepare_cached(
                    "INSERT INTO receipt (author, label, entry, digest, uptime) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute((author, label.as_str(), id, digest, self.uptime))?;
        }
        Ok(Outcome::Stored)
    }

    fn own_message(&self, id: i64, author: UserId) -> rusqlite::Result<Option<String>> {
        self.connection
            .prepare_cached("SELECT text FROM entry WHERE id = ?1 AND author = ?2 AND kind = 0")?
            .query_row((id, author.0 as i64), |row| row.get(0))
            .optional()
    }

    fn replace(&mut self, room: RoomId, target: i64, old: &str, text: &Text) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE entry SET text = ?2, edited = 1 WHERE id = ?1")?
            .execute((target, text.as_str()))?;
        self.additions.add(target, text.clone());
        self.rooms.entry(room).or_default().bytes += text.as_str().len() as i64 - old.len() as i64;
        Ok(())
    }

    /// A withdrawn message leaves no row, and nor do its changes.
    fn take_away(&mut self, room: RoomId, target: i64, old: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached("DELETE FROM entry WHERE id = ?1")?.execute([target])?;
        let changes = self
            .connection
            .prepare_cached("DELETE FROM entry WHERE kind = 1 AND target = ?1")?
            .execute([target])?;
        let growth = self.rooms.entry(room).or_default();
        growth.messages -= 1;
        growth.bytes -= (old.len() + (1 + changes) * ENTRY_BYTES) as i64;
        Ok(())
    }

    fn grow(&mut self, room: RoomId, seq: Seq, messages: i64, text: usize) {
        let growth = self.rooms.entry(room).or_default();
        growth.last_seq = growth.last_seq.max(seq);
        growth.messages += messages;
        growth.bytes += (ENTRY_BYTES + text) as i64;
    }

    /// Makes a change.
    pub(super) fn change(&mut self, change: &Change) -> rusqlite::Result<()> {
        let connection = self.connection;
        let run = |sql, values: &[&dyn rusqlite::ToSql]| connection.prepare_cached(sql)?.execute(values);
        match change {
            Change::CreateRoom(room) => {
                self.there.remove(&room.id);
                if room.id.0 > ROOM_MAX {
                    return Err(refused(format!("{} is no number of a room", room.id.0)));
                }
                let [a, b] = room.pair.map_or([None; 2], |pair| pair.map(|user| Some(user.0 as i64)));
                run(
                    "INSERT INTO room (id, name, epoch, last_seq, expired, user_a, user_b)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        room.id.0,
                        room.name.as_str(),
                        room.epoch as i64,
                        room.last_seq as i64,
                        room.expired as i64,
                        a,
                        b
                    ],
                )?;
            }
            Change::EndRoom(room) => {
                run("UPDATE room SET ended = 1 WHERE id = ?1", params![room.0])?;
            }
            Change::RemoveRoom(room) => {
                self.there.remove(room);
                if let Some(growth) = self.rooms.remove(room) {
                    growth.write(connection, *room)?;
                }
                run("DELETE FROM seat WHERE room = ?1", params![room.0])?;
                run(
                    "UPDATE room SET removed = 1, user_a = NULL, user_b = NULL WHERE id = ?1",
                    params![room.0],
                )?;
            }
            Change::SaveUser { id, token, nick, hidden, at } => {
                run(
                    "INSERT INTO user (id, token, nick, hidden, seen_at) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (id) DO UPDATE SET token = excluded.token, nick = excluded.nick,
                     hidden = excluded.hidden, seen_at = max(seen_at, excluded.seen_at)",
                    params![id.0 as i64, token.0, nick.as_str(), hidden, *at as i64],
                )?;
            }
            Change::Enter { user, room, read } => {
                run(
                    "INSERT OR IGNORE INTO seat (user, room, place, read)
                     SELECT ?1, ?2, coalesce(max(place), 0) + 1, ?3 FROM seat WHERE user = ?1",
                    params![user.0 as i64, room.0, *read as i64],
                )?;
            }
            Change::Leave { user, room } => {
                run("DELETE FROM seat WHERE user = ?1 AND room = ?2", params![user.0 as i64, room.0])?;
            }
            Change::Read { user, room, seq } => {
                run(
                    "UPDATE seat SET read = ?3 WHERE user = ?1 AND room = ?2 AND read < ?3",
                    params![user.0 as i64, room.0, *seq as i64],
                )?;
            }
            // Upkeep does it, in steps.
            Change::TidyUp(_) => {}
        }
        Ok(())
    }
}

/// A fault of the job's own: others in the same transaction are carried out all the same.
fn refused(reason: String) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(reason.into())
}
