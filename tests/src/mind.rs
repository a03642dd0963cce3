//! What is on a talker's mind: what they say next, what they make of what arrives, and what of it is
//! a surprise.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::crowd::{Moment, Phase, WORK};
use crate::journal::{Place, Seen, describe_itself};
use crate::outbox::{Audience, Errand, Next, Outbox};
use crate::talker::Talker;

/// What is on a talker's mind from one connection to the next.
pub(crate) struct Mind {
    pub(crate) talker: Talker,
    /// Up to where they have read each room.
    places: BTreeMap<String, Place>,
    outbox: Outbox,
    /// Whether the server has let this connection in.
    welcome: bool,
    /// When they say something again.
    next_words: Instant,
    /// Where each room ended when nobody had anything to say any more; `None` before they asked.
    ends: Option<BTreeMap<String, u64>>,
    /// Whether they have said that everything is acknowledged.
    idle: bool,
}

/// The id under which a talker asks where a room ends.
const END_OF: &str = "end-of-";

impl Mind {
    /// Nothing has happened yet.
    pub(crate) fn new(talker: Talker) -> Self {
        Self {
            talker,
            places: BTreeMap::new(),
            outbox: Outbox::default(),
            welcome: false,
            next_words: Instant::now(),
            ends: None,
            idle: false,
        }
    }

    /// Another connection begins. What was on its way over the last one is sent again.
    pub(crate) fn begin_again(&mut self) -> Value {
        self.talker.journal.lives += 1;
        self.welcome = false;
        self.ends = None;
        self.outbox.begin_again();
        self.hello()
    }

    fn hello(&self) -> Value {
        let mut hello = json!({ "type": "hello", "nick": self.talker.journal.nick });
        if self.talker.journal.token.is_empty() {
            hello["rooms"] = json!([{ "room": "lobby" }, { "room": WORK }]);
        } else {
            hello["token"] = json!(self.talker.journal.token);
            let rooms = self.places.iter().map(|(room, Place { epoch, seq })| {
                json!({ "room": room, "position": { "epoch": epoch, "seq": seq } })
            });
            hello["rooms"] = rooms.collect();
        }
        hello
    }

    pub(crate) fn surprise(&mut self, words: String) {
        self.talker.journal.surprises.push(words);
    }

    /// Whether they have seen each room's end.
    pub(crate) fn is_finished(&self) -> bool {
        let seq = |room: &str| self.places.get(room).map_or(0, |place| place.seq);
        self.ends.as_ref().is_some_and(|ends| {
            ends.len() == self.places.len() && ends.iter().all(|(room, end)| seq(room) >= *end)
        })
    }

    /// What is to be sent next.
    pub(crate) fn next(&mut self, phase: Phase, moment: &Moment) -> Next {
        if !self.welcome {
            return Next::Nothing;
        }
        match self.outbox.next(&self.talker.journal) {
            Next::Nothing => {}
            next => return next,
        }
        match phase {
            Phase::Talk if self.outbox.len() >= self.talker.window => Next::Nothing,
            Phase::Talk if self.next_words > Instant::now() => Next::At(self.next_words),
            Phase::Talk => {
                self.say_something();
                self.outbox.next(&self.talker.journal)
            }
            _ if self.outbox.len() > 0 => Next::Nothing,
            Phase::Drain => {
                if !std::mem::replace(&mut self.idle, true) {
                    moment.idle.send_modify(|count| *count += 1);
                }
                Next::Nothing
            }
            Phase::Finish => {
                let ends = self.ends.get_or_insert_default();
                // One room after the other: the answer to one wakes the question for the next.
                match self.places.keys().find(|room| !ends.contains_key(*room)) {
                    Some(room) => {
                        ends.insert(room.clone(), u64::MAX);
                        let id = format!("{END_OF}{room}");
                        Next::Send(json!({ "type": "history", "room": room, "limit": 1, "id": id }))
                    }
                    None => Next::Nothing,
                }
            }
        }
    }

    fn say_something(&mut self) {
        let Talker { random, journal, friend, pause, .. } = &mut self.talker;
        let number = journal.said.len() as u64 + 1;
        let length = if random.below(50) == 0 { 3_000 } else { random.below(60) };
        let words = "la ".repeat(length / 3);
        let text = describe_itself(&journal.nick, number, &words);
        journal.said.entry(number).or_default().texts.push(text);
        let direct = self.places.keys().find(|room| room.starts_with('@'));
        let to = match (random.below(3), friend, direct) {
            (0, Some(_), Some(room)) if random.below(2) == 0 => Audience::Room(room.clone()),
            (0, Some(friend), _) => Audience::Person(friend.clone()),
            (1, ..) => Audience::Room(WORK.to_owned()),
            _ => Audience::Room("lobby".to_owned()),
        };
        self.outbox.push(Errand::Say { number, to });
        let pause = random.below(pause.as_micros() as usize + 1);
        self.next_words = Instant::now() + Duration::from_micros(pause as u64);
    }

