//! The client where it has no terminal: as a part of a pipe.

#[path = "terminal/program.rs"]
mod program;

use std::process::Stdio;

use crosstalk_tests::faults::{Link, Proxy};
use crosstalk_tests::{JsonClient, LineClient, Tap, TestServer, within};
use program::crosstalk;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// What a pipe that has ended left behind.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn start(arguments: &[&str]) -> Child {
    Command::new(crosstalk())
        .args(arguments)
        .env_clear()
        .env("USER", "builder")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("crosstalk can be started")
}

/// Runs the client with `input` to its end.
async fn run(arguments: &[&str], input: &[u8]) -> Ended {
    let mut child = start(arguments);
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    let input = input.to_vec();
    // A client that ends early does not read everything.
    let feed = tokio::spawn(async move { stdin.write_all(&input).await });
    let ended = end(child).await;
    let _ = feed.await;
    ended
}

async fn end(child: Child) -> Ended {
    let output = within("the client to end", child.wait_with_output()).await.expect("a child can be awaited");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[tokio::test]
async fn each_line_is_a_message_and_the_end_is_waited_for() {
    let server = TestServer::start().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    let input = b"one\n\n/quit is no command here\r\n  \ntwo\x1b[31m red\x1b[0m\nlast";
    let ended = run(&["--nick", "bot", &server.tcp().to_string()], input).await;
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "", ""));
    bob.expect_all(&[
        "Server: bot is online!",
        "bot: one",
        "bot: /quit is no command here",
        "bot: two red",
        "bot: last",
        "Server: bot is offline.",
    ])
    .await;
    server.stop().await;
}

#[tokio::test]
async fn what_arrives_is_a_line_of_output_without_escape_sequences() {
    let server = TestServer::start().await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    let mut child = start(&["--nick", "bot", &server.tcp().to_string()]);
    bob.take(|event| event["joined"] == serde_json::json!(["bot"])).await;
    bob.say("lobby", "hi\u{1b}[2J\nServer: forged").await;
    let stdout = child.stdout.take().expect("standard output is a pipe");
    let mut lines = BufReader::new(stdout).lines();
    let line = within("a line of output", lines.next_line()).await.expect("output can be read");
    assert_eq!(line.as_deref(), Some("bob: hi Server: forged"));
    drop(child.stdin.take());
    assert_eq!(end(child).await.code, Some(0));
    server.stop().await;
}

#[tokio::test]
async fn a_rate_limit_slows_a_pipe_and_neither_loses_nor_doubles() {
    let server = TestServer::with(&["--rate-limit", "100"]).await;
    let mut bob = LineClient::enter(&server, "bob").await;
    // More than the burst, so that the limit is met.
    let lines: Vec<String> = (1..=700).map(|number| format!("line {number}")).collect();
    let address = server.tcp().to_string();
    let input = lines.join("\n");
    let arguments = ["--nick", "bot", &address];
    let reader = async {
        bob.expect("Server: bot is online!").await;
        bob.expect("bot: line 1").await;
        for line in &lines[1..] {
            assert_eq!(within("a line", bob.line()).await, Some(format!("bot: {line}")));
        }
        assert_eq!(within("the end", bob.line()).await.as_deref(), Some("Server: bot is offline."));
    };
    let (ended, ()) = tokio::join!(run(&arguments, input.as_bytes()), reader);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    server.stop().await;
}

#[tokio::test]
async fn without_a_limit_a_long_log_goes_through_in_order() {
    let server = TestServer::start().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    let lines: Vec<String> = (1..=5000).map(|number| format!("line {number}")).collect();
    let input = lines.join("\n");
    let address = server.http().to_string();
    let address = format!("ws://{address}");
    let arguments = ["--nick", "bot", &address];
    let reader = async {
        bob.expect("Server: bot is online!").await;
        bob.expect("bot: line 1").await;
        for line in &lines[1..] {
            assert_eq!(within("a line", bob.line()).await, Some(format!("bot: {line}")));
        }
    };
    let (ended, ()) = tokio::join!(run(&arguments, input.as_bytes()), reader);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    server.stop().await;
}

