//! What the server remembers of the user, and what the user's other clients do.

use super::*;

/// A message that answers one of bob's.
fn answer(seq: u64, from: &str, text: &str) -> String {
    format!(
        r#"{{"type":"message","room":"lobby","seq":{seq},"at":0,"from":"{from}","text":"{text}","reply":{{"seq":1,"from":"bob"}}}}"#
    )
}

fn history(sent: &str, room: &str, messages: &[(u64, &str, &str)]) -> String {
    listed("history", sent, room, messages, false)
}

fn listed(kind: &str, sent: &str, room: &str, messages: &[(u64, &str, &str)], more: bool) -> String {
    let messages: Vec<String> = messages
        .iter()
        .map(|(seq, from, text)| {
            format!(r#"{{"room":"{room}","seq":{seq},"at":0,"from":"{from}","text":"{text}"}}"#)
        })
        .collect();
    format!(
        r#"{{"type":"{kind}","id":"{}","room":"{room}","epoch":1,"messages":[{}],"more":{more}}}"#,
        id(sent),
        messages.join(",")
    )
}

fn acked(sent: &str, seq: u64) -> String {
    format!(r#"{{"type":"ack","id":"{}","room":"lobby","seq":{seq}}}"#, id(sent))
}

/// In dev as well, where lines do not go.
fn in_dev_too() -> Client {
    let mut client = Client::online(None);
    client.hears(r#"{"type":"joined","room":"dev","epoch":1,"seq":0,"count":1}"#);
    client
}

#[test]
fn who_has_been_here_before_asks_for_the_rooms_as_they_were() {
    let mut client = Client::new(Front::Terminal);
    client.model.token = crosstalk_protocol::Token::new("t");
    let hello = client.happens(Message::Connected);
    assert!(hello[0].contains(r#""token":"t""#) && !hello[0].contains("rooms"), "{hello:?}");
    let rooms = r#"{"room":"dev","epoch":1,"seq":9,"count":1,"read":7,"unread":2},
        {"room":"lobby","epoch":1,"seq":10,"count":1,"read":10},
        {"room":"@3","epoch":1,"seq":4,"count":2,"with":"bob","read":3,"unread":1}"#;
    let welcome = resumed(&welcome("alice", rooms, None)).replace(r#""nick""#, r#""hidden":true,"nick""#);
    let effects = client.hears(&welcome);
    assert_eq!(
        effects[0],
        "-- Connected to the server host:1 as alice, as before. /help lists the commands."
    );
    assert_eq!(effects[1..3], ["-- You are still invisible; /reveal ends that.", REMEMBER]);
    assert!(effects[3].contains(r#""room":"lobby""#) && effects[3].contains(r#""before":11"#), "{effects:?}");
    assert!(effects[4].contains(r#""room":"@3""#) && effects.len() == 5, "{effects:?}");
    assert_eq!(view::below(&client.model), ["(unread: bob 1, dev 2)"]);
    let shown = client.hears(&history(&effects[4], "@3", &[(3, "alice", "hi"), (4, "bob", "psst")]));
    assert!(shown[2].contains("1 unread") && shown[3].contains("psst"), "{shown:?}");
    assert_eq!(view::below(&client.model), ["(unread: dev 2)"]);
}

#[test]
fn a_room_that_was_entered_before_the_connection_broke_is_not_entered_again() {
    let mut client = Client::online(None);
    client.types("/join dev");
    client.types("in dev");
    let rooms = r#"{"room":"lobby","epoch":1,"seq":10,"count":1},{"room":"dev","epoch":1,"seq":0,"count":1}"#;
    let effects = client.comes_back(&resumed(&welcome("alice", rooms, None)));
    assert!(effects.contains(&"Joined room dev successfully!".to_owned()), "{effects:?}");
    assert!(effects.last().unwrap().contains(r#""room":"dev""#), "{effects:?}");
    assert!(client.model.awaited.is_none());
}

#[test]
fn ones_last_message_is_changed_and_withdrawn_once_it_has_a_number() {
    let mut client = Client::online(None);
    let sent = client.types("helo");
    assert!(client.types("/edit hello").is_empty(), "its number is not known yet");
    assert_eq!(client.pending(), ["(sending) helo", "(waiting) hello"]);
    let edit = client.hears(&acked(&sent[0], 11));
    assert!(edit[0].contains(r#""type":"edit""#) && edit[0].contains(r#""seq":11"#), "{edit:?}");
    assert_eq!(client.hears(&said("lobby", 11, "alice", "helo")), ["alice: helo"]);
    client.hears(&acked(&edit[0], 12));
    let edited =
        r#"{"type":"edited","room":"lobby","seq":12,"at":0,"from":"alice","target":11,"text":"hello"}"#;
    assert_eq!(client.hears(edited), ["Server: alice changed a message to: hello"]);
    assert!(client.hears(edited).is_empty(), "it comes once");
    let delete = client.types("/delete");
    assert!(delete[0].contains(r#""type":"delete""#) && delete[0].contains(r#""seq":11"#), "{delete:?}");
    assert!(client.types("/delete").is_empty());
    // The next one is looked for in the log, as nothing is known of it.
    let look = client.hears(&acked(&delete[0], 13));
    assert!(look[0].contains(r#""type":"history""#), "{look:?}");
    let gone = client.hears(&history(&look[0], "lobby", &[(3, "bob", "x")]));
    assert_eq!(gone, ["-- You have said nothing in lobby lately."]);
}

#[test]
fn what_was_never_sent_is_changed_on_the_spot() {
    let mut client = Client::online(None);
    client.happens(lose());
    client.types("helo");
    client.types("/edit hello");
    assert_eq!(client.pending(), ["(waiting for the connection) hello"]);
    assert_eq!(client.types("/delete"), ["-- Withdrawn before it was sent."]);
    assert!(client.pending().is_empty());
}

#[test]
fn an_edit_under_way_when_the_connection_breaks_is_sent_again() {
    let mut client = Client::online(None);
    client.hears(&said("lobby", 11, "alice", "helo"));
    let edit = client.types("/edit hello");
    let effects = client.comes_back(&resumed(&lobby_at(1, 11)));
    assert!(effects.contains(&edit[0]), "{effects:?}");
}

#[test]
fn what_a_command_means_is_looked_for_again_after_a_break() {
    let mut client = Client::online(None);
    assert!(client.types("/reply bob yes")[0].contains(r#""type":"history""#));
    assert!(client.types("behind it").is_empty());
    let look = client.comes_back(&resumed(&lobby_at(1, 10))).pop().unwrap();
    let sent = client.hears(&history(&look, "lobby", &[(3, "bob", "right?"), (4, "carol", "no")]));
    assert!(sent[0].contains(r#""reply":3"#) && sent[0].contains(r#""text":"yes""#), "{sent:?}");
    assert!(sent[1].contains("behind it"), "{sent:?}");
    assert_eq!(client.hears(&answer(11, "alice", "yes")), ["alice: (in reply to bob) yes"]);
}

#[test]
fn a_search_goes_on_behind_what_it_has_shown() {
    let mut client = Client::online(None);
    assert_eq!(client.types("/search"), ["-- Usage: /search <words>"]);
    let search = client.types("/search red fox");
    assert!(search[0].contains(r#""words":"red fox""#) && search[0].contains(r#""limit":20"#), "{search:?}");
    let found = client.hears(&listed("found", &search[0], "lobby", &[(5, "bob", "a red fox")], true));
    assert_eq!(
        found,
        [
            "Server: one message found in lobby:",
            "bob: a red fox",
            "Server: there are older ones; /search without words shows them.",
        ]
    );
    let more = client.types("/search");
    assert!(more[0].contains(r#""before":5"#), "{more:?}");
    let found = client.hears(&listed("found", &more[0], "lobby", &[], false));
    assert_eq!(found, ["Server: nothing older found in lobby."]);
    assert!(client.types("/search")[0].contains("nothing older"));
}

#[test]
fn what_is_shown_is_read_and_told_at_most_once_a_second() {
    let mut client = Client::online(None);
    client.happens(Message::Due(Timer::Read));
    client.hears(&said("lobby", 11, "bob", "one"));
    assert!(client.reads[0].contains(r#""room":"lobby","seq":11"#), "{:?}", client.reads);
    assert_eq!(client.reads[1], "= wait Read");
    client.hears(&said("lobby", 12, "bob", "two"));
    client.hears(&said("lobby", 13, "bob", "three"));
    assert_eq!(client.reads.len(), 2);
    client.happens(Message::Due(Timer::Read));
    assert!(client.reads[2].contains(r#""seq":13"#), "{:?}", client.reads);
    client.happens(Message::Due(Timer::Read));
    assert_eq!(client.reads.len(), 4, "nothing is new");
    // A refusal of what nobody has asked for is no news.
    let refused =
        format!(r#"{{"type":"error","id":"{}","code":"busy","message":"x"}}"#, id(&client.reads[2]));
    assert!(client.hears(&refused.replace("busy", "internal")).is_empty());
}

#[test]
fn what_nobody_looks_at_is_not_read() {
    let mut client = Client::online(None);
    client.happens(Message::Due(Timer::Read));
    client.happens(Message::Attention(false));
    client.hears(&said("lobby", 11, "bob", "one"));
    assert!(client.reads.is_empty());
    client.happens(Message::Attention(true));
    assert!(client.reads[0].contains(r#""seq":11"#), "{:?}", client.reads);
}

#[test]
fn elsewhere_messages_are_counted_until_one_comes_there() {
    let mut client = in_dev_too();
    for seq in 1..=3 {
        client.hears(&said("dev", seq, "bob", "x"));
    }
    client.hears(&said("dev", 4, "alice", "from another client"));
    assert_eq!(view::below(&client.model), ["(unread: dev 3)"]);
    let rooms =
        client.hears(r#"{"type":"rooms","rooms":[{"room":"dev","count":2,"member":true}],"more":false}"#);
    assert_eq!(rooms, ["Rooms:", "dev (3 unread)"]);
    // Another client has read two of them.
    client.hears(r#"{"type":"read","room":"dev","seq":2}"#);
    assert_eq!(view::below(&client.model), ["(unread: dev 1)"]);
    let effects = client.types("/join dev");
    assert!(client.reads.iter().all(|read| !read.contains("dev")), "not before they are shown");
    let messages = [(1, "bob", "x"), (2, "bob", "x"), (3, "bob", "x")];
    let shown = client.hears(&history(&effects[1], "dev", &messages));
    assert_eq!(
        shown,
        [
            "Server: the last 3 messages in dev:",
            "[dev] bob: x",
            "[dev] bob: x",
            "── 1 unread ──",
            "[dev] bob: x",
            "Server: end of history."
        ]
    );
    assert!(view::below(&client.model).is_empty());
    client.happens(Message::Due(Timer::Read));
    assert!(client.reads.iter().any(|read| read.contains(r#""room":"dev","seq":4"#)), "{:?}", client.reads);
    assert_eq!(client.types("/join lobby").len(), 1, "there is nothing new");
}

#[test]
fn without_a_backlog_only_the_number_of_unread_messages_is_shown() {
    let mut client = in_dev_too();
    assert!(client.types("/history off")[0].contains("not shown any more"));
    client.hears(&said("dev", 1, "bob", "x"));
    assert_eq!(client.types("/join dev")[1..], ["── 1 unread in dev ──"]);
    client.types("/history on");
    client.types("/join lobby");
    client.hears(&said("dev", 2, "bob", "x"));
    assert!(client.types("/join dev")[1].contains(r#""type":"history""#));
}

#[test]
fn what_another_client_does_is_done_here_too() {
    let mut client = Client::online(None);
    let joined = r#"{"type":"joined","room":"dev","epoch":1,"seq":0,"count":1}"#;
    assert_eq!(client.hears(joined), ["-- You have joined dev with another client."]);
    assert_eq!(view::prompt(&client.model), "[lobby] ");
    client.types("/join dev");
    assert_eq!(
        client.hears(r#"{"type":"left","room":"dev"}"#),
        ["-- You have left dev with another client. What you write goes to lobby now."]
    );
    assert!(client.hears(r#"{"type":"left","room":"dev"}"#).is_empty());
    let renamed = client.hears(r#"{"type":"nick","nick":"alicia"}"#);
    assert_eq!(renamed, ["You are now alicia.", r#"= Remember("alicia", Token(…))"#]);
    client.hears(r#"{"type":"hidden","hidden":true}"#);
    assert!(client.model.hidden);
}

#[test]
fn somebody_new_who_was_hidden_comes_hidden() {
    let mut client = Client::online(None);
    client.hears(r#"{"type":"hidden","hidden":true}"#);
    client.happens(lose());
    client.happens(Message::Due(Timer::Reconnect));
    let hello = client.happens(Message::Connected);
    assert!(hello[0].contains(r#""hidden":true"#), "{hello:?}");
}

/// A pipe that has been welcomed and has a message under way.
fn pipe() -> (Client, String) {
    let mut pipe = Client::new(Front::Pipe(Duration::from_secs(60)));
    pipe.happens(Message::Connected);
    pipe.hears(&lobby_at(1, 0));
    let sent = pipe.happens(Message::Say(crosstalk_protocol::Text::clean("built").unwrap()));
    (pipe, sent[0].clone())
}

#[test]
fn a_pipe_comes_back_and_neither_loses_nor_doubles() {
    let (mut pipe, sent) = pipe();
    let effects = pipe.happens(lose());
    assert_eq!(effects[..2], ["= Close", "= wait Patience"]);
    pipe.happens(Message::Due(Timer::Reconnect));
    pipe.happens(Message::Connected);
    let effects = pipe.hears(&resumed(&lobby_at(1, 0)));
    assert_eq!(effects[1..], [sent]);
    assert!(pipe.happens(Message::Due(Timer::Patience)).is_empty(), "it is over");
    assert!(pipe.reads.is_empty(), "a program is no reader");
}

#[test]
fn a_pipe_gives_up_in_time_and_where_nobody_knows_what_has_arrived() {
    let (mut pipe, _) = pipe();
    pipe.happens(lose());
    pipe.happens(Message::Due(Timer::Reconnect));
    assert!(!pipe.happens(lose()).contains(&"= wait Patience".to_owned()), "it runs already");
    let effects = pipe.happens(Message::Due(Timer::Patience));
    assert!(
        effects[0].contains("Lost the connection to host:1: it broke. One message may not"),
        "{effects:?}"
    );

    let (mut pipe, _) = self::pipe();
    let effects = pipe.comes_back(&lobby_at(2, 0));
    assert!(effects.len() == 1 && effects[0].contains("one message may have arrived or not"), "{effects:?}");

    let (mut pipe, sent) = self::pipe();
    pipe.hears(&ack(&sent));
    let effects = pipe.comes_back(&lobby_at(2, 0));
    assert!(!effects[0].contains("Exit"), "nothing was under way: {effects:?}");
}
