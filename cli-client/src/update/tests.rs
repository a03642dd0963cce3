//! Conversations with a server that is only text: what comes in, what goes out, what is shown.

use crosstalk_protocol::{RoomName, json};

use super::*;
use crate::model::Front;
use crate::rooms::Rooms;
use crate::view::{self, Style};

mod memory;

/// A client whose every effect is a line of text: `> ` is sent, `= ` is anything else to be done.
struct Client {
    model: Model,
    effects: Vec<String>,
    /// What was said to the server about what has been read.
    reads: Vec<String>,
}

const REMEMBER: &str = r#"= Remember("alice", Token(…))"#;
const PIPE: Front = Front::Pipe(Duration::ZERO);

impl Client {
    fn new(front: Front) -> Self {
        let rooms = Rooms::entering([RoomName::lobby()]);
        let model = Model::new("alice".parse().unwrap(), "host:1".to_owned(), rooms, front, 1);
        Self { model, effects: Vec::new(), reads: Vec::new() }
    }

    /// Connected and welcomed, with a rate limit or without.
    fn online(rate: Option<u32>) -> Self {
        let mut client = Self::new(Front::Terminal);
        client.happens(Message::Connected);
        let effects =
            client.hears(&welcome("alice", r#"{"room":"lobby","epoch":1,"seq":10,"count":1}"#, rate));
        client.hears(&no_history(effects.last().unwrap()));
        client.effects.clear();
        client.reads.clear();
        client
    }

    /// After a lost connection, connected and greeted again.
    fn comes_back(&mut self, welcome: &str) -> Vec<String> {
        self.happens(lose());
        self.happens(Message::Due(Timer::Reconnect));
        self.happens(Message::Connected);
        self.hears(welcome)
    }

    fn happens(&mut self, message: Message) -> Vec<String> {
        let effects = update(&mut self.model, message);
        let text = |effect: &Effect| match effect {
            Effect::Send(request) => format!("> {}", json::encode_request(request)),
            Effect::Show(line) => view::line(line, &Style::PLAIN),
            Effect::Wait(timer, _) => format!("= wait {timer:?}"),
            other => format!("= {other:?}"),
        };
        let mut texts: Vec<String> = effects.iter().map(text).collect();
        let read = |text: &String| text.contains(r#""type":"read""#) || text == "= wait Read";
        self.reads.extend(texts.iter().filter(|text| read(text)).cloned());
        texts.retain(|text| !read(text));
        self.effects.extend(texts.iter().cloned());
        texts
    }

    fn hears(&mut self, event: &str) -> Vec<String> {
        let event = json::decode_event(event.as_bytes()).unwrap_or_else(|error| panic!("{error}: {event}"));
        self.happens(Message::Received(event))
    }

    fn types(&mut self, line: &str) -> Vec<String> {
        self.happens(Message::Typed(line.to_owned()))
    }

    fn pending(&self) -> Vec<String> {
        view::pending(&self.model)
    }
}

fn welcome(nick: &str, rooms: &str, rate: Option<u32>) -> String {
    let rate = rate.map_or("null".to_owned(), |rate| rate.to_string());
    format!(
        r#"{{"type":"welcome","nick":"{nick}","token":"t","server":"x","rooms":[{rooms}],"limits":{{"text":4096,"frame":32768,"rate":{rate},"burst":{rate},"rooms":100}}}}"#
    )
}

fn lobby_at(epoch: u64, seq: u64) -> String {
    welcome("alice", &format!(r#"{{"room":"lobby","epoch":{epoch},"seq":{seq},"count":1}}"#), None)
}

/// The same for somebody who is known.
fn resumed(welcome: &str) -> String {
    welcome.replace(r#""token":"t","#, r#""token":"t","resumed":true,"#)
}

/// The answer to a request for the last messages of the lobby, of which there are none.
fn no_history(sent: &str) -> String {
    assert!(sent.contains(r#""type":"history""#), "{sent}");
    format!(r#"{{"type":"history","id":"{}","room":"lobby","epoch":1,"messages":[],"more":false}}"#, id(sent))
}

fn said(room: &str, seq: u64, from: &str, text: &str) -> String {
    format!(r#"{{"type":"message","room":"{room}","seq":{seq},"at":0,"from":"{from}","text":"{text}"}}"#)
}

/// The `id` of what was sent.
fn id(sent: &str) -> String {
    let (_, rest) = sent.split_once(r#""id":""#).unwrap_or_else(|| panic!("no id in {sent}"));
    rest.split('"').next().unwrap().to_owned()
}

fn ack(sent: &str) -> String {
    format!(r#"{{"type":"ack","id":"{}","room":"lobby","seq":11}}"#, id(sent))
}

fn lose() -> Message {
    Message::Lost("it broke".to_owned())
}

#[test]
fn a_message_is_pending_until_it_is_in_the_log() {
    let mut client = Client::online(None);
    let sent = client.types("hi there");
    assert!(sent[0].contains(r#""type":"send""#) && sent[0].contains(r#""text":"hi there""#), "{sent:?}");
    assert_eq!(client.pending(), ["(sending) hi there"]);
    assert_eq!(client.hears(&said("lobby", 11, "alice", "hi there")), ["alice: hi there"]);
    assert!(client.pending().is_empty());
    assert!(client.hears(&ack(&sent[0])).is_empty());
    assert!(client.model.outbox.is_empty());
}

#[test]
fn after_a_break_nothing_is_lost_and_nothing_shown_twice() {
    let mut client = Client::online(None);
    client.hears(&said("lobby", 11, "bob", "one"));
    let effects = client.happens(lose());
    assert_eq!(effects, ["= Close", "-- Connection lost: it broke. Reconnecting …", "= wait Reconnect"]);
    assert!(client.types("written offline").is_empty());
    assert_eq!(client.pending(), ["(waiting for the connection) written offline"]);
    assert_eq!(client.happens(Message::Due(Timer::Reconnect)), ["= Connect"]);
    let hello = client.happens(Message::Connected);
    assert!(hello[0].contains(r#""position":{"epoch":1,"seq":11}"#), "{hello:?}");
    assert!(hello[0].contains(r#""token":"t""#) && hello[0].contains(r#""client":""#), "{hello:?}");
    let effects = client.hears(&resumed(&lobby_at(1, 11)));
    assert_eq!(effects[..2], ["-- Connected again as alice.", REMEMBER]);
    assert!(effects[2].contains("written offline"), "{effects:?}");
    assert!(client.hears(&said("lobby", 11, "bob", "one")).is_empty());
    assert_eq!(client.hears(&said("lobby", 13, "bob", "two")), ["bob: two"]);
}

#[test]
fn the_same_trouble_is_told_once() {
    let mut client = Client::online(None);
    client.happens(lose());
    for _ in 0..3 {
        client.happens(Message::Due(Timer::Reconnect));
        assert_eq!(client.happens(lose()), ["= Close", "= wait Reconnect"]);
    }
    client.happens(Message::Due(Timer::Reconnect));
    let other = client.happens(Message::Lost("no route".to_owned()));
    assert_eq!(other[1], "-- Still not connected: no route. Trying on …");
}

#[test]
fn what_was_under_way_is_sent_again_under_the_same_id() {
    let mut client = Client::online(None);
    let first = [client.types("arrived").remove(0), client.types("lost").remove(0)];
    client.happens(lose());
    client.types("later");
    client.happens(Message::Due(Timer::Reconnect));
    client.happens(Message::Connected);
    let effects = client.hears(&resumed(&lobby_at(1, 10)));
    assert_eq!(effects[2..4], first);
    assert!(effects[4].contains(r#""text":"later""#), "{effects:?}");
}

#[test]
fn to_somebody_new_nothing_is_sent_twice_without_being_asked() {
    let mut client = Client::online(None);
    let first = client.types("sent");
    client.happens(lose());
    client.types("later");
    let effects = client.comes_back(&lobby_at(2, 0));
    assert_eq!(
        effects[..2],
        [
            "-- Connected again as alice; the server takes you for somebody new.",
            "-- Nobody knows whether this has arrived: sent"
        ]
    );
    assert!(effects[3].contains(r#""text":"later""#) && effects.len() == 4, "{effects:?}");
    assert_eq!(
        view::below(&client.model),
        ["(one message failed; /again sends it once more, /again drop does not)", "(sending) later"]
    );
    let gap = r#"{"type":"gap","room":"lobby","epoch":2,"after":0,"before":1}"#;
    assert!(client.hears(gap)[0].contains("started anew"));
    assert_eq!(client.hears(&said("lobby", 1, "bob", "new")), ["bob: new"]);
    assert_eq!(client.types("/again"), first);
    assert_eq!(client.types("/again"), ["-- Nothing has failed."]);
}

#[test]
fn a_rate_limit_delays_and_neither_loses_nor_doubles() {
    let mut client = Client::online(Some(10));
    let sent = client.types("a");
    assert!(client.types("b").is_empty());
    let wait = r#""code":"rate-limited","message":"Slow.","retry_after_ms":70}"#;
    let effects = client.hears(&format!(r#"{{"type":"error","id":"{}",{wait}"#, id(&sent[0])));
    assert_eq!(effects, ["= wait Pace"]);
    assert!(client.types("c").is_empty());
    assert_eq!(client.happens(Message::Due(Timer::Pace)), sent);
    let next = client.hears(&ack(&sent[0]));
    assert!(next.len() == 1 && next[0].contains(r#""text":"b""#), "{next:?}");
}

#[test]
fn what_was_asked_too_fast_is_asked_again() {
    let mut client = Client::online(Some(10));
    let asked = client.types("/join dev");
    let wait = r#""code":"rate-limited","message":"Slow.","retry_after_ms":70}"#;
    let effects = client.hears(&format!(r#"{{"type":"error","id":"{}",{wait}"#, id(&asked[0])));
    assert_eq!(effects, ["= wait Pace"]);
    assert_eq!(client.happens(Message::Due(Timer::Pace)), asked);
    assert!(client.happens(Message::Due(Timer::Pace)).is_empty());
    client.types("/quit");
    assert_eq!(client.hears(&format!(r#"{{"type":"error",{wait}"#)), ["= Exit(Left)"]);
}

#[test]
fn a_refused_message_is_told_with_its_text() {
    let mut client = Client::online(None);
    let sent = client.types("/dm nobody psst");
    let error = r#""code":"no-such-user","message":"Nobody\u001b[31m has that name."}"#;
    assert_eq!(
        client.hears(&format!(r#"{{"type":"error","id":"{}",{error}"#, id(&sent[0]))),
        ["-- Nobody has that name. This was not sent: psst"]
    );
    assert!(client.model.outbox.is_empty());
    assert_eq!(client.types("/again"), sent);
    client.hears(&format!(r#"{{"type":"error","id":"{}",{error}"#, id(&sent[0])));
    assert_eq!(client.types("/again drop"), ["-- Forgotten."]);
    assert!(view::below(&client.model).is_empty());
}

#[test]
fn what_had_an_id_that_was_used_before_is_shown_and_sent_anew_when_asked() {
    let mut client = Client::online(None);
    let sent = client.types("hi");
    let shown = client.hears(&reused(&sent[0]));
    assert_eq!(
        shown,
        ["-- The server took this for another message. /again sends it anew. This was not sent: hi"]
    );
    let again = client.types("/again");
    assert!(again.len() == 1 && again[0].contains(r#""text":"hi""#), "{again:?}");
    assert_ne!(again, sent);
}

#[test]
fn a_pipe_sends_what_had_an_id_that_was_used_before_anew_and_once() {
    let mut pipe = Client::new(PIPE);
    pipe.happens(Message::Connected);
    pipe.hears(&lobby_at(1, 0));
    let sent = pipe.happens(Message::Say(crosstalk_protocol::Text::clean("built").unwrap()));
    let again = pipe.hears(&reused(&sent[0]));
    assert!(again.len() == 1 && again[0].contains(r#""text":"built""#), "{again:?}");
    assert_ne!(again, sent);
    assert_eq!(pipe.hears(&reused(&again[0])), ["-- x This was not sent: built"]);
}

fn reused(sent: &str) -> String {
    format!(r#"{{"type":"error","id":"{}","code":"id-reused","message":"x"}}"#, id(sent))
}

#[test]
fn lines_go_where_one_went_last() {
    let mut client = Client::online(None);
    let join = client.types("/join dev");
    assert!(client.types("in dev").is_empty(), "it is not known yet whether one is there");
    let joined =
        format!(r#"{{"type":"joined","id":"{}","room":"dev","epoch":1,"seq":0,"count":1}}"#, id(&join[0]));
    let effects = client.hears(&joined);
    assert_eq!(effects[0], "Joined room dev successfully!");
    assert!(effects[1].contains(r#""room":"dev""#) && effects[1].contains("in dev"), "{effects:?}");
    assert_eq!(view::prompt(&client.model), "[dev] ");
    assert!(client.types("/broadcast all")[0].contains(r#""room":"lobby""#));
    let back = client.types("/join lobby");
    assert!(back[0].contains("You are already a member of this room lobby"), "{back:?}");
    assert_eq!(view::prompt(&client.model), "[lobby] ");
    client.types("/join dev");
    let leave = client.types("/leave");
    assert!(leave[0].contains(r#""type":"leave""#) && leave[0].contains("dev"), "{leave:?}");
    client.hears(&format!(r#"{{"type":"left","id":"{}","room":"dev"}}"#, id(&leave[0])));
    assert_eq!(view::prompt(&client.model), "[lobby] ");
    assert_eq!(client.types("/leave dev"), ["-- Room does not exist or not a member"]);
}

#[test]
fn a_refused_join_lets_the_lines_behind_it_go() {
    let mut client = Client::online(None);
    let join = client.types("/join none");
    client.types("hello");
    let error = r#""code":"no-such-room","message":"Room none does not exist!"}"#;
    let effects = client.hears(&format!(r#"{{"type":"error","id":"{}",{error}"#, id(&join[0])));
    assert_eq!(effects[0], "-- Room none does not exist!");
    assert!(effects[1].contains(r#""room":"lobby""#) && effects[1].contains("hello"), "{effects:?}");
}

#[test]
fn commands_that_need_no_server_are_answered_at_once() {
    let mut client = Client::online(None);
    assert!(client.types("/help")[0].starts_with("Commands"));
    assert_eq!(client.types("/broadcast"), ["-- Usage: /broadcast [text]"]);
    assert_eq!(client.types("/hide bob"), ["-- You can hide and reveal only yourself."]);
    assert!(client.types("/hide ALICE")[0].contains(r#""type":"hide""#));
    assert!(client.types("/jion dev")[0].contains("Did you mean /join?"));
    client.happens(lose());
    assert!(client.types("/members")[0].contains("There is no connection"));
    assert_eq!(client.types("/nick alicia"), ["-- You will be alicia when the connection is back."]);
}

#[test]
fn lists_are_numbered_on_from_page_to_page() {
    let mut client = Client::online(None);
    client.types("/members");
    let page = |names: &str, more: bool| {
        format!(r#"{{"type":"members","members":[{names}],"count":3,"more":{more}}}"#)
    };
    let first = client.hears(&page(r#""al","bo""#, true));
    assert_eq!(first[1..3], ["1. al", "2. bo"]);
    assert!(first[3].contains("/members lobby bo"), "{first:?}");
    client.types("/members lobby bo");
    assert_eq!(client.hears(&page(r#""cy""#, false)), ["Active chat members are:", "3. cy"]);
}

#[test]
fn a_taken_nickname_is_asked_for_again_and_waited_for_after_a_break() {
    let taken = r#"{"type":"error","code":"nick-taken","message":"alice is taken."}"#;
    let mut client = Client::new(Front::Terminal);
    client.happens(Message::Connected);
    assert_eq!(client.hears(taken), [r#"= AskNick("alice is taken.")"#]);
    let hello = client.happens(Message::Nick("alicia".parse().unwrap(), None));
    assert!(hello[0].contains(r#""nick":"alicia""#), "{hello:?}");

    let mut client = Client::online(None);
    client.happens(lose());
    client.happens(Message::Due(Timer::Reconnect));
    client.happens(Message::Connected);
    assert_eq!(client.hears(taken).last().unwrap(), "= wait Reconnect");
}

#[test]
fn the_server_decides_whether_to_come_back() {
    let disconnect = |reconnect: bool| {
        format!(r#"{{"type":"disconnect","code":"news","message":"Go.","reconnect":{reconnect}}}"#)
    };
    assert_eq!(Client::online(None).hears(&disconnect(false)), [r#"= Exit(Lost("Go."))"#]);
    let mut client = Client::online(None);
    let effects = client.hears(&disconnect(true));
    assert_eq!(effects, ["= Close", "-- Connection lost: Go. Reconnecting …", "= wait Reconnect"]);
    assert!(client.happens(lose()).is_empty(), "it is lost once");
}

#[test]
fn a_client_that_was_replaced_does_not_come_back() {
    let mut client = Client::online(None);
    let effects = client.hears(r#"{"type":"disconnect","code":"replaced","message":"x","reconnect":false}"#);
    assert!(effects.len() == 1 && effects[0].contains("Start it again to go on here."), "{effects:?}");
}

#[test]
fn leaving_is_said_and_not_waited_for_long() {
    let mut client = Client::online(None);
    client.types("unacknowledged");
    let effects = client.types("/quit");
    assert_eq!(
        effects,
        ["-- One message may not have been sent.", r#"> {"type":"quit"}"#, "= wait Farewell"]
    );
    assert_eq!(client.happens(Message::Due(Timer::Farewell)), ["= Exit(Left)"]);
}

#[test]
fn a_pipe_ends_when_everything_is_acknowledged_and_fails_when_the_server_is_lost() {
    let mut pipe = Client::new(PIPE);
    pipe.happens(Message::Say(crosstalk_protocol::Text::clean("/not a command").unwrap()));
    pipe.happens(Message::EndOfInput);
    pipe.happens(Message::Connected);
    let sent = pipe.hears(&lobby_at(1, 0));
    assert!(sent[1].contains("/not a command"), "{sent:?}");
    assert_eq!(pipe.hears(&ack(&sent[1])), [r#"> {"type":"quit"}"#, "= wait Farewell"]);
    assert_eq!(pipe.happens(lose()), ["= Exit(Left)"]);

    let mut pipe = Client::new(PIPE);
    assert!(pipe.happens(lose())[0].contains("Cannot connect to host:1: it broke."));
    let mut pipe = Client::new(PIPE);
    pipe.happens(Message::Connected);
    assert!(pipe.happens(lose())[0].contains("Lost the connection to host:1: it broke."));
}
