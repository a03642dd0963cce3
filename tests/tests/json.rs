//! JSON: each command and event of `docs/protocol.md`, field by field, and each error.

use crosstalk_tests::{JsonClient, LineClient, TestServer, assert_shape, within};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Two programs who see each other, with nothing unread.
async fn alice_and_bob(server: &TestServer) -> (JsonClient, JsonClient) {
    let mut alice = JsonClient::enter(server, "alice").await;
    let mut bob = JsonClient::enter_websocket(server, "bob").await;
    alice.take(|event| event["type"] == "presence" && event["joined"] == json!(["bob"])).await;
    bob.drain().await;
    (alice, bob)
}

fn error(code: &str) -> Value {
    json!({ "type": "error", "id": "$", "code": code, "message": "$" })
}

#[tokio::test]
async fn hello_is_answered_with_welcome() {
    let server = TestServer::with(&[]).await;
    let mut programs =
        [(JsonClient::tcp(server.tcp()).await, "alice"), (JsonClient::websocket(server.http()).await, "bob")];
    for (before, (client, nick)) in programs.iter_mut().enumerate() {
        let count = before + 1;
        let welcome = client.request(json!({ "type": "hello", "nick": nick })).await;
        assert_shape(
            &welcome,
            &json!({
                "type": "welcome", "id": "$", "nick": nick, "token": "$", "server": "$",
                "rooms": [{ "room": "lobby", "epoch": "#", "seq": "#", "read": "#", "count": count }],
                "limits": { "text": 4096, "frame": 32768, "rate": 10, "burst": 50, "rooms": 100 },
            }),
        );
        assert!(welcome["server"].as_str().unwrap().starts_with("crosstalk/"));
    }
    server.stop().await;
    let server = TestServer::with(&["--rate-limit", "off"]).await;
    let mut client = JsonClient::tcp(server.tcp()).await;
    let welcome = client.hello(json!({ "nick": "alice" })).await;
    assert_eq!((&welcome["limits"]["rate"], &welcome["limits"]["burst"]), (&Value::Null, &Value::Null));
    assert_eq!(welcome.get("id"), None);
    server.stop().await;
}

