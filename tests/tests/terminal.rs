//! The terminal client as somebody sees it who sits before it.

#[path = "terminal/program.rs"]
mod program;
#[path = "terminal/pty.rs"]
mod pty;
#[path = "terminal/replaced.rs"]
mod replaced;
#[path = "terminal/way_back.rs"]
mod way_back;

use std::net::SocketAddr;
use std::process::Stdio;

use crosstalk_tests::faults::{Link, Proxy};
use crosstalk_tests::{JsonClient, LineClient, TestServer, within};
use pty::Terminal;
use rustix::process::Signal;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A client that is in the lobby.
async fn enter(nick: &str, address: &str) -> Terminal {
    let mut terminal = Terminal::start(&["--nick", nick, address]);
    terminal.shows_last("[lobby]").await;
    terminal
}

/// The part of a row behind its `HH:MM `.
fn without_clock(row: &str) -> &str {
    let (clock, rest) = row.split_once(' ').unwrap_or_default();
    let digits = clock.len() == 5 && clock.bytes().enumerate().all(|(at, b)| (at == 2) == (b == b':'));
    if digits { rest } else { row }
}

#[tokio::test]
async fn it_asks_what_the_original_asked_and_offers_defaults() {
    let server = TestServer::start().await;
    let mut terminal = Terminal::start(&[]);
    terminal.shows_last("Enter server IP address [localhost]:").await;
    terminal.type_in("127.0.0.1\r").await;
    terminal.shows_last("Enter server port number [44444]:").await;
    terminal.type_in(&format!("{}\r", server.tcp().port())).await;
    terminal.shows_last("Enter your nickname [user]:").await;
    terminal.type_in("\r").await;
    terminal.shows("as user.").await;
    terminal.shows_last("[lobby]").await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    let members = bob.request(json!({ "type": "members" })).await;
    assert_eq!(members["members"], json!(["bob", "user"]));
    server.stop().await;
}

#[tokio::test]
async fn a_nickname_that_is_taken_is_asked_for_again() {
    let server = TestServer::start().await;
    let _alice = LineClient::enter(&server, "alice").await;
    let mut terminal = Terminal::start(&["--nick", "alice", &server.tcp().to_string()]);
    terminal.shows_last("Enter your nickname [user]:").await;
    terminal.type_in("not a name\r").await;
    terminal.shows("Not a nickname").await;
    terminal.type_in("alicia\r").await;
    terminal.shows("as alicia.").await;
    server.stop().await;
}

#[tokio::test]
async fn a_line_that_is_typed_survives_what_arrives() {
    let server = TestServer::start().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    let mut terminal = enter("alice", &server.tcp().to_string()).await;
    bob.expect("Server: alice is online!").await;
    terminal.type_in("half a l").await;
    terminal.shows_last("[lobby] half a l").await;
    for text in ["one", "two"] {
        bob.send_line(text).await;
        terminal.shows(&format!("bob: {text}")).await;
    }
    terminal.shows_last("[lobby] half a l").await;
    let rows = terminal.rows();
    let above: Vec<&str> = rows.iter().map(|row| without_clock(row)).collect();
    assert_eq!(above[above.len() - 3..], ["bob: one", "bob: two", "[lobby] half a l"]);
    assert_eq!(terminal.cursor(), (rows.len() as u16 - 1, "[lobby] half a l".len() as u16));
    // The arrow goes back over the "l", behind which the line goes on.
    terminal.type_in("\u{1b}[D\u{1b}[Cine\r").await;
    bob.expect("alice: half a line").await;
    terminal.shows("alice: half a line").await;
    terminal.shows_last("[lobby]").await;
    server.stop().await;
}

#[tokio::test]
async fn another_size_leaves_the_line_whole() {
    let server = TestServer::start().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    let mut terminal = enter("alice", &server.tcp().to_string()).await;
    let long = "漢字 and more text than a small screen has columns";
    terminal.type_in(long).await;
    terminal.shows_last(&format!("[lobby] {long}")).await;
    terminal.resize(8, 30);
    terminal
        .until("the end of the line", |rows| {
            rows.last().is_some_and(|row| row.starts_with("[lobby]") && row.ends_with("columns"))
        })
        .await;
    terminal.resize(12, 100);
    terminal.shows_last(&format!("[lobby] {long}")).await;
    terminal.type_in("\r").await;
    bob.until(&format!("alice: {long}")).await;
    server.stop().await;
}

#[tokio::test]
async fn a_paste_is_one_line_until_enter() {
    let server = TestServer::start().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    let mut terminal = enter("alice", &server.tcp().to_string()).await;
    assert!(terminal.marks_pastes());
    terminal.type_in("\u{1b}[200~one\ntwo\u{1b}[201~").await;
    terminal.shows_last("[lobby] one two").await;
    terminal.type_in("\r").await;
    bob.until("alice: one two").await;
    server.stop().await;
}

