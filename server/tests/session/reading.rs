//! What a session reads, whatever the store does.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crosstalk_protocol::{
    Command, EntryRoom, ErrorCode, Event, History, HistoryRange, Nick, Page, Position, RoomName, Target, Text,
};
use crosstalk_server::hub::Hub;
use crosstalk_server::limits::TAIL_ENTRIES;
use crosstalk_server::store::{Ephemeral, Store};

use crate::client::{Client, hub, texts};
use crate::keeper::Keeper;

#[tokio::test]
async fn an_ack_says_where_the_message_is() {
    let hub = hub(Arc::new(Ephemeral::default())).await;
    let mut alice = Client::enter(&hub, "alice", None).await;
    let mut bob = Client::enter(&hub, "bob", None).await;
    alice.say("hi").await;
    let acks: Vec<_> = alice
        .read()
        .await
        .into_iter()
        .filter_map(|event| match event {
            Event::Ack { room, seq, .. } => Some((room, seq)),
            _ => None,
        })
        .collect();
    assert_eq!(acks, [(RoomName::lobby(), 1)]);
    assert_eq!(texts(&bob.read().await), ["hi"]);
}

/// One more message than memory holds, and a cursor that has seen the first.
async fn fall_behind(store: Arc<dyn Store>) -> (Arc<Hub>, Client) {
    let hub = hub(store).await;
    let mut alice = Client::enter(&hub, "alice", None).await;
    for number in 0..TAIL_ENTRIES + 10 {
        alice.send(&number.to_string()).await;
        if !alice.session.is_ready() {
            alice.settle().await;
            alice.read().await;
        }
    }
    alice.settle().await;
    let position = Some(Position { epoch: alice.epoch, seq: 1 });
    let bob = Client::enter(&hub, "bob", Some(vec![EntryRoom { room: RoomName::lobby(), position }])).await;
    (hub, bob)
}

#[tokio::test]
async fn a_cursor_behind_the_memory_reads_the_store_and_misses_nothing() {
    let (_hub, mut bob) = fall_behind(Arc::new(Keeper::default())).await;
    let events = bob.read().await;
    let expected: Vec<String> = (1..TAIL_ENTRIES + 10).map(|number| number.to_string()).collect();
    assert_eq!(texts(&events), expected);
    assert_eq!(events.len(), expected.len(), "and nothing but messages");
}

