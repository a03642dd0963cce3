//! `check` finds each kind of damage that it says it finds, names where, and changes nothing.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crosstalk_tests::{DataDir, JsonClient, TestServer};
use rusqlite::Connection;
use serde_json::{Value, json};

/// A data directory with something of everything, whose server has stopped.
///
/// The lobby has number 1, and its entries from 1 on: "hi", "hi, too", a message that was changed, its
/// change, a withdrawal. The room dev has number 2 and three messages, the conversation of the two has
/// number 3 and one.
async fn everything() -> DataDir {
    let data = DataDir::new();
    let server = TestServer::with_data(&data, &[]).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut bob = JsonClient::enter_websocket(&server, "bob").await;
    alice.say("lobby", "hi").await;
    bob.say("lobby", "hi, too").await;
    let changed = alice.say("lobby", "teh cat").await;
    let withdrawn = alice.say("lobby", "a secret").await;
    for command in [
        json!({ "type": "edit", "room": "lobby", "seq": changed, "text": "the cat" }),
        json!({ "type": "delete", "room": "lobby", "seq": withdrawn }),
        json!({ "type": "create", "room": "dev" }),
    ] {
        let answer = alice.request(command).await;
        assert_ne!(answer["type"], "error", "{answer}");
    }
    for text in ["one", "two", "東京です"] {
        alice.say("dev", text).await;
    }
    bob.request(json!({ "type": "send", "to": "alice", "text": "between us" })).await;
    let read: Value = alice.request(json!({ "type": "read", "room": "dev", "seq": 2 })).await;
    assert_eq!(read["type"], "read", "{read}");
    drop((alice, bob));
    server.stop().await;
    data
}

/// The id of an entry.
fn id(room: i64, seq: i64) -> i64 {
    room << 35 | seq
}

/// Makes something wrong with a copy of `data`, and expects exactly these lines about it.
async fn finds(data: &DataDir, damage: &str, expected: &[&str]) {
    let damaged = DataDir::restored(&data.database());
    let database = Connection::open(damaged.database()).expect("a database can be opened");
    database.execute_batch(damage).unwrap_or_else(|error| panic!("{damage}: {error}"));
    drop(database);
    let before = std::fs::read(damaged.database()).expect("a file can be read");
    let exit = damaged.check().await;
    assert_eq!(exit.stdout.lines().collect::<Vec<_>>(), expected, "after {damage}");
    assert_eq!(exit.code, Some(1), "after {damage}");
    assert!(exit.stderr.contains("is not as it should be"), "{}", exit.stderr);
    assert_eq!(
        std::fs::read(damaged.database()).expect("a file can be read"),
        before,
        "it was changed by the check"
    );
}

