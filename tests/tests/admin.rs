//! Export and backup, while the server runs and when it has stopped.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use crosstalk_tests::disk::SmallDisk;
use crosstalk_tests::{
    Crowd, DataDir, Exit, JsonClient, LineTalker, Random, Setup, Talker, TestServer, Way, within,
};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

/// Runs a task on `data`, and expects it to succeed.
async fn task(data: &Path, arguments: &[&str]) -> String {
    let exit = run(data, arguments).await;
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{arguments:?}: {}", exit.stdout);
    exit.stdout
}

/// Runs a task on `data`, and expects one line that says why it fails.
async fn refused(data: &Path, arguments: &[&str]) -> String {
    let exit = run(data, arguments).await;
    assert_eq!((exit.code, exit.stdout.as_str()), (Some(1), ""), "{arguments:?}");
    assert_eq!(exit.stderr.lines().count(), 1, "{}", exit.stderr);
    exit.stderr
}

async fn run(data: &Path, arguments: &[&str]) -> Exit {
    TestServer::run(&[&["--data", path(data)], arguments].concat()).await
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of the tests is UTF-8")
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// What each line says, behind a time that looks like one.
fn without_times(text: &str) -> Vec<&str> {
    let behind = |line| {
        let (time, rest): (&str, &str) = str::split_at_checked(line, 20).expect("a line begins with a time");
        let shape = time.chars().map(|character| if character.is_ascii_digit() { '0' } else { character });
        assert_eq!(shape.collect::<String>(), "0000-00-00 00:00:00 ", "{line}");
        rest
    };
    text.lines().map(behind).collect()
}

async fn done(client: &mut JsonClient, command: Value) -> Value {
    let answer = client.request(command).await;
    assert_ne!(answer["type"], "error", "{answer}");
    answer
}

/// The messages that somebody sees who asks for history.
async fn history(client: &mut JsonClient, room: &str) -> Vec<Value> {
    let page = done(client, json!({ "type": "history", "room": room, "limit": 200 })).await;
    page["messages"].as_array().expect("a history has messages").clone()
}

#[tokio::test]
async fn an_export_has_what_was_said_as_it_is_now() {
    let data = DataDir::new();
    let server = TestServer::with_data(&data, &[]).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    let mut bob = JsonClient::enter_websocket(&server, "bob").await;
    let first = alice.say("lobby", "hi").await;
    done(&mut bob, json!({ "type": "send", "room": "lobby", "text": "hi, too", "reply": first })).await;
    done(&mut alice, json!({ "type": "send", "room": "lobby", "text": "waves", "action": true })).await;
    let changed = alice.say("lobby", "teh cat").await;
    let withdrawn = alice.say("lobby", "a secret").await;
    done(&mut alice, json!({ "type": "edit", "room": "lobby", "seq": changed, "text": "the cat" })).await;
    done(&mut alice, json!({ "type": "delete", "room": "lobby", "seq": withdrawn })).await;
    done(&mut alice, json!({ "type": "create", "room": "Dev" })).await;
    alice.say("Dev", "東京").await;
    done(&mut bob, json!({ "type": "send", "to": "alice", "text": "between us" })).await;
    let direct = alice.take(|event| event["text"] == "between us").await["room"].clone();
    let direct = direct.as_str().expect("a room has a name");

    let expected =
        ["alice: hi", "bob: (in reply to alice) hi, too", "* alice waves", "alice: the cat (edited)"];
    let text = task(data.path(), &["export", "--room", "lobby"]).await;
    assert_eq!(without_times(&text), expected);
    let dev = task(data.path(), &["export", "--room", "dev", "--format", "text"]).await;
    assert_eq!(without_times(&dev), ["alice: 東京"]);
    let between = task(data.path(), &["export", "--room", direct]).await;
    assert_eq!(without_times(&between), ["bob: between us"]);
    for room in ["lobby", "Dev", direct] {
        let exported = task(data.path(), &["export", "--room", room, "--format", "jsonl"]).await;
        assert_eq!(json_lines(&exported), history(&mut alice, room).await);
    }
    server.stop().await;
    // The flag may stand behind, too.
    let after = TestServer::run(&["export", "--room", "lobby", "--data", path(data.path())]).await;
    assert_eq!(after.stdout, text);
}

#[tokio::test]
async fn an_export_can_begin_at_a_time() {
    let data = DataDir::new();
    let server = TestServer::with_data(&data, &[]).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    for text in ["one", "two", "three"] {
        alice.say("lobby", text).await;
    }
    server.stop().await;
    let database = Connection::open(data.database()).unwrap();
    // 2026-01-02T03:04:05.678Z, 2026-01-03T00:00:00Z
    for (text, at) in [("one", 1_767_323_045_678_i64), ("two", 1_767_398_400_000)] {
        assert_eq!(database.execute("UPDATE entry SET at = ?1 WHERE text = ?2", (at, text)).unwrap(), 1);
    }
    drop(database);
    let all = task(data.path(), &["export", "--room", "lobby"]).await;
    assert!(
        all.starts_with("2026-01-02 03:04:05 alice: one\n2026-01-03 00:00:00 alice: two\n2"),
        "it is in UTC: {all}"
    );
    for (since, count) in [
        ("2026-01-02", 3),
        ("2026-01-02T03:04:05Z", 3),
        ("2026-01-02T03:04:06Z", 2),
        ("2026-01-03", 2),
        ("2026-01-03T00:00:01", 1),
        ("2026-01-03T02:00:00+03:00", 2),
        ("2h", 1),
        ("100000w", 3),
        ("0s", 0),
    ] {
        let text = task(data.path(), &["export", "--room", "lobby", "--since", since]).await;
        assert_eq!(text.lines().count(), count, "since {since}: {text}");
    }
    let exit = TestServer::run(&["export", "--room", "lobby", "--since", "yesterday"]).await;
    assert_eq!(exit.code, Some(2));
    assert!(exit.stderr.contains("2026-11-24T15:00:00Z"), "{}", exit.stderr);
}

#[tokio::test]
async fn an_export_ends_quietly_when_its_reader_has_seen_enough() {
    let data = DataDir::new();
    let server = TestServer::with_data(&data, &[]).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    // More than a pipe holds.
    for number in 0..100 {
        alice.say("lobby", &format!("{number} {}", "x".repeat(4_000))).await;
    }
    let mut export = TestServer::command()
        .args(["export", "--room", "lobby", "--data", path(data.path())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut reader = BufReader::new(export.stdout.take().unwrap());
    within("a line of the export", reader.read_line(&mut line)).await.unwrap();
    assert!(line.contains(" alice: 0 x"), "{line}");
    drop(reader);
    let output = within("the export to end", export.wait_with_output()).await.unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
    server.stop().await;
}

#[tokio::test]
async fn who_names_a_room_that_is_not_there_is_told_which_are() {
    let data = DataDir::new();
    let server = TestServer::with_data(&data, &[]).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    for number in 1..=15 {
        done(&mut alice, json!({ "type": "create", "room": format!("team-{number}") })).await;
    }
    done(&mut alice, json!({ "type": "create", "room": "kitchen" })).await;
    let error = refused(data.path(), &["export", "--room", "kitchn"]).await;
    assert!(
        error.contains("no room kitchn") && error.contains("nearest of its 17 rooms: kitchen, "),
        "{error}"
    );
    assert!(!error.contains("team-9") || !error.contains("team-15"), "not all are named: {error}");
    let error = refused(data.path(), &["export", "--room", "@7"]).await;
    assert!(error.contains("no room @7"), "{error}");
    let exit = run(data.path(), &["export", "--room", "not a room"]).await;
    assert_eq!(exit.code, Some(2), "{}", exit.stderr);
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_data_directory_is_refused_and_untouched() {
    let backup = DataDir::new();
    let file = backup.path().join("copy.db");
    let tasks: [&[&str]; 3] = [&["export", "--room", "lobby"], &["check"], &["backup", path(&file)]];

    let data = DataDir::new();
    TestServer::with_data(&data, &[]).await.stop().await;
    let nothing = DataDir::new();
    let foreign = DataDir::new();
    std::fs::write(foreign.database(), "something else").unwrap();
    let newer = DataDir::restored(&data.database());
    Connection::open(newer.database()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for (place, words) in [
        (nothing.path(), "there is no crosstalk.db"),
        (foreign.path(), "is not a Crosstalk database"),
        (newer.path(), "is from a newer Crosstalk"),
        (Path::new("/nowhere/at/all"), "there is no crosstalk.db"),
    ] {
        let before = std::fs::read(place.join("crosstalk.db")).ok();
        for arguments in tasks {
            let error = refused(place, arguments).await;
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(std::fs::read(place.join("crosstalk.db")).ok(), before);
    }
    // An older one can be copied, which is what one does before an update.
    let older = DataDir::restored(&data.database());
    Connection::open(older.database()).unwrap().pragma_update(None, "user_version", 0).unwrap();
    for arguments in &tasks[..2] {
        let error = refused(older.path(), arguments).await;
        assert!(error.contains("start the server on it once"), "{error}");
    }
    task(older.path(), tasks[2]).await;
    // Nowhere is anything left behind, and nothing is made.
    assert_eq!(std::fs::read_dir(nothing.path()).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(backup.path()).unwrap().count(), 1);
    let exit = TestServer::run(&["--ephemeral", "check"]).await;
    assert_eq!(exit.code, Some(1));
    assert!(exit.stderr.contains("nothing is kept"), "{}", exit.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_people_talk_is_a_server_as_it_was() {
    let data = DataDir::new();
    let server = TestServer::with_data(&data, &["--log", "warn"]).await;
    let mut alice = JsonClient::tcp(server.tcp()).await;
    let welcome = alice.hello(json!({ "nick": "alice" })).await;
    alice.say("lobby", "something that stays").await;
    let secret = alice.say("lobby", "something that is withdrawn: xyzzy").await;
    done(&mut alice, json!({ "type": "delete", "room": "lobby", "seq": secret })).await;
    let mut random = Random::new(7);
    let mut crowd = Crowd::gather(&server).await;
    for number in 1..=2 {
        crowd.join(Talker::new(&format!("program-{number}"), Way::Tcp, server.tcp(), random.bits()));
        crowd.join(Talker::new(&format!("page-{number}"), Way::WebSocket, server.http(), random.bits()));
    }
    crowd.join_lines(LineTalker::new("hand", server.tcp(), random.bits()));
    crowd.hears(500).await;
    let copies = DataDir::new();
    let mut backups = Vec::new();
    for number in 0..5 {
        let file = copies.path().join(format!("{number}.db"));
        let said = task(data.path(), &["backup", path(&file)]).await;
        assert!(said.starts_with(&format!("{}: ", file.display())) && said.contains(" messages, "), "{said}");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        // What runs is looked at as well, and so is the copy.
        for arguments in [&["check"][..], &["check", path(&file)]] {
            let well = task(data.path(), arguments).await;
            assert!(well.ends_with(": all is well\n"), "{well}");
        }
        let export = task(data.path(), &["export", "--room", "lobby", "--format", "jsonl"]).await;
        let seqs: Vec<_> = json_lines(&export).iter().map(|message| message["seq"].as_u64()).collect();
        assert!(seqs.len() > 10 && seqs.is_sorted_by(|one, next| one < next), "{seqs:?}");
        backups.push(file);
        crowd.hears(100).await;
    }
    assert_eq!(std::fs::read_dir(copies.path()).unwrap().count(), backups.len(), "nothing else is there");
    assert_eq!(copies.files_with(b"xyzzy"), Vec::<std::path::PathBuf>::new());
    crowd.finish(&server).await.assert_nothing_lost();
    let exported = task(data.path(), &["export", "--room", "lobby", "--format", "jsonl"]).await;
    let exported = json_lines(&exported);
    server.stop().await;

    let mut lengths = Vec::new();
    for file in backups {
        let restored = DataDir::restored(&file);
        let server = TestServer::with_data(&restored, &[]).await;
        let mut alice = JsonClient::tcp(server.tcp()).await;
        let again = alice.hello(json!({ "nick": "alice", "token": welcome["token"] })).await;
        assert_eq!(again["resumed"], true, "{again}");
        let kept = task(restored.path(), &["export", "--room", "lobby", "--format", "jsonl"]).await;
        let kept = json_lines(&kept);
        // Up to some entry it is the same log, apart from what was changed or withdrawn later.
        let last = kept.last().unwrap()["seq"].as_u64();
        let later: Vec<_> = exported.iter().filter(|message| message["seq"].as_u64() <= last).collect();
        for message in &later {
            let known = kept.iter().find(|other| other["seq"] == message["seq"]);
            let known = known.unwrap_or_else(|| panic!("{message} is missing"));
            assert!(known == *message || message["edited"] == true, "{known} became {message}");
        }
        lengths.push((kept.len(), last));
        drop(alice);
        let seq = JsonClient::enter(&server, "carol").await.say("lobby", "it goes on").await;
        let seen = exported.last().unwrap()["seq"].as_u64();
        assert!(Some(seq) > seen, "{seq} was given to something that is lost; clients remember {seen:?}");
        server.stop().await;
        assert!(task(restored.path(), &["check"]).await.ends_with("all is well\n"));
    }
    assert!(lengths.is_sorted_by_key(|(_, last)| *last), "{lengths:?}");
    assert!(lengths[0].0 > 10, "{lengths:?}");
}

#[tokio::test]
async fn a_backup_overwrites_nothing_and_leaves_nothing_half_done() {
    let data = DataDir::new();
    let server = TestServer::with_data(&data, &[]).await;
    let mut alice = JsonClient::enter(&server, "alice").await;
    for number in 0..100 {
        alice.say("lobby", &format!("{number} {}", "x".repeat(4_000))).await;
    }
    let copies = DataDir::new();
    let file = copies.path().join("copy.db");
    std::fs::write(&file, "precious").unwrap();
    let error = refused(data.path(), &["backup", path(&file)]).await;
    assert!(error.contains("exists already"), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), b"precious");
    let error = refused(data.path(), &["backup", path(&copies.path().join("no/such/copy.db"))]).await;
    assert!(error.contains("cannot write"), "{error}");
    assert_eq!(std::fs::read_dir(copies.path()).unwrap().count(), 1);
    if let Some(disk) = SmallDisk::mount(128 << 10) {
        let error = refused(data.path(), &["backup", path(&disk.path().join("copy.db"))]).await;
        assert!(error.contains("full"), "{error}");
        assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_directory_that_is_named_counts_though_the_server_would_keep_nothing() {
    let data = DataDir::new();
    let server = TestServer::with_data(&data, &[]).await;
    JsonClient::enter(&server, "alice").await.say("lobby", "words").await;
    server.stop().await;
    let backup = data.path().join("backup");
    let tasks: [&[&str]; 3] = [&["export", "--room", "lobby"], &["backup", path(&backup)], &["check"]];
    for arguments in tasks {
        let run = async |named: &[&str]| {
            let mut command = TestServer::command();
            command.env("CROSSTALK_EPHEMERAL", "true").args(arguments).args(named);
            within("the task to end", command.output()).await.unwrap()
        };
        let done = run(&["--data", path(data.path())]).await;
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        let refused = run(&[]).await;
        let why = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && why.contains("name a data directory"), "{arguments:?}: {why}");
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_to_is_named_as_what_is_wrong() {
    let Some(disk) = SmallDisk::mount(4 << 20) else {
        return eprintln!("not seen: only root can have a small disk");
    };
    let server = Setup::durable(disk.path()).start().await;
    server.stop().await;
    disk.make_read_only();
    let tasks: [&[&str]; 2] = [&["export", "--room", "lobby"], &["check"]];
    for arguments in tasks {
        let why = refused(disk.path(), arguments).await;
        assert!(why.contains("may not") && why.contains("run this as the user"), "{why}");
    }
}