#[tokio::test]
async fn hello_can_name_the_rooms_to_be_in() {
    let server = TestServer::start().await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    alice.request(json!({ "type": "create", "room": "dev" })).await;
    let mut bob = JsonClient::tcp(server.tcp()).await;
    let welcome = bob.hello(json!({ "nick": "bob", "rooms": [{ "room": "dev" }, { "room": "gone" }] })).await;
    assert_shape(
        &welcome["rooms"],
        &json!([{ "room": "dev", "epoch": "#", "seq": "#", "read": "#", "count": 2 }]),
    );
    let missing = bob.take_type("error").await;
    assert_shape(&missing, &json!({ "type": "error", "code": "no-such-room", "message": "$" }));
    // Not in the lobby, since it was not named.
    let refused = bob.request(json!({ "type": "send", "room": "lobby", "text": "hi" })).await;
    assert_eq!(refused["code"], "not-a-member");
    let mut nowhere = JsonClient::tcp(server.tcp()).await;
    let welcome = nowhere.hello(json!({ "nick": "nowhere", "rooms": [] })).await;
    assert_eq!(welcome["rooms"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn a_message_is_acknowledged_and_seen_by_all() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    let before = now();
    alice.send(json!({ "type": "send", "room": "lobby", "text": "hi", "id": "c1" })).await;
    let ack = alice.take_type("ack").await;
    assert_shape(&ack, &json!({ "type": "ack", "id": "c1", "room": "lobby", "seq": "#" }));
    let expected = json!({ "type": "message", "room": "lobby", "seq": ack["seq"], "at": "#", "from": "alice", "text": "hi" });
    let own = alice.take_type("message").await;
    let seen = bob.take_type("message").await;
    assert_shape(&own, &expected);
    assert_eq!(own, seen);
    let at = own["at"].as_u64().unwrap();
    assert!((before..=now()).contains(&at), "{at} is not in milliseconds since 1970");
    // Without an id there is no ack; an action says so.
    alice.send(json!({ "type": "send", "room": "lobby", "text": "waves", "action": true })).await;
    let waves = bob.take_type("message").await;
    assert_shape(
        &waves,
        &json!({
            "type": "message", "room": "lobby", "seq": "#", "at": "#", "from": "alice", "text": "waves",
            "action": true,
        }),
    );
    assert!(waves["seq"].as_u64() > ack["seq"].as_u64());
    let unread = alice.drain().await;
    assert!(unread.iter().all(|event| event["type"] != "ack"), "{unread:?}");
    server.stop().await;
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970").as_millis()
        as u64
}

#[tokio::test]
async fn rooms_are_created_entered_listed_and_left() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    assert_shape(
        &alice.request(json!({ "type": "create", "room": "dev" })).await,
        &json!({ "type": "joined", "id": "$", "room": "dev", "epoch": "#", "seq": "#", "read": "#", "count": 1, "created": true }),
    );
    assert_shape(
        &bob.request(json!({ "type": "join", "room": "dev" })).await,
        &json!({ "type": "joined", "id": "$", "room": "dev", "epoch": "#", "seq": "#", "read": "#", "count": 2 }),
    );
    let came = alice.take(|event| event["room"] == "dev" && event["joined"] == json!(["bob"])).await;
    assert_shape(
        &came,
        &json!({
            "type": "presence", "room": "dev", "joined": ["bob"], "joined_count": 1, "left": [], "left_count": 0,
            "count": 2,
        }),
    );
    alice.request(json!({ "type": "create", "room": "Ops" })).await;
    let dev = json!({ "room": "dev", "count": 2, "member": true });
    let lobby = json!({ "room": "lobby", "count": 2, "member": true });
    let ops = json!({ "room": "Ops", "count": 1, "member": false });
    assert_shape(
        &bob.request(json!({ "type": "rooms" })).await,
        &json!({ "type": "rooms", "id": "$", "rooms": [dev, lobby, ops], "more": false }),
    );
    assert_shape(
        &bob.request(json!({ "type": "rooms", "limit": 1 })).await,
        &json!({ "type": "rooms", "id": "$", "rooms": [dev], "more": true }),
    );
    assert_shape(
        &bob.request(json!({ "type": "rooms", "after": "dev", "limit": 2 })).await,
        &json!({ "type": "rooms", "id": "$", "rooms": [lobby, ops], "more": false }),
    );
    assert_shape(
        &bob.request(json!({ "type": "leave", "room": "DEV" })).await,
        &json!({ "type": "left", "id": "$", "room": "dev" }),
    );
    let went = alice.take(|event| event["room"] == "dev" && event["left_count"] == 1).await;
    assert_eq!((&went["left"], &went["count"]), (&json!(["bob"]), &json!(1)));
    // Who has left hears nothing more.
    alice.say("dev", "secret").await;
    alice.say("lobby", "public").await;
    assert_eq!(bob.message().await.1, "public");
    server.stop().await;
}

#[tokio::test]
async fn members_are_those_of_a_room_or_everybody() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    alice.request(json!({ "type": "create", "room": "dev" })).await;
    assert_shape(
        &alice.request(json!({ "type": "members" })).await,
        &json!({ "type": "members", "id": "$", "members": ["alice", "bob"], "count": 2, "more": false }),
    );
    assert_shape(
        &alice.request(json!({ "type": "members", "room": "dev" })).await,
        &json!({ "type": "members", "id": "$", "room": "dev", "members": ["alice"], "count": 1, "more": false }),
    );
    assert_shape(
        &alice.request(json!({ "type": "members", "limit": 1 })).await,
        &json!({ "type": "members", "id": "$", "members": ["alice"], "count": 2, "more": true }),
    );
    assert_shape(
        &alice.request(json!({ "type": "members", "after": "alice" })).await,
        &json!({ "type": "members", "id": "$", "members": ["bob"], "before": 1, "count": 2, "more": false }),
    );
    assert_shape(&bob.request(json!({ "type": "members", "room": "dev" })).await, &error("not-a-member"));
    server.stop().await;
}

