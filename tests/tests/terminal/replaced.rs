//! What happens to somebody at a terminal whose place another connection takes, and to a message
//! whose id was another's.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use crosstalk_tests::{JsonClient, Tap, TestServer, read_history};
use serde_json::json;

use crate::pty::Terminal;
use crate::way_back::{Folder, enter};

#[tokio::test]
async fn a_client_that_was_replaced_says_how_to_go_on_and_stays_away() {
    let server = TestServer::start().await;
    let mut tap = Tap::start(server.tcp()).await;
    let state = Folder::new();
    let address = tap.address().to_string();
    let mut terminal = enter(&state, &address).await;
    let mut other = JsonClient::websocket(server.http()).await;
    other.hello(tap.same_again().await).await;
    assert_eq!(terminal.exit().await, Some(3));
    let shown = terminal.rows().concat();
    assert!(shown.contains("come back over another connection"), "{shown}");
    assert!(shown.contains("Start it again to go on here."), "{shown}");
    // The other one was left alone, and the next start is another client of the same person.
    assert_eq!(other.request(json!({ "type": "ping" })).await["type"], "pong");
    drop(tap);
    server.stop().await;
}

#[tokio::test]
async fn a_message_whose_id_was_anothers_is_shown_as_failed_and_sent_anew_when_asked() {
    let server = TestServer::start().await;
    let state = Folder::new();
    let address = server.tcp().to_string();
    let mut terminal = enter(&state, &address).await;
    terminal.type_in("/quit\r").await;
    assert_eq!(terminal.exit().await, Some(0));
    // What a restored copy of the machine would do: the id is another message's already.
    let place = state.path().join("crosstalk").join(address.replace(':', "%3a"));
    let token = fs::read_to_string(place.join("alice")).expect("the token is kept");
    let mut same = JsonClient::tcp(server.tcp()).await;
    same.hello(json!({ "nick": "alice", "token": token.trim_end(), "client": "copy" })).await;
    let send = |text: &str| json!({ "type": "send", "room": "lobby", "text": text, "id": "used" });
    same.send(send("by the copy")).await;
    same.take(|event| event["type"] == "ack").await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    let journal = format!("{token}+ {now} {}\n", send("not to be lost"));
    fs::write(place.join(".outbox-1"), journal).expect("the folder is there");
    let mut terminal = Terminal::start_in(state.path(), &["--nick", "alice", &address]);
    terminal.shows("-- The server took this for another message.").await;
    terminal.shows("(one message failed; /again").await;
    terminal.type_in("/again\r").await;
    terminal.shows("alice: not to be lost").await;
    terminal.shows_last("[lobby]").await;
    let said: Vec<_> = read_history(&mut same, "lobby").await.into_iter().map(|entry| entry.text).collect();
    assert_eq!(said, ["by the copy", "not to be lost"]);
    server.stop().await;
}
