//! Holds what everybody has done and seen against what the server has in the end.
//!
//! Knows nothing of sockets: journals and histories go in, sentences about what is wrong come out.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::json;

use crate::JsonClient;
use crate::journal::{Journal, LineJournal, Place, Said, Seen, parse};

/// What is known after a run.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    /// What those who speak JSON have done and seen.
    pub journals: Vec<Journal>,
    /// What those who speak lines have done and seen.
    pub lines: Vec<LineJournal>,
    /// The whole history of each room, as the server gives it in the end.
    pub histories: BTreeMap<String, Vec<Seen>>,
}

/// Reads the whole history of a room that `client` is in.
pub async fn read_history(client: &mut JsonClient, room: &str) -> Vec<Seen> {
    let mut history: Vec<Seen> = Vec::new();
    loop {
        let after = history.last().map_or(0, |seen| seen.place.seq);
        let request = json!({ "type": "history", "room": room, "after": after, "limit": 200 });
        let page = client.request(request).await;
        let epoch = page["epoch"].as_u64().unwrap_or_else(|| panic!("no history: {page}"));
        let messages = page["messages"].as_array().expect("a history has messages");
        history.extend(messages.iter().map(|message| Seen::of(epoch, message)));
        if page["more"] != true {
            return history;
        }
        assert!(!messages.is_empty(), "there is more of {room} behind {after}, but the page is empty");
    }
}

/// How many sentences are worth reading.
const ENOUGH: usize = 20;

impl Checker {
    /// # Panics
    /// If anything is wrong.
    pub fn assert_nothing_lost(&self) {
        let wrong = self.check();
        let shown = wrong.iter().take(ENOUGH).cloned().collect::<Vec<_>>().join("\n  ");
        assert!(wrong.is_empty(), "{} things are wrong:\n  {shown}", wrong.len());
    }

    /// What is wrong, in words.
    pub fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let archive = Archive::new(self, &mut wrong);
        for journal in &self.journals {
            wrong.extend(journal.surprises.iter().map(|surprise| format!("{}: {surprise}", journal.nick)));
            if !journal.finished {
                wrong.push(format!("{} did not come to the end", journal.nick));
            }
            for (number, said) in &journal.said {
                archive.check_said(&journal.nick, *number, said, &mut wrong);
            }
            for (room, seen) in &journal.seen {
                archive.check_seen(journal, room, seen, &mut wrong);
            }
        }
        for journal in &self.lines {
            for life in &journal.lives {
                archive.check_life(&journal.nick, life, &mut wrong);
            }
        }
        wrong
    }
}

