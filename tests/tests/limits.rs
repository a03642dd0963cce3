//! Bounds: what a peer is told at each of them, and how the server begins and ends.

use std::time::Duration;

use crosstalk_tests::faults::deaf;
use crosstalk_tests::{
    DataDir, JsonClient, LineClient, RawSocket, Setup, TestServer, UnframedClient, assert_shape, http, within,
};
use rustix::process::Signal;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn who_is_too_fast_is_told_when_to_go_on() {
    let server = TestServer::with(&["--rate-limit", "20"]).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    const SENT: usize = 200;
    for number in 0..SENT {
        alice.send(json!({ "type": "send", "room": "lobby", "text": "x", "id": number.to_string() })).await;
    }
    let (mut taken, mut refused, mut wait) = (0, 0, 0);
    for number in 0..SENT {
        let id = number.to_string();
        let answer = alice.take(|event| event["id"] == *id).await;
        if answer["type"] == "ack" {
            taken += 1;
        } else {
            let shape = json!({
                "type": "error", "id": "$", "code": "rate-limited", "message": "$", "retry_after_ms": "#",
            });
            assert_shape(&answer, &shape);
            refused += 1;
            wait = answer["retry_after_ms"].as_u64().unwrap();
        }
    }
    assert!(taken >= 90, "a burst of 100 passes, {taken} did");
    assert!(refused > 0, "{taken} were taken");
    assert!((1..=1_000).contains(&wait), "{wait} ms");
    // What the protocol asks of a client.
    tokio::time::sleep(Duration::from_millis(wait)).await;
    alice.say("lobby", "slower").await;
    server.stop().await;
}

#[tokio::test]
async fn who_types_too_fast_is_told_so_in_words() {
    let server = TestServer::with(&["--rate-limit", "1"]).await;
    let mut alice = LineClient::enter(&server, "alice").await;
    let mut bob = LineClient::enter(&server, "bob").await;
    alice.expect("Server: bob is online!").await;
    alice.send_bytes("hello\n".repeat(20).as_bytes()).await;
    alice.expect_matching(|line| line.to_lowercase().contains("fast") && line.contains("ms")).await;
    bob.expect("alice: hello").await;
    server.stop().await;
}

#[tokio::test]
async fn who_never_listens_is_disconnected() {
    let server = TestServer::with(&["--rate-limit", "1"]).await;
    let mut watcher = JsonClient::enter(&server, "watcher").await;
    let mut line = LineClient::enter(&server, "line").await;
    let _ = line.try_send_bytes("flood\n".repeat(1_000).as_bytes()).await;
    let rest = line.rest().await;
    assert!(rest.last().is_some_and(|line| line.contains("slow down")), "{:?}", rest.last());
    for (mut program, close_code) in [
        (JsonClient::enter(&server, "json").await, None),
        (JsonClient::enter_websocket(&server, "ws").await, Some(1008)),
    ] {
        for _ in 0..1_000 {
            if program.try_send_text(r#"{"type":"ping"}"#).await.is_err() {
                break;
            }
        }
        let rest = program.rest().await;
        let shape = json!({
            "type": "disconnect", "code": "flooding", "message": "$", "reconnect": true, "retry_after_ms": "#",
        });
        assert_shape(rest.last().unwrap(), &shape);
        assert_eq!(program.close_code(), close_code);
    }
    watcher.say("lobby", "I was not").await;
    server.stop().await;
}