#[tokio::test]
async fn a_new_name_is_told_once_a_room() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    alice.request(json!({ "type": "create", "room": "dev" })).await;
    bob.request(json!({ "type": "join", "room": "dev" })).await;
    assert_shape(
        &alice.request(json!({ "type": "nick", "nick": "alicia" })).await,
        &json!({ "type": "nick", "id": "$", "nick": "alicia" }),
    );
    let mut rooms = Vec::new();
    for _ in 0..2 {
        let renamed = bob.take_type("renamed").await;
        assert_shape(&renamed, &json!({ "type": "renamed", "room": "$", "from": "alice", "to": "alicia" }));
        rooms.push(renamed["room"].as_str().unwrap().to_owned());
    }
    rooms.sort();
    assert_eq!(rooms, ["dev", "lobby"]);
    // The old name is free, the new one is not; another case of one's own is.
    assert_shape(&bob.request(json!({ "type": "nick", "nick": "ALICIA" })).await, &error("nick-taken"));
    assert_eq!(alice.request(json!({ "type": "nick", "nick": "Alicia" })).await["nick"], "Alicia");
    assert_eq!(bob.request(json!({ "type": "nick", "nick": "alice" })).await["nick"], "alice");
    server.stop().await;
}

#[tokio::test]
async fn a_direct_conversation_is_a_room_of_two() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    alice.send(json!({ "type": "send", "to": "bob", "text": "psst", "id": "c1" })).await;
    let opened = alice.take_type("joined").await;
    let shape = |with: &str| json!({ "type": "joined", "room": "$", "epoch": "#", "seq": "#", "count": 2, "with": with });
    assert_shape(&opened, &shape("bob"));
    assert!(opened["room"].as_str().unwrap().starts_with('@'));
    let ack = alice.take_type("ack").await;
    assert_eq!((&ack["id"], &ack["room"]), (&json!("c1"), &opened["room"]));
    let opened_for_bob = bob.take_type("joined").await;
    assert_shape(&opened_for_bob, &shape("alice"));
    assert_eq!(opened_for_bob["room"], opened["room"]);
    let expected = json!({
        "type": "message", "room": opened["room"], "seq": ack["seq"], "at": "#", "from": "alice", "to": "bob",
        "text": "psst",
    });
    assert_shape(&bob.take_type("message").await, &expected);
    assert_shape(&alice.take_type("message").await, &expected);
    // The answer can go to the room or to the person: it is one conversation.
    bob.send(json!({ "type": "send", "room": opened["room"], "text": "by room", "id": "c1" })).await;
    assert_eq!(bob.take_type("ack").await["room"], opened["room"]);
    bob.send(json!({ "type": "send", "to": "ALICE", "text": "by name", "id": "c2" })).await;
    assert_eq!(bob.take_type("ack").await["room"], opened["room"]);
    for text in ["by room", "by name"] {
        let message = alice.take_type("message").await;
        assert_eq!((&message["text"], &message["to"]), (&json!(text), &json!("alice")));
    }
    let history = alice.request(json!({ "type": "history", "to": "bob" })).await;
    let texts: Vec<_> =
        history["messages"].as_array().unwrap().iter().map(|message| &message["text"]).collect();
    assert_eq!(texts, ["psst", "by room", "by name"]);
    server.stop().await;
}