/// The histories, and what was said, with a way to find things.
struct Archive<'a> {
    checker: &'a Checker,
    /// Where each message is, by author and number.
    places: HashMap<(&'a str, u64), (&'a str, Place)>,
    entries: HashMap<(&'a str, Place), &'a Seen>,
    said: HashMap<(&'a str, u64), &'a Said>,
}

impl<'a> Archive<'a> {
    /// Looks at the histories by themselves on the way: nothing is in them twice, nothing that nobody
    /// said, and everybody's messages are in order.
    fn new(checker: &'a Checker, wrong: &mut Vec<String>) -> Self {
        let said = checker.journals.iter().flat_map(|journal| {
            journal.said.iter().map(|(number, said)| ((journal.nick.as_str(), *number), said))
        });
        let mut archive =
            Self { checker, places: HashMap::new(), entries: HashMap::new(), said: said.collect() };
        let typed: HashMap<_, _> = checker.lines.iter().map(|lines| (&*lines.nick, lines.typed)).collect();
        for (room, history) in &checker.histories {
            let mut last = HashMap::new();
            for pair in history.windows(2) {
                if pair[0].place >= pair[1].place {
                    wrong.push(format!("in {room}, {} stands behind {}", pair[1], pair[0]));
                }
            }
            for entry in history {
                archive.entries.insert((room, entry.place), entry);
                let Some((author, number)) = parse(&entry.text) else {
                    // The last line of a connection counts though it was cut off; a frame does not.
                    if checker.journals.iter().any(|journal| journal.nick == entry.from) {
                        wrong.push(format!("in {room}, {entry} was said by nobody"));
                    }
                    continue;
                };
                if author != entry.from {
                    wrong.push(format!("in {room}, {entry} has another author than it says"));
                }
                let known = archive.said.contains_key(&(author, number))
                    || typed.get(author).is_some_and(|typed| (1..=*typed).contains(&number));
                if !known {
                    wrong.push(format!("in {room}, {entry} was said by nobody"));
                }
                if let Some((other, place)) = archive.places.insert((author, number), (room, entry.place)) {
                    wrong.push(format!("in {room}, {entry} is there twice, also in {other} at {place}"));
                }
                if let Some(earlier) = last.insert(author, number)
                    && earlier > number
                {
                    wrong.push(format!("in {room}, {entry} stands behind {author}'s number {earlier}"));
                }
            }
        }
        archive
    }

    /// What was acknowledged is where the ack said, with the words that were acknowledged last.
    fn check_said(&self, nick: &str, number: u64, said: &Said, wrong: &mut Vec<String>) {
        let what = format!("{nick}'s number {number}");
        let Some(ack) = said.acks.first() else {
            return wrong.push(format!("{what} was never acknowledged"));
        };
        for other in &said.acks[1..] {
            if other != ack {
                let ((room, place), (other_room, other_place)) = (ack, other);
                wrong.push(format!(
                    "{what} was acknowledged in {room} at {place}, and again in {other_room} at {other_place}"
                ));
            }
        }
        let (room, place) = ack;
        match self.places.get(&(nick, number)) {
            Some(_) if said.withdrawn => wrong.push(format!("{what} was withdrawn and is there")),
            Some((there, at)) if there != room || at != place => {
                wrong.push(format!("{what} was acknowledged in {room} at {place} and is in {there} at {at}"))
            }
            Some(_) => {
                let text = &self.entry(room, *place).expect("it was found there").text;
                if !said.texts[said.changed..].contains(text) {
                    wrong.push(format!("{what} in {room} at {place} has old words: {}", start(text)));
                }
            }
            None if said.withdrawing => {}
            None => wrong.push(format!("{what} was acknowledged in {room} at {place} and is gone")),
        }
    }

    /// Somebody has seen what the history has from where they came in, each once, in order.
    fn check_seen(&self, journal: &Journal, room: &str, seen: &[Seen], wrong: &mut Vec<String>) {
        let nick = &journal.nick;
        let Some(history) = self.checker.histories.get(room) else {
            return wrong.push(format!("{nick} has seen a room {room} that is gone"));
        };
        for pair in seen.windows(2) {
            if pair[0].place == pair[1].place {
                wrong.push(format!("{nick} saw {} in {room} twice", pair[0]));
            } else if pair[0].place > pair[1].place {
                wrong.push(format!("{nick} saw {} in {room} behind {}", pair[1], pair[0]));
            }
        }
        for message in seen {
            match self.entry(room, message.place) {
                Some(entry) if !self.is_same(message, entry) => {
                    wrong.push(format!("{nick} saw {message} in {room}, where there is {entry}"));
                }
                Some(_) => {}
                None if self.was_withdrawn(&message.text) => {}
                None => wrong.push(format!("{nick} saw {message} in {room}, and it is gone")),
            }
        }
        let Some(last) = seen.last() else { return };
        let Some(entered) = journal.entered.get(room) else {
            return wrong.push(format!("{nick} saw {last} in {room}, where they never were"));
        };
        let places: HashSet<Place> = seen.iter().map(|seen| seen.place).collect();
        for entry in history {
            let due = *entered < entry.place && entry.place <= last.place;
            if due && !places.contains(&entry.place) {
                wrong.push(format!("{nick} missed {entry} in {room}"));
            } else if !due && places.contains(&entry.place) {
                wrong.push(format!("{nick} saw {entry} in {room}, from before they came in at {entered}"));
            }
        }
    }

    /// A connection that speaks lines has shown a part of the lobby's history without a gap, without
    /// what its owner said.
    fn check_life(&self, nick: &str, life: &[(String, String)], wrong: &mut Vec<String>) {
        let lobby = self.checker.histories.get("lobby").map_or(&[][..], Vec::as_slice);
        let mut at = None;
        for (from, text) in life {
            let Some((author, number)) = parse(text) else { continue };
            let shown = format!("{from}: {}", start(text));
            if author != from {
                wrong.push(format!("{nick} was shown {shown:?}, by another author than it says"));
                continue;
            }
            let place = match self.places.get(&(author, number)) {
                Some(("lobby", place)) => *place,
                _ if self.was_withdrawn(text) => continue,
                _ => {
                    wrong.push(format!("{nick} was shown {shown:?}, and it is gone"));
                    continue;
                }
            };
            let here = lobby.partition_point(|entry| entry.place < place);
            match at.replace(here) {
                Some(before) if here <= before => {
                    wrong.push(format!("{nick} was shown {shown:?} behind {}", lobby[before]));
                }
                Some(before) => {
                    let missed = lobby[before + 1..here]
                        .iter()
                        .filter(|entry| entry.from != nick && parse(&entry.text).is_some());
                    wrong.extend(missed.map(|entry| format!("{nick} missed {entry} in the lobby")));
                }
                None => {}
            }
        }
    }

    fn entry(&self, room: &str, place: Place) -> Option<&'a Seen> {
        self.entries.get(&(room, place)).copied()
    }

    /// Whether two are the same message, perhaps in other words of its author's.
    fn is_same(&self, one: &Seen, other: &Seen) -> bool {
        let named = parse(&one.text);
        let said = named.and_then(|name| self.said.get(&name));
        one.from == other.from
            && (one.text == other.text
                || named == parse(&other.text) && said.is_some_and(|said| said.texts.contains(&one.text)))
    }

    fn was_withdrawn(&self, text: &str) -> bool {
        parse(text).and_then(|name| self.said.get(&name)).is_some_and(|said| said.withdrawing)
    }
}

