//! Who is there: told one by one in a small room, and in numbers in a large one.

use crosstalk_tests::{JsonClient, LineClient, TestServer, assert_shape};
use serde_json::{Value, json};

const CROWD: usize = 300;

/// Nicknames in the order of the lists.
fn names() -> Vec<String> {
    (0..CROWD).map(|number| format!("member-{number:03}")).collect()
}

/// Lets a crowd in, some through each door.
async fn crowd(server: &TestServer) -> (Vec<LineClient>, Vec<JsonClient>) {
    let (mut lines, mut programs) = (Vec::new(), Vec::new());
    for (number, name) in names().iter().enumerate() {
        match number % 3 {
            0 => lines.push(LineClient::enter(server, name).await),
            1 => programs.push(JsonClient::enter(server, name).await),
            _ => programs.push(JsonClient::enter_websocket(server, name).await),
        }
    }
    (lines, programs)
}

fn count(event: &Value, field: &str) -> usize {
    event[field].as_u64().unwrap_or_else(|| panic!("no {field} in {event}")) as usize
}

#[tokio::test]
async fn in_a_small_room_everybody_is_named() {
    let server = TestServer::start().await;
    let mut watcher = LineClient::enter(&server, "watcher").await;
    let mut program = JsonClient::enter(&server, "program").await;
    watcher.expect("Server: program is online!").await;
    program.drain().await;
    for number in 0..10 {
        let name = format!("guest-{number}");
        let mut guest = LineClient::enter(&server, &name).await;
        watcher.expect(&format!("Server: {name} is online!")).await;
        let presence = |joined: &[&str], left: &[&str], count: usize| {
            json!({
                "type": "presence", "room": "lobby", "joined": joined, "joined_count": joined.len(),
                "left": left, "left_count": left.len(), "count": count,
            })
        };
        assert_shape(&program.event().await, &presence(&[&name], &[], 3));
        guest.send_line("/quit").await;
        watcher.expect(&format!("Server: {name} is offline.")).await;
        assert_shape(&program.event().await, &presence(&[], &[&name], 2));
    }
    server.stop().await;
}

#[tokio::test]
async fn nobody_is_told_of_themselves_on_lines() {
    let server = TestServer::start().await;
    let mut alice = LineClient::enter(&server, "alice").await;
    let mut bob = LineClient::enter(&server, "bob").await;
    alice.expect("Server: bob is online!").await;
    for (typed, reply) in [
        ("/create_room dev", "Room dev created successfully!"),
        ("/leave dev", "Left room dev"),
        ("/hide alice", "You are now invisible!"),
        ("/reveal alice", "You are now visible to other users!"),
        ("/nick alicia", "You are now alicia."),
    ] {
        alice.send_line(typed).await;
        alice.expect(reply).await;
    }
    bob.send_line("seen").await;
    alice.expect("bob: seen").await;
    server.stop().await;
}

#[tokio::test]
async fn a_crowd_is_counted_and_not_called_by_name() {
    let server = TestServer::start().await;
    let mut watcher = LineClient::enter(&server, "watcher").await;
    let mut program = JsonClient::enter(&server, "program").await;
    watcher.expect("Server: program is online!").await;
    program.drain().await;
    let (mut lines, programs) = crowd(&server).await;

    let (mut events, mut came) = (0, 0);
    while came < CROWD {
        let presence = program.take_type("presence").await;
        assert_eq!(count(&presence, "left_count"), 0);
        assert!(presence["joined"].as_array().unwrap().len() <= 10, "ten names at most: {presence}");
        events += 1;
        came += count(&presence, "joined_count");
        assert!(count(&presence, "count") <= CROWD + 2);
        if came == CROWD {
            assert_eq!(count(&presence, "count"), CROWD + 2);
        }
    }
    assert_eq!(came, CROWD, "the counts add up");
    assert!(events < CROWD / 2, "{events} events");

    let (told, came) = told(&mut watcher, "came online", "is online!").await;
    assert_eq!(came, CROWD, "the counts add up");
    assert!(told < CROWD / 2, "{told} lines");

    // The same when they leave.
    let before = lines.split_off(0);
    drop((before, programs));
    let (mut events, mut went) = (0, 0);
    while went < CROWD {
        let presence = program.take_type("presence").await;
        events += 1;
        went += count(&presence, "left_count");
    }
    assert_eq!(went, CROWD);
    assert!(events < CROWD / 2, "{events} events");
    let (told, went) = self::told(&mut watcher, "went offline", "is offline.").await;
    assert_eq!(went, CROWD);
    assert!(told < CROWD / 2, "{told} lines");
    server.stop().await;
}