#[tokio::test]
async fn a_third_person_is_not_let_into_a_direct_conversation() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    let mut eve = JsonClient::enter(&server, "eve").await;
    alice.send(json!({ "type": "send", "to": "bob", "text": "psst", "id": "c1" })).await;
    let room = bob.take_type("joined").await["room"].clone();
    for attempt in [
        json!({ "type": "send", "room": room, "text": "hello" }),
        json!({ "type": "history", "room": room }),
        json!({ "type": "members", "room": room }),
        json!({ "type": "leave", "room": room }),
        json!({ "type": "join", "room": room }),
        json!({ "type": "join", "room": room, "position": { "epoch": 1, "seq": 0 } }),
        json!({ "type": "create", "room": room }),
    ] {
        let real = eve.request(attempt.clone()).await;
        assert_eq!(real["type"], "error", "{attempt} was answered {real}");
        // And it does not even show that there is such a conversation.
        let mut other = attempt.clone();
        other["room"] = json!("@999");
        let absent = eve.request(other).await;
        assert_eq!(real["code"], absent["code"], "{attempt}");
    }
    let listed = eve.request(json!({ "type": "rooms" })).await;
    assert!(!listed.to_string().contains('@'), "{listed}");
    let mut mallory = JsonClient::tcp(server.tcp()).await;
    let position = json!({ "epoch": 1, "seq": 0 });
    let hello =
        json!({ "nick": "mallory", "rooms": [{ "room": room, "position": position }, { "room": "lobby" }] });
    let welcome = mallory.hello(hello).await;
    assert_eq!(welcome["rooms"].as_array().unwrap().len(), 1, "{welcome}");
    alice.send(json!({ "type": "send", "to": "bob", "text": "still between us", "id": "c2" })).await;
    bob.take(|event| event["text"] == "still between us").await;
    for client in [&mut eve, &mut mallory] {
        let seen = client.drain().await;
        assert!(seen.iter().all(|event| event["type"] != "message"), "{seen:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_hidden_person_is_answered_for_as_an_absent_one() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    let mut carol = LineClient::enter(&server, "carol").await;
    let mut dave = JsonClient::enter(&server, "dave").await;
    // A conversation that is open already makes no difference: bob hides, and dave goes.
    alice.send(json!({ "type": "send", "to": "bob", "text": "before", "id": "c1" })).await;
    let direct = bob.take_type("joined").await["room"].clone();
    alice.send(json!({ "type": "send", "to": "dave", "text": "before", "id": "c0" })).await;
    let other = dave.take_type("joined").await["room"].clone();
    dave.send(json!({ "type": "quit" })).await;
    alice.take(|event| event["left"] == json!(["dave"])).await;
    assert_shape(
        &bob.request(json!({ "type": "hide" })).await,
        &json!({ "type": "hidden", "id": "$", "hidden": true }),
    );
    let left = alice.take(|event| event["left"] == json!(["bob"])).await;
    assert_eq!(left["count"], 2);
    for attempt in [
        json!({ "type": "send", "to": "NAME", "text": "to them" }),
        json!({ "type": "send", "room": "ROOM", "text": "there?" }),
        json!({ "type": "history", "to": "NAME", "limit": 1 }),
        json!({ "type": "members", "room": "ROOM" }),
    ] {
        let mut answers = Vec::new();
        for (name, room) in [("bob", &direct), ("dave", &other)] {
            let mut frame = attempt.clone();
            if frame["to"] == "NAME" {
                frame["to"] = json!(name);
            }
            if frame["room"] == "ROOM" {
                frame["room"] = room.clone();
            }
            let answer = alice.request(frame).await;
            let alike = [(json!(name), "NAME"), (room.clone(), "ROOM"), (answer["id"].clone(), "ID")];
            let (at, epoch) = (answer["messages"][0]["at"].to_string(), answer["epoch"].to_string());
            let answer = alike.iter().fold(answer.to_string(), |words, (of_one, of_both)| {
                words.replace(&of_one.to_string(), of_both)
            });
            answers.push(answer.replace(&at, "AT").replace(&epoch, "EPOCH"));
        }
        assert_eq!(answers[0], answers[1]);
    }
    let mut answers = Vec::new();
    for name in ["bob", "nobody"] {
        // To carol, who has spoken with neither.
        carol.send_line(&format!("/dm {name} hello")).await;
        answers.push(carol.until("User not found.").await);
    }
    assert_eq!(answers[1], [""; 0]);
    let members = alice.request(json!({ "type": "members" })).await;
    assert_eq!((&members["members"], &members["count"]), (&json!(["alice", "carol"]), &json!(2)));
    let rooms = alice.request(json!({ "type": "rooms" })).await;
    assert_eq!(rooms["rooms"][0]["count"], 2);
    // Hidden people write, and are seen to.
    bob.say("lobby", "boo").await;
    assert_eq!(alice.take(|event| event["text"] == "boo").await["from"], "bob");
    assert_shape(
        &bob.request(json!({ "type": "reveal" })).await,
        &json!({ "type": "hidden", "id": "$", "hidden": false }),
    );
    alice.take(|event| event["joined"] == json!(["bob"])).await;
    alice.send(json!({ "type": "send", "to": "bob", "text": "after", "id": "c2" })).await;
    assert_eq!(bob.take(|event| event["text"] == "after").await["room"], direct);
    server.stop().await;
}

#[tokio::test]
async fn who_hides_and_leaves_is_not_announced() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    bob.request(json!({ "type": "hide" })).await;
    alice.take(|event| event["left"] == json!(["bob"])).await;
    bob.request(json!({ "type": "nick", "nick": "robert" })).await;
    bob.request(json!({ "type": "create", "room": "den" })).await;
    bob.send(json!({ "type": "quit" })).await;
    bob.take_type("disconnect").await;
    // The name is free when they have left.
    let mut other = JsonClient::enter(&server, "robert").await;
    other.say("lobby", "I am another").await;
    alice.take(|event| event["text"] == "I am another").await;
    let seen = alice.drain().await;
    let told: Vec<_> = seen.iter().filter(|event| event["type"] != "message").collect();
    assert!(
        told.iter().all(|event| event["joined"] == json!(["robert"]) || event["joined"] == json!(["alice"])),
        "{told:?}"
    );
    server.stop().await;
}