#[tokio::test]
async fn a_room_is_written_to_by_name() {
    let server = TestServer::start().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    bob.send_line("/create_room ci").await;
    bob.expect("Room ci created successfully!").await;
    let address = server.tcp().to_string();
    let ended = run(&["--nick", "bot", "--room", "ci", &address], b"built\n").await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    bob.until("[ci] bot: built").await;
    let ended = run(&["--nick", "bot", "--room", "none", &address], b"built\n").await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("There is no room none"), "{}", ended.stderr);
    server.stop().await;
}

#[tokio::test]
async fn commands_are_carried_out_only_on_demand() {
    let server = TestServer::start().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    let address = server.tcp().to_string();
    let input = b"/create_room ci\nin ci\n/members ci\n/me builds\n";
    let ended = run(&["--nick", "bot", "--commands", &address], input).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, "Room ci created successfully!\nActive chat members are:\n1. bot\n");
    bob.expect_all(&["Server: bot is online!", "Server: bot is offline."]).await;
    let ended = run(&["--nick", "bot", "--commands", &address], b"/dm nobody hi\nmore\n").await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("This was not sent: hi"), "{}", ended.stderr);
    bob.expect_all(&["Server: bot is online!", "bot: more"]).await;
    server.stop().await;
}

#[tokio::test]
async fn a_line_that_is_too_long_is_refused_and_the_rest_is_sent() {
    let server = TestServer::start().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    let input = format!("before\n{}\n{}\nafter\n", "x".repeat(5000), "y".repeat(1_000_000));
    let ended = run(&["--nick", "bot", &server.tcp().to_string()], input.as_bytes()).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("the message has 5000 bytes"), "{}", ended.stderr);
    bob.expect_all(&["Server: bot is online!", "bot: before", "bot: after"]).await;
    server.stop().await;
}

#[tokio::test]
async fn a_default_nickname_is_numbered_and_a_chosen_one_refused() {
    let server = TestServer::start().await;
    let mut builder = LineClient::enter(&server, "builder").await;
    let address = server.tcp().to_string();
    assert_eq!(run(&[&address], b"hi\n").await.code, Some(0));
    builder.expect_all(&["Server: builder-2 is online!", "builder-2: hi"]).await;
    let ended = run(&["--nick", "builder", &address], b"hi\n").await;
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.starts_with("crosstalk: "), "{}", ended.stderr);
    server.stop().await;
}

#[tokio::test]
async fn a_lost_server_is_a_failure_with_a_reason() {
    let server = TestServer::start().await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    let address = server.tcp().to_string();
    let child = start(&["--nick", "bot", "--patience", "0", &address]);
    bob.take(|event| event["joined"] == serde_json::json!(["bot"])).await;
    server.stop().await;
    let ended = end(child).await;
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("Lost the connection"), "{}", ended.stderr);
    let ended = run(&["--nick", "bot", &address], b"hi\n").await;
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("Cannot connect"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_pipe_waits_a_while_for_its_server() {
    let server = TestServer::start().await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    let child = start(&["--nick", "bot", "--patience", "1", &server.tcp().to_string()]);
    bob.take(|event| event["joined"] == serde_json::json!(["bot"])).await;
    server.stop().await;
    let ended = end(child).await;
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("Lost the connection"), "{}", ended.stderr);
}

#[tokio::test]
async fn over_a_link_that_breaks_again_and_again_every_line_arrives_once() {
    let server = TestServer::start().await;
    let link = Proxy::start(server.tcp(), Link::ResetAfter(4000)).await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    let lines: Vec<String> = (1..=200).map(|number| format!("line {}", number % 7)).collect();
    let input = lines.join("\n");
    let address = link.address().to_string();
    let arguments = ["--nick", "bot", &address];
    let reader = async {
        for line in &lines {
            assert_eq!(bob.message().await, ("bot".to_owned(), line.clone()));
        }
    };
    let (ended, ()) = tokio::join!(run(&arguments, input.as_bytes()), reader);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let twice = bob.drain().await.into_iter().find(|event| event["type"] == "message");
    assert_eq!(twice, None);
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_never_acknowledges_is_not_taken_for_one_that_did() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
    let address = listener.local_addr().expect("a listener has an address").to_string();
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("the client connects");
        let (reader, mut writer) = stream.split();
        let mut lines = BufReader::new(reader).lines();
        lines.next_line().await.expect("hello comes");
        let welcome = r#"{"type":"welcome","nick":"bot","server":"x","rooms":[{"room":"lobby","epoch":1,"seq":0,"count":1}],"limits":{"text":4096,"frame":32768,"rate":null,"burst":null,"rooms":100}}"#;
        writer.write_all(format!("{welcome}\n").as_bytes()).await.expect("the client reads");
        let sent = lines.next_line().await.expect("the message comes").unwrap_or_default();
        assert!(sent.contains(r#""text":"hi""#), "{sent}");
    };
    let arguments = ["--nick", "bot", &address];
    let (ended, ()) = tokio::join!(run(&arguments, b"hi\n"), async {
        within("the server's part", server).await;
    });
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("One message may not have been sent."), "{}", ended.stderr);
}

