//! A clock that jumps: order is that of the numbers, and nothing hangs on the time of day.

use std::path::{Path, PathBuf};

use crosstalk_tests::{Crowd, DataDir, JsonClient, Random, Setup, Talker, Way, read_history};
use serde_json::json;

/// The library that shows a process another time, where Debian puts it (`libfaketime`).
fn faketime() -> Option<PathBuf> {
    let architecture = std::env::consts::ARCH;
    let path = format!("/usr/lib/{architecture}-linux-gnu/faketime/libfaketime.so.1");
    Path::new(&path).exists().then(|| path.into())
}

/// A server whose time of day is the real one and what `offset` says, such as `-2h`. How long
/// something takes is measured as ever: no system lets that clock jump.
fn setup(data: &DataDir, library: &Path, offset: &Path) -> Setup {
    Setup::durable(data.path())
        .flags(&["--rate-limit", "off", "--log", "warn"])
        .environment("LD_PRELOAD", library)
        .environment("FAKETIME_TIMESTAMP_FILE", offset)
        .environment("FAKETIME_NO_CACHE", "1")
        .environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_back_and_forth_moves_loses_and_doubles_nothing() {
    let Some(library) = faketime() else {
        return eprintln!("not seen: there is no libfaketime here");
    };
    let (data, place) = (DataDir::new(), DataDir::new());
    let file = place.path().join("offset");
    let jump = |offset: &str| std::fs::write(&file, offset).expect("a file can be written");
    jump("+0");
    let mut server = setup(&data, &library, &file).start().await;
    let mut alice = JsonClient::tcp(server.tcp()).await;
    let welcome = alice.hello(json!({ "nick": "alice" })).await;
    let send = json!({ "type": "send", "room": "lobby", "text": "at noon", "id": "noon" });
    alice.send(send.clone()).await;
    let noon = alice.take_type("ack").await;
    let at = alice.take_type("message").await["at"].as_u64().expect("a time");
    // An hour and a half ahead is too late to change it, two hours back is not.
    jump("+90m");
    let late = json!({ "type": "edit", "room": "lobby", "seq": noon["seq"], "text": "late" });
    assert_eq!(alice.request(late).await["code"], "too-late", "the server sees the clock jump");
    let mut random = Random::new(6);
    let mut crowd = Crowd::gather(&server).await;
    for number in 1..=3 {
        let program = Talker::new(&format!("program-{number}"), Way::Tcp, server.tcp(), random.bits());
        let page = Talker::new(&format!("page-{number}"), Way::WebSocket, server.http(), random.bits());
        // Whether a message can still be changed is a question of time.
        crowd.join(program.without_changes());
        crowd.join(page.without_changes());
    }
    for (number, offset) in ["-2h", "+10m", "-30d", "-60d", "+0", "-1h"].into_iter().enumerate() {
        crowd.hears(1 + random.below(400)).await;
        jump(offset);
        crowd.hears(1 + random.below(400)).await;
        if number % 2 == 0 {
            server.kill().await;
            server.restart().await;
        }
    }
    let mut back = JsonClient::tcp(server.tcp()).await;
    let again = back.hello(json!({ "nick": "alice", "token": welcome["token"] })).await;
    assert_eq!(again["resumed"], true, "she is known at any time: {again}");
    back.send(send).await;
    assert_eq!(back.take_type("ack").await, noon);
    let earlier = back.say("lobby", "an hour before").await;
    let history = back.request(json!({ "type": "history", "room": "lobby", "after": earlier - 1 })).await;
    assert!(history["messages"][0]["at"].as_u64().expect("a time") < at, "the clock went back: {history}");
    assert_eq!(read_history(&mut back, "lobby").await[0].text, "at noon");
    // What she says is nothing that the talkers know of.
    drop((alice, back));
    crowd.finish(&server).await.assert_nothing_lost();
    server.stop().await;
}
