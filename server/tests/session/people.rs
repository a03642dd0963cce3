//! Who comes back, and as whom.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use crosstalk_protocol::{
    Command, DisconnectCode, EntryRoom, ErrorCode, Event, HistoryRange, Nick, Page, Position, RoomName, Seq,
    Target, Text, Token,
};
use crosstalk_server::hub::Hub;
use crosstalk_server::segment::Encoding;
use crosstalk_server::sequencer;

use crate::client::{Client, Hello, hub, hubs, texts};
use crate::keeper::{Keeper, Scratch};

fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

fn names(client: &Client) -> Vec<String> {
    client.rooms().iter().map(|entered| entered.room.to_string()).collect()
}

async fn members(client: &mut Client) -> Vec<String> {
    let Ok(Some(Event::Members { members, .. })) =
        client.ask(Command::Members { room: None, page: Page::default() }).await
    else {
        panic!("no list")
    };
    members.iter().map(Nick::to_string).collect()
}

#[tokio::test]
async fn who_comes_back_with_their_token_is_who_they_were() {
    for (_scratch, hub) in hubs().await {
        let mut alice = Client::enter(&hub, "alice", None).await;
        let token = alice.token();
        assert_eq!(alice.resumed_and_hidden(), (false, false));
        alice.ask(Command::Create { room: room("dev") }).await.unwrap();
        alice.ask(Command::Leave { room: RoomName::lobby() }).await.unwrap();
        alice.ask(Command::Hide).await.unwrap();
        drop(alice);
        let alice = Client::resume(&hub, "alice", &token).await;
        assert_eq!(alice.resumed_and_hidden(), (true, true));
        assert_eq!(names(&alice), ["dev"]);
        assert_eq!(alice.token(), token);
    }
}

#[tokio::test]
async fn a_restart_makes_no_difference() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let before = hub(store.clone()).await;
    let mut alice = Client::enter(&before, "alice", None).await;
    let (token, epoch) = (alice.token(), alice.epoch);
    alice.ask(Command::Create { room: room("dev") }).await.unwrap();
    alice.ask(Command::Nick { nick: Nick::parse("alicia").unwrap() }).await.unwrap();
    alice.say("one").await;
    alice.say("two").await;
    alice.ask(Command::Read { room: RoomName::lobby(), seq: 1 }).await.unwrap();
    drop((alice, before));
    // With the hub the sequencer ends; it holds the store until then.
    while Arc::strong_count(&store) > 1 {
        tokio::task::yield_now().await;
    }
    drop(store);

    let after = hub(scratch.store()).await;
    let position = Some(Position { epoch, seq: 1 });
    let rooms = Some(vec![EntryRoom { room: RoomName::lobby(), position }]);
    let hello = Hello { token: Some(token), rooms, ..Hello::default() };
    let mut alice = Client::hello(&after, "alicia", hello).await.unwrap();
    assert_eq!(names(&alice), ["lobby", "dev"]);
    let lobby = &alice.rooms()[0];
    assert_eq!((lobby.position.epoch, lobby.read, lobby.unread), (epoch, Some(1), 1));
    assert_eq!(texts(&alice.read().await), ["two"]);
}

#[tokio::test]
async fn a_token_that_nobody_has_is_as_none() {
    for (_scratch, hub) in hubs().await {
        let alice = Client::resume(&hub, "alice", &Token::new("made-up").unwrap()).await;
        assert_eq!(alice.resumed_and_hidden(), (false, false));
        assert_eq!(names(&alice), ["lobby"]);
        assert_ne!(alice.token().as_str(), "made-up");
    }
}

#[tokio::test]
async fn a_client_that_comes_back_takes_the_place_of_its_dead_connection() {
    for (_scratch, hub) in hubs().await {
        let mut bob = Client::enter(&hub, "bob", None).await;
        let mut dead = Client::enter(&hub, "alice", None).await;
        let token = dead.token();
        drain_presence(&mut bob).await;
        let mut alice = Client::resume(&hub, "alice", &token).await;
        let end = dead.session.read(Encoding::Json, 1_000, |_| {});
        assert_eq!(end, Err(DisconnectCode::Replaced));
        drop(dead);
        assert_eq!(members(&mut alice).await, ["alice", "bob"]);
        assert_eq!(drain_presence(&mut bob).await, 0, "nobody has come or gone");
        alice.say("still here").await;
        assert_eq!(texts(&bob.read().await), ["still here"]);
        drop(alice);
        assert_eq!(members(&mut bob).await, ["bob"]);
        assert_eq!(drain_presence(&mut bob).await, 1, "now somebody has gone");
    }
}

#[tokio::test]
async fn a_hello_that_was_on_its_way_for_long_takes_nobodys_place() {
    for (_scratch, hub) in hubs().await {
        let alice = Client::enter(&hub, "alice", None).await;
        let token = Some(alice.token());
        let hello = |opened| Hello { token: token.clone(), client: Some("page"), rooms: None, opened };
        let mut second = Client::hello(&hub, "alice", hello(2)).await.unwrap();
        let mut first = Client::hello(&hub, "alice", hello(1)).await.unwrap();
        let end = first.session.read(Encoding::Json, 1_000, |_| {});
        assert_eq!(end, Err(DisconnectCode::Replaced));
        drop(first);
        second.say("still here").await;
        assert_eq!(texts(&second.read().await), ["still here"]);
    }
}

