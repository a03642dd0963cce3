//! `kill -9` under load: what was acknowledged, and what anybody has seen, is there afterwards, once,
//! in the same place.
//!
//! `CROSSTALK_KILLS` says how often the server is killed, and `CROSSTALK_SEED` when; docs/testing.md
//! has the commands.

use std::time::Duration;

use crosstalk_tests::{Crowd, DataDir, LineTalker, Random, Talker, Tear, TestServer, Wal, Way};
use tokio::time::sleep;

/// How often the server is killed, unless the environment says otherwise.
const KILLS: u64 = 100;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |value| value.parse().expect("a number"))
}

/// Twelve people on every door, two of whom also talk to each other.
async fn gather(server: &TestServer, random: &mut Random) -> Crowd {
    let mut crowd = Crowd::gather(server).await;
    for (way, address, name) in [(Way::Tcp, server.tcp(), "program"), (Way::WebSocket, server.http(), "page")]
    {
        for number in 1..=4 {
            let talker = Talker::new(&format!("{name}-{number}"), way, address, random.bits());
            crowd.join(talker.pausing(Duration::from_millis(5)));
        }
    }
    crowd.join(Talker::new("romeo", Way::Tcp, server.tcp(), random.bits()).with_friend("juliet"));
    crowd.join(Talker::new("juliet", Way::WebSocket, server.http(), random.bits()).with_friend("romeo"));
    for number in 1..=2 {
        crowd.join_lines(LineTalker::new(&format!("hand-{number}"), server.tcp(), random.bits()));
    }
    crowd
}

/// Kills the server at a moment of which nothing is known: after some words, after some time, while
/// it starts, or while everybody comes back.
async fn kill_somewhen(server: &mut TestServer, crowd: &mut Crowd, random: &mut Random) {
    match random.below(8) {
        0 => {
            server.kill().await;
            server.relaunch();
            sleep(Duration::from_micros(random.below(30_000) as u64)).await;
        }
        1 | 2 => sleep(Duration::from_micros(random.below(50_000) as u64)).await,
        3 => crowd.hears(1 + random.below(4_000)).await,
        _ => crowd.hears(1 + random.below(1_000)).await,
    }
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_again_and_again_loses_doubles_and_moves_nothing() {
    let kills = setting("CROSSTALK_KILLS", KILLS);
    let seed = setting("CROSSTALK_SEED", 1);
    println!("CROSSTALK_KILLS={kills} CROSSTALK_SEED={seed}");
    let mut random = Random::new(seed);
    let data = DataDir::new();
    let mut server = TestServer::with_data(&data, &["--log", "warn"]).await;
    let mut crowd = gather(&server, &mut random).await;
    crowd.is_inside().await;
    let mut torn = 0;
    for _ in 0..kills {
        kill_somewhen(&mut server, &mut crowd, &mut random).await;
        if random.below(2) == 0 {
            let path = data.path().join("crosstalk.db-wal");
            if let Some(wal) = Wal::open(&path).expect("the log can be read") {
                let tear = *random.pick(&Tear::ALL);
                wal.tear(tear, &mut random).expect("the log can be written");
                torn += 1;
            }
        }
        server.restart().await;
    }
    let heard = crowd.arrivals();
    let checker = crowd.finish(&server).await;
    let said: usize = checker.journals.iter().map(|journal| journal.said.len()).sum();
    let lives: usize = checker.journals.iter().map(|journal| journal.lives).sum();
    println!("{kills} kills, {torn} torn logs, {lives} connections, {said} messages, seen {heard} times");
    checker.assert_nothing_lost();
    assert!(checker.histories.keys().any(|room| room.starts_with('@')), "nobody talked to a friend");
    assert!(kills < 20 || torn > 0, "no write was torn");
    assert!(said as u64 > kills, "hardly anything was said");
    server.stop().await;
    let exit = data.check().await;
    assert_eq!(exit.code, Some(0), "{}{}", exit.stdout, exit.stderr);
}
