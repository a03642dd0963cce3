//! A disk that fills up or fails, a store that stalls, a clock that jumps: what was acknowledged
//! stays, reading goes on, and all is well by itself afterwards.

use std::os::unix::fs::MetadataExt;

use crosstalk_tests::disk::{SmallDisk, limit_files, survives_limits};
use crosstalk_tests::{
    Crowd, DataDir, JsonClient, LineClient, Random, Setup, Talker, TestServer, Way, http, read_history,
    within,
};
use serde_json::{Value, json};

/// Waits until `/readyz` answers so.
async fn readiness_becomes(server: &TestServer, status: u16) {
    within(format!("/readyz to answer {status}"), async {
        while http::get(server.http(), "/readyz", &[]).await.status != status {}
    })
    .await;
}

async fn texts(client: &mut JsonClient) -> Vec<String> {
    read_history(client, "lobby").await.into_iter().map(|entry| entry.text).collect()
}

/// Says something under an id of its own and hands over the answer.
async fn try_to_say(client: &mut JsonClient, id: &str, text: &str) -> Value {
    client.send(json!({ "type": "send", "room": "lobby", "text": text, "id": id })).await;
    client.take(|event| event["id"] == *id).await
}

/// Two people talk before, while and after the disk takes nothing, and the server is killed in the end.
async fn goes_through(mut server: TestServer, fail: impl Fn(&TestServer), mend: impl Fn(&TestServer)) {
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut bob = LineClient::enter(&server, "bob").await;
    let mut expected: Vec<String> = (1..=20).map(|number| format!("before {number}")).collect();
    for text in &expected {
        alice.say("lobby", text).await;
        bob.until(&format!("alice: {text}")).await;
    }
    readiness_becomes(&server, 200).await;
    for round in 1..=2 {
        fail(&server);
        // A few may still find room.
        let mut number = 0;
        let refused = loop {
            number += 1;
            let (id, text) =
                (format!("late-{round}-{number}"), format!("late {round} {number} {}", "x".repeat(1_000)));
            let answer = try_to_say(&mut alice, &id, &text).await;
            if answer["type"] == "error" {
                break (id, text, answer);
            }
            expected.push(text);
        };
        let (id, text, answer) = refused;
        assert_eq!(answer["code"], "busy", "{answer}");
        assert!(answer["retry_after_ms"].is_u64(), "{answer}");
        assert!(answer["message"].as_str().is_some_and(|words| words.contains("again")), "{answer}");
        readiness_becomes(&server, 503).await;
        bob.send_line("by hand").await;
        let notice = loop {
            let line = bob.line().await.expect("nobody is disconnected");
            if !line.starts_with("alice: ") {
                break line;
            }
        };
        assert!(notice.starts_with("Server: ") && notice.contains("again"), "{notice}");
        // Reading goes on, and has nothing that was refused.
        assert_eq!(texts(&mut alice).await, expected);
        assert_eq!(http::get(server.http(), "/healthz", &[]).await.status, 200);
        // It is refused for as long as it has to be.
        let answer = try_to_say(&mut alice, &id, &text).await;
        assert_eq!(answer["code"], "busy", "{answer}");
        mend(&server);
        readiness_becomes(&server, 200).await;
        let answer = try_to_say(&mut alice, &id, &text).await;
        assert_eq!(answer["type"], "ack", "{answer}");
        expected.push(text.clone());
        bob.until(&format!("alice: {text}")).await;
        bob.send_line("by hand again").await;
        alice.take(|event| event["type"] == "message" && event["text"] == "by hand again").await;
        expected.push("by hand again".to_owned());
    }
    server.kill().await;
    server.restart().await;
    let mut carol = JsonClient::enter(&server, "carol").await;
    assert_eq!(texts(&mut carol).await, expected);
    server.stop().await;
}

#[tokio::test]
async fn a_disk_that_is_full_refuses_what_comes_and_takes_it_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(4 << 20) else {
        return eprintln!("not seen: only root can have a small disk");
    };
    let setup = Setup::durable(disk.path()).flags(&["--rate-limit", "off"]);
    let server = setup.start().await;
    goes_through(server, |_| disk.fill(), |_| disk.make_room()).await;
}

#[tokio::test]
async fn a_disk_that_fails_refuses_what_comes_and_takes_it_when_it_works() {
    let data = DataDir::new();
    let setup = survives_limits(Setup::durable(data.path())).flags(&["--rate-limit", "off"]);
    let server = setup.start().await;
    goes_through(server, |server| limit_files(server, Some(4_096)), |server| limit_files(server, None)).await;
}

#[tokio::test]
async fn a_database_that_is_replaced_takes_nothing_until_the_old_one_is_back() {
    let data = DataDir::new();
    let server = Setup::durable(data.path()).flags(&["--rate-limit", "off"]).start().await;
    let (database, away) = (data.database(), data.path().join("away"));
    let replace = |_: &TestServer| {
        std::fs::rename(&database, &away).unwrap();
        std::fs::copy(&away, &database).unwrap();
    };
    goes_through(server, replace, |_| std::fs::rename(&away, &database).unwrap()).await;
}

