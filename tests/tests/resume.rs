//! Coming back: nothing is missed, nothing comes twice, and what is gone is said to be gone.

use crosstalk_tests::faults::{Link, Proxy};
use crosstalk_tests::{JsonClient, Random, TestServer, assert_shape};
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// The position of a room in a `welcome`.
fn position(welcome: &Value) -> Value {
    json!({ "epoch": welcome["rooms"][0]["epoch"], "seq": welcome["rooms"][0]["seq"] })
}

fn hello(nick: &str, position: &Value) -> Value {
    json!({ "nick": nick, "rooms": [{ "room": "lobby", "position": position }] })
}

#[tokio::test]
async fn what_was_missed_follows_the_welcome() {
    let server = TestServer::start().await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut bob = JsonClient::tcp(server.tcp()).await;
    let mut seen = position(&bob.hello(json!({ "nick": "bob" })).await);
    alice.say("lobby", "one").await;
    seen["seq"] = bob.take_type("message").await["seq"].clone();
    drop(bob);
    alice.take(|event| event["left"] == json!(["bob"])).await;
    for text in ["two", "three"] {
        alice.say("lobby", text).await;
    }
    let mut bob = JsonClient::websocket(server.http()).await;
    let welcome = bob.hello(hello("bob", &seen)).await;
    assert_eq!(position(&welcome), seen, "reading goes on where it was");
    alice.say("lobby", "four").await;
    for text in ["two", "three", "four"] {
        assert_eq!(bob.message().await.1, text);
    }
    let rest = bob.drain().await;
    assert!(rest.iter().all(|event| event["type"] != "message" && event["type"] != "gap"), "{rest:?}");
    server.stop().await;
}

#[tokio::test]
async fn joining_goes_on_behind_a_position_too() {
    let server = TestServer::start().await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let created = alice.request(json!({ "type": "create", "room": "dev" })).await;
    let first = alice.say("dev", "one").await;
    alice.say("dev", "two").await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    let behind = json!({ "epoch": created["epoch"], "seq": first });
    let joined = bob.request(json!({ "type": "join", "room": "dev", "position": behind })).await;
    assert_eq!(joined["seq"], json!(first));
    assert_eq!(bob.message().await.1, "two");
    // Without a position it is what comes next.
    let mut carol = JsonClient::enter(&server, "carol").await;
    carol.request(json!({ "type": "join", "room": "dev" })).await;
    alice.say("dev", "three").await;
    assert_eq!(carol.message().await.1, "three");
    server.stop().await;
}

