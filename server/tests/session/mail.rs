//! What waits for a client that does not read while others of the same person do this and that.

use std::sync::Arc;

use crosstalk_protocol::{
    Command, DisconnectCode, EntryRoom, Event, Nick, Request, RequestId, RoomName, Target, Text,
};
use crosstalk_server::hub::Hub;
use crosstalk_server::limits::{MAIL_MAX, WRITE_MAX};
use crosstalk_server::segment::Encoding;
use crosstalk_server::session::{Refusal, Told};

use crate::client::{Client, Hello, hubs};

/// Two clients of one person.
async fn two_clients(hub: &Arc<Hub>) -> (Client, Client) {
    let desk = Client::enter(hub, "alice", None).await;
    let hello = Hello { token: Some(desk.token()), client: Some("phone"), ..Hello::default() };
    let phone = Client::hello(hub, "alice", hello).await.unwrap();
    (desk, phone)
}

#[tokio::test]
async fn of_what_replaces_what_came_before_only_the_last_is_told() {
    for (_scratch, hub) in hubs().await {
        let (mut desk, mut phone) = two_clients(&hub).await;
        for number in 1..=20 {
            desk.say(&format!("words {number}")).await;
        }
        for seq in 1..=20 {
            desk.ask(Command::Read { room: RoomName::lobby(), seq }).await.unwrap();
            desk.ask(Command::Nick { nick: Nick::parse(&format!("alice{seq}")).unwrap() }).await.unwrap();
            desk.ask(Command::Hide).await.unwrap();
            desk.ask(Command::Reveal).await.unwrap();
        }
        let mut events = phone.read().await;
        events
            .retain(|event| matches!(event, Event::Read { .. } | Event::Nick { .. } | Event::Hidden { .. }));
        let last = [
            Event::Read { id: None, room: RoomName::lobby(), seq: 20 },
            Event::Nick { id: None, nick: Nick::parse("alice20").unwrap() },
            Event::Hidden { id: None, hidden: false },
        ];
        assert_eq!(events, last);
    }
}

#[tokio::test]
async fn a_client_that_is_too_far_behind_ends_and_is_told_what_it_has_sent() {
    for (_scratch, hub) in hubs().await {
        let (mut desk, mut phone) = two_clients(&hub).await;
        let dev = RoomName::parse("dev").unwrap();
        // Somebody stays there, so that it is one room.
        let mut bob = Client::enter(&hub, "bob", None).await;
        bob.ask(Command::Create { room: dev.clone() }).await.unwrap();
        phone.read().await;
        let (to, text) = (Target::Room(RoomName::lobby()), Text::clean("words").unwrap());
        let say = Command::Send { to, text, action: false, reply: None };
        phone.ask_as("mine", say).await.unwrap();
        phone.settle().await;
        for _ in 0..=MAIL_MAX / 2 {
            desk.ask(Command::Join(EntryRoom { room: dev.clone(), position: None })).await.unwrap();
            desk.ask(Command::Leave { room: dev.clone() }).await.unwrap();
        }
        let mut told = Vec::new();
        let end = phone.session.read(Encoding::Json, WRITE_MAX, |news| told.push(news));
        assert_eq!(end, Err(DisconnectCode::WriteTimeout));
        let [Told::Event(Event::Ack { id, .. })] = &told[..] else { panic!("{told:?}") };
        assert_eq!(Some(id), RequestId::new("mine").as_ref());
        let asked = phone.session.handle(Request { id: None, command: Command::Ping }).await;
        assert!(matches!(asked, Err(Refusal::Disconnect(DisconnectCode::WriteTimeout))), "{asked:?}");
        // The others go on.
        desk.say("on").await;
        assert!(!bob.read().await.is_empty());
    }
}
