//! Whether a database is as it has to be: the file by SQLite's own rules, and what is in it by ours.
//!
//! All is looked at as of one moment, so that a server that goes on writing makes no difference. What
//! is kept in memory while looking does not grow with the number of messages.

mod defect;
mod entries;
mod people;
mod rooms;
mod words;

use rusqlite::Connection;

use self::defect::{Defect, Defects};
use self::rooms::Rooms;
use crate::store::sqlite::schema;

/// What a check has found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many rooms there are.
    pub rooms: u64,
    /// How many messages.
    pub messages: u64,
    /// How many people are known.
    pub people: u64,
    /// What is wrong, one line for each kind of thing.
    pub defects: Vec<String>,
}

/// Lines of SQLite's own check that are worth reading.
const LINES: u32 = 100;

/// Looks at all that there is.
pub(super) fn run(connection: &Connection) -> Report {
    let mut defects = Defects::default();
    let mut report = Report::default();
    if let Err(error) = look(connection, &mut defects, &mut report) {
        defects.add(Defect::Unfinished, || error.to_string());
    }
    report.defects = defects.lines();
    report
}

fn look(connection: &Connection, defects: &mut Defects, report: &mut Report) -> rusqlite::Result<()> {
    let moment = connection.unchecked_transaction()?;
    structure(&moment, defects)?;
    layout(&moment, defects)?;
    let mut rooms = Rooms::read(&moment, defects)?;
    report.rooms = rooms.count();
    report.messages = entries::check(&moment, &mut rooms, defects)?;
    rooms.check_counts(defects);
    report.people = people::check(&moment, &rooms, defects)?;
    words::check(&moment, &rooms, defects)
}

/// SQLite's own check: pages, order, indices, types, and the structure of the index of words.
fn structure(connection: &Connection, defects: &mut Defects) -> rusqlite::Result<()> {
    connection.pragma(None, "integrity_check", LINES, |row| {
        let line: String = row.get(0)?;
        if line != "ok" {
            defects.add(Defect::Structure, || line.trim().replace('\n', "; "));
        }
        Ok(())
    })
}

fn layout(connection: &Connection, defects: &mut Defects) -> rusqlite::Result<()> {
    let (found, wanted) = (schema::layout(connection)?, schema::present_layout()?);
    for (name, sql) in &wanted {
        match found.get(name) {
            None => defects.add(Defect::Layout, || format!("{name} is missing")),
            Some(other) if other != sql => defects.add(Defect::Layout, || format!("{name} is different")),
            Some(_) => {}
        }
    }
    for name in found.keys().filter(|name| !wanted.contains_key(*name)) {
        defects.add(Defect::Layout, || format!("{name} is not ours"));
    }
    Ok(())
}