/// Reads notices until the whole crowd is in them: how many lines that took, and how many people
/// they were.
async fn told(watcher: &mut LineClient, many: &str, one: &str) -> (usize, usize) {
    let (mut lines, mut people) = (0, 0);
    while people < CROWD {
        let line = watcher.line().await.expect("the connection goes on");
        let notice = line.strip_prefix("Server: ").unwrap_or_else(|| panic!("no notice: {line}"));
        let number = notice.split(' ').next().unwrap_or_default().replace(',', "");
        people += match number.parse::<usize>() {
            Ok(number) => {
                assert!(notice.contains(many), "{line}");
                number
            }
            Err(_) => {
                assert!(notice.ends_with(one), "{line}");
                1
            }
        };
        lines += 1;
    }
    (lines, people)
}

#[tokio::test]
async fn a_long_list_of_members_is_read_page_by_page() {
    let server = TestServer::start().await;
    let _crowd = crowd(&server).await;
    let mut program = JsonClient::enter(&server, "program").await;
    let expected: Vec<String> = names().into_iter().chain(["program".to_owned()]).collect();
    for limit in [7, 50, 200, 1_000] {
        let mut members: Vec<String> = Vec::new();
        loop {
            let mut frame = json!({ "type": "members", "room": "lobby", "limit": limit });
            if let Some(last) = members.last() {
                frame["after"] = json!(last);
            }
            let page = program.request(frame).await;
            assert_eq!(count(&page, "count"), CROWD + 1);
            let names = page["members"].as_array().unwrap();
            assert!(names.len() <= limit.min(200));
            members.extend(names.iter().map(|name| name.as_str().unwrap().to_owned()));
            if page["more"] == false {
                break;
            }
            assert_eq!(names.len(), limit.min(200), "a page that is not the last is full");
        }
        assert_eq!(members, expected, "pages of {limit}");
    }

    // On lines, the last line of a page is what to type for the next.
    let mut person = LineClient::enter(&server, "zoe").await;
    let mut typed = "/members".to_owned();
    let mut members = Vec::new();
    loop {
        person.send_line(&typed).await;
        person.send_line("/dm nobody marker").await;
        let mut page = person.until("User not found.").await;
        page.retain(|line| !line.contains(" online"));
        assert_eq!(page.remove(0), "Active chat members are:");
        let more = page.last().and_then(|line| line.strip_prefix("Server: ")).map(str::to_owned);
        if more.is_some() {
            page.pop();
        }
        for line in page {
            let (number, name) = line.split_once(". ").unwrap();
            members.push(name.to_owned());
            assert_eq!(number.parse(), Ok(members.len()), "{line}");
        }
        let Some(more) = more else { break };
        let (_, next) = more.split_once("; ").unwrap();
        typed = next.split(" goes on").next().unwrap().to_owned();
    }
    let expected: Vec<String> = expected.into_iter().chain(["zoe".to_owned()]).collect();
    assert_eq!(members, expected);
    server.stop().await;
}

#[tokio::test]
async fn in_a_crowd_messages_still_come_one_by_one() {
    let server = TestServer::start().await;
    let (mut lines, mut programs) = crowd(&server).await;
    let mut speaker = JsonClient::enter(&server, "speaker").await;
    for number in 0..5 {
        speaker.say("lobby", &format!("number {number}")).await;
    }
    for client in &mut programs {
        for number in 0..5 {
            assert_eq!(client.message().await, ("speaker".to_owned(), format!("number {number}")));
        }
    }
    for client in &mut lines {
        let notices = client.until("speaker: number 0").await;
        assert!(notices.iter().all(|line| line.starts_with("Server: ")), "{notices:?}");
        let mut next = 1;
        while next < 5 {
            let line = client.line().await.unwrap();
            if !line.starts_with("Server: ") {
                assert_eq!(line, format!("speaker: number {next}"));
                next += 1;
            }
        }
    }
    server.stop().await;
}