#[tokio::test]
async fn everybody_leaves_in_their_own_way_and_the_terminal_is_as_before() {
    let server = TestServer::start().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    for (way, keys) in [("ctrl-c", "typed\u{3}"), ("ctrl-d", "\u{4}"), ("quit", "/quit\r"), ("term", "")] {
        let mut terminal = enter("alice", &server.tcp().to_string()).await;
        bob.expect("Server: alice is online!").await;
        assert!(terminal.is_raw(), "{way}");
        if way == "term" {
            terminal.signal(Signal::TERM);
        } else {
            terminal.type_in(keys).await;
        }
        assert_eq!(terminal.exit().await, Some(0), "{way}");
        assert!(!terminal.is_raw() && !terminal.marks_pastes(), "{way}");
        assert_eq!(terminal.cursor().1, 0, "{way}: the shell's prompt begins a row of its own");
        assert!(!terminal.rows().iter().any(|row| row.contains("[lobby]")), "{way}: {:?}", terminal.rows());
        bob.expect("Server: alice is offline.").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn questions_can_be_left_too() {
    for keys in ["\u{3}", "\u{4}"] {
        let mut terminal = Terminal::start(&[]);
        terminal.shows_last("Enter server IP address [localhost]:").await;
        terminal.type_in(keys).await;
        assert_eq!(terminal.exit().await, Some(0));
        assert!(!terminal.is_raw());
    }
}

#[tokio::test]
async fn it_comes_back_after_the_server_and_sends_what_was_typed_meanwhile() {
    let server = TestServer::start().await;
    let address = server.tcp().to_string();
    let mut terminal = enter("alice", &address).await;
    server.stop().await;
    terminal.shows("-- Connection lost").await;
    terminal.shows_last("[lobby, offline]").await;
    terminal.type_in("written meanwhile\r").await;
    terminal.shows("(waiting for the connection) written meanwhile").await;
    let _again = TestServer::command()
        .args(["--tcp", &address, "--http", "127.0.0.1:0", "--ephemeral"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server can be started again");
    terminal.shows("-- Connected again as alice; the server takes you").await;
    terminal.shows("alice: written meanwhile").await;
    terminal.shows_last("[lobby]").await;
    let mut bob = JsonClient::tcp(address.parse().unwrap()).await;
    bob.hello(json!({ "nick": "bob" })).await;
    let history = bob.request(json!({ "type": "history", "room": "lobby" })).await;
    let texts: Vec<_> = history["messages"].as_array().unwrap().iter().map(|row| &row["text"]).collect();
    assert_eq!(texts, [&json!("written meanwhile")]);
    bob.say("lobby", "welcome back").await;
    terminal.shows("bob: welcome back").await;
}

#[tokio::test]
async fn a_link_that_breaks_again_and_again_neither_loses_nor_doubles() {
    let server = TestServer::start().await;
    let link = Proxy::start(server.tcp(), Link::ResetAfter(3000)).await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    let mut terminal = enter("alice", &link.address().to_string()).await;
    terminal.resize(100, 60);
    let wanted: Vec<String> = (1..=40).map(|number| format!("line {}", number % 5)).collect();
    for line in &wanted {
        terminal.type_in(&format!("{line}\r")).await;
    }
    let mut arrived = Vec::new();
    let arrivals = async {
        while arrived.len() < wanted.len() {
            // The client is a process of its own, but its screen has to be read for it to go on.
            tokio::select! {
                (from, text) = bob.message() => {
                    assert_eq!(from, "alice");
                    arrived.push(text);
                }
                () = terminal.shows("never shown") => unreachable!(),
            }
        }
    };
    within("every line to arrive", arrivals).await;
    assert_eq!(arrived, wanted);
    let written: Vec<String> = wanted.iter().map(|line| format!("alice: {line}")).collect();
    terminal
        .until("every line once", |rows| {
            let own = rows.iter().map(|row| without_clock(row)).filter(|row| row.starts_with("alice: "));
            own.eq(written.iter().map(String::as_str)) && rows.last().is_some_and(|row| row == "[lobby]")
        })
        .await;
    assert!(terminal.written().contains("Connected again"), "the link never broke");
    let twice = bob.drain().await.into_iter().find(|event| event["type"] == "message");
    assert_eq!(twice, None);
    server.stop().await;
}

/// Carries one connection to the server, whose answers no longer pass once `deaf` is true. The
/// connection breaks when the tasks are dropped.
async fn carry(listener: &TcpListener, server: SocketAddr, deaf: watch::Receiver<bool>) -> JoinSet<()> {
    let (peer, _) = within("the client to connect", listener.accept()).await.expect("a listener accepts");
    let upstream = within("a connection", TcpStream::connect(server)).await.expect("the port is open");
    let ((mut from_peer, mut to_peer), (mut from_server, mut to_server)) =
        (peer.into_split(), upstream.into_split());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let _ = tokio::io::copy(&mut from_peer, &mut to_server).await;
    });
    tasks.spawn(async move {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
            if !*deaf.borrow() && to_peer.write_all(&bytes[..count]).await.is_err() {
                break;
            }
        }
    });
    tasks
}

#[tokio::test]
async fn a_message_whose_ack_was_lost_is_not_sent_twice_and_a_lost_one_is_sent() {
    let server = TestServer::start().await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
    let mut terminal = Terminal::start(&["--nick", "alice", &listener.local_addr().unwrap().to_string()]);
    let (deafen, deaf) = watch::channel(false);
    let link = carry(&listener, server.tcp(), deaf).await;
    terminal.shows_last("[lobby]").await;
    deafen.send(true).expect("the link stands");
    terminal.type_in("arrived\r").await;
    assert_eq!(bob.message().await, ("alice".to_owned(), "arrived".to_owned()));
    terminal.shows("(sending) arrived").await;
    drop(link);
    terminal.shows("-- Connection lost").await;
    terminal.type_in("meanwhile\r").await;
    terminal.shows("(waiting for the connection) arrived").await;
    let (_hearing, deaf) = watch::channel(false);
    let _link = carry(&listener, server.tcp(), deaf).await;
    assert_eq!(bob.message().await, ("alice".to_owned(), "meanwhile".to_owned()));
    terminal.shows("alice: meanwhile").await;
    let own = |row: &&String| without_clock(row).starts_with("alice: ");
    assert_eq!(terminal.rows().iter().filter(own).count(), 2, "{:?}", terminal.rows());
    server.stop().await;
}

#[tokio::test]
async fn rooms_direct_messages_and_commands() {
    let server = TestServer::start().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    let mut terminal = enter("alice", &server.tcp().to_string()).await;
    terminal.type_in("/create_room dev\r").await;
    terminal.shows("Room dev created successfully!").await;
    terminal.shows_last("[dev]").await;
    bob.send_line("/join dev").await;
    terminal.shows("Server: bob joined dev.").await;
    terminal.type_in("hi dev\r").await;
    bob.until("[dev] alice: hi dev").await;
    terminal.shows("[dev] alice: hi dev").await;
    bob.send_line("/dm alice psst").await;
    terminal.shows("[DM] bob: psst").await;
    terminal.type_in("/dm bob what?\r").await;
    bob.expect("[DM] alice: what?").await;
    terminal.shows("[DM to bob] alice: what?").await;
    terminal.type_in("/me waves\r").await;
    bob.expect("[dev] * alice waves").await;
    terminal.type_in("/leave\r").await;
    terminal.shows("Left room dev").await;
    terminal.shows_last("[lobby]").await;
    terminal.type_in("/nick alicia\r").await;
    terminal.shows("You are now alicia.").await;
    terminal.type_in("/members\r").await;
    terminal.shows("2. bob").await;
    terminal.type_in("/jion dev\r").await;
    terminal.shows("Did you mean /join?").await;
    terminal.type_in("/dm nobody hello\r").await;
    terminal.shows("This was not sent: hello").await;
    server.stop().await;
}

#[tokio::test]
async fn a_websocket_is_as_good() {
    let server = TestServer::start().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    for address in [format!("ws://{}", server.http()), format!("http://{}/", server.http())] {
        let mut terminal = enter("alice", &address).await;
        bob.expect("Server: alice is online!").await;
        bob.send_line("hi alice").await;
        terminal.shows("bob: hi alice").await;
        terminal.type_in("hi bob\r/quit\r").await;
        bob.expect("alice: hi bob").await;
        assert_eq!(terminal.exit().await, Some(0));
        bob.expect("Server: alice is offline.").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn nothing_that_others_write_moves_the_cursor() {
    let server = TestServer::start().await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    let mut terminal = enter("alice", &server.tcp().to_string()).await;
    bob.say("lobby", "\u{1b}]0;title\u{7}\u{1b}[2Jharm\u{9b}1Aless").await;
    terminal.shows("bob: harm1Aless").await;
    assert!(!terminal.written().contains("title") && !terminal.written().contains("\u{1b}[2J"));
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_one_clear_line() {
    let mut terminal = Terminal::start(&["--nick", "alice", "127.0.0.1:1"]);
    assert_eq!(terminal.exit().await, Some(3));
    assert_eq!(terminal.rows().concat(), "crosstalk: Cannot connect to 127.0.0.1:1: connection refused.");
}
