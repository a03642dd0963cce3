//! What a room remembers, and what people on each door see of it: over restarts, after a while away,
//! and once something was taken back.

use crosstalk_tests::{DataDir, JsonClient, LineClient, TestServer, UnframedClient, eventually};
use serde_json::{Value, json};

const FLAGS: [&str; 2] = ["--rate-limit", "off"];

/// Everything up to the end of what was said before.
async fn backlog(client: &mut LineClient) -> Vec<String> {
    client.until("Server: end of history.").await
}

#[tokio::test]
async fn who_enters_a_room_on_lines_is_shown_its_last_messages_set_apart() {
    let server = TestServer::with(&["--rate-limit", "off", "--backlog", "3"]).await;
    let mut alice = LineClient::enter(&server, "alice").await;
    alice.send_line("/create_room dev").await;
    alice.until("Room dev created successfully!").await;
    for number in 1..=5 {
        alice.send_line(&format!("number {number}")).await;
        alice.send_line(&format!("/broadcast to all {number}")).await;
        alice.until("Message broadcasted!").await;
    }
    let mut bob = LineClient::connect(server.tcp()).await;
    bob.send_line("bob").await;
    let expected =
        ["Server: the last 3 messages in lobby:", "alice: to all 3", "alice: to all 4", "alice: to all 5"];
    assert_eq!(backlog(&mut bob).await[2..], expected);
    bob.send_line("/join dev").await;
    let expected = [
        "Joined room dev successfully!",
        "Server: the last 3 messages in dev:",
        "[dev] alice: number 3",
        "[dev] alice: number 4",
        "[dev] alice: number 5",
    ];
    assert_eq!(backlog(&mut bob).await, expected);
    alice.send_line("and on it goes").await;
    bob.expect("[dev] alice: and on it goes").await;
    server.stop().await;
}

#[tokio::test]
async fn a_bot_sees_nothing_of_what_was_said_before_it_came() {
    let server = TestServer::with(&FLAGS).await;
    let mut alice = LineClient::enter(&server, "alice").await;
    alice.send_line("/broadcast before").await;
    alice.until("Message broadcasted!").await;
    let mut bot = LineClient::connect(server.tcp()).await;
    bot.send_line("/history off").await;
    bot.expect("Server: No messages are shown on entering a room.").await;
    bot.send_line("bot").await;
    bot.expect("Connected to the server").await;
    bot.expect_matching(|line| line.starts_with("Server: Welcome, bot.")).await;
    alice.send_line("after").await;
    bot.expect("alice: after").await;
    // Who asks is told all the same.
    bot.send_line("/history 2").await;
    let expected = ["Server: the last 2 messages in lobby:", "alice: before", "alice: after"];
    assert_eq!(backlog(&mut bot).await, expected);
    server.stop().await;
}

