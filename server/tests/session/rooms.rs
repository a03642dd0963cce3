//! How many rooms there may be, and which makes room for another.

use std::sync::Arc;

use crosstalk_protocol::{Command, EntryRoom, ErrorCode, RoomName, Target, Text};
use crosstalk_server::hub::Hub;
use crosstalk_server::limits::SPARE_TIME;
use crosstalk_server::store::{Change, Ephemeral, Retention, RoomId, StoredRoom};

use crate::client::{Client, hub_with};
use crate::keeper::Scratch;

fn name(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

async fn create(client: &mut Client, room: &str) -> Result<(), ErrorCode> {
    client.ask(Command::Create { room: name(room) }).await.map(drop)
}

async fn say_in(client: &mut Client, room: &str) {
    let (to, text) = (Target::Room(name(room)), Text::clean("words").unwrap());
    client.ask(Command::Send { to, text, action: false, reply: None }).await.unwrap();
    client.settle().await;
}

async fn leave(client: &mut Client, room: &str) {
    client.ask(Command::Leave { room: name(room) }).await.unwrap();
}

fn has(hub: &Hub, rooms: &[&str]) -> Vec<bool> {
    rooms.iter().map(|room| hub.has_room(&name(room))).collect()
}

#[tokio::test]
async fn a_room_in_which_something_was_said_is_not_given_up_for_another() {
    let scratch = Scratch::new();
    let hub = hub_with(scratch.store(), |hub| hub.limit_rooms(3)).await;
    let mut alice = Client::enter(&hub, "alice", None).await;
    for room in ["one", "two"] {
        create(&mut alice, room).await.unwrap();
    }
    say_in(&mut alice, "one").await;
    leave(&mut alice, "one").await;
    assert_eq!(create(&mut alice, "three").await, Err(ErrorCode::TooManyRooms), "she is in the other one");
    assert_eq!(create(&mut alice, "one").await, Err(ErrorCode::RoomExists));
    leave(&mut alice, "two").await;
    create(&mut alice, "three").await.unwrap();
    assert_eq!(has(&hub, &["one", "two", "three"]), [true, false, true]);
}

#[tokio::test]
async fn a_limit_below_what_there_is_takes_nothing_away() {
    let scratch = Scratch::new();
    let store = scratch.store();
    {
        let hub = hub_with(store.clone(), |_| {}).await;
        let mut alice = Client::enter(&hub, "alice", None).await;
        for room in ["one", "two", "three"] {
            create(&mut alice, room).await.unwrap();
            say_in(&mut alice, room).await;
            leave(&mut alice, room).await;
        }
    }
    let hub = hub_with(store, |hub| hub.limit_rooms(2)).await;
    let mut alice = Client::enter(&hub, "alice", None).await;
    assert_eq!(create(&mut alice, "four").await, Err(ErrorCode::TooManyRooms));
    assert_eq!(has(&hub, &["one", "two", "three"]), [true; 3]);
}

#[tokio::test(start_paused = true)]
async fn rooms_are_looked_through_for_one_that_can_go_once_a_second_at_most() {
    let hub = hub_with(Arc::new(Ephemeral::default()), |hub| hub.limit_rooms(3)).await;
    let mut alice = Client::enter(&hub, "alice", None).await;
    for room in ["one", "two"] {
        create(&mut alice, room).await.unwrap();
        say_in(&mut alice, room).await;
    }
    assert_eq!(create(&mut alice, "three").await, Err(ErrorCode::TooManyRooms));
    leave(&mut alice, "one").await;
    assert_eq!(create(&mut alice, "three").await, Err(ErrorCode::TooManyRooms), "nobody has looked again");
    tokio::time::advance(SPARE_TIME).await;
    create(&mut alice, "three").await.unwrap();
    assert_eq!(has(&hub, &["one", "two", "three"]), [false, true, true]);
}

#[tokio::test(start_paused = true)]
async fn what_was_found_once_is_not_given_up_if_it_is_used_again() {
    let hub = hub_with(Arc::new(Ephemeral::default()), |hub| hub.limit_rooms(4)).await;
    let mut alice = Client::enter(&hub, "alice", None).await;
    for room in ["one", "two", "three"] {
        create(&mut alice, room).await.unwrap();
        say_in(&mut alice, room).await;
        // The clock of what was said is the real one: each is newer than the one before, or as old.
        leave(&mut alice, room).await;
    }
    create(&mut alice, "four").await.unwrap();
    let left: Vec<&str> =
        ["one", "two", "three"].into_iter().filter(|room| hub.has_room(&name(room))).collect();
    assert_eq!(left.len(), 2);
    for room in &left {
        let entry = EntryRoom { room: name(room), position: None };
        alice.ask(Command::Join(entry)).await.unwrap();
    }
    assert_eq!(create(&mut alice, "five").await, Err(ErrorCode::TooManyRooms));
    assert_eq!(has(&hub, &left), [true, true]);
}

#[tokio::test]
async fn of_two_rooms_of_one_name_the_newer_is_meant_if_nothing_was_said_in_the_other() {
    let scratch = Scratch::new();
    let store = scratch.busy_store(Retention::default());
    {
        let hub = hub_with(store.clone(), |_| {}).await;
        let mut alice = Client::enter(&hub, "alice", None).await;
        create(&mut alice, "dev").await.unwrap();
    }
    // The store has not heard that it was given up before somebody else created it.
    let count =
        |question: &str| -> i64 { scratch.database().query_row(question, [], |row| row.get(0)).unwrap() };
    let older = count("SELECT id FROM room WHERE name = 'dev'");
    let newer = StoredRoom {
        id: RoomId(older as u32 + 1),
        name: name("dev"),
        epoch: 9,
        last_seq: 0,
        expired: 0,
        pair: None,
        ended: false,
        seats: 0,
    };
    store.change(Change::CreateRoom(newer)).await.unwrap();
    let hub = hub_with(store.clone(), |_| {}).await;
    let mut bob = Client::enter(&hub, "bob", None).await;
    let entry = EntryRoom { room: name("dev"), position: None };
    bob.ask(Command::Join(entry)).await.unwrap();
    assert_eq!(count("SELECT count(*) FROM room WHERE name = 'dev' AND removed = 0"), 1);
    assert_eq!(count("SELECT room FROM seat WHERE room > 1"), older + 1);
}