#[tokio::test]
async fn what_is_as_it_should_be_is_well() {
    let data = everything().await;
    let exit = data.check().await;
    assert_eq!(exit.stdout, "3 rooms, 7 messages, 2 people: all is well\n");
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn a_killed_server_leaves_all_well() {
    let data = DataDir::new();
    let mut server = TestServer::with_data(&data, &[]).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    alice.say("lobby", "hi").await;
    server.kill().await;
    // What is in the write-ahead log only counts.
    assert_eq!(data.check().await.stdout, "1 room, 1 message, 1 person: all is well\n");
    server.restart().await;
    server.stop().await;
}

#[tokio::test]
async fn rooms_that_are_wrong_are_found() {
    let data = everything().await;
    for (damage, expected) in [
        (
            "UPDATE room SET name = 'not a name' WHERE id = 2",
            &[
                "rooms cannot be read: 1 (number 2: Conversion error from type Text at index: 1, a name is letters, digits, '_', '-' and '.', without spaces; ' ' is not allowed)",
                "entries belong to no room: 3 (1 in a room number 2, 2 in a room number 2, 3 in a room number 2)",
                "places are in no room: 1 (alice's in a room number 2)",
            ][..],
        ),
        (
            "INSERT INTO room (name, epoch) VALUES ('DEV', 1)",
            &["rooms share their name with another: 1 (DEV)"],
        ),
        (
            "UPDATE sqlite_sequence SET seq = 2 WHERE name = 'room'",
            &["rooms have numbers that could be given again: 1 (number 3)"],
        ),
        ("UPDATE room SET user_b = NULL WHERE id = 3", &["direct conversations are not between two: 1 (@3)"]),
        (
            "UPDATE room SET messages = messages + 1 WHERE id > 1",
            &["rooms count other messages than they have: 2 (4 for 3 in dev, 2 for 1 in @3)"],
        ),
        (
            "UPDATE room SET bytes = bytes - 1 WHERE id = 2",
            &["rooms count other bytes than they have: 1 (209 for 210 in dev)"],
        ),
    ] {
        finds(&data, damage, expected).await;
    }
}

#[tokio::test]
async fn entries_that_are_wrong_are_found() {
    let data = everything().await;
    let insert = "INSERT INTO entry (id, at, author, kind, nick, action, edited, target) SELECT";
    for (damage, expected) in [
        (
            format!("{insert} {}, at, author, 2, nick, 0, 0, 0 FROM entry WHERE id = {}", id(9, 5), id(1, 1)),
            &["entries belong to no room: 1 (5 in a room number 9)"][..],
        ),
        (
            "UPDATE room SET last_seq = 2 WHERE id = 2; DELETE FROM receipt".to_owned(),
            &["entries have higher numbers than their room has given: 1 (3 in dev)"],
        ),
        (
            "UPDATE room SET expired = 2 WHERE id = 2".to_owned(),
            &["entries are there that retention has removed: 2 (1 in dev, 2 in dev)"],
        ),
        (
            format!("UPDATE entry SET nick = 'not a nick' WHERE id = {}", id(1, 2)),
            &["entries cannot be read: 1 (2 in lobby)"],
        ),
        (
            format!("UPDATE entry SET kind = 7 WHERE id = {}", id(1, 5)),
            &["entries cannot be read: 1 (5 in lobby)"],
        ),
        (
            format!(
                "UPDATE entry SET at = 0 WHERE id = {}; UPDATE entry SET at = at + 172800000 WHERE id = {}",
                id(1, 1),
                id(2, 1)
            ),
            &["entries have a time that cannot be: 2 (1 in lobby, 1 in dev)"],
        ),
        (
            format!("UPDATE entry SET target = {} WHERE kind = 1", id(1, 4)),
            &["changes and withdrawals are not of an earlier message of their room: 1 (5 in lobby)"],
        ),
        (
            format!("UPDATE entry SET target = {} WHERE kind = 2", id(2, 1)),
            &["changes and withdrawals are not of an earlier message of their room: 1 (6 in lobby)"],
        ),
        (
            format!("UPDATE entry SET target = {} WHERE kind = 2", id(1, 2)),
            &["messages are there that were withdrawn: 1 (6 in lobby)"],
        ),
    ] {
        finds(&data, &damage, expected).await;
    }
}

#[tokio::test]
async fn people_places_and_receipts_that_are_wrong_are_found() {
    let data = everything().await;
    let receipt = "INSERT INTO receipt (author, label, digest, uptime, entry) SELECT id, 'x', 0, 0,";
    for (damage, expected) in [
        (
            "UPDATE user SET nick = '', id = 5 WHERE nick = 'bob'; DELETE FROM seat".to_owned(),
            &["people cannot be read: 1 (number 5)"][..],
        ),
        (
            "UPDATE user SET token = x'00', id = 5 WHERE nick = 'bob'; DELETE FROM seat".to_owned(),
            &["people cannot be read: 1 (number 5)"],
        ),
        (
            "INSERT INTO seat (user, room, place) VALUES (5, 1, 1)".to_owned(),
            &["places in rooms are nobody's: 1 (of a user number 5)"],
        ),
        (
            "INSERT INTO seat (user, room, place) SELECT id, 9, 9 FROM user WHERE nick = 'bob'".to_owned(),
            &["places are in no room: 1 (bob's in a room number 9)"],
        ),
        (
            "UPDATE seat SET read = 4 WHERE read = 2".to_owned(),
            &["people have read more than there is: 1 (alice up to 4 in dev)"],
        ),
        (
            format!("{receipt} {} FROM user WHERE nick = 'bob'", id(9, 1)),
            &["receipts are for entries that never were: 1 (1 in a room number 9)"],
        ),
        (
            format!("{receipt} {} FROM user WHERE nick = 'bob'", id(2, 4)),
            &["receipts are for entries that never were: 1 (4 in dev)"],
        ),
        (
            format!("UPDATE receipt SET author = 5 WHERE entry = {}", id(2, 1)),
            &["receipts are for somebody else's entries: 1 (1 in dev)"],
        ),
        (
            format!("DELETE FROM entry WHERE id = {}", id(2, 2)),
            &[
                "rooms count other messages than they have: 1 (3 for 2 in dev)",
                "rooms count other bytes than they have: 1 (210 for 143 in dev)",
                "receipts are for entries that are lost: 1 (2 in dev)",
                "messages are gone and still found by their words: 1 (2 in dev)",
            ],
        ),
        // A withdrawal that is younger could be the reason.
        (
            format!(
                "{receipt} {} FROM user WHERE nick = 'bob'; UPDATE room SET bytes = 1 WHERE id = 2",
                id(1, 4)
            ),
            &["rooms count other bytes than they have: 1 (1 for 210 in dev)"],
        ),
    ] {
        finds(&data, &damage, expected).await;
    }
}

#[tokio::test]
async fn an_index_that_does_not_agree_with_the_messages_is_found() {
    let data = everything().await;
    for (damage, expected) in [
        (
            format!("INSERT INTO word (word, rowid, text) VALUES ('delete', {}, 'two')", id(2, 2)),
            &["messages are not found by their words: 1 (2 in dev)"][..],
        ),
        (
            format!("INSERT INTO word (rowid, text) VALUES ({}, 'a secret')", id(1, 4)),
            &["messages are gone and still found by their words: 1 (4 in lobby)"],
        ),
        (
            format!("UPDATE entry SET text = 'eno' WHERE id = {}", id(2, 1)),
            &["messages are found by other words than they have: 1 (1 in dev)"],
        ),
        (
            // The same words in another order.
            format!("UPDATE entry SET text = 'cat the' WHERE id = {}", id(1, 3)),
            &["messages are found by other words than they have: 1 (3 in lobby)"],
        ),
        (
            "INSERT INTO word (word) VALUES ('delete-all')".to_owned(),
            &["messages are not found by their words: 7 (1 in lobby, 2 in lobby, 3 in lobby, …)"],
        ),
    ] {
        finds(&data, &damage, expected).await;
    }
}

#[tokio::test]
async fn a_layout_that_is_not_this_version_s_is_found() {
    let data = everything().await;
    finds(
        &data,
        "DROP INDEX entry_changes; CREATE TABLE stray (x); DROP INDEX seat_room;
         CREATE INDEX seat_room ON seat (room, place)",
        &[
            "tables or indices are not those of this version: 3 (entry_changes is missing, seat_room is different, stray is not ours)",
        ],
    )
    .await;
}

/// Overwrites part of the page at which a table or an index begins.
fn overwrite(database: &Path, name: &str, at: u64, bytes: &[u8]) {
    let page: i64 = Connection::open(database)
        .and_then(|database| {
            database.query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [name], |row| row.get(0))
        })
        .expect("there is something of that name");
    let file = File::options().write(true).open(database).expect("a database can be opened");
    let begin = (page as u64 - 1) * PAGE_SIZE;
    file.write_all_at(bytes, begin + at).expect("a file can be written");
}