#[tokio::test]
async fn the_clients_of_the_original_see_nothing_that_was_not_there_for_them() {
    let server = TestServer::with(&FLAGS).await;
    let mut alice = LineClient::enter(&server, "alice").await;
    alice.send_line("/create_room dev").await;
    alice.send_line("in dev").await;
    alice.send_line("/broadcast before").await;
    alice.until("Message broadcasted!").await;
    for _ in 0..2 {
        let mut old = UnframedClient::connect(server.tcp()).await;
        old.send("olga").await;
        old.expect_exactly("Connected to the server").await;
        old.send("/join dev").await;
        old.expect_exactly("Joined room dev successfully!").await;
        old.send("/quit").await;
        old.expect_exactly("Server: Bye").await;
        old.expect_end().await;
        alice.send_line("while olga is away").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn who_comes_back_on_lines_is_told_how_much_was_missed_and_how_to_see_it() {
    let server = TestServer::start().await;
    let mut alice = LineClient::enter(&server, "alice").await;
    let mut bob = LineClient::enter(&server, "bob").await;
    bob.send_line("/create_room dev").await;
    bob.until("Room dev created successfully!").await;
    alice.send_line("/join dev").await;
    alice.until("Joined room dev successfully!").await;
    bob.until("Server: alice joined dev.").await;
    drop(bob);
    alice.until("Server: bob is offline.").await;
    for number in 1..=3 {
        alice.send_line(&format!("in dev {number}")).await;
        alice.send_line("/broadcast to all").await;
        alice.until("Message broadcasted!").await;
    }
    let mut bob = LineClient::enter(&server, "bob").await;
    bob.expect("Server: You have missed 3 messages in lobby; /history 3 shows them.").await;
    bob.expect("Server: You have missed 3 messages in dev; /join dev and /history 3 show them.").await;
    // Once is enough, and somebody else has missed nothing.
    drop(bob);
    alice.until("Server: bob is offline.").await;
    for nick in ["bob", "carol"] {
        let mut back = LineClient::enter(&server, nick).await;
        alice.until(&format!("Server: {nick} is online!")).await;
        alice.send_line("/broadcast hello").await;
        back.expect("alice: hello").await;
        drop(back);
        alice.until(&format!("Server: {nick} is offline.")).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_message_is_changed_answered_and_withdrawn_in_words() {
    let server = TestServer::start().await;
    let mut alice = LineClient::enter(&server, "alice").await;
    let mut bob = LineClient::enter(&server, "bob").await;
    let mut program = JsonClient::enter(&server, "program").await;
    alice.until("Server: program is online!").await;
    bob.until("Server: program is online!").await;
    // All at once: what is about the last message waits for it.
    alice.send_bytes(b"teh cat\n/edit the cat\n").await;
    alice.expect("Message changed.").await;
    // Whether he has read it before or behind the change: he knows what it says now.
    bob.expect_matching(|line| ["alice: teh cat", "alice: the cat (edited)"].contains(&line)).await;
    bob.expect("Server: alice changed a message to: the cat").await;
    bob.send_line("/reply alice which cat?").await;
    alice.expect("bob: (in reply to alice) which cat?").await;
    // Before it is withdrawn: whoever has not read it by then does not any more.
    let answer = program.take(|event| event["reply"]["from"] == "alice").await;
    bob.send_line("/delete").await;
    bob.expect("Message withdrawn.").await;
    alice.expect("Server: bob withdrew a message.").await;
    bob.send_line("/delete").await;
    bob.expect("Server: You have said nothing here.").await;
    bob.send_line("/reply nobody hello").await;
    bob.expect("User not found.").await;
    bob.send_line("/history").await;
    assert_eq!(backlog(&mut bob).await, ["Server: the last message in lobby:", "alice: the cat (edited)"]);
    let edited = program.take_type("edited").await;
    assert_eq!((&edited["target"], &edited["text"]), (&json!(1), &json!("the cat")));
    assert_eq!(program.take_type("deleted").await["target"], answer["seq"]);
    server.stop().await;
}

#[tokio::test]
async fn words_are_found_on_lines_and_are_nothing_but_words() {
    let server = TestServer::start().await;
    let mut alice = LineClient::enter(&server, "alice").await;
    for text in ["the brown fox", "a fox that is brown", "東京都に行く", "100% \"AND\" NEAR(x)"] {
        alice.send_line(text).await;
    }
    alice.send_line("/broadcast done").await;
    alice.until("Message broadcasted!").await;
    for (words, found) in [
        ("BROWN fox", vec!["alice: the brown fox", "alice: a fox that is brown"]),
        ("\"brown fox\"", vec!["alice: the brown fox"]),
        ("京都", vec!["alice: 東京都に行く"]),
        ("near( \"and", vec!["alice: 100% \"AND\" NEAR(x)"]),
    ] {
        alice.send_line(&format!("/search {words}")).await;
        let lines = alice.until("Server: end of what was found.").await;
        assert_eq!(lines[1..], found, "{words}");
    }
    alice.send_line("/search brow").await;
    alice.expect("Server: nothing found in lobby.").await;
    alice.send_line("/search *").await;
    alice.expect_matching(|line| line.starts_with("Server: ")).await;
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_was_killed_remembers_people_rooms_and_what_was_read() {
    let data = DataDir::new();
    let mut server = TestServer::with_data(&data, &[]).await;
    let mut alice = JsonClient::tcp(server.tcp()).await;
    let welcome = alice.hello(json!({ "nick": "alice" })).await;
    alice.request(json!({ "type": "create", "room": "dev" })).await;
    for number in 1..=3 {
        alice.say("dev", &format!("number {number}")).await;
    }
    alice.request(json!({ "type": "read", "room": "dev", "seq": 1 })).await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    bob.send(json!({ "type": "send", "to": "alice", "text": "psst", "id": "bob-1" })).await;
    let direct = bob.take_type("joined").await["room"].clone();
    bob.take_type("ack").await;
    alice.request(json!({ "type": "hide" })).await;
    server.kill().await;
    server.restart().await;

    let mut alice = JsonClient::tcp(server.tcp()).await;
    let back = alice.hello(json!({ "nick": "alice", "token": welcome["token"] })).await;
    assert_eq!(
        (&back["resumed"], &back["hidden"], &back["nick"]),
        (&json!(true), &json!(true), &json!("alice"))
    );
    let row = |name: &Value| {
        let rooms = back["rooms"].as_array().expect("a list").iter();
        rooms.into_iter().find(|row| row["room"] == *name).cloned().expect("a room that alice was in")
    };
    let dev = row(&json!("dev"));
    assert_eq!((&dev["seq"], &dev["read"], &dev["unread"]), (&json!(3), &json!(1), &json!(2)));
    assert_eq!(row(&direct)["with"], "bob");
    assert_eq!(row(&json!("lobby"))["epoch"], welcome["rooms"][0]["epoch"]);
    let history = alice.request(json!({ "type": "history", "room": direct })).await;
    assert_eq!(history["messages"][0]["text"], "psst");
    // Numbers go on where they were.
    assert_eq!(alice.say("dev", "number 4").await, 4);
    server.stop().await;
}

#[tokio::test]
async fn what_is_withdrawn_is_in_no_file() {
    let data = DataDir::new();
    let server = TestServer::with_data(&data, &[]).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let first = alice.say("lobby", "xylophonic regrets").await;
    let second = alice.say("lobby", "quixotic first draft").await;
    assert!(!data.files_with(b"xylophonic").is_empty() && !data.files_with(b"quixotic").is_empty());
    alice.request(json!({ "type": "delete", "room": "lobby", "seq": first })).await;
    alice.request(json!({ "type": "edit", "room": "lobby", "seq": second, "text": "sober" })).await;
    for word in ["xylophonic", "quixotic"] {
        eventually(&format!("{word} to be gone"), || data.files_with(word.as_bytes()).is_empty()).await;
    }
    assert!(!data.files_with(b"sober").is_empty());
    server.stop().await;
    assert!(data.files_with(b"xylophonic").is_empty());
}
