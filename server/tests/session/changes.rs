//! What becomes of what was said: it is changed, withdrawn, answered, found, and never there twice.

use crate::client::{Client, Hello, hubs, texts};
use crosstalk_protocol::{
    Answered, Command, EntryRoom, ErrorCode, Event, HistoryRange, Message, Nick, Position, RoomName, Seq,
    Target, Text,
};

fn send(text: &str, reply: Option<Seq>) -> Command {
    let text = Text::clean(text).unwrap();
    Command::Send { to: Target::Room(RoomName::lobby()), text, action: false, reply }
}

fn edit(seq: Seq, text: &str) -> Command {
    Command::Edit { room: RoomName::lobby(), seq, text: Text::clean(text).unwrap() }
}

fn delete(seq: Seq) -> Command {
    Command::Delete { room: RoomName::lobby(), seq }
}

/// What came of a request that is answered when it is stored.
async fn settled(client: &mut Client, command: Command) -> Result<Seq, ErrorCode> {
    client.read().await;
    client.ask(command).await?;
    client.settle().await;
    for event in client.read().await {
        match event {
            Event::Ack { seq, .. } => return Ok(seq),
            Event::Error { error, .. } => return Err(error.code),
            _ => {}
        }
    }
    panic!("no answer")
}

async fn history(client: &mut Client) -> Vec<Message> {
    let of = Target::Room(RoomName::lobby());
    let command = Command::History { of, range: HistoryRange::Latest, limit: 100 };
    let Ok(Some(Event::History { history, .. })) = client.ask(command).await else { panic!("no history") };
    history.messages
}

async fn found(client: &mut Client, words: &str) -> Vec<String> {
    let of = Target::Room(RoomName::lobby());
    let command = Command::Search { of, words: words.to_owned(), before: None, limit: 10 };
    let Ok(Some(Event::Found { history, .. })) = client.ask(command).await else { panic!("nothing") };
    history.messages.into_iter().map(|message| message.text.to_string()).collect()
}

#[tokio::test]
async fn a_change_reaches_everybody_and_history_has_the_new_words() {
    for (_scratch, hub) in hubs().await {
        let mut alice = Client::enter(&hub, "alice", None).await;
        let mut bob = Client::enter(&hub, "bob", None).await;
        let seq = settled(&mut alice, send("teh cat", None)).await.unwrap();
        assert_eq!(settled(&mut alice, edit(seq, "the cat")).await, Ok(seq + 1));
        let events = bob.read().await;
        let Some(Event::Edited(edited)) = events.last() else { panic!("{events:?}") };
        assert_eq!((edited.seq, edited.target, edited.text.as_str()), (seq + 1, seq, "the cat"));
        let [message] = &history(&mut bob).await[..] else { panic!("one message") };
        assert_eq!((message.seq, message.text.as_str(), message.edited), (seq, "the cat", true));
        assert_eq!(found(&mut bob, "cat").await, ["the cat"]);
        assert_eq!(found(&mut bob, "teh").await, [""; 0]);
    }
}

#[tokio::test]
async fn only_its_author_changes_a_message() {
    for (_scratch, hub) in hubs().await {
        let mut alice = Client::enter(&hub, "alice", None).await;
        let mut bob = Client::enter(&hub, "bob", None).await;
        let seq = settled(&mut alice, send("mine", None)).await.unwrap();
        assert_eq!(settled(&mut bob, edit(seq, "yours")).await, Err(ErrorCode::NotYourMessage));
        assert_eq!(settled(&mut bob, delete(seq)).await, Err(ErrorCode::NotYourMessage));
        assert_eq!(settled(&mut alice, edit(seq + 7, "nothing")).await, Err(ErrorCode::NoSuchMessage));
        // Not even somebody who has taken the author's name.
        drop(alice);
        let mut other = Client::enter(&hub, "alice", None).await;
        assert_eq!(settled(&mut other, delete(seq)).await, Err(ErrorCode::NotYourMessage));
        assert_eq!(history(&mut bob).await.len(), 1);
    }
}

