//! The way back: who returns with a token is who they were, at once and whatever still lingers; what
//! is sent again is there once.

use crosstalk_tests::faults::deaf;
use crosstalk_tests::{DataDir, JsonClient, LineClient, TestServer, read_history, within};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

/// A message under an id of the client's choice, and what the server answers.
async fn send(client: &mut JsonClient, id: &str, room: &str, text: &str) -> Value {
    client.send(json!({ "type": "send", "room": room, "text": text, "id": id })).await;
    client.take(|event| event["id"] == *id).await
}

async fn texts(client: &mut JsonClient, room: &str) -> Vec<String> {
    read_history(client, room).await.into_iter().map(|entry| entry.text).collect()
}

#[tokio::test]
async fn who_comes_back_has_their_name_at_once_while_the_dead_connection_lingers() {
    let server = TestServer::start().await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    // A client that has stopped: it reads nothing and says nothing, not even goodbye.
    let mut stopped = deaf(server.tcp()).await;
    stopped.write_all(b"{\"type\":\"hello\",\"nick\":\"alice\"}\n").await.unwrap();
    bob.take(|event| event["joined"] == json!(["alice"])).await;
    let mut other = JsonClient::tcp(server.tcp()).await;
    other.send(json!({ "type": "hello", "nick": "alice" })).await;
    assert_eq!(other.event().await["code"], "nick-taken", "without a token it is somebody else's");
    // The token is in what the stopped client has not read.
    let mut line = Vec::new();
    let mut byte = [0; 1];
    while byte[0] != b'\n' {
        within("a welcome", tokio::io::AsyncReadExt::read_exact(&mut stopped, &mut byte)).await.unwrap();
        line.push(byte[0]);
    }
    let welcome: Value = serde_json::from_slice(&line).unwrap();
    let long = "x".repeat(4_000);
    for _ in 0..300 {
        bob.say("lobby", &long).await;
    }
    let back = other.hello(json!({ "nick": "alice", "token": welcome["token"] })).await;
    assert_eq!((&back["nick"], &back["resumed"]), (&json!("alice"), &json!(true)));
    // Nobody else is told: she has not been away.
    let seen = bob.drain().await;
    assert!(!seen.iter().any(|event| event["type"] == "presence"), "{seen:?}");
    assert_eq!(bob.request(json!({ "type": "members" })).await["count"], 2);
    bob.say("lobby", "welcome back").await;
    other.take(|event| event["text"] == "welcome back").await;
    drop(stopped);
    server.stop().await;
}

#[tokio::test]
async fn the_connection_that_was_replaced_is_told_so_on_every_door() {
    let server = TestServer::start().await;
    let mut old = JsonClient::websocket(server.http()).await;
    let welcome = old.hello(json!({ "nick": "alice", "client": "phone" })).await;
    // Another client of hers leaves it alone.
    let mut laptop = JsonClient::tcp(server.tcp()).await;
    laptop.hello(json!({ "nick": "alice", "token": welcome["token"], "client": "laptop" })).await;
    old.drain().await;
    let mut new = JsonClient::tcp(server.tcp()).await;
    new.hello(json!({ "nick": "alice", "token": welcome["token"], "client": "phone" })).await;
    let end = old.take_type("disconnect").await;
    assert_eq!((&end["code"], &end["reconnect"]), (&json!("replaced"), &json!(false)));
    assert!(old.next().await.is_none());
    assert_eq!(old.close_code(), Some(1008));
    laptop.drain().await;
    let mut newest = JsonClient::websocket(server.http()).await;
    newest.hello(json!({ "nick": "alice", "token": welcome["token"], "client": "phone" })).await;
    assert_eq!(new.take_type("disconnect").await["code"], "replaced");
    server.stop().await;
}

