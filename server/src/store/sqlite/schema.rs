//! The layout of the database, and how an older one becomes the present one: by numbered steps, each
//! in a transaction. A step that has been released is never changed.

use std::collections::BTreeMap;

use rusqlite::{Connection, TransactionBehavior};

/// What tells our files from other SQLite databases: "Xtlk".
pub(super) const APPLICATION_ID: i32 = 0x5874_6c6b;

/// The steps; the first makes version 1 of an empty file.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/1.sql")];

/// The version that this program reads and writes.
pub(super) const VERSION: i32 = MIGRATIONS.len() as i32;

/// Bytes of a page: SQLite's own default. Larger ones made no difference that could be seen.
const PAGE_SIZE: i32 = 4096;

/// Gives an empty file what can only be given to an empty one. It does not reach the write-ahead log:
/// from the first byte on, the file says whose it is.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)
}

/// The version of a database.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings a database that is not newer to [`VERSION`].
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    for (number, step) in (1..).zip(MIGRATIONS) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if version(&transaction)? < number {
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", number)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// What a database consists of, by name, and how each part was declared.
pub(super) fn layout(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Option<String>>> {
    connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// What a database of [`VERSION`] consists of.
pub(super) fn present_layout() -> rusqlite::Result<BTreeMap<String, Option<String>>> {
    let mut connection = Connection::open_in_memory()?;
    migrate(&mut connection)?;
    layout(&connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database as each version left it, with something in every table.
    const FIXTURES: [&str; 1] = [include_str!("migrations/fixture-1.sql")];

    #[test]
    fn every_version_becomes_the_present_one() {
        let mut fresh = Connection::open_in_memory().unwrap();
        migrate(&mut fresh).unwrap();
        assert_eq!(version(&fresh).unwrap(), VERSION);
        assert_eq!(FIXTURES.len(), MIGRATIONS.len(), "each version has a fixture");
        for (number, fixture) in (1..).zip(FIXTURES) {
            let mut old = Connection::open_in_memory().unwrap();
            old.execute_batch(fixture).unwrap();
            assert_eq!(version(&old).unwrap(), number);
            migrate(&mut old).unwrap();
            assert_eq!(version(&old).unwrap(), VERSION);
            assert_eq!(layout(&old).unwrap(), layout(&fresh).unwrap(), "from version {number}");
            let text: String =
                old.query_row("SELECT text FROM entry WHERE kind = 0", [], |row| row.get(0)).unwrap();
            assert_eq!(text, "hello");
            let found =
                old.query_row("SELECT count(*) FROM word WHERE word MATCH 'hello'", [], |row| row.get(0));
            assert_eq!(found, Ok(1));
            let ok: String = old.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(ok, "ok");
        }
    }
}