#[tokio::test]
async fn what_is_withdrawn_is_nowhere() {
    for (_scratch, hub) in hubs().await {
        let mut alice = Client::enter(&hub, "alice", None).await;
        settled(&mut alice, send("before", None)).await.unwrap();
        let seq = settled(&mut alice, send("regretted", None)).await.unwrap();
        settled(&mut alice, edit(seq, "regretted even more")).await.unwrap();
        settled(&mut alice, delete(seq)).await.unwrap();
        settled(&mut alice, send("after", None)).await.unwrap();
        assert_eq!(settled(&mut alice, edit(seq, "back")).await, Err(ErrorCode::NoSuchMessage));
        assert_eq!(found(&mut alice, "regretted").await, [""; 0]);
        let said: Vec<String> = history(&mut alice).await.iter().map(|said| said.text.to_string()).collect();
        assert_eq!(said, ["before", "after"]);
        // Somebody who comes late reads that something is gone, and not what.
        let position = Some(Position { epoch: alice.epoch, seq: 0 });
        let rooms = Some(vec![EntryRoom { room: RoomName::lobby(), position }]);
        let mut bob = Client::hello(&hub, "bob", Hello { rooms, ..Hello::default() }).await.unwrap();
        let events = bob.read().await;
        assert_eq!(texts(&events), ["before", "after"]);
        assert!(matches!(&events[1], Event::Deleted(deleted) if deleted.target == seq), "{events:?}");
        assert_eq!(events.len(), 3, "{events:?}");
    }
}

#[tokio::test]
async fn the_same_id_is_the_same_message() {
    for (_scratch, hub) in hubs().await {
        let mut alice = Client::enter(&hub, "alice", None).await;
        let mut bob = Client::enter(&hub, "bob", None).await;
        for _ in 0..2 {
            for client in [&mut alice, &mut bob] {
                client.ask_as("c1", send("once", None)).await.unwrap();
            }
        }
        // The same person, over another connection.
        let mut back = Client::resume(&hub, "alice", &alice.token()).await;
        back.ask_as("c1", send("once", None)).await.unwrap();
        back.settle().await;
        back.ask_as("c1", send("something else", None)).await.unwrap();
        back.settle().await;
        let events = back.read().await;
        assert!(matches!(&events[0], Event::Ack { seq: 1, .. }), "{events:?}");
        assert!(matches!(&events[1], Event::Error { error, .. } if error.code == ErrorCode::IdReused));
        let seen = texts(&bob.read().await);
        assert_eq!(seen, ["once", "once"], "one of each of the two");
    }
}

#[tokio::test]
async fn an_answer_names_what_it_answers() {
    for (_scratch, hub) in hubs().await {
        let mut alice = Client::enter(&hub, "alice", None).await;
        let mut bob = Client::enter(&hub, "bob", None).await;
        let seq = settled(&mut alice, send("who is there?", None)).await.unwrap();
        settled(&mut bob, send("me", Some(seq))).await.unwrap();
        let last = history(&mut alice).await.pop().unwrap();
        assert_eq!(last.reply, Some(Answered { seq, from: Nick::parse("alice").unwrap() }));
        assert_eq!(settled(&mut bob, send("what?", Some(99))).await, Err(ErrorCode::NoSuchMessage));
    }
}

#[tokio::test]
async fn words_are_found_whatever_they_are() {
    for (_scratch, hub) in hubs().await {
        let mut alice = Client::enter(&hub, "alice", None).await;
        for text in
            ["Ein Käse-Brot", "the brown fox", "a fox that is brown", "日本語を話します", "AND OR NOT \"x"]
        {
            settled(&mut alice, send(text, None)).await.unwrap();
        }
        for (words, expected) in [
            ("kase", vec!["Ein Käse-Brot"]),
            ("brown fox", vec!["the brown fox", "a fox that is brown"]),
            ("\"brown fox\"", vec!["the brown fox"]),
            ("本語", vec!["日本語を話します"]),
            ("語", vec!["日本語を話します"]),
            ("NOT \"x", vec!["AND OR NOT \"x"]),
            ("fo", vec![]),
        ] {
            assert_eq!(found(&mut alice, words).await, expected, "{words}");
        }
        let of = Target::Room(RoomName::lobby());
        let nothing = Command::Search { of, words: "\"*\" - ()".to_owned(), before: None, limit: 10 };
        assert_eq!(alice.ask(nothing).await, Err(ErrorCode::BadRequest));
    }
}