/// How many announcements of people a client has not read yet.
async fn drain_presence(client: &mut Client) -> usize {
    // What was announced before something is said is in the log before it.
    client.say("mark").await;
    let mut count = 0;
    let mut bytes = Vec::new();
    while client.session.has_news() {
        let read = client.session.read(Encoding::Json, 100_000, |told| {
            if let crosstalk_server::session::Told::Run(run) = told {
                bytes.extend_from_slice(&run);
            }
        });
        read.unwrap();
    }
    for line in bytes.split(|byte| *byte == b'\n') {
        count += usize::from(line.starts_with(br#"{"type":"presence""#));
    }
    count
}

#[tokio::test]
async fn two_clients_of_one_person_share_rooms_names_and_read_positions() {
    for (_scratch, hub) in hubs().await {
        let mut desk = Client::enter(&hub, "alice", None).await;
        let token = Some(desk.token());
        let hello = Hello { token, client: Some("phone"), ..Hello::default() };
        let mut phone = Client::hello(&hub, "whoever", hello).await.unwrap();
        assert_eq!(phone.session.nick().unwrap().as_str(), "alice", "who is here keeps their name");
        desk.ask(Command::Create { room: room("dev") }).await.unwrap();
        let mut events = phone.read().await;
        desk.say("hi").await;
        desk.ask(Command::Read { room: RoomName::lobby(), seq: 1 }).await.unwrap();
        desk.ask(Command::Nick { nick: Nick::parse("alicia").unwrap() }).await.unwrap();
        desk.ask(Command::Leave { room: room("dev") }).await.unwrap();
        events.extend(phone.read().await);
        assert_eq!(texts(&events), ["hi"]);
        let has = |wanted: &dyn Fn(&Event) -> bool| assert!(events.iter().any(wanted), "{events:?}");
        has(&|event| matches!(event, Event::Joined { entered, .. } if entered.room == room("dev")));
        has(&|event| matches!(event, Event::Read { id: None, room, seq: 1 } if room.is_lobby()));
        has(&|event| matches!(event, Event::Nick { id: None, nick } if nick.as_str() == "alicia"));
        has(&|event| matches!(event, Event::Left { id: None, room: left } if *left == room("dev")));
        drop(desk);
        assert_eq!(members(&mut phone).await, ["alicia"], "one of the two is still here");
    }
}

#[tokio::test]
async fn a_name_that_somebody_else_has_taken_is_refused_and_another_one_is_not() {
    for (_scratch, hub) in hubs().await {
        let alice = Client::enter(&hub, "alice", None).await;
        let token = alice.token();
        drop(alice);
        let _other = Client::enter(&hub, "alice", None).await;
        let hello = || Hello { token: Some(token.clone()), ..Hello::default() };
        assert_eq!(Client::hello(&hub, "alice", hello()).await.err(), Some(ErrorCode::NickTaken));
        let back = Client::hello(&hub, "alice2", hello()).await.unwrap();
        assert!(back.resumed_and_hidden().0);
    }
}

#[tokio::test]
async fn a_direct_conversation_outlives_connections_and_waits_for_who_is_away() {
    for (_scratch, hub) in hubs().await {
        let mut alice = Client::enter(&hub, "alice", None).await;
        let bob = Client::enter(&hub, "bob", None).await;
        let bobs = bob.token();
        whisper(&mut alice, "bob", "one").await.unwrap();
        let alices = alice.token();
        drop(bob);
        whisper(&mut alice, "bob", "while you were away").await.unwrap();
        drop(alice);
        let mut alice = Client::resume(&hub, "alice", &alices).await;
        let direct = alice.rooms().pop().unwrap();
        assert_eq!(direct.with, Nick::parse("bob").ok());
        whisper(&mut alice, "bob", "three").await.unwrap();
        let mut bob = Client::resume(&hub, "bob", &bobs).await;
        assert_eq!(bob.rooms().pop().map(|room| room.room), Some(direct.room.clone()));
        let history =
            Command::History { of: Target::Room(direct.room), range: HistoryRange::Latest, limit: 10 };
        let Ok(Some(Event::History { history, .. })) = bob.ask(history).await else { panic!("no history") };
        let said: Vec<&str> = history.messages.iter().map(|message| message.text.as_str()).collect();
        assert_eq!(said, ["one", "while you were away", "three"]);
        assert_eq!(whisper(&mut bob, "nobody", "psst").await, Err(ErrorCode::NoSuchUser));
    }
}

#[tokio::test]
async fn what_is_stored_and_not_shown_yet_is_not_taken_for_what_was_read() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let (alices, bobs) = {
        let hub = hub(store.clone()).await;
        let mut alice = Client::enter(&hub, "alice", None).await;
        let bob = Client::enter(&hub, "bob", None).await;
        whisper(&mut alice, "bob", "one").await.unwrap();
        (alice.token(), bob.token())
    };
    // The conversation is in no memory. Its second message is stored, and its sequencer rests.
    let (hub, drafts) = Hub::new(store.clone()).await.unwrap();
    let hub = Arc::new(hub);
    let mut sequencer = pin!(sequencer::run(drafts, store.clone()));
    let mut alice = Client::resume(&hub, "alice", &alices).await;
    let say = Command::Send {
        to: Target::Room(alice.rooms().pop().unwrap().room),
        text: Text::clean("two").unwrap(),
        action: false,
        reply: None,
    };
    alice.ask(say).await.unwrap();
    assert!(first_poll(&mut sequencer).await.is_pending());
    let mut bob = Client::resume(&hub, "bob", &bobs).await;
    tokio::select! {
        () = sequencer => unreachable!("the hub is there"),
        () = alice.settle() => {}
    }
    assert_eq!(texts(&bob.read().await), ["two"]);
}

async fn whisper(client: &mut Client, to: &str, text: &str) -> Result<(), ErrorCode> {
    let to = Target::User(Nick::parse(to).unwrap());
    let text = Text::clean(text).unwrap();
    client.ask(Command::Send { to, text, action: false, reply: None }).await?;
    client.settle().await;
    Ok(())
}

#[tokio::test]
async fn what_was_said_to_somebody_is_not_said_again_to_somebody_else_of_that_name() {
    for (_scratch, hub) in hubs().await {
        let mut alice = Client::enter(&hub, "alice", None).await;
        let bob = Client::enter(&hub, "bob", None).await;
        let say = |text: &str| {
            let to = Target::User(Nick::parse("bob").unwrap());
            Command::Send { to, text: Text::clean(text).unwrap(), action: false, reply: None }
        };
        let mut places = Vec::new();
        alice.ask_as("a-1", say("for you")).await.unwrap();
        alice.settle().await;
        places.extend(acks(&alice.read().await));
        drop(bob);
        let mut bob = Client::enter(&hub, "bob", None).await;
        for (id, text) in [("a-2", "and for you"), ("a-1", "for you")] {
            alice.ask_as(id, say(text)).await.unwrap();
            alice.settle().await;
            places.extend(acks(&alice.read().await));
        }
        assert_eq!(places.len(), 3, "{places:?}");
        assert_eq!(places[2], places[0], "the answer is the same");
        assert_ne!(places[1].0, places[0].0, "somebody else has a conversation of their own");
        assert_eq!(texts(&bob.read().await), ["and for you"]);
    }
}

#[tokio::test]
async fn nobody_is_told_of_a_room_that_is_not_stored() {
    let keeper = Arc::new(Keeper::default());
    let hub = hub(keeper.clone()).await;
    let mut alice = Client::enter(&hub, "alice", None).await;
    let on_phone = Hello { token: Some(alice.token()), client: Some("phone"), ..Hello::default() };
    let mut phone = Client::hello(&hub, "alice", on_phone).await.unwrap();
    let mut bob = Client::enter(&hub, "bob", None).await;
    let to = Target::User(Nick::parse("bob").unwrap());
    let say = Command::Send { to, text: Text::clean("hi").unwrap(), action: false, reply: None };
    for (command, told) in [(say, &mut bob), (Command::Create { room: room("dev") }, &mut phone)] {
        told.read().await;
        keeper.holding.send_replace(true);
        let mut asked = pin!(alice.ask(command));
        assert!(first_poll(&mut asked).await.is_pending(), "it waits for the store");
        assert_eq!(told.read().await, [], "what is not stored yet may never have been");
        keeper.holding.send_replace(false);
        asked.await.unwrap();
        let events = told.read().await;
        assert!(matches!(events[0], Event::Joined { .. }), "{events:?}");
    }
}

async fn first_poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context))).await
}