#[tokio::test]
async fn the_same_id_is_the_same_message_after_a_reconnect_and_a_crash() {
    let data = DataDir::new();
    let mut server = TestServer::with_data(&data, &[]).await;
    let mut alice = JsonClient::tcp(server.tcp()).await;
    let welcome = alice.hello(json!({ "nick": "alice" })).await;
    let first = send(&mut alice, "a1", "lobby", "one").await;
    assert_eq!(first["type"], "ack", "{first}");
    let again = send(&mut alice, "a1", "lobby", "one").await;
    assert_eq!(again, first);
    let edit = json!({ "type": "edit", "room": "lobby", "seq": first["seq"], "text": "uno", "id": "a2" });
    alice.send(edit.clone()).await;
    let changed = alice.take(|event| event["id"] == "a2").await;
    let second = send(&mut alice, "a3", "lobby", "two").await;
    alice.send(json!({ "type": "delete", "room": "lobby", "seq": second["seq"], "id": "a4" })).await;
    let withdrawn = alice.take(|event| event["id"] == "a4").await;
    for crash in [false, true] {
        if crash {
            server.kill().await;
            server.restart().await;
        }
        let mut alice = JsonClient::websocket(server.http()).await;
        alice.hello(json!({ "nick": "alice", "token": welcome["token"] })).await;
        assert_eq!(send(&mut alice, "a1", "lobby", "one").await, first);
        alice.send(edit.clone()).await;
        assert_eq!(alice.take(|event| event["id"] == "a2").await, changed);
        alice.send(json!({ "type": "delete", "room": "lobby", "seq": second["seq"], "id": "a4" })).await;
        assert_eq!(alice.take(|event| event["id"] == "a4").await, withdrawn);
        assert_eq!(texts(&mut alice, "lobby").await, ["uno"]);
        let reused = send(&mut alice, "a1", "lobby", "something else").await;
        assert_eq!(reused["code"], "id-reused", "{reused}");
        assert_eq!(texts(&mut alice, "lobby").await, ["uno"], "nothing was sent");
        // Whoever has no token is somebody else, and so is their id.
        let nick = if crash { "carol" } else { "bob" };
        let mut other = JsonClient::enter(&server, nick).await;
        let theirs = send(&mut other, "a1", "lobby", "theirs").await;
        assert_eq!(theirs["type"], "ack", "{theirs}");
        other.send(json!({ "type": "delete", "room": "lobby", "seq": theirs["seq"], "id": "gone" })).await;
        other.take(|event| event["id"] == "gone").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn reading_goes_on_where_it_was_after_a_crash() {
    let data = DataDir::new();
    let mut server = TestServer::with_data(&data, &[]).await;
    let mut bob = JsonClient::tcp(server.tcp()).await;
    let welcome = bob.hello(json!({ "nick": "bob" })).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    for number in 1..=3 {
        alice.say("lobby", &number.to_string()).await;
        assert_eq!(bob.message().await.1, number.to_string());
    }
    drop(bob);
    alice.take(|event| event["left"] == json!(["bob"])).await;
    // More than is kept in memory of a start: what is behind comes from the disk.
    for number in 4..=500 {
        alice.say("lobby", &number.to_string()).await;
    }
    server.kill().await;
    server.restart().await;
    let epoch = &welcome["rooms"][0]["epoch"];
    let mut bob = JsonClient::tcp(server.tcp()).await;
    let rooms = json!([{ "room": "lobby", "position": { "epoch": epoch, "seq": 3 } }]);
    bob.hello(json!({ "nick": "bob", "token": welcome["token"], "rooms": rooms })).await;
    let mut carol = JsonClient::enter(&server, "carol").await;
    carol.say("lobby", "501").await;
    for number in 4..=501 {
        let event = bob.take(|event| event["type"] == "message" || event["type"] == "gap").await;
        assert_eq!(event["text"], number.to_string(), "{event}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_read_in_one_place_is_read_in_the_other() {
    let server = TestServer::start().await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut phone = JsonClient::tcp(server.tcp()).await;
    let welcome = phone.hello(json!({ "nick": "bob", "client": "phone" })).await;
    let token = &welcome["token"];
    let mut laptop = JsonClient::websocket(server.http()).await;
    laptop.hello(json!({ "nick": "bob", "token": token, "client": "laptop" })).await;
    let mut seqs = Vec::new();
    for number in 1..=3 {
        seqs.push(alice.say("lobby", &number.to_string()).await);
    }
    phone.send(json!({ "type": "read", "room": "lobby", "seq": seqs[1] })).await;
    assert_eq!(laptop.take_type("read").await, json!({ "type": "read", "room": "lobby", "seq": seqs[1] }));
    // It never moves back.
    laptop.send(json!({ "type": "read", "room": "lobby", "seq": seqs[0] })).await;
    laptop.drain().await;
    assert!(!phone.drain().await.iter().any(|event| event["type"] == "read" && event["seq"] == seqs[0]));
    drop(phone);
    let mut phone = JsonClient::tcp(server.tcp()).await;
    let back = phone.hello(json!({ "nick": "bob", "token": token, "client": "phone" })).await;
    let row = &back["rooms"][0];
    assert_eq!((&row["read"], &row["unread"]), (&json!(seqs[1]), &json!(1)));
    // What one client does to its rooms and its name, the other sees.
    phone.request(json!({ "type": "create", "room": "dev" })).await;
    laptop.take(|event| event["type"] == "joined" && event["room"] == "dev").await;
    laptop.request(json!({ "type": "nick", "nick": "robert" })).await;
    phone.take(|event| event["type"] == "nick" && event["nick"] == "robert").await;
    phone.request(json!({ "type": "hide" })).await;
    laptop.take(|event| event["type"] == "hidden" && event["hidden"] == true).await;
    laptop.request(json!({ "type": "leave", "room": "dev" })).await;
    phone.take(|event| event["type"] == "left" && event["room"] == "dev").await;
    server.stop().await;
}

#[tokio::test]
async fn only_its_author_changes_a_message_and_words_that_are_gone_are_not_found() {
    let data = DataDir::new();
    let server = TestServer::with_data(&data, &[]).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    let seq = alice.say("lobby", "a walrus").await;
    for kind in ["edit", "delete"] {
        let answer = bob.request(json!({ "type": kind, "room": "lobby", "seq": seq, "text": "x" })).await;
        assert_eq!(answer["code"], "not-your-message", "{answer}");
        let answer = bob.request(json!({ "type": kind, "room": "lobby", "seq": 999, "text": "x" })).await;
        assert_eq!(answer["code"], "no-such-message", "{answer}");
    }
    let found = async |client: &mut JsonClient, words: &str| -> Vec<String> {
        let found = client.request(json!({ "type": "search", "room": "lobby", "words": words })).await;
        let messages = found["messages"].as_array().unwrap_or_else(|| panic!("{found}"));
        messages.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(found(&mut bob, "WALRUS").await, ["a walrus"]);
    alice.request(json!({ "type": "edit", "room": "lobby", "seq": seq, "text": "a seal" })).await;
    assert_eq!(found(&mut bob, "walrus").await, [""; 0]);
    assert_eq!(found(&mut bob, "seal").await, ["a seal"]);
    alice.request(json!({ "type": "delete", "room": "lobby", "seq": seq })).await;
    assert_eq!(found(&mut bob, "seal").await, [""; 0]);
    let answer = alice.request(json!({ "type": "edit", "room": "lobby", "seq": seq, "text": "back" })).await;
    assert_eq!(answer["code"], "no-such-message", "{answer}");
    let answer = bob.request(json!({ "type": "send", "room": "lobby", "text": "?", "reply": seq })).await;
    assert_eq!(answer["code"], "no-such-message", "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn search_pages_back_and_takes_everything_for_plain_words() {
    let data = DataDir::new();
    let server = TestServer::with_data(&data, &[]).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    for number in 1..=7 {
        alice.say("lobby", &format!("needle {number}")).await;
        alice.say("lobby", "hay").await;
    }
    let (mut before, mut numbers) = (Value::Null, Vec::new());
    loop {
        let mut search = json!({ "type": "search", "room": "lobby", "words": "needle", "limit": 3 });
        if !before.is_null() {
            search["before"] = before;
        }
        let page = alice.request(search).await;
        let messages = page["messages"].as_array().unwrap().clone();
        before = messages[0]["seq"].clone();
        numbers.splice(0..0, messages.iter().map(|message| message["text"].as_str().unwrap().to_owned()));
        if page["more"] != true {
            break;
        }
    }
    assert_eq!(numbers, (1..=7).map(|number| format!("needle {number}")).collect::<Vec<_>>());
    alice.say("lobby", "한국어를 배운다, ひらがな, 漢字 and text:needle").await;
    for words in ["국어", "らが", "漢字", "TEXT needle"] {
        let found = alice.request(json!({ "type": "search", "room": "lobby", "words": words })).await;
        assert_eq!(found["messages"].as_array().map(Vec::len), Some(1), "{words}: {found}");
    }
    for words in [
        "\"",
        "needle AND hay",
        "needle*",
        "text:",
        "-needle",
        "NEAR(needle)",
        "^needle",
        "a\" OR \"b",
        "{x}",
        "'; --",
    ] {
        let found = alice.request(json!({ "type": "search", "room": "lobby", "words": words })).await;
        assert!(matches!(found["type"].as_str(), Some("found" | "error")), "{words}: {found}");
        assert_ne!(found["code"], "internal", "{words}: {found}");
        assert_ne!(found["code"], "busy", "{words}: {found}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_crash_takes_no_room_from_anybody_and_the_next_on_lines_sees_what_was_said() {
    let data = DataDir::new();
    let mut server = TestServer::with_data(&data, &[]).await;
    let mut alice = LineClient::enter(&server, "alice").await;
    alice.send_line("/create_room dev").await;
    alice.until("Room dev created successfully!").await;
    alice.send_line("/room dev before the crash").await;
    alice.until("[dev] alice: before the crash").await;
    server.kill().await;
    server.restart().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    bob.send_line("/join dev").await;
    bob.expect("Joined room dev successfully!").await;
    bob.until("[dev] alice: before the crash").await;
    bob.expect("Server: end of history.").await;
    server.stop().await;
}