/// As much of a text as is needed to know it again.
fn start(text: &str) -> String {
    text.chars().take(40).collect()
}

impl std::fmt::Display for Seen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({:?})", self.place, start(&self.text))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.epoch, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, from: &str, number: u64) -> Seen {
        Seen {
            place: Place { epoch: 7, seq },
            from: from.to_owned(),
            text: format!("{from} {number} words."),
        }
    }

    /// Alice and Bob have said three and two things in the lobby, Zoe has read along by lines.
    fn peace() -> Checker {
        let history = vec![
            entry(1, "alice", 1),
            entry(2, "bob", 1),
            entry(4, "alice", 2),
            entry(5, "zoe", 1),
            entry(9, "bob", 2),
            entry(10, "alice", 3),
        ];
        let journal = |nick: &str| Journal {
            nick: nick.to_owned(),
            said: history
                .iter()
                .filter(|entry| entry.from == nick)
                .map(|entry| {
                    let said = Said {
                        texts: vec![entry.text.clone()],
                        acks: vec![("lobby".to_owned(), entry.place)],
                        ..Said::default()
                    };
                    (parse(&entry.text).unwrap().1, said)
                })
                .collect(),
            entered: [("lobby".to_owned(), Place { epoch: 7, seq: 0 })].into(),
            seen: [("lobby".to_owned(), history.clone())].into(),
            finished: true,
            ..Journal::default()
        };
        let life = |entries: &[Seen]| {
            entries
                .iter()
                .filter(|entry| entry.from != "zoe")
                .map(|entry| (entry.from.clone(), entry.text.clone()))
                .collect()
        };
        Checker {
            journals: vec![journal("alice"), journal("bob")],
            lines: vec![LineJournal {
                nick: "zoe".to_owned(),
                typed: 2,
                lives: vec![life(&history[..2]), life(&history[2..])],
            }],
            histories: [("lobby".to_owned(), history)].into(),
        }
    }

    #[test]
    fn it_finds_nothing_where_nothing_is_wrong() {
        assert_eq!(peace().check(), [""; 0]);
    }

    #[test]
    fn it_finds_what_is_wrong() {
        type Doctor = fn(&mut Checker);
        fn history(checker: &mut Checker) -> &mut Vec<Seen> {
            checker.histories.get_mut("lobby").unwrap()
        }
        fn seen(checker: &mut Checker) -> &mut Vec<Seen> {
            checker.journals[1].seen.get_mut("lobby").unwrap()
        }
        fn said(checker: &mut Checker) -> &mut Said {
            checker.journals[0].said.get_mut(&2).unwrap()
        }
        let cases: [(Doctor, &str); 23] = [
            (
                |checker| drop(history(checker).remove(2)),
                "alice's number 2 was acknowledged in lobby at 7/4 and is gone",
            ),
            (
                |checker| drop(history(checker).remove(2)),
                "bob saw 7/4 (\"alice 2 words.\") in lobby, and it is gone",
            ),
            (
                |checker| drop(history(checker).remove(2)),
                "zoe was shown \"alice: alice 2 words.\", and it is gone",
            ),
            (
                |checker| history(checker).push(entry(11, "alice", 2)),
                "7/11 (\"alice 2 words.\") is there twice, also in lobby at 7/4",
            ),
            (
                |checker| history(checker)[2].place.seq = 3,
                "alice's number 2 was acknowledged in lobby at 7/4 and is in lobby at 7/3",
            ),
            (|checker| history(checker).swap(0, 1), "in lobby, 7/1 (\"alice 1 words.\") stands behind 7/2"),
            (
                |checker| {
                    let entries = history(checker);
                    entries[0] = entry(1, "alice", 2);
                    entries[2] = entry(4, "alice", 1);
                },
                "7/4 (\"alice 1 words.\") stands behind alice's number 2",
            ),
            (
                |checker| history(checker).push(entry(11, "mallory", 1)),
                "7/11 (\"mallory 1 words.\") was said by nobody",
            ),
            (
                |checker| history(checker).push(entry(11, "zoe", 3)),
                "7/11 (\"zoe 3 words.\") was said by nobody",
            ),
            (|checker| history(checker)[0].text.truncate(9), "7/1 (\"alice 1 w\") was said by nobody"),
            (|checker| history(checker)[0].from = "bob".to_owned(), "has another author than it says"),
            (
                |checker| history(checker)[0].text.insert(8, 'x'),
                "alice's number 1 in lobby at 7/1 has old words",
            ),
            (
                |checker| seen(checker)[0].text.insert(8, 'x'),
                "bob saw 7/1 (\"alice 1 xwords.\") in lobby, where there is 7/1",
            ),
            (|checker| drop(seen(checker).remove(3)), "bob missed 7/5 (\"zoe 1 words.\") in lobby"),
            (
                |checker| {
                    let again = seen(checker)[2].clone();
                    seen(checker).insert(3, again);
                },
                "bob saw 7/4 (\"alice 2 words.\") in lobby twice",
            ),
            (|checker| seen(checker).swap(1, 2), "bob saw 7/2 (\"bob 1 words.\") in lobby behind 7/4"),
            (
                |checker| seen(checker)[0].place.epoch = 6,
                "bob saw 6/1 (\"alice 1 words.\") in lobby, and it is gone",
            ),
            (
                |checker| checker.journals[1].entered.get_mut("lobby").unwrap().seq = 1,
                "bob saw 7/1 (\"alice 1 words.\") in lobby, from before they came in at 7/1",
            ),
            (|checker| said(checker).acks.clear(), "alice's number 2 was never acknowledged"),
            (
                |checker| {
                    let mut ack = said(checker).acks[0].clone();
                    ack.1.seq = 12;
                    said(checker).acks.push(ack);
                },
                "alice's number 2 was acknowledged in lobby at 7/4, and again in lobby at 7/12",
            ),
            (
                |checker| {
                    said(checker).withdrawing = true;
                    said(checker).withdrawn = true;
                },
                "alice's number 2 was withdrawn and is there",
            ),
            (
                |checker| drop(checker.lines[0].lives[1].remove(1)),
                "zoe missed 7/9 (\"bob 2 words.\") in the lobby",
            ),
            (
                |checker| checker.lines[0].lives[1].swap(1, 2),
                "zoe was shown \"bob: bob 2 words.\" behind 7/10",
            ),
        ];
        for (doctor, sentence) in cases {
            let mut checker = peace();
            doctor(&mut checker);
            let wrong = checker.check();
            assert!(wrong.iter().any(|wrong| wrong.contains(sentence)), "no {sentence:?} in {wrong:#?}");
        }
    }

    #[test]
    fn it_lets_authors_change_and_withdraw_their_messages() {
        let mut checker = peace();
        let said = checker.journals[0].said.get_mut(&2).unwrap();
        said.texts.push("alice 2 better words.".to_owned());
        assert_eq!(checker.check(), [""; 0], "the change is under way, and not there yet");
        checker.journals[0].said.get_mut(&2).unwrap().changed = 1;
        let wrong = checker.check();
        assert_eq!(wrong, ["alice's number 2 in lobby at 7/4 has old words: alice 2 words."]);
        checker.histories.get_mut("lobby").unwrap()[2].text = "alice 2 better words.".to_owned();
        assert_eq!(checker.check(), [""; 0]);
        checker.histories.get_mut("lobby").unwrap().remove(2);
        let said = checker.journals[0].said.get_mut(&2).unwrap();
        (said.withdrawing, said.withdrawn) = (true, true);
        assert_eq!(checker.check(), [""; 0]);
    }
}
