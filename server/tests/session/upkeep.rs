//! What the hub and the store do for each other by themselves.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crosstalk_protocol::{Command, EntryRoom, Event, HistoryRange, Nick, Position, RoomName, Seq, Target};
use crosstalk_server::hub::{Hub, Visitor};
use crosstalk_server::peer::Peer;
use crosstalk_server::store::Retention;
use crosstalk_server::upkeep;

use crate::client::{Client, hub, texts};
use crate::keeper::Scratch;

async fn comes_true<F: Future<Output = bool>>(mut is_true: impl FnMut() -> F) {
    let wait = async {
        while !is_true().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it comes true");
}

fn count(scratch: &Scratch, question: &str) -> i64 {
    scratch.database().query_row(question, [], |row| row.get(0)).unwrap()
}

async fn history(client: &mut Client, range: HistoryRange) -> Vec<Seq> {
    let of = Target::Room(RoomName::lobby());
    let Ok(Some(Event::History { history, .. })) =
        client.ask(Command::History { of, range, limit: 100 }).await
    else {
        panic!("no history")
    };
    history.messages.iter().map(|message| message.seq).collect()
}

#[tokio::test]
async fn what_has_expired_is_not_in_memory_either() {
    let scratch = Scratch::new();
    let store = scratch.busy_store(Retention { messages: Some(2), ..Retention::default() });
    let hub = hub(store.clone()).await;
    let upkeep = tokio::spawn(upkeep::run(hub.clone(), store));
    let mut alice = Client::enter(&hub, "alice", None).await;
    for text in ["one", "two", "three", "four", "five"] {
        alice.say(text).await;
    }
    let wait = async {
        while history(&mut alice, HistoryRange::Latest).await != [4, 5] {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("memory forgets it");
    assert_eq!(history(&mut alice, HistoryRange::After(0)).await, [4, 5]);
    assert_eq!(history(&mut alice, HistoryRange::Before(4)).await, [0; 0]);
    let position = Some(Position { epoch: alice.epoch, seq: 1 });
    let rooms = Some(vec![EntryRoom { room: RoomName::lobby(), position }]);
    let mut bob = Client::enter(&hub, "bob", rooms).await;
    let events = bob.read().await;
    assert!(matches!(events[0], Event::Gap { after: 1, before: 4, .. }), "{events:?}");
    assert_eq!(texts(&events), ["four", "five"]);
    upkeep.abort();
}

#[tokio::test]
async fn a_reader_sees_the_gap_even_if_nobody_has_told_the_hub() {
    let scratch = Scratch::new();
    let store = scratch.busy_store(Retention { messages: Some(2), ..Retention::default() });
    {
        let first = hub(store.clone()).await;
        let mut alice = Client::enter(&first, "alice", None).await;
        for text in ["one", "two", "three", "four", "five"] {
            alice.say(text).await;
        }
    }
    comes_true(async || count(&scratch, "SELECT messages FROM room") == 2).await;
    // A hub that begins with what was there before that.
    scratch.database().execute("UPDATE room SET expired = 0", []).unwrap();
    let hub = hub(store).await;
    scratch.database().execute("UPDATE room SET expired = 3", []).unwrap();
    let epoch = Client::enter(&hub, "carol", None).await.epoch;
    let position = Some(Position { epoch, seq: 1 });
    let rooms = Some(vec![EntryRoom { room: RoomName::lobby(), position }]);
    let mut bob = Client::enter(&hub, "bob", rooms).await;
    let events = bob.read().await;
    assert!(matches!(events[0], Event::Gap { after: 1, before: 4, .. }), "{events:?}");
    assert_eq!(texts(&events), ["four", "five"]);
}

#[tokio::test]
async fn whoever_is_here_is_not_forgotten_however_long_ago_they_came() {
    let scratch = Scratch::new();
    let hub = hub(scratch.busy_store(Retention::default())).await;
    let mut alice = Client::enter(&hub, "alice", None).await;
    let bob = Client::enter(&hub, "bob", None).await;
    let (alices, bobs) = (alice.token(), bob.token());
    drop(bob);
    // Once this is stored, it is also stored that he has gone.
    alice.ask(Command::Hide).await.unwrap();
    assert_eq!(count(&scratch, "SELECT count(*) FROM user"), 2);
    scratch.database().execute("UPDATE user SET seen_at = 1", []).unwrap();
    hub.tidy_up().await;
    comes_true(async || count(&scratch, "SELECT count(*) FROM user") == 1).await;
    drop(alice);
    assert!(Client::resume(&hub, "alice", &alices).await.resumed_and_hidden().0);
    let bob = Client::resume(&hub, "bob", &bobs).await;
    assert!(!bob.resumed_and_hidden().0, "it is as if he came for the first time");
    assert_ne!(bob.token(), bobs);
}

async fn passes_by(hub: &Hub, name: &str) -> Arc<Peer> {
    hub.arrive(&Nick::parse(name).unwrap(), Visitor::Passing, 0).await.unwrap().peer
}

#[tokio::test]
async fn a_conversation_of_two_who_cannot_come_back_lasts_as_long_as_they_are_here() {
    let scratch = Scratch::new();
    let hub = hub(scratch.busy_store(Retention::default())).await;
    let (alice, bob) = (passes_by(&hub, "alice").await, passes_by(&hub, "bob").await);
    let room = hub.direct(&alice, &bob.user.nick()).await.unwrap().room;
    // What one of them has left is there for the other one.
    let (carol, dave) = (passes_by(&hub, "carol").await, passes_by(&hub, "dave").await);
    let left = hub.direct(&carol, &dave.user.nick()).await.unwrap().room;
    hub.leave(&carol, &left, None).await;
    let (erin, frank) = (passes_by(&hub, "erin").await, passes_by(&hub, "frank").await);
    let over = hub.direct(&erin, &frank.user.nick()).await.unwrap().room.id.0;
    hub.disconnect(&erin, true);
    hub.disconnect(&frank, true);
    hub.tidy_up().await;
    comes_true(async || count(&scratch, &format!("SELECT count(*) FROM room WHERE id = {over}")) == 0).await;
    let kept =
        format!("SELECT count(*) FROM room WHERE removed = 0 AND id IN ({}, {})", room.id.0, left.id.0);
    assert_eq!(count(&scratch, &kept), 2);
    hub.disconnect(&alice, true);
    hub.disconnect(&bob, true);
    hub.tidy_up().await;
    comes_true(async || count(&scratch, &kept) == 1).await;
}