#[tokio::test]
async fn a_write_ahead_log_that_is_taken_away_is_missed() {
    let data = DataDir::new();
    let server = Setup::durable(data.path()).flags(&["--rate-limit", "off"]).start().await;
    let (log, away) = (data.path().join("crosstalk.db-wal"), data.path().join("away"));
    let (take, put_back) = (std::fs::rename(&log, &away), std::fs::rename(&away, &log));
    assert!(take.is_ok() && put_back.is_ok(), "it is there from the start");
    let take = |_: &TestServer| std::fs::rename(&log, &away).unwrap();
    goes_through(server, take, |_| std::fs::rename(&away, &log).unwrap()).await;
}

#[tokio::test]
async fn a_server_holds_its_database_so_that_no_other_program_takes_the_log_away() {
    let data = DataDir::new();
    let server = TestServer::with_data(&data, &[]).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    alice.say("lobby", "words").await;
    assert_eq!(texts(&mut alice).await, ["words"]);
    let inode = std::fs::metadata(data.database()).unwrap().ino();
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    let holder = format!(" {} ", server.pid().as_raw_nonzero());
    let held = |line: &str| line.contains(&holder) && line.contains(&format!(":{inode} "));
    assert!(locks.lines().any(held), "{inode} is not locked: {locks}");
    server.stop().await;
}

#[tokio::test]
async fn a_database_that_is_taken_away_is_missed_though_nobody_writes() {
    let data = DataDir::new();
    let server = TestServer::with_data(&data, &[]).await;
    let (database, away) = (data.database(), data.path().join("away"));
    std::fs::rename(&database, &away).unwrap();
    readiness_becomes(&server, 503).await;
    let why = http::get(server.http(), "/readyz", &[]).await.text();
    assert!(why.contains("crosstalk.db was taken away"), "{why}");
    // It is said once, however long it lasts.
    let said = |server: &TestServer| server.log().matches("nothing can be stored").count();
    let mut alice = JsonClient::enter(&server, "alice").await;
    for number in 1..=3 {
        let answer = try_to_say(&mut alice, &format!("late-{number}"), "words").await;
        assert_eq!(answer["code"], "busy", "{answer}");
    }
    assert_eq!(said(&server), 1, "{}", server.log());
    std::fs::rename(&away, &database).unwrap();
    readiness_becomes(&server, 200).await;
    alice.say("lobby", "words").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_now_and_then_loses_and_doubles_nothing() {
    let data = DataDir::new();
    let setup = survives_limits(Setup::durable(data.path())).flags(&["--rate-limit", "off", "--log", "warn"]);
    let mut server = setup.start().await;
    let mut random = Random::new(4);
    let mut crowd = Crowd::gather(&server).await;
    for number in 1..=3 {
        let program = Talker::new(&format!("program-{number}"), Way::Tcp, server.tcp(), random.bits());
        let page = Talker::new(&format!("page-{number}"), Way::WebSocket, server.http(), random.bits());
        crowd.join(program.one_by_one());
        crowd.join(page.one_by_one());
    }
    for _ in 0..4 {
        crowd.hears(1 + random.below(500)).await;
        limit_files(&server, Some(4_096));
        readiness_becomes(&server, 503).await;
        if random.below(2) == 0 {
            server.kill().await;
            server.restart().await;
        } else {
            limit_files(&server, None);
        }
        readiness_becomes(&server, 200).await;
    }
    let checker = crowd.finish(&server).await;
    checker.assert_nothing_lost();
    assert!(checker.journals.iter().any(|journal| journal.refusals > 0), "nothing was refused");
    server.stop().await;
}

#[tokio::test]
async fn while_the_store_stalls_others_read_on_and_everything_arrives_in_the_end() {
    const COUNT: usize = 60;
    let data = DataDir::new();
    let mut server = TestServer::with_data(&data, &[]).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    for number in 0..10 {
        alice.say("lobby", &format!("before {number}")).await;
    }
    drop(alice);
    server.restart_with(|setup| setup.environment("CROSSTALK_FAULT", "stall:1500")).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut bob = JsonClient::enter_websocket(&server, "bob").await;
    let mut carol = LineClient::enter(&server, "carol").await;
    for number in 0..COUNT {
        let text = format!("late {number}");
        alice.send(json!({ "type": "send", "room": "lobby", "text": text, "id": text })).await;
    }
    let reads = async {
        for _ in 0..20 {
            assert_eq!(texts(&mut bob).await.len(), 10, "nobody sees what is not stored");
            let members = bob.request(json!({ "type": "members" })).await;
            assert_eq!(members["count"], 3);
        }
    };
    tokio::select! {
        () = reads => {}
        ack = alice.take_type("ack") => panic!("reading waits for writing: {ack} came first"),
    }
    for number in 0..COUNT {
        let text = format!("late {number}");
        let ack = alice.take_type("ack").await;
        assert_eq!(ack["id"], *text, "{ack}");
        assert_eq!(bob.message().await.1, text);
        carol.until(&format!("alice: {text}")).await;
    }
    let rest = alice.drain().await;
    assert!(rest.iter().all(|event| event["type"] != "error" && event["type"] != "disconnect"), "{rest:?}");
    server.stop().await;
}