#[tokio::test]
async fn history_is_read_by_number() {
    let server = TestServer::start().await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut seqs = Vec::new();
    for number in 0..10 {
        seqs.push(alice.say("lobby", &format!("number {number}")).await);
    }
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
    let mut bob = JsonClient::enter(&server, "bob").await;
    for (fields, numbers, more) in [
        (json!({}), 0..10, false),
        (json!({ "limit": 3 }), 7..10, true),
        (json!({ "before": seqs[5], "limit": 3 }), 2..5, true),
        (json!({ "before": seqs[3], "limit": 3 }), 0..3, false),
        (json!({ "before": seqs[0] }), 0..0, false),
        (json!({ "after": seqs[5], "limit": 3 }), 6..9, true),
        (json!({ "after": seqs[6], "limit": 3 }), 7..10, false),
        (json!({ "after": 0, "limit": 2 }), 0..2, true),
        (json!({ "after": seqs[9] }), 0..0, false),
    ] {
        let mut frame = fields.clone();
        frame["type"] = json!("history");
        frame["room"] = json!("lobby");
        let expected: Vec<Value> = numbers
            .map(|number| {
                let text = format!("number {number}");
                json!({ "room": "lobby", "seq": seqs[number], "at": "#", "from": "alice", "text": text })
            })
            .collect();
        let shape = json!({
            "type": "history", "id": "$", "room": "lobby", "epoch": "#", "messages": expected, "more": more,
        });
        assert_shape(&bob.request(frame).await, &shape);
    }
    server.stop().await;
}

#[tokio::test]
async fn ping_and_quit_are_answered() {
    let server = TestServer::start().await;
    let mut alice = JsonClient::tcp(server.tcp()).await;
    // A sign of life can be asked for before hello.
    assert_shape(&alice.request(json!({ "type": "ping" })).await, &json!({ "type": "pong", "id": "$" }));
    alice.send(json!({ "type": "ping" })).await;
    assert_shape(&alice.event().await, &json!({ "type": "pong" }));
    alice.hello(json!({ "nick": "alice" })).await;
    alice.send(json!({ "type": "quit" })).await;
    let bye = alice.take_type("disconnect").await;
    assert_shape(&bye, &json!({ "type": "disconnect", "code": "bye", "message": "$", "reconnect": false }));
    assert_eq!(alice.next().await, None);
    server.stop().await;
}