#[tokio::test]
async fn a_pipe_that_was_replaced_ends_and_says_how_to_go_on() {
    let server = TestServer::start().await;
    let mut tap = Tap::start(server.tcp()).await;
    let mut child = start(&["--nick", "bot", &tap.address().to_string()]);
    // More might come.
    let _stdin = child.stdin.take();
    // Of two connections the one that was opened last stays.
    let hello = tap.same_again().await;
    let mut other = JsonClient::tcp(server.tcp()).await;
    other.hello(hello).await;
    let ended = end(child).await;
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("come back over another connection"), "{}", ended.stderr);
    assert!(ended.stderr.contains("Start it again"), "{}", ended.stderr);
    assert_eq!(other.request(serde_json::json!({ "type": "ping" })).await["type"], "pong");
    server.stop().await;
}

#[tokio::test]
async fn a_line_whose_id_was_anothers_is_sent_under_another_one_and_then_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
    let address = listener.local_addr().expect("a listener has an address").to_string();
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("the client connects");
        let (reader, mut writer) = stream.split();
        let mut lines = BufReader::new(reader).lines();
        lines.next_line().await.expect("hello comes");
        let welcome = r#"{"type":"welcome","nick":"bot","server":"x","rooms":[{"room":"lobby","epoch":1,"seq":0,"count":1}],"limits":{"text":4096,"frame":32768,"rate":null,"burst":null,"rooms":100}}"#;
        writer.write_all(format!("{welcome}\n").as_bytes()).await.expect("the client reads");
        let mut ids = Vec::new();
        while ids.len() < 2 {
            let line = lines.next_line().await.expect("the message comes").expect("it is a line");
            let sent: serde_json::Value = serde_json::from_str(&line).expect("it is an object");
            assert_eq!(sent["text"], "hi");
            let id = sent["id"].clone();
            let refused =
                serde_json::json!({ "type": "error", "id": id, "code": "id-reused", "message": "No." });
            writer.write_all(format!("{refused}\n").as_bytes()).await.expect("the client reads");
            ids.push(id);
        }
        assert_ne!(ids[0], ids[1]);
        assert_eq!(lines.next_line().await.expect("it leaves").as_deref(), Some(r#"{"type":"quit"}"#));
    };
    let arguments = ["--nick", "bot", &address];
    let (ended, ()) = tokio::join!(run(&arguments, b"hi\n"), async {
        within("the server's part", server).await;
    });
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("This was not sent: hi"), "{}", ended.stderr);
}

#[tokio::test]
async fn output_that_nobody_reads_any_more_does_not_end_the_sending() {
    let server = TestServer::start().await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    let mut child = start(&["--nick", "bot", &server.tcp().to_string()]);
    bob.take(|event| event["joined"] == serde_json::json!(["bot"])).await;
    drop(child.stdout.take());
    bob.say("lobby", "nobody prints this").await;
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    for text in ["one\n", "two\n"] {
        stdin.write_all(text.as_bytes()).await.expect("the client reads");
        bob.take(|event| event["from"] == "bot" && event["text"] == text.trim()).await;
    }
    drop(stdin);
    assert_eq!(end(child).await.code, Some(0));
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_command_line_says_what_is_wrong() {
    for (arguments, reason) in [
        (&["https://host"][..], "not there yet"),
        (&["--nick", "two words", "host"], "not allowed"),
        (&["host:port"], "is not a port"),
    ] {
        let ended = run(arguments, b"").await;
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(ended.stderr.contains(reason), "{arguments:?}: {}", ended.stderr);
    }
}