#[tokio::test]
async fn a_position_of_another_life_of_the_log_is_answered_with_a_gap() {
    let server = TestServer::start().await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut seqs = Vec::new();
    for text in ["one", "two"] {
        seqs.push(alice.say("lobby", text).await);
    }
    for (nick, seq) in [("bob", seqs[0]), ("carol", 1_000_000)] {
        let mut late = JsonClient::tcp(server.tcp()).await;
        let welcome = late.hello(hello(nick, &json!({ "epoch": 7, "seq": seq }))).await;
        let epoch = welcome["rooms"][0]["epoch"].clone();
        assert_ne!(epoch, json!(7));
        let gap = late.take(|event| event["type"] == "gap" || event["type"] == "message").await;
        assert_shape(
            &gap,
            &json!({ "type": "gap", "room": "lobby", "epoch": epoch, "after": 0, "before": "#" }),
        );
        assert!(gap["before"].as_u64().unwrap() <= seqs[0]);
        for text in ["one", "two"] {
            assert_eq!(late.message().await.1, text);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_position_from_the_future_does_no_harm() {
    let server = TestServer::start().await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut bob = JsonClient::tcp(server.tcp()).await;
    let epoch = bob.hello(json!({ "nick": "bob" })).await["rooms"][0]["epoch"].clone();
    for (nick, seq) in [("carol", u64::from(u32::MAX)), ("dave", (1 << 53) - 1), ("erin", u64::MAX)] {
        let mut late = JsonClient::tcp(server.tcp()).await;
        late.hello(hello(nick, &json!({ "epoch": epoch, "seq": seq }))).await;
        alice.say("lobby", nick).await;
        late.take(|event| event["text"] == nick).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn what_the_log_has_lost_is_a_gap() {
    let server = TestServer::start().await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut bob = JsonClient::tcp(server.tcp()).await;
    let mut seen = position(&bob.hello(json!({ "nick": "bob" })).await);
    let first = alice.say("lobby", "seen").await;
    seen["seq"] = json!(first);
    drop(bob);
    // More than a room keeps in memory, and nothing is on disk.
    let long = "x".repeat(4_000);
    const COUNT: usize = 3_000;
    let mut last = 0;
    for number in 0..COUNT {
        alice
            .send(
                json!({ "type": "send", "room": "lobby", "text": format!("{number} {long}"), "id": format!("flood-{number}") }),
            )
            .await;
        if number % 32 == 31 || number == COUNT - 1 {
            while last <= number {
                alice.take_type("ack").await;
                alice.take_type("message").await;
                last += 1;
            }
        }
    }
    let mut bob = JsonClient::tcp(server.tcp()).await;
    bob.hello(hello("bob", &seen)).await;
    let gap = bob.take(|event| event["type"] == "gap" || event["type"] == "message").await;
    let shape =
        json!({ "type": "gap", "room": "lobby", "epoch": seen["epoch"], "after": first, "before": "#" });
    assert_shape(&gap, &shape);
    let next = bob.take_type("message").await;
    assert_eq!(next["seq"], gap["before"]);
    let mut number = number_of(&next);
    while number < COUNT - 1 {
        let message = bob.take(|event| event["type"] == "gap" || event["type"] == "message").await;
        assert_eq!(message["type"], "message", "{message}");
        assert_eq!(number_of(&message), number + 1, "nothing is missing behind the gap");
        number += 1;
    }
    // History begins there too, or later: what is read is encoded, and that takes memory as well.
    let oldest = bob.request(json!({ "type": "history", "room": "lobby", "after": 0, "limit": 1 })).await;
    assert!(oldest["messages"][0]["seq"].as_u64() >= gap["before"].as_u64(), "{oldest}");
    server.stop().await;
}

/// The number that a text begins with.
fn number_of(message: &Value) -> usize {
    let text = message["text"].as_str().unwrap_or_else(|| panic!("no message: {message}"));
    text.split(' ').next().and_then(|word| word.parse().ok()).expect("a text begins with its number")
}

#[tokio::test]
async fn over_a_link_that_breaks_nothing_is_missed_and_nothing_doubled() {
    let server = TestServer::start().await;
    let mut random = Random::new(2);
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut first = JsonClient::tcp(server.tcp()).await;
    let mut seen = position(&first.hello(json!({ "nick": "bob" })).await);
    drop(first);
    const COUNT: usize = 2_000;
    let talk = async {
        for number in 0..COUNT {
            alice.say("lobby", &number.to_string()).await;
        }
        alice
    };
    let listen = async {
        let mut next = 0;
        let mut lives = 0;
        while next < COUNT {
            let link = Link::ResetAfter(400 + random.below(20_000));
            let proxy = Proxy::start(server.tcp(), link).await;
            let stream = TcpStream::connect(proxy.address()).await.unwrap();
            let mut bob = JsonClient::over(stream);
            // The name may still belong to the connection that has just been lost.
            let mut hello = hello(&format!("bob-{lives}"), &seen);
            hello["type"] = json!("hello");
            if bob.try_send_text(&hello.to_string()).await.is_err() {
                continue;
            }
            lives += 1;
            while let Some(event) = bob.next().await {
                assert_ne!(event["type"], "gap", "{event}");
                if event["type"] == "message" {
                    assert_eq!(number_of(&event), next, "after {lives} lives");
                    seen["seq"] = event["seq"].clone();
                    next += 1;
                }
                if next == COUNT {
                    break;
                }
            }
        }
        lives
    };
    let (_alice, lives) = tokio::join!(talk, listen);
    assert!(lives > 5, "the link broke only {lives} times");
    server.stop().await;
}

#[tokio::test]
async fn a_message_with_an_ack_is_in_the_log() {
    let server = TestServer::start().await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let seq = alice.say("lobby", "kept").await;
    drop(alice);
    bob.take(|event| event["left"] == json!(["alice"])).await;
    let history = bob.request(json!({ "type": "history", "room": "lobby" })).await;
    let last = history["messages"].as_array().unwrap().last().cloned().unwrap();
    assert_eq!((&last["seq"], &last["text"], &last["from"]), (&json!(seq), &json!("kept"), &json!("alice")));
    server.stop().await;
}
