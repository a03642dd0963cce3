//! What one talker has done and seen, in order.

use std::collections::BTreeMap;

use serde_json::Value;

/// The journal of somebody who speaks JSON.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Who.
    pub nick: String,
    /// What they come back with.
    pub token: String,
    /// What they have said, by number; the first is 1.
    pub said: BTreeMap<u64, Said>,
    /// The position at which they came into a room.
    pub entered: BTreeMap<String, Place>,
    /// What they have seen of a room, in the order in which it came.
    pub seen: BTreeMap<String, Vec<Seen>>,
    /// What should not have happened: refusals that are none of trying again, gaps, lost rooms.
    pub surprises: Vec<String>,
    /// How often they were asked to try again.
    pub refusals: usize,
    /// How many connections they have had.
    pub lives: usize,
    /// Whether they have come to the end of every room.
    pub finished: bool,
}

/// A place in a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The life of the log.
    pub epoch: u64,
    /// The number in it.
    pub seq: u64,
}

impl Place {
    /// Of an object that has both.
    pub fn of(value: &Value) -> Self {
        let field = |name: &str| value[name].as_u64().unwrap_or_else(|| panic!("no {name} in {value}"));
        Self { epoch: field("epoch"), seq: field("seq") }
    }
}

/// A message that somebody has tried to say, until it was acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// What it said at first, and after each change that was tried.
    pub texts: Vec<String>,
    /// How many of the changes were acknowledged.
    pub changed: usize,
    /// Whether it was tried to withdraw it.
    pub withdrawing: bool,
    /// Whether that was acknowledged.
    pub withdrawn: bool,
    /// Every room and place that it was acknowledged with; more than one if it was sent again.
    pub acks: Vec<(String, Place)>,
}

/// A message that somebody has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where it was.
    pub place: Place,
    /// Who wrote it.
    pub from: String,
    /// What it said.
    pub text: String,
}

impl Seen {
    /// A `message`, or one in a `history`, of a log in that life.
    pub fn of(epoch: u64, message: &Value) -> Self {
        let text = |name: &str| message[name].as_str().unwrap_or_else(|| panic!("no {name} in {message}"));
        let seq = message["seq"].as_u64().unwrap_or_else(|| panic!("no seq in {message}"));
        Self { place: Place { epoch, seq }, from: text("from").to_owned(), text: text("text").to_owned() }
    }
}

/// The journal of somebody who reads lines, in which there are no numbers.
#[derive(Clone, Debug, Default)]
pub struct LineJournal {
    /// Who.
    pub nick: String,
    /// How many messages they have typed, whatever became of them.
    pub typed: u64,
    /// The authors and texts that each of their connections has shown in the lobby.
    pub lives: Vec<Vec<(String, String)>>,
}

/// A text that tells who wrote it, which of their messages it is, and that it is whole.
pub(crate) fn describe_itself(nick: &str, number: u64, words: &str) -> String {
    format!("{nick} {number} {words}.")
}

/// The author and the number that a text tells. `None` if it was cut off, or is somebody else's.
pub(crate) fn parse(text: &str) -> Option<(&str, u64)> {
    let mut words = text.strip_suffix('.')?.split(' ');
    Some((words.next()?, words.next()?.parse().ok()?))
}