/// Bytes of a page.
const PAGE_SIZE: u64 = 4_096;

#[tokio::test]
async fn bytes_that_were_overwritten_are_found() {
    let data = everything().await;
    for (name, at, words) in [
        ("entry", 0, "the check could not go on"),
        ("entry", 3, "SQLite finds the file damaged"),
        ("receipt", 0, "the check could not go on"),
        ("entry_changes", 4_088, "SQLite finds the file damaged"),
        // The index of words: its pages are rows for SQLite, and checked by FTS5.
        ("word_data", 4_080, "SQLite finds the file damaged"),
        ("word_data", 0, "the check could not go on"),
    ] {
        let damaged = DataDir::restored(&data.database());
        overwrite(&damaged.database(), name, at, &[0xff; 8]);
        let exit = damaged.check().await;
        assert_eq!(exit.code, Some(1), "{name} at {at}: {}", exit.stdout);
        assert!(exit.stdout.contains(words), "{name} at {at}: {}", exit.stdout);
    }
}

#[tokio::test]
async fn a_file_without_its_end_is_found() {
    let data = everything().await;
    let damaged = DataDir::restored(&data.database());
    let file: PathBuf = damaged.database();
    let length = file.metadata().unwrap().len();
    File::options().write(true).open(&file).unwrap().set_len(length / 2).unwrap();
    let exit = damaged.check().await;
    assert_eq!(exit.code, Some(1), "{}", exit.stdout);
    // A copy that was cut off before its header ended is no database at all.
    File::options().write(true).open(&file).unwrap().set_len(50).unwrap();
    let exit = damaged.check().await;
    assert!(exit.stderr.contains("is not a Crosstalk database"), "{}", exit.stderr);
}
