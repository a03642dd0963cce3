//! A room that keeps only so much: what is gone is said to be gone, once, and the rest is whole.

use crosstalk_tests::{DataDir, JsonClient, LineClient, Setup, TestServer, within};
use serde_json::{Value, json};

/// How many messages a room keeps.
const KEPT: u64 = 100;

/// A server that keeps [`KEPT`] messages of a room, and looks after it all the time.
fn setup(data: &DataDir) -> Setup {
    Setup::durable(data.path())
        .flags(&["--rate-limit", "off", "--backlog", "off", "--retention-messages", &KEPT.to_string()])
        .environment("CROSSTALK_FAULT", "upkeep:0")
}

async fn start(data: &DataDir) -> TestServer {
    setup(data).start().await
}

/// Says `number COUNT`, for each of these numbers. Returns the place of the last one.
async fn say(client: &mut JsonClient, numbers: std::ops::RangeInclusive<u64>, filling: &str) -> u64 {
    let mut last = 0;
    for number in numbers {
        last = client.say("lobby", &format!("number {number}{filling}")).await;
        client.take_type("message").await;
    }
    last
}

/// The places of the messages that can be read, the oldest and the newest.
async fn history(client: &mut JsonClient) -> (u64, u64, usize) {
    let page = client.request(json!({ "type": "history", "room": "lobby", "after": 0, "limit": 200 })).await;
    let messages = page["messages"].as_array().expect("a page has messages");
    let seq = |message: Option<&Value>| message.and_then(|message| message["seq"].as_u64()).unwrap_or(0);
    (seq(messages.first()), seq(messages.last()), messages.len())
}

/// Waits until the room has what it may keep. Returns the place of its oldest message.
async fn settles(client: &mut JsonClient) -> u64 {
    within("the room to be cut", async {
        loop {
            let (first, _, count) = history(client).await;
            if count as u64 == KEPT {
                return first;
            }
        }
    })
    .await
}

fn hello(welcome: &Value, seq: u64) -> Value {
    let position = json!({ "epoch": welcome["rooms"][0]["epoch"], "seq": seq });
    json!({ "nick": "bob", "token": welcome["token"], "rooms": [{ "room": "lobby", "position": position }] })
}

/// Comes back behind `seen` and sees a gap up to `first` and then each message up to `last`.
async fn comes_back(server: &TestServer, welcome: &Value, seen: u64, first: u64, last: u64) {
    let mut bob = JsonClient::tcp(server.tcp()).await;
    bob.hello(hello(welcome, seen)).await;
    let gap = bob.take(|event| event["type"] == "gap" || event["type"] == "message").await;
    assert_eq!((&gap["type"], &gap["room"]), (&json!("gap"), &json!("lobby")), "{gap}");
    assert_eq!((&gap["after"], &gap["before"]), (&json!(seen), &json!(first)), "{gap}");
    for seq in first..=last {
        let event = bob.take(|event| event["type"] == "gap" || event["type"] == "message").await;
        assert_eq!((&event["type"], &event["seq"]), (&json!("message"), &json!(seq)), "{event}");
    }
    let rest = bob.drain().await;
    assert!(rest.iter().all(|event| event["type"] != "message" && event["type"] != "gap"), "{rest:?}");
}

#[tokio::test]
async fn who_comes_back_from_before_is_told_of_the_gap_and_gets_the_rest() {
    let data = DataDir::new();
    let mut server = start(&data).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut bob = JsonClient::tcp(server.tcp()).await;
    let welcome = bob.hello(json!({ "nick": "bob" })).await;
    let seen = say(&mut alice, 1..=1, "").await;
    drop(bob);
    let last = say(&mut alice, 2..=250, "").await;
    let first = settles(&mut alice).await;
    assert_eq!(first, last - KEPT + 1);

    // Neither a search nor history knows what is gone, and nobody can refer to it.
    let mut search = async |words: &str| {
        let found = alice.request(json!({ "type": "search", "room": "lobby", "words": words })).await;
        found["messages"].as_array().unwrap_or_else(|| panic!("{found}")).len()
    };
    assert_eq!(search("\"number 150\"").await, 0);
    assert_eq!(search("\"number 151\"").await, 1);
    let page = alice.request(json!({ "type": "history", "room": "lobby", "before": first })).await;
    assert_eq!((&page["messages"], &page["more"]), (&json!([]), &json!(false)));
    let reply = json!({ "type": "send", "room": "lobby", "text": "what?", "reply": first - 1 });
    assert_eq!(alice.request(reply).await["code"], "no-such-message");
    comes_back(&server, &welcome, seen, first, last).await;

    // The next server knows as much, and numbers go on.
    server.kill().await;
    server.restart().await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    assert_eq!(history(&mut alice).await, (first, last, KEPT as usize));
    comes_back(&server, &welcome, seen, first, last).await;
    let next = say(&mut alice, 251..=251, "").await;
    assert_eq!(next, last + 1);
    assert_eq!(settles(&mut alice).await, first + 1);
    comes_back(&server, &welcome, first - 5, first + 1, next).await;
    comes_back(&server, &welcome, seen, first + 1, next).await;
    server.stop().await;
}

#[tokio::test]
async fn whoever_speaks_lines_is_told_in_words() {
    let data = DataDir::new();
    let server = start(&data).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut bob = LineClient::enter(&server, "bob").await;
    alice.say("lobby", "number 0").await;
    bob.until("alice: number 0").await;
    // More than lies between the server and somebody who does not read.
    let filling = format!(" {}", "x".repeat(4_000));
    let last = say(&mut alice, 1..=2_500, &filling).await;
    settles(&mut alice).await;
    alice.say("lobby", "the end").await;
    let lines = bob.until("alice: the end").await;
    let gaps: Vec<_> = lines.iter().filter(|line| line.starts_with("Server: You have missed")).collect();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps[0].contains(" messages in lobby; they are no longer there."), "{gaps:?}");
    // What is told is that much, and what is not told of is there: each once, in order.
    let told: u64 = gaps[0]
        .split_whitespace()
        .filter_map(|word| word.replace(',', "").parse::<u64>().ok())
        .next()
        .expect("the words name a number");
    let numbers: Vec<u64> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("alice: number ")?.split_whitespace().next()?.parse().ok())
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    assert_eq!(numbers.len() as u64 + told, 2_500, "{} and {told}; the last is {last}", numbers.len());
    // Whoever asks for history sees what there is.
    bob.send_line("/history 3").await;
    bob.send_line("/me is there").await;
    let after = alice.take(|event| event["text"] == "is there").await;
    assert!(after["seq"].as_u64().is_some_and(|seq| seq > last));
    alice.say("lobby", "goodbye").await;
    let lines = bob.until("alice: goodbye").await;
    let shown = |number: u64| lines.iter().any(|line| line.contains(&format!("number {number} ")));
    assert!(shown(2_500) && shown(2_499) && !shown(1));
    server.stop().await;
}