#[tokio::test]
async fn each_error_has_its_code() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    alice.request(json!({ "type": "create", "room": "dev" })).await;
    for (frame, code) in [
        (json!({ "type": "hello", "nick": "again" }), "already-welcome"),
        (json!({ "type": "dance" }), "unknown-command"),
        (json!({ "type": "send", "room": "lobby" }), "bad-request"),
        (json!({ "type": "send", "text": "x" }), "bad-request"),
        (json!({ "type": "send", "room": "lobby", "to": "alice", "text": "x" }), "bad-request"),
        (json!({ "type": "send", "room": "lobby", "text": 7 }), "bad-request"),
        (json!({ "type": "send", "room": "lobby", "text": "x", "action": "yes" }), "bad-request"),
        (json!({ "type": "send", "room": "lobby", "text": "" }), "bad-text"),
        (json!({ "type": "send", "room": "lobby", "text": "\u{200b}\u{7}" }), "bad-text"),
        (json!({ "type": "send", "room": "lobby", "text": "x".repeat(4097) }), "bad-text"),
        (json!({ "type": "send", "room": "no room", "text": "x" }), "bad-room"),
        (json!({ "type": "send", "room": "nowhere", "text": "x" }), "no-such-room"),
        (json!({ "type": "send", "room": "dev", "text": "x" }), "not-a-member"),
        (json!({ "type": "send", "to": "nobody", "text": "x" }), "no-such-user"),
        (json!({ "type": "send", "to": "no body", "text": "x" }), "bad-nick"),
        (json!({ "type": "create", "room": "dev" }), "room-exists"),
        (json!({ "type": "create", "room": "lobby" }), "room-exists"),
        (json!({ "type": "create", "room": "" }), "bad-room"),
        (json!({ "type": "join", "room": "nowhere" }), "no-such-room"),
        (json!({ "type": "join", "room": "lobby" }), "already-a-member"),
        (json!({ "type": "join" }), "bad-request"),
        (json!({ "type": "join", "room": "dev", "position": 7 }), "bad-request"),
        (json!({ "type": "leave", "room": "dev" }), "not-a-member"),
        (json!({ "type": "leave", "room": "nowhere" }), "no-such-room"),
        (json!({ "type": "members", "room": "nowhere" }), "no-such-room"),
        (json!({ "type": "nick", "nick": "alice" }), "nick-taken"),
        (json!({ "type": "nick", "nick": "Server" }), "bad-nick"),
        (json!({ "type": "nick" }), "bad-request"),
        (json!({ "type": "history", "room": "lobby", "before": 1, "after": 1 }), "bad-request"),
        (json!({ "type": "history", "room": "lobby", "before": "x" }), "bad-request"),
        (json!({ "type": "history", "room": "lobby", "limit": -1 }), "bad-request"),
        (json!({ "type": "history", "to": "nobody" }), "no-such-user"),
        (json!({ "type": "history" }), "bad-request"),
    ] {
        let answer = bob.request(frame.clone()).await;
        assert!(answer["code"] == code, "{frame} was answered {answer}");
        assert_shape(&answer, &error(code));
    }
    // The connection goes on.
    bob.say("lobby", "still here").await;
    server.stop().await;
}

