//! Whether each message is in the index with all of its words, and nothing else is.
//!
//! The index is in the order of the words and the log in that of the messages. So what either says is
//! added up in any order: each word at its place in a message has a number that nothing else is likely
//! to have, and the sums have to be the same. There are many sums, each of some of the messages. Where
//! two differ, the messages that they are of are looked at one by one.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

use rusqlite::Connection;

use super::defect::{Defect, Defects};
use super::rooms::Rooms;
use crate::store::words::indexed;

/// How many sums there are: half a mebibyte a side.
const SUMS: usize = 1 << 16;

/// How many pairs of sums that differ are looked at more closely. If there are more of them, what is
/// wrong is wrong with many messages, and the first ones say enough.
const CLOSELY: usize = 256;

/// Compares the index and the log.
pub(super) fn check(connection: &Connection, rooms: &Rooms, defects: &mut Defects) -> rusqlite::Result<()> {
    connection
        .execute_batch("CREATE VIRTUAL TABLE temp.word_instance USING fts5vocab (main, word, instance)")?;
    let mut wanted = vec![0_u64; SUMS];
    let mut found = vec![0_u64; SUMS];
    each_wanted(connection, |id, number| wanted[sum_of(id)] = wanted[sum_of(id)].wrapping_add(number))?;
    each_found(connection, |id, number| found[sum_of(id)] = found[sum_of(id)].wrapping_add(number))?;
    let different = |sum: &usize| wanted[*sum] != found[*sum];
    let different: Vec<usize> = (0..SUMS).filter(different).take(CLOSELY).collect();
    if different.is_empty() {
        return Ok(());
    }
    let closely = |id| different.binary_search(&sum_of(id)).is_ok();
    let mut messages: BTreeMap<i64, [Option<u64>; 2]> = BTreeMap::new();
    let mut add = |id, side: usize, number: u64| {
        if closely(id) {
            let sum = &mut messages.entry(id).or_default()[side];
            *sum = Some(sum.unwrap_or(0).wrapping_add(number));
        }
    };
    each_wanted(connection, |id, number| add(id, 0, number))?;
    each_found(connection, |id, number| add(id, 1, number))?;
    for (id, sums) in messages {
        let defect = match sums {
            [wanted, found] if wanted == found => continue,
            [Some(_), None] => Defect::WordsMissing,
            [None, _] => Defect::WordsLeft,
            [Some(_), Some(_)] => Defect::WordsDifferent,
        };
        defects.add(defect, || rooms.name_entry(id));
    }
    Ok(())
}

/// Neighbours have different ones.
fn sum_of(id: i64) -> usize {
    id as usize % SUMS
}

/// Each word of each message, as the log has them.
fn each_wanted(connection: &Connection, mut each: impl FnMut(i64, u64)) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT id, text FROM entry WHERE kind = 0")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        // A message without text is a defect of its own.
        let Some(text) = row.get_ref(1)?.as_str_or_null()? else { continue };
        // As FTS5's tokenizer `ascii` takes it.
        let text = indexed(text).to_ascii_lowercase();
        let words = text.as_bytes().split(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric());
        for (place, word) in (0..).zip(words.filter(|word| !word.is_empty())) {
            each(id, number_of(id, place, word));
        }
    }
    Ok(())
}

/// The same, as the index has them.
fn each_found(connection: &Connection, mut each: impl FnMut(i64, u64)) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT doc, offset, term FROM temp.word_instance")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        each(id, number_of(id, row.get(1)?, row.get_ref(2)?.as_bytes()?));
    }
    Ok(())
}

fn number_of(id: i64, place: i64, word: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_i64(id);
    hasher.write_i64(place);
    hasher.write(word);
    hasher.finish()
}