    /// Takes note of an event. Hands over whether the connection goes on.
    pub(crate) fn take(&mut self, event: &Value, phase: Phase) -> bool {
        let id = event["id"].as_str().unwrap_or_default();
        match event["type"].as_str().unwrap_or_default() {
            "welcome" => self.take_welcome(event),
            "joined" => self.enter(event),
            "left" => self.surprise(format!("is not in a room any more: {event}")),
            "message" => self.take_message(event),
            "edited" | "deleted" => self.move_on(event),
            "gap" => self.surprise(format!("is told of a gap: {event}")),
            "ack" => self.take_ack(id, event, phase),
            "history" => {
                let room = id.strip_prefix(END_OF).unwrap_or_default();
                let end = event["messages"][0]["seq"].as_u64().unwrap_or(0);
                self.ends.get_or_insert_default().insert(room.to_owned(), end);
            }
            "error" => return self.take_error(id, event),
            "disconnect" => {
                let again = ["shutdown", "replaced", "write-timeout", "pong-timeout"];
                if !again.contains(&event["code"].as_str().unwrap_or_default()) {
                    self.surprise(format!("is sent away: {event}"));
                }
            }
            _ => {}
        }
        true
    }

    fn take_welcome(&mut self, event: &Value) {
        self.welcome = true;
        let back = !self.talker.journal.token.is_empty();
        if back && event["resumed"] != true {
            self.surprise(format!("is not known any more: {event}"));
        }
        if event["nick"] != *self.talker.journal.nick {
            self.surprise(format!("has another name: {event}"));
        }
        self.talker.journal.token = event["token"].as_str().unwrap_or_default().to_owned();
        let rooms = event["rooms"].as_array().cloned().unwrap_or_default();
        let lost: Vec<_> = self
            .places
            .keys()
            .filter(|room| !rooms.iter().any(|there| there["room"] == **room))
            .cloned()
            .collect();
        for room in lost {
            self.surprise(format!("is not in {room} any more"));
        }
        for room in &rooms {
            self.enter(room);
        }
    }

    /// They are in a room: for the first time, or where they left off.
    fn enter(&mut self, event: &Value) {
        let (room, place) = (event["room"].as_str().unwrap_or_default(), Place::of(event));
        match self.places.get(room) {
            Some(known) if *known != place => {
                let words = format!("goes on in {room} at {place}, and not at {known}");
                self.surprise(words);
            }
            Some(_) => {}
            None => {
                self.places.insert(room.to_owned(), place);
                self.talker.journal.entered.insert(room.to_owned(), place);
                // The ack of what opened a conversation may have come before.
                let acks = self.talker.journal.said.values_mut().flat_map(|said| &mut said.acks);
                acks.filter(|ack| ack.0 == room).for_each(|ack| ack.1.epoch = place.epoch);
            }
        }
    }

    fn take_message(&mut self, event: &Value) {
        let room = event["room"].as_str().unwrap_or_default().to_owned();
        let Some(place) = self.places.get_mut(&room) else {
            return self.surprise(format!("is not in that room: {event}"));
        };
        let seen = Seen::of(place.epoch, event);
        *place = seen.place;
        self.talker.journal.seen.entry(room).or_default().push(seen);
    }

    /// A change is an entry as well, and its number may not come again.
    fn move_on(&mut self, event: &Value) {
        let seq = event["seq"].as_u64().unwrap_or(0);
        match self.places.get_mut(event["room"].as_str().unwrap_or_default()) {
            Some(place) if place.seq < seq => place.seq = seq,
            _ => self.surprise(format!("sees something out of order: {event}")),
        }
    }

    fn take_ack(&mut self, id: &str, event: &Value, phase: Phase) {
        let Some(errand) = self.outbox.settle(id) else {
            return self.surprise(format!("did not ask for that: {event}"));
        };
        let room = event["room"].as_str().unwrap_or_default().to_owned();
        let seq = event["seq"].as_u64().unwrap_or(0);
        let Talker { journal, random, changes, .. } = &mut self.talker;
        let number = match errand {
            Errand::Change { number, version, .. } => {
                if let Some(said) = journal.said.get_mut(&number) {
                    said.changed = version;
                }
                return;
            }
            Errand::Withdraw { number, .. } => {
                if let Some(said) = journal.said.get_mut(&number) {
                    said.withdrawn = true;
                }
                return;
            }
            Errand::Say { number, .. } => number,
        };
        let said = journal.said.entry(number).or_default();
        // An ack has no epoch. Of a conversation that has just begun, `joined` may be still to come.
        let epoch = self.places.get(&room).map_or(0, |place| place.epoch);
        let place = Place { epoch, seq };
        said.acks.push((room.clone(), place));
        if phase != Phase::Talk || said.acks.len() > 1 {
            return;
        }
        let idea = random.below(40);
        match idea {
            0..2 => self.outbox.push(errand),
            2 | 3 if *changes => {
                let text = describe_itself(&journal.nick, number, "in better words");
                said.texts.push(text);
                self.outbox.push(Errand::Change { number, version: 1, room, place });
            }
            4 if *changes => {
                said.withdrawing = true;
                self.outbox.push(Errand::Withdraw { number, room, place });
            }
            _ => {}
        }
    }

    fn take_error(&mut self, id: &str, event: &Value) -> bool {
        let code = event["code"].as_str().unwrap_or_default();
        let direct = matches!(self.outbox.get(id), Some(Errand::Say { to: Audience::Person(_), .. }));
        match code {
            // The server still holds a connection whose welcome, and with it the token, has been lost.
            "nick-taken" if !self.welcome => return false,
            "busy" | "rate-limited" => {}
            "no-such-user" if direct => {}
            _ => {
                self.outbox.settle(id);
                self.surprise(format!("is refused: {event}"));
                return self.welcome;
            }
        }
        let wait = Duration::from_millis(event["retry_after_ms"].as_u64().unwrap_or(10));
        self.talker.journal.refusals += 1;
        self.outbox.refused(id, Instant::now() + wait);
        true
    }
}