/// Where what was acknowledged is.
fn acks(events: &[Event]) -> Vec<(RoomName, Seq)> {
    let place = |event: &Event| match event {
        Event::Ack { room, seq, .. } => Some((room.clone(), *seq)),
        _ => None,
    };
    events.iter().filter_map(place).collect()
}

#[tokio::test]
async fn a_room_left_meanwhile_is_not_entered_again_by_its_position() {
    for (_scratch, hub) in hubs().await {
        let mut desk = Client::enter(&hub, "alice", None).await;
        desk.ask(Command::Create { room: room("dev") }).await.unwrap();
        let mut bob = Client::enter(&hub, "bob", None).await;
        bob.ask(Command::Join(EntryRoom { room: room("dev"), position: None })).await.unwrap();
        desk.ask(Command::Leave { room: room("dev") }).await.unwrap();
        let position = Some(Position { epoch: 1, seq: 0 });
        let rooms = Some(vec![EntryRoom { room: room("dev"), position }]);
        let hello = Hello { token: Some(desk.token()), client: Some("phone"), rooms, opened: 0 };
        let mut phone = Client::hello(&hub, "alice", hello).await.unwrap();
        assert_eq!(names(&phone), ["lobby"]);
        let events = phone.read().await;
        assert_eq!(events, [Event::Left { id: None, room: room("dev") }]);
    }
}
