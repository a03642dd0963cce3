//! Links that break in the middle of everything, thousands of times: nobody loses or doubles anything.
//!
//! `CROSSTALK_BREAKS` says how often they break, and `CROSSTALK_SEED` where; docs/testing.md has the
//! commands.

#[path = "terminal/program.rs"]
mod program;
#[path = "terminal/pty.rs"]
#[allow(dead_code, reason = "terminal.rs looks closer")]
mod pty;

use std::process::Stdio;

use crosstalk_tests::{
    Crowd, DataDir, FlakyProxy, JsonClient, LineTalker, Random, Talker, TestServer, Way, read_history, within,
};
use program::crosstalk;
use pty::Terminal;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

/// How often the links of a crowd break, unless the environment says otherwise.
const BREAKS: usize = 2_000;

fn setting(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().map_or(otherwise, |value| value.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_links_that_break_all_the_time_nobody_loses_or_doubles_anything() {
    let breaks = setting("CROSSTALK_BREAKS", BREAKS);
    let seed = setting("CROSSTALK_SEED", 1) as u64;
    println!("CROSSTALK_BREAKS={breaks} CROSSTALK_SEED={seed}");
    let mut random = Random::new(seed);
    let data = DataDir::new();
    let server = TestServer::with_data(&data, &["--log", "warn"]).await;
    let tcp = FlakyProxy::start(server.tcp(), random.bits()).await;
    let http = FlakyProxy::start(server.http(), random.bits()).await;
    for proxy in [&tcp, &http] {
        proxy.set_calm(true);
    }
    let mut crowd = Crowd::gather(&server).await;
    for number in 1..=4 {
        let program = Talker::new(&format!("program-{number}"), Way::Tcp, tcp.address(), random.bits());
        let page = Talker::new(&format!("page-{number}"), Way::WebSocket, http.address(), random.bits());
        crowd.join(program);
        crowd.join(page);
    }
    crowd.join(Talker::new("romeo", Way::Tcp, tcp.address(), random.bits()).with_friend("juliet"));
    crowd.join(Talker::new("juliet", Way::WebSocket, http.address(), random.bits()).with_friend("romeo"));
    for number in 1..=2 {
        crowd.join_lines(LineTalker::new(&format!("hand-{number}"), tcp.address(), random.bits()));
    }
    crowd.is_inside().await;
    for proxy in [&tcp, &http] {
        proxy.set_calm(false);
    }
    while tcp.breaks() + http.breaks() < breaks {
        crowd.hears(100).await;
    }
    for proxy in [&tcp, &http] {
        proxy.set_calm(true);
        proxy.cut_all();
    }
    let checker = crowd.finish(&server).await;
    let said: usize = checker.journals.iter().map(|journal| journal.said.len()).sum();
    println!("{} and {} links broken, {said} messages", tcp.breaks(), http.breaks());
    checker.assert_nothing_lost();
    server.stop().await;
}

/// The client as a part of a pipe.
fn pipe(nick: &str, address: &str, state: &DataDir) -> Child {
    Command::new(crosstalk())
        .args(["--nick", nick, address])
        .env_clear()
        .env("HOME", state.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("crosstalk can be started")
}

/// Everything that `nick` has said in the lobby.
async fn said_by(nick: &str, reader: &mut JsonClient) -> Vec<String> {
    let history = read_history(reader, "lobby").await;
    history.into_iter().filter(|entry| entry.from == nick).map(|entry| entry.text).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_over_links_that_break_sends_every_line_once_and_in_order() {
    const LINES: usize = 200;
    let (data, state) = (DataDir::new(), DataDir::new());
    let server = TestServer::with_data(&data, &[]).await;
    let mut reader = JsonClient::enter(&server, "reader").await;
    for (way, upstream, seed) in [("", server.tcp(), 5), ("ws://", server.http(), 6)] {
        let proxy = FlakyProxy::start(upstream, seed).await;
        // The first hello gets through: who has never been in does not try for ever.
        proxy.set_calm(true);
        let nick = format!("bot-{seed}");
        let mut child = pipe(&nick, &format!("{way}{}", proxy.address()), &state);
        reader.take(|event| event["joined"] == json!([nick])).await;
        proxy.set_calm(false);
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        let lines: Vec<String> = (1..=LINES).map(|number| format!("line {number}")).collect();
        for (number, line) in lines.iter().enumerate() {
            stdin.write_all(format!("{line}\n").as_bytes()).await.expect("the client reads");
            // Not all at once: most of it would pass between two breaks.
            if number % 20 == 19 && number + 20 < LINES {
                let expected = format!("line {}", number - 10);
                reader.take(|event| event["from"] == *nick && event["text"] == *expected).await;
                proxy.cut_all();
            }
        }
        drop(stdin);
        let output = within("the client to end", child.wait_with_output()).await.expect("a child ends");
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{complaints}");
        assert_eq!(said_by(&nick, &mut reader).await, lines, "over {} breaks: {complaints}", proxy.breaks());
        println!("{way}{upstream}: {} links broken", proxy.breaks());
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_over_links_that_break_shows_every_line_once_and_in_order() {
    const LINES: usize = 300;
    let (data, state) = (DataDir::new(), DataDir::new());
    let server = TestServer::with_data(&data, &[]).await;
    let proxy = FlakyProxy::start(server.tcp(), 7).await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    proxy.set_calm(true);
    let mut child = pipe("bot", &proxy.address().to_string(), &state);
    bob.take(|event| event["joined"] == json!(["bot"])).await;
    bob.say("lobby", "line 0").await;
    let mut shown = BufReader::new(child.stdout.take().expect("standard output is a pipe")).lines();
    let mut next = async || within("a line of output", shown.next_line()).await.expect("output can be read");
    assert_eq!(next().await.as_deref(), Some("bob: line 0"));
    proxy.set_calm(false);
    for number in 1..=LINES {
        bob.say("lobby", &format!("line {number}")).await;
        if number % 10 == 0 {
            proxy.cut_all();
        }
    }
    let mut number = 1;
    println!("{} links broken", proxy.breaks());
    while number <= LINES {
        let line = next().await.expect("the output goes on");
        if line.starts_with("bob: ") {
            assert_eq!(line, format!("bob: line {number}"), "after {} breaks", proxy.breaks());
            number += 1;
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_over_links_that_break_sends_every_line_once_and_in_order() {
    const LINES: usize = 40;
    let data = DataDir::new();
    let server = TestServer::with_data(&data, &[]).await;
    let proxy = FlakyProxy::start(server.tcp(), 8).await;
    proxy.set_calm(true);
    let mut terminal = Terminal::start(&["--nick", "alice", &proxy.address().to_string()]);
    terminal.shows_last("[lobby]").await;
    proxy.set_calm(false);
    let lines: Vec<String> = (1..=LINES).map(|number| format!("line {number}")).collect();
    for (number, line) in lines.iter().enumerate() {
        terminal.type_in(&format!("{line}\r")).await;
        if number % 5 == 0 {
            proxy.cut_all();
        }
        terminal.shows_last("[lobby]").await;
    }
    terminal.shows(&format!("alice: line {LINES}")).await;
    println!("{} links broken", proxy.breaks());
    let mut reader = JsonClient::enter(&server, "reader").await;
    assert_eq!(said_by("alice", &mut reader).await, lines, "over {} breaks", proxy.breaks());
    server.stop().await;
}
