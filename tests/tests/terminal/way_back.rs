//! What is remembered of somebody at a terminal: who they are, where they are, what they have read.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use crosstalk_tests::{JsonClient, LineClient, TestServer};
use rustix::process::Signal;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::pty::Terminal;

/// A folder of its own, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("crosstalk-terminal-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).expect("a folder can be made");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) async fn enter(state: &Folder, address: &str) -> Terminal {
    let mut terminal = Terminal::start_in(&state.0, &["--nick", "alice", address]);
    terminal.shows_last("[lobby]").await;
    terminal
}

#[tokio::test]
async fn who_starts_again_is_who_they_were_and_sees_what_is_unread() {
    let server = TestServer::start().await;
    let (state, address) = (Folder::new(), server.tcp().to_string());
    let mut bob = JsonClient::enter(&server, "bob").await;
    let mut terminal = enter(&state, &address).await;
    terminal.type_in("/create_room dev\r").await;
    terminal.shows_last("[dev]").await;
    bob.request(json!({ "type": "join", "room": "dev" })).await;
    bob.say("dev", "seen").await;
    terminal.shows("[dev] bob: seen").await;
    terminal.type_in("/quit\r").await;
    assert_eq!(terminal.exit().await, Some(0));
    for text in ["missed", "missed, too"] {
        bob.say("dev", text).await;
    }
    let mut terminal = enter(&state, &address).await;
    terminal.shows("as alice, as").await;
    terminal.shows("(unread: dev 2)").await;
    terminal.type_in("/join dev\r").await;
    terminal.shows_last("[dev]").await;
    terminal
        .until("the unread messages behind a line", |rows| {
            let place = |words: &str| rows.iter().position(|row| row.ends_with(words));
            let divider = place("── 2 unread ──");
            divider.is_some()
                && place("[dev] bob: seen") < divider
                && divider < place("[dev] bob: missed")
                && !rows.iter().any(|row| row.contains("(unread"))
        })
        .await;
    // As somebody new, under another name: nothing of that is known.
    let mut other = Terminal::start_in(&state.0, &["--new", "--nick", "alice", &address]);
    other.shows_last("Enter your nickname [user]:").await;
    server.stop().await;
}

#[tokio::test]
async fn two_clients_of_one_person_follow_each_other() {
    let server = TestServer::start().await;
    let (state, address) = (Folder::new(), server.tcp().to_string());
    let mut bob = JsonClient::enter(&server, "bob").await;
    bob.request(json!({ "type": "create", "room": "dev" })).await;
    let mut one = enter(&state, &address).await;
    let mut two = enter(&state, &address).await;
    two.type_in("/join dev\r").await;
    two.shows_last("[dev]").await;
    one.shows("-- You have joined dev with another client.").await;
    // Unread as long as nobody looks.
    two.type_in("\u{1b}[O").await;
    two.type_in("/history 1\r").await;
    two.type_in("\u{1b}[O").await;
    bob.say("dev", "news").await;
    one.shows("(unread: dev 1)").await;
    two.shows("[dev] bob: news").await;
    two.type_in("\u{1b}[I").await;
    one.until("nothing unread", |rows| {
        rows.iter().any(|row| row.contains("bob: news")) && !rows.iter().any(|row| row.contains("(unread"))
    })
    .await;
    one.type_in("/hide\r").await;
    two.shows("You are now invisible!").await;
    two.type_in("/nick alicia\r").await;
    one.shows("You are now alicia.").await;
    two.type_in("/leave\r").await;
    one.shows("-- You have left dev with another client.").await;
    server.stop().await;
}

#[tokio::test]
async fn messages_are_changed_withdrawn_answered_and_found() {
    let server = TestServer::start().await;
    let (state, address) = (Folder::new(), server.tcp().to_string());
    let mut bob = LineClient::enter(&server, "bob").await;
    let mut terminal = enter(&state, &address).await;
    terminal.type_in("helo world\r/edit hello world\r").await;
    bob.until("Server: alice changed a message to: hello world").await;
    terminal.shows("Server: alice changed a message to: hello world").await;
    bob.send_line("right?").await;
    terminal.shows("bob: right?").await;
    terminal.type_in("/reply bob yes\r").await;
    bob.until("alice: (in reply to bob) yes").await;
    terminal.shows("alice: (in reply to bob) yes").await;
    terminal.type_in("/delete\r").await;
    bob.until("Server: alice withdrew a message.").await;
    terminal.shows("Server: alice withdrew a message.").await;
    terminal.type_in("/search WORLD\r").await;
    terminal.shows("alice: hello world (edited)").await;
    terminal.shows("Server: end of what was found.").await;
    terminal.type_in("/search yes\r").await;
    terminal.shows("Server: nothing found in lobby.").await;
    server.stop().await;
}