#[tokio::test]
async fn a_full_server_says_so_at_each_door() {
    let server = TestServer::with(&["--max-connections", "3"]).await;
    let first = LineClient::enter(&server, "first").await;
    let _second = JsonClient::enter(&server, "second").await;
    let _third = JsonClient::enter_websocket(&server, "third").await;
    turned_away(&server, "server-full", "full").await;
    // As soon as one leaves there is room for one.
    drop(first);
    let mut look = tokio::time::interval(Duration::from_millis(10));
    within("room for one more", async {
        loop {
            look.tick().await;
            let mut client = LineClient::connect(server.tcp()).await;
            if client.try_send_bytes(b"fourth\n").await.is_ok()
                && client.line().await.as_deref() == Some("Connected to the server")
            {
                break;
            }
        }
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn one_address_cannot_take_everything() {
    let server = TestServer::with(&["--max-connections-per-ip", "3"]).await;
    let _first = LineClient::enter(&server, "first").await;
    let _second = JsonClient::enter(&server, "second").await;
    let _third = JsonClient::enter_websocket(&server, "third").await;
    turned_away(&server, "address-full", "address").await;
    server.stop().await;
}

/// Tries every door and expects a clear answer at each.
async fn turned_away(server: &TestServer, code: &str, word: &str) {
    let mut line = LineClient::connect(server.tcp()).await;
    let _ = line.try_send_bytes(b"fourth\n").await;
    let rest = line.rest().await;
    assert!(rest.iter().any(|line| line.contains(word)), "lines: {rest:?}");
    assert!(!rest.iter().any(|line| line.contains("Connected")), "lines: {rest:?}");

    let mut program = JsonClient::tcp(server.tcp()).await;
    let _ = program.try_send_text(r#"{"type":"hello","nick":"fourth"}"#).await;
    let rest = program.rest().await;
    let shape = json!({ "type": "disconnect", "code": code, "message": "$", "reconnect": true, "retry_after_ms": "#" });
    assert_shape(rest.last().expect("JSON: an answer"), &shape);

    let answer = http::exchange(server.http(), RawSocket::head(server.http(), "").as_bytes()).await;
    let answer_head =
        http::parse(&answer).unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(&answer)));
    let closed = answer_head.body.windows(2).any(|bytes| bytes == 1013u16.to_be_bytes());
    assert!(answer_head.status == 503 || answer_head.status == 101 && closed, "WebSocket: {answer_head:?}");
}

#[tokio::test]
async fn one_connection_can_be_in_a_hundred_rooms() {
    let server = TestServer::start().await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    for number in 1..100 {
        let created = alice.request(json!({ "type": "create", "room": format!("room-{number}") })).await;
        assert_eq!(created["type"], "joined", "{created}");
    }
    let refused = alice.request(json!({ "type": "create", "room": "one-too-many" })).await;
    assert_shape(&refused, &json!({ "type": "error", "id": "$", "code": "too-many-rooms", "message": "$" }));
    let mut bob = JsonClient::enter(&server, "bob").await;
    let listed = bob.request(json!({ "type": "rooms", "after": "one", "limit": 1 })).await;
    assert_ne!(listed["rooms"][0]["room"], "one-too-many", "it was not created either");
    alice.request(json!({ "type": "leave", "room": "room-1" })).await;
    assert_eq!(alice.request(json!({ "type": "create", "room": "in-its-place" })).await["created"], true);
    server.stop().await;
}

#[tokio::test]
async fn there_are_so_many_rooms_as_whoever_runs_the_server_allows() {
    let data = DataDir::new();
    let allow = |setup: Setup, rooms: &str| setup.environment("CROSSTALK_MAX_ROOMS", rooms);
    let setup = Setup::durable(data.path()).flags(&["--rate-limit", "off"]);
    let mut server = allow(setup, "3").start().await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let create = |room: &str| json!({ "type": "create", "room": room });
    for room in ["dev", "ops"] {
        assert_eq!(alice.request(create(room)).await["created"], true);
        alice.say(room, "words").await;
        alice.request(json!({ "type": "leave", "room": room })).await;
    }
    for room in ["talk", "walk"] {
        let refused = alice.request(create(room)).await;
        let shape = json!({ "type": "error", "id": "$", "code": "too-many-rooms", "message": "$" });
        assert_shape(&refused, &shape);
        assert!(refused["message"].as_str().unwrap().contains("ask whoever runs it"), "{refused}");
    }
    assert_eq!(server.log().matches("--max-rooms").count(), 1, "{}", server.log());
    drop(alice);
    server.restart_with(|setup| allow(setup, "4")).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    assert_eq!(alice.request(create("talk")).await["created"], true);
    assert_eq!(alice.request(json!({ "type": "join", "room": "dev" })).await["type"], "joined");
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_flag_is_one_line_and_a_bad_exit() {
    for arguments in [
        &["--no-such-flag"][..],
        &["surplus"],
        &["--tcp"],
        &["--tcp", "nonsense"],
        &["--tcp", "127.0.0.1:99999"],
        &["--http", "256.0.0.1:80"],
        &["--rate-limit", "fast"],
        &["--rate-limit=-1"],
        &["--max-connections", "many"],
        &["--max-connections-per-ip", ""],
        &["--max-rooms", "0"],
        &["--log-format", "xml"],
        &["--log", "[["],
        &["--web-dir", "/nowhere/at/all"],
        &["--allow-origin", "nonsense"],
        &["--allow-origin", "https://chat.example/with/a/path"],
    ] {
        let flag = arguments[0].split('=').next().unwrap();
        refused(arguments, flag).await;
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_one_line_and_a_bad_exit() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    refused(&["--ephemeral", "--tcp", &address, "--http", free], &address).await;
    refused(&["--ephemeral", "--tcp", free, "--http", &address], &address).await;
    // An address of another machine.
    refused(&["--ephemeral", "--tcp", "203.0.113.1:44444", "--http", free], "203.0.113.1:44444").await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_one_line_and_a_bad_exit() {
    // Not even root can make a directory there.
    let arguments = ["--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", "/proc/nowhere"];
    refused(&arguments, "/proc/nowhere").await;
}

/// Runs the server and expects it to end at once with one line that names `word`.
async fn refused(arguments: &[&str], word: &str) {
    let exit = TestServer::run(arguments).await;
    assert!(exit.code.is_some_and(|code| code != 0), "{arguments:?}: {exit:?}");
    assert_eq!(exit.stdout, "", "{arguments:?}");
    assert_eq!(exit.stderr.lines().count(), 1, "{arguments:?}: {}", exit.stderr);
    assert!(exit.stderr.contains(word), "{arguments:?}: {}", exit.stderr);
    assert!(!exit.stderr.contains("panicked"), "{arguments:?}: {}", exit.stderr);
}

#[tokio::test]
async fn flags_can_come_from_the_environment() {
    let mut command = TestServer::command();
    command.env("CROSSTALK_TCP", "nonsense").stderr(std::process::Stdio::piped());
    let output = within("the server to end", command.output()).await.unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("nonsense"), "{output:?}");
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_says_goodbye_at_each_door() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = TestServer::start().await;
        let mut line = LineClient::enter(&server, "line").await;
        let mut unframed = UnframedClient::enter(&server, "unframed").await;
        line.expect("Server: unframed is online!").await;
        let mut program = JsonClient::enter(&server, "json").await;
        let mut browser = JsonClient::enter_websocket(&server, "ws").await;
        // Who has not said hello has to go as well.
        let silent = TcpStream::connect(server.tcp()).await.unwrap();
        let idle = TcpStream::connect(server.http()).await.unwrap();
        browser.say("lobby", "until the end").await;
        unframed.expect("Server: json is online!").await;
        unframed.expect("Server: ws is online!").await;
        unframed.expect("ws: until the end").await;
        line.until("ws: until the end").await;

        server.signal(signal);
        line.expect_matching(|line| line.starts_with("Server: ") && line.contains("going down")).await;
        line.expect_end().await;
        let shape = json!({
            "type": "disconnect", "code": "shutdown", "message": "$", "reconnect": true, "retry_after_ms": "#",
        });
        for client in [&mut program, &mut browser] {
            let rest = client.rest().await;
            assert_shape(rest.last().unwrap(), &shape);
        }
        assert_eq!(browser.close_code(), Some(1001));
        let (tcp, http) = (server.tcp(), server.http());
        let exit = server.exit().await;
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        drop((silent, idle));
        for address in [tcp, http] {
            assert!(TcpStream::connect(address).await.is_err(), "{address} is still open");
        }
    }
}

#[tokio::test]
async fn a_peer_that_reads_nothing_does_not_keep_the_server_from_ending() {
    let server = TestServer::start().await;
    let mut deaf = deaf(server.tcp()).await;
    deaf.write_all(b"{\"type\":\"hello\",\"nick\":\"deaf\"}\n").await.unwrap();
    let mut alice = JsonClient::enter(&server, "alice").await;
    alice.drain().await;
    // More than the kernel takes for a peer, so that the rest is still to be written.
    for _ in 0..3_000 {
        alice.say("lobby", &"x".repeat(4_000)).await;
    }
    drop(alice);
    server.stop().await;
}

#[tokio::test]
async fn what_was_said_before_the_end_is_delivered() {
    let server = TestServer::start().await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut bob = JsonClient::enter_websocket(&server, "bob").await;
    for number in 0..200 {
        alice.say("lobby", &number.to_string()).await;
    }
    server.signal(Signal::TERM);
    let texts: Vec<_> = bob
        .rest()
        .await
        .into_iter()
        .filter(|event| event["type"] == "message")
        .map(|event| event["text"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        texts.iter().map(String::as_str).eq((0..200).map(|number| number.to_string()).collect::<Vec<_>>())
    );
    assert_eq!(server.exit().await.code, Some(0));
}

#[tokio::test]
async fn standard_output_is_one_line_and_the_log_names_no_text() {
    let server = TestServer::with(&["--rate-limit", "off", "--log", "trace", "--log-format", "json"]).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut line = LineClient::enter(&server, "line").await;
    alice.say("lobby", "a secret nobody should log").await;
    line.expect_matching(|line| line.contains("secret")).await;
    line.send_line("another secret nobody should log").await;
    assert!(alice.take(|event| event["from"] == "line").await["text"].is_string());
    line.send_bytes(b"a third secret \xff\n").await;
    line.line().await;
    drop((alice, line));
    server.signal(Signal::TERM);
    let exit = server.exit().await;
    assert!(!exit.stderr.contains("secret"), "{}", exit.stderr);
    for line in exit.stderr.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    }
}

#[tokio::test]
async fn who_is_turned_away_by_the_hundred_is_let_go_again() {
    let server = TestServer::with(&["--max-connections", "1"]).await;
    let _alice = LineClient::enter(&server, "alice").await;
    let before = server.descriptors();
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(TcpStream::connect(server.tcp()).await.unwrap());
    }
    // Whether they read or not, they do not stay.
    for stream in crowd.iter_mut().take(10) {
        let mut rest = Vec::new();
        let _ = within("the end", stream.read_to_end(&mut rest)).await;
    }
    drop(crowd);
    server.descriptors_return_to(before).await;
    server.stop().await;
}