#[tokio::test]
async fn hello_comes_first_and_can_be_tried_again() {
    let server = TestServer::start().await;
    let _alice = JsonClient::enter(&server, "alice").await;
    let mut bob = JsonClient::tcp(server.tcp()).await;
    for frame in [
        json!({ "type": "send", "room": "lobby", "text": "x" }),
        json!({ "type": "join", "room": "lobby" }),
        json!({ "type": "members" }),
        json!({ "type": "rooms" }),
        json!({ "type": "nick", "nick": "bob" }),
        json!({ "type": "hide" }),
    ] {
        assert_shape(&bob.request(frame).await, &error("hello-first"));
    }
    let hello = |nick: &str| json!({ "type": "hello", "nick": nick });
    assert_shape(&bob.request(hello("alice")).await, &error("nick-taken"));
    assert_shape(&bob.request(hello("Server")).await, &error("bad-nick"));
    assert_shape(&bob.request(json!({ "type": "hello" })).await, &error("bad-request"));
    assert_eq!(bob.request(hello("bob")).await["type"], "welcome");
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_frame_is_refused_and_the_next_one_is_not() {
    let server = TestServer::start().await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    for (bytes, code) in [
        (&b"{\n"[..], "bad-request"),
        (b"[]\n", "bad-request"),
        (b"null\n", "bad-request"),
        (b"\"hello\"\n", "bad-request"),
        (b"{\"type\":7}\n", "bad-request"),
        (b"{}\n", "bad-request"),
        (b"hello\n", "bad-request"),
        (b"{\"type\":\"ping\"} trailing\n", "bad-request"),
        (b"{\"type\":\"\xff\"}\n", "not-utf8"),
        (b"{\"type\":\"ping\",\"id\":\"\"}\n", "bad-request"),
        (b"{\"type\":\"ping\",\"id\":7}\n", "bad-request"),
    ] {
        alice.send_bytes(bytes).await;
        let answer = alice.take_type("error").await;
        assert!(answer["code"] == code, "{:?} was answered {answer}", String::from_utf8_lossy(bytes));
    }
    for length in [32_769, 1_000_000, 10_000_000] {
        let frame = format!("{{\"type\":\"ping\",\"pad\":\"{}\"}}", "x".repeat(length - 24));
        alice.send_text(&frame).await;
        let answer = alice.take_type("error").await;
        assert_shape(&answer, &json!({ "type": "error", "code": "too-long", "message": "$" }));
    }
    let longest = format!("{{\"type\":\"ping\",\"pad\":\"{}\"}}", "x".repeat(32_768 - 24));
    assert_eq!(longest.len(), 32_768);
    alice.send_text(&longest).await;
    assert_eq!(alice.take(|event| event["type"] != "presence").await["type"], "pong");
    let long_id = "i".repeat(64);
    alice.send(json!({ "type": "ping", "id": long_id })).await;
    assert_eq!(alice.take_type("pong").await["id"], json!(long_id));
    server.stop().await;
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_order_of_fields_does_not_matter() {
    let server = TestServer::start().await;
    let mut alice = JsonClient::tcp(server.tcp()).await;
    alice
        .send_bytes(b"{\"color\":\"red\",\"nick\":\"alice\",\"deep\":{\"a\":[1,{}]},\"type\":\"hello\"}\r\n")
        .await;
    assert_eq!(alice.event().await["type"], "welcome");
    alice
        .send_bytes(
            b"{\"text\":\"h\\u00e9 \\ud83d\\udc4b\",\"room\":\"LOBBY\",\"x\":null,\"type\":\"send\"}\r\n",
        )
        .await;
    let message = alice.take_type("message").await;
    assert_eq!((&message["text"], &message["room"]), (&json!("hé 👋"), &json!("lobby")));
    server.stop().await;
}

#[tokio::test]
async fn answers_come_in_the_order_of_the_questions() {
    let server = TestServer::start().await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut frames = String::new();
    for number in 0..300 {
        let kind = ["ping", "members", "rooms", "nothing"][number % 4];
        frames += &format!("{{\"type\":\"{kind}\",\"id\":\"{number}\"}}\n");
    }
    alice.send_bytes(frames.as_bytes()).await;
    for number in 0..300 {
        let answer = alice.take(|event| event["id"].is_string()).await;
        assert_eq!(answer["id"], number.to_string());
    }
    server.stop().await;
}

#[tokio::test]
async fn everybody_sees_the_same_order() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    let mut readers =
        [JsonClient::enter(&server, "carol").await, JsonClient::enter_websocket(&server, "dave").await];
    const COUNT: usize = 200;
    let talk = async |client: &mut JsonClient, name: &str| {
        for number in 0..COUNT {
            let text = format!("{name} {number}");
            client.send(json!({ "type": "send", "room": "lobby", "text": text, "id": text })).await;
        }
    };
    tokio::join!(talk(&mut alice, "alice"), talk(&mut bob, "bob"));
    let mut seen = Vec::new();
    let [carol, dave] = &mut readers;
    for client in [&mut alice, &mut bob, carol, dave] {
        let mut messages = Vec::new();
        while messages.len() < 2 * COUNT {
            let message = client.take_type("message").await;
            messages.push((message["seq"].as_u64().unwrap(), message["text"].as_str().unwrap().to_owned()));
        }
        assert!(messages.is_sorted_by(|a, b| a.0 < b.0), "numbers grow");
        for name in ["alice", "bob"] {
            let own = messages.iter().filter(|(_, text)| text.starts_with(name));
            assert!(
                own.map(|(_, text)| text.clone()).eq((0..COUNT).map(|number| format!("{name} {number}")))
            );
        }
        seen.push(messages);
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
    for (client, name) in [(&mut alice, "alice"), (&mut bob, "bob")] {
        for number in 0..COUNT {
            let ack = client.take_type("ack").await;
            let (seq, _) = seen[0].iter().find(|(_, text)| *text == format!("{name} {number}")).unwrap();
            assert_eq!((&ack["id"], ack["seq"].as_u64()), (&json!(format!("{name} {number}")), Some(*seq)));
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_slow_program_is_greeted_as_a_person_and_still_let_in() {
    let server = TestServer::start().await;
    let mut stream = TcpStream::connect(server.tcp()).await.unwrap();
    // Nothing is said until the greeting is there.
    let mut byte = [0];
    within("a greeting", stream.read_exact(&mut byte)).await.unwrap();
    assert_eq!(&byte, b"W");
    stream.write_all(b"{\"type\":\"hello\",\"nick\":\"slow\"}\n").await.unwrap();
    let mut slow = JsonClient::over(stream);
    assert_eq!(slow.event().await["nick"], "slow");
    server.stop().await;
}

#[tokio::test]
async fn how_far_a_room_was_read_is_in_every_welcome_and_answer_to_join_and_create() {
    let server = TestServer::start().await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    bob.say("lobby", "said before").await;
    bob.request(json!({ "type": "create", "room": "dev" })).await;
    let mut alice = JsonClient::tcp(server.tcp()).await;
    let welcome = alice.hello(json!({ "nick": "alice", "client": "one" })).await;
    let lobby = &welcome["rooms"][0];
    assert_eq!(lobby["read"], lobby["seq"], "what was said before somebody came is not news to them");
    let known = json!({ "nick": "alice", "token": welcome["token"], "client": "two" });
    let mut other = JsonClient::websocket(server.http()).await;
    other.hello(known.clone()).await;
    let created = alice.request(json!({ "type": "create", "room": "ops" })).await;
    let joined = alice.request(json!({ "type": "join", "room": "dev" })).await;
    assert!(created["read"].is_u64() && joined["read"].is_u64(), "{created} {joined}");
    bob.request(json!({ "type": "send", "to": "alice", "text": "psst" })).await;
    alice.take_type("joined").await;
    drop(other);
    let mut back = JsonClient::websocket(server.http()).await;
    let welcome = back.hello(known).await;
    let rooms = welcome["rooms"].as_array().expect("it is a list");
    assert_eq!(rooms.len(), 4, "{welcome}");
    assert!(rooms.iter().all(|room| room["read"].is_u64()), "{welcome}");
    server.stop().await;
}

#[tokio::test]
async fn an_object_whose_line_has_no_end_is_not_taken() {
    let server = TestServer::start().await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    let mut alice = TcpStream::connect(server.tcp()).await.expect("the port is open");
    let hello = b"{\"type\":\"hello\",\"nick\":\"alice\"}\n";
    let sends = [
        &b"{\"type\":\"send\",\"room\":\"lobby\",\"text\":\"whole\"}\n"[..],
        b"{\"type\":\"send\",\"room\":\"lobby\",\"text\":\"cut off\"}",
    ];
    for bytes in [&hello[..], sends[0], sends[1]] {
        alice.write_all(bytes).await.expect("the server reads");
    }
    alice.shutdown().await.expect("a socket can be half-closed");
    assert_eq!(bob.message().await, ("alice".to_owned(), "whole".to_owned()));
    bob.take(|event| event["left"] == json!(["alice"])).await;
    assert!(!bob.drain().await.iter().any(|event| event["type"] == "message"));
    server.stop().await;
}
