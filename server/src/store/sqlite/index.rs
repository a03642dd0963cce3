//! The index of words. It holds no text: whoever takes a message out has to know what was put in.

use std::collections::BTreeMap;

use crosstalk_protocol::Text;
use rusqlite::Connection;

use crate::store::words::indexed;

/// What a transaction adds to the index, by the messages' ids: FTS5 takes rows in ascending order
/// into one run in memory, and writes that out whenever an id is smaller than the one before.
#[derive(Debug, Default)]
pub(super) struct Additions(BTreeMap<i64, Text>);

impl Additions {
    /// Has a message found by its words. What it said until now must have been taken out.
    pub(super) fn add(&mut self, id: i64, text: Text) {
        self.0.insert(id, text);
    }

    /// Takes a message out that says `text`.
    pub(super) fn remove(&mut self, connection: &Connection, id: i64, text: &str) -> rusqlite::Result<()> {
        if self.0.remove(&id).is_none() {
            remove(connection, id, text)?;
        }
        Ok(())
    }

    /// Writes the additions.
    pub(super) fn write(self, connection: &Connection) -> rusqlite::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut insert = connection.prepare_cached("INSERT INTO word (rowid, text) VALUES (?1, ?2)")?;
        for (id, text) in self.0 {
            insert.execute((id, indexed(text.as_str())))?;
        }
        Ok(())
    }
}

/// Takes a message out of the index that says `text`.
pub(super) fn remove(connection: &Connection, id: i64, text: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO word (word, rowid, text) VALUES ('delete', ?1, ?2)")?
        .execute((id, indexed(text)))?;
    Ok(())
}