#[tokio::test]
async fn a_cursor_behind_everything_is_told_of_the_gap() {
    let (_hub, mut bob) = fall_behind(Arc::new(Ephemeral::default())).await;
    let events = bob.read().await;
    let Event::Gap { after: 1, before, .. } = events[0] else { panic!("{:?}", events[0]) };
    let Event::Message(first) = &events[1] else { panic!("{:?}", events[1]) };
    assert_eq!(first.seq, before);
    let seqs: Vec<u64> = (before..before + events.len() as u64 - 1).collect();
    let read: Vec<u64> = events[1..]
        .iter()
        .map(|event| match event {
            Event::Message(message) => message.seq,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(read, seqs);
    assert_eq!(read.last(), Some(&(TAIL_ENTRIES as u64 + 10)));
}

#[tokio::test]
async fn a_position_of_another_epoch_is_a_gap() {
    let hub = hub(Arc::new(Ephemeral::default())).await;
    let mut alice = Client::enter(&hub, "alice", None).await;
    alice.say("one").await;
    let lobby = |epoch, seq| EntryRoom { room: RoomName::lobby(), position: Some(Position { epoch, seq }) };
    let epoch = alice.epoch;
    let mut bob = Client::enter(&hub, "bob", Some(vec![lobby(epoch - 1, 1)])).await;
    let events = bob.read().await;
    assert!(
        matches!(events[0], Event::Gap { epoch: now, after: 0, before: 1, .. } if now == epoch),
        "{events:?}"
    );
    assert_eq!(texts(&events), ["one"], "what the new epoch has is shown from its beginning");
    let mut carol = Client::enter(&hub, "carol", Some(vec![lobby(epoch, 1)])).await;
    assert_eq!(carol.read().await, []);
}

#[tokio::test]
async fn history_goes_on_in_the_store_where_memory_ends() {
    let (_hub, mut bob) = fall_behind(Arc::new(Keeper::default())).await;
    let mut ask = async |range| {
        let of = Target::Room(RoomName::lobby());
        match bob.ask(Command::History { of, range, limit: 20 }).await {
            Ok(Some(Event::History { history: History { messages, more, .. }, .. })) => {
                (messages.iter().map(|message| message.seq).collect::<Vec<_>>(), more)
            }
            other => panic!("{other:?}"),
        }
    };
    let last = TAIL_ENTRIES as u64 + 10;
    assert_eq!(ask(HistoryRange::Latest).await, ((last - 19..=last).collect(), true));
    assert_eq!(ask(HistoryRange::Before(31)).await, ((11..31).collect(), true));
    assert_eq!(ask(HistoryRange::Before(21)).await, ((1..21).collect(), false));
    assert_eq!(ask(HistoryRange::Before(5)).await, ((1..5).collect(), false));
    assert_eq!(ask(HistoryRange::After(0)).await, ((1..21).collect(), true));
    assert_eq!(ask(HistoryRange::After(last - 5)).await, ((last - 4..=last).collect(), false));
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_and_seen_by_nobody() {
    let store = Arc::new(Keeper::default());
    let hub = hub(store.clone()).await;
    let mut alice = Client::enter(&hub, "alice", None).await;
    let mut bob = Client::enter(&hub, "bob", None).await;
    bob.read().await;
    store.failing.store(true, Ordering::Relaxed);
    alice.say("lost").await;
    let events = alice.read().await;
    let [Event::Error { id, error }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((id.is_some(), error.code), (true, ErrorCode::Busy));
    assert!(error.retry_after_ms.is_some());
    store.failing.store(false, Ordering::Relaxed);
    alice.say("kept").await;
    let events = bob.read().await;
    assert_eq!(texts(&events), ["kept"]);
    let Event::Message(message) = &events[0] else { panic!("{events:?}") };
    assert_eq!(message.seq, 1, "a refused message leaves no number behind");
}

#[tokio::test]
async fn a_direct_conversation_is_a_room_of_two() {
    let hub = hub(Arc::new(Ephemeral::default())).await;
    let mut alice = Client::enter(&hub, "alice", None).await;
    let mut bob = Client::enter(&hub, "bob", None).await;
    let mut carol = Client::enter(&hub, "carol", None).await;
    let to = Target::User(Nick::parse("bob").unwrap());
    let text = Text::clean("psst").unwrap();
    assert_eq!(
        alice.ask(Command::Send { to, text: text.clone(), action: false, reply: None }).await,
        Ok(None)
    );
    alice.settle().await;
    let events = bob.read().await;
    let [Event::Joined { entered, .. }, Event::Message(message)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(entered.with, Nick::parse("alice").ok());
    assert_eq!((message.room.clone(), message.to.clone()), (RoomName::direct(2), Nick::parse("bob").ok()));
    assert_eq!(texts(&alice.read().await), ["psst"]);
    let to = Target::Room(RoomName::direct(2));
    assert_eq!(
        carol.ask(Command::Send { to: to.clone(), text, action: false, reply: None }).await,
        Err(ErrorCode::NotAMember)
    );
    let history = Command::History { of: to, range: HistoryRange::Latest, limit: 1 };
    assert_eq!(carol.ask(history).await, Err(ErrorCode::NotAMember));
    let join = Command::Join(EntryRoom { room: RoomName::direct(2), position: None });
    assert_eq!(carol.ask(join).await, Err(ErrorCode::NoSuchRoom));
    assert_eq!(carol.read().await, []);
}

#[tokio::test]
async fn who_has_left_a_direct_conversation_is_found_in_another() {
    for nicks in [["alice", "bob"], ["bob", "alice"]] {
        // Whoever of the two came first.
        let hub = hub(Arc::new(Ephemeral::default())).await;
        let mut clients = Vec::new();
        for nick in nicks {
            clients.push(Client::enter(&hub, nick, None).await);
        }
        clients.sort_by_key(|client| client.session.nick());
        let [alice, bob] = &mut clients[..] else { panic!("two") };
        let text = Text::clean("hello").unwrap();
        let to = Target::User(Nick::parse("bob").unwrap());
        assert_eq!(
            alice.ask(Command::Send { to, text: text.clone(), action: false, reply: None }).await,
            Ok(None)
        );
        assert!(matches!(alice.read().await[0], Event::Joined { .. }));
        alice.ask(Command::Leave { room: RoomName::direct(2) }).await.unwrap();
        bob.read().await;
        let to = Target::Room(RoomName::direct(2));
        assert_eq!(bob.ask(Command::Send { to, text, action: false, reply: None }).await, Ok(None));
        bob.settle().await;
        assert_eq!(texts(&alice.read().await), ["hello"], "{nicks:?}");
    }
}

#[tokio::test]
async fn a_room_in_which_something_is_about_to_be_said_is_not_removed() {
    let hub = hub(Arc::new(Ephemeral::default())).await;
    let mut alice = Client::enter(&hub, "alice", None).await;
    let dev = RoomName::parse("dev").unwrap();
    alice.ask(Command::Create { room: dev.clone() }).await.unwrap();
    let text = Text::clean("hello").unwrap();
    alice
        .ask(Command::Send { to: Target::Room(dev.clone()), text, action: false, reply: None })
        .await
        .unwrap();
    alice.ask(Command::Leave { room: dev.clone() }).await.unwrap();
    assert!(hub.has_room(&dev));
    alice.ask(Command::Create { room: RoomName::parse("empty").unwrap() }).await.unwrap();
    alice.ask(Command::Leave { room: RoomName::parse("empty").unwrap() }).await.unwrap();
    assert!(!hub.has_room(&RoomName::parse("empty").unwrap()));
}

#[tokio::test]
async fn who_is_hidden_is_absent_from_a_direct_conversation_too() {
    let hub = hub(Arc::new(Ephemeral::default())).await;
    let mut alice = Client::enter(&hub, "alice", None).await;
    let mut bob = Client::enter(&hub, "bob", None).await;
    let to = Target::User(Nick::parse("bob").unwrap());
    let text = Text::clean("psst").unwrap();
    alice.ask(Command::Send { to, text, action: false, reply: None }).await.unwrap();
    alice.settle().await;
    alice.ask(Command::Hide).await.unwrap();
    bob.read().await;
    let members = Command::Members { room: Some(RoomName::direct(2)), page: Page::default() };
    let Ok(Some(Event::Members { members, count, .. })) = bob.ask(members).await else { panic!("no list") };
    assert_eq!((members, count), (vec![Nick::parse("bob").unwrap()], 1));
    alice.ask(Command::Nick { nick: Nick::parse("eve").unwrap() }).await.unwrap();
    alice.say("from somebody").await;
    let events = bob.read().await;
    assert_eq!(texts(&events), ["from somebody"]);
    assert!(!events.iter().any(|event| matches!(event, Event::Renamed(_))), "{events:?}");
}