#[tokio::test]
async fn a_conversation_of_two_is_as_good_as_a_room() {
    let server = TestServer::start().await;
    let (state, address) = (Folder::new(), server.tcp().to_string());
    let mut bob = LineClient::enter(&server, "bob").await;
    let mut terminal = enter(&state, &address).await;
    terminal.type_in("in the lobby\r").await;
    terminal.shows("alice: in the lobby").await;
    terminal.type_in("/dm bob\r").await;
    terminal.shows("-- What you write goes to bob alone now. /leave ends").await;
    terminal.shows_last("[DM to bob]").await;
    terminal.type_in("helo bob\r/edit hello bob\r").await;
    bob.until("Server: alice changed a message between the two of you to: hello bob").await;
    terminal.shows("Server: alice changed a message between the two of").await;
    bob.send_line("/dm alice right?").await;
    terminal.shows("[DM] bob: right?").await;
    terminal.type_in("/reply bob yes\r").await;
    bob.until("[DM] alice: (in reply to bob) yes").await;
    terminal.shows("[DM to bob] alice: (in reply to bob) yes").await;
    terminal.type_in("/delete\r").await;
    terminal.shows("Server: alice withdrew a message").await;
    terminal.type_in("/search HELLO\r").await;
    terminal.shows("Server: one message found between the two of you:").await;
    terminal.shows("[DM to bob] alice: hello bob (edited)").await;
    terminal.type_in("/search lobby\r").await;
    terminal.shows("Server: nothing found between the two of you.").await;
    // What is said elsewhere meanwhile is not read.
    bob.send_line("for everybody").await;
    terminal.shows("(unread: lobby 1)").await;
    terminal.type_in("/leave\r").await;
    terminal.shows("-- What you write goes to lobby again.").await;
    terminal.shows_last("[lobby]").await;
    terminal.type_in("/edit in this lobby\r").await;
    bob.until("Server: alice changed a message to: in this lobby").await;
    // Who comes back to it is shown what was said.
    terminal.type_in("\u{c}/dm bob\r").await;
    terminal.shows("[DM] bob: right?").await;
    terminal.shows_last("[DM to bob]").await;
    // With whom there is none yet, nothing can be meant, and no words are lost.
    terminal.type_in("/dm carol\r/edit not said\r").await;
    terminal.shows("This was not sent: not said").await;
    server.stop().await;
}

/// A server with what it has stored in `data`, on `tcp`, for as long as the handle lives.
async fn serve(data: &Path, tcp: &str) -> (Child, SocketAddr) {
    let mut child = TestServer::command()
        .args(["--tcp", tcp, "--http", "127.0.0.1:0", "--rate-limit", "off", "--data"])
        .arg(data)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server can be started");
    let mut lines = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
    let line = lines.next_line().await.expect("the server says where it is").unwrap_or_default();
    let address = line.split([' ', ',']).find_map(|word| word.parse().ok());
    (child, address.unwrap_or_else(|| panic!("no address in {line}")))
}

#[tokio::test]
async fn a_server_that_is_killed_is_the_same_when_it_is_back() {
    let (state, data) = (Folder::new(), Folder::new());
    let (mut server, address) = serve(&data.0, "127.0.0.1:0").await;
    let mut terminal = enter(&state, &address.to_string()).await;
    terminal.type_in("before\r").await;
    terminal.shows("alice: before").await;
    server.kill().await.expect("it is running");
    terminal.shows("-- Connection lost").await;
    terminal.type_in("meanwhile\r/edit in the meantime\r").await;
    terminal.shows("(waiting for the connection) in the meantime").await;
    let (_server, _) = serve(&data.0, &address.to_string()).await;
    terminal.shows("-- Connected again as alice.").await;
    terminal.shows("alice: in the meantime").await;
    let mut bob = JsonClient::tcp(address).await;
    bob.hello(json!({ "nick": "bob" })).await;
    let history = bob.request(json!({ "type": "history", "room": "lobby" })).await;
    let texts: Vec<_> = history["messages"].as_array().unwrap().iter().map(|row| &row["text"]).collect();
    assert_eq!(texts, ["before", "in the meantime"]);
}

#[tokio::test]
async fn what_was_not_sent_when_the_client_ended_is_sent_by_the_next() {
    let (state, data) = (Folder::new(), Folder::new());
    let (mut server, address) = serve(&data.0, "127.0.0.1:0").await;
    let mut terminal = enter(&state, &address.to_string()).await;
    server.kill().await.expect("it is running");
    terminal.shows("-- Connection lost").await;
    terminal.type_in("first\r").await;
    terminal.shows("(waiting for the connection) first").await;
    terminal.type_in("\u{3}").await;
    terminal.shows("-- What has not arrived is kept").await;
    assert_eq!(terminal.exit().await, Some(0));
    let (mut server, _) = serve(&data.0, &address.to_string()).await;
    let mut terminal = enter(&state, &address.to_string()).await;
    terminal.shows("alice: first").await;
    // Killed, it has lost nothing either.
    server.kill().await.expect("it is running");
    terminal.shows("-- Connection lost").await;
    terminal.type_in("second\r").await;
    terminal.shows("(waiting for the connection) second").await;
    terminal.signal(Signal::KILL);
    assert_eq!(terminal.exit().await, None);
    let (_server, _) = serve(&data.0, &address.to_string()).await;
    let mut terminal = enter(&state, &address.to_string()).await;
    terminal.shows("alice: second").await;
    let mut bob = JsonClient::tcp(address).await;
    bob.hello(json!({ "nick": "bob" })).await;
    let history = bob.request(json!({ "type": "history", "room": "lobby" })).await;
    let texts: Vec<_> = history["messages"].as_array().unwrap().iter().map(|row| &row["text"]).collect();
    assert_eq!(texts, ["first", "second"]);
}
