//! The newest numbered entries of a log, remembered by themselves: for those who come late, and for
//! whoever asks for history, a message or its author. What is withdrawn is forgotten at once.

use std::collections::VecDeque;

use crosstalk_protocol::{HistoryRange, Message, Record, Seq, Text};

use crate::segment::Numbered;
use crate::store::{Authored, Hits, Words};

/// What memory holds of a log's entries, for a reader of history.
#[derive(Debug)]
pub struct Recent<T> {
    /// The entries, oldest first.
    pub entries: Vec<T>,
    /// Whether memory holds more in the direction asked for.
    pub more: bool,
    /// Whether older entries belong to the answer that memory does not hold: the store may.
    pub exhausted: bool,
    /// The number of the newest entry of the log.
    pub last_seq: Seq,
}

/// The newest entries, in order.
#[derive(Debug)]
pub(super) struct Kept {
    entries: VecDeque<Numbered>,
    /// Bytes in `entries`.
    weight: usize,
    /// Entries up to this number are not remembered.
    forgotten: Seq,
    /// Entries up to this number are nowhere.
    expired: Seq,
}

impl Kept {
    /// Nothing of what was said up to `last_seq`, of which the entries up to `expired` are nowhere.
    pub(super) fn new(last_seq: Seq, expired: Seq) -> Self {
        Self { entries: VecDeque::new(), weight: 0, forgotten: last_seq, expired }
    }

    /// Remembers one more. Returns its bytes.
    pub(super) fn push(&mut self, entry: Numbered) -> usize {
        let weight = weight(&entry);
        self.weight += weight;
        self.entries.push_back(entry);
        weight
    }

    /// Forgets the oldest. Returns its bytes.
    pub(super) fn pop(&mut self) -> usize {
        let Some(entry) = self.entries.pop_front() else { return 0 };
        let weight = weight(&entry);
        self.weight -= weight;
        self.forgotten = self.forgotten.max(entry.record.seq());
        weight
    }

    /// Forgets what retention has removed. Returns its bytes.
    pub(super) fn expire(&mut self, seq: Seq) -> usize {
        let before = self.weight;
        while self.entries.front().is_some_and(|entry| entry.record.seq() <= seq) {
            self.pop();
        }
        self.forgotten = self.forgotten.max(seq);
        self.expired = self.expired.max(seq);
        before - self.weight
    }

    /// Gives a message, and its changes, other words, or takes it out. Returns the bytes before and
    /// after, and whether there may be earlier changes of it.
    pub(super) fn amend(&mut self, target: Seq, text: Option<&Text>) -> (usize, usize, bool) {
        let before = self.weight;
        let at = self.behind(target.saturating_sub(1));
        let found = self.entries.get_mut(at).filter(|entry| entry.record.seq() == target);
        let was_changed = match found {
            // Those of a message that is forgotten may be here all the same.
            None => true,
            Some(Numbered { record: Record::Message(message), .. }) => message.edited,
            Some(_) => return (before, before, false),
        };
        match (was_changed, text) {
            // The usual case, in a room with many entries: the first change of a message.
            (false, Some(_)) => {
                let entry = &mut self.entries[at];
                self.weight -= weight(entry);
                entry.amend(target, text);
                self.weight += weight(entry);
            }
            (false, None) => {
                if let Some(entry) = self.entries.remove(at) {
                    self.weight -= weight(&entry);
                }
            }
            (true, _) => {
                self.entries.retain_mut(|entry| entry.amend(target, text));
                self.weight = self.entries.iter().map(weight).sum();
            }
        }
        (before, self.weight, was_changed)
    }

    /// Nothing was remembered yet, and the newest entry is this one.
    pub(super) fn catch_up(&mut self, last_seq: Seq) {
        self.forgotten = self.forgotten.max(last_seq);
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn expired(&self) -> Seq {
        self.expired
    }

    pub(super) fn forgotten(&self) -> Seq {
        self.forgotten
    }

    pub(super) fn last(&self) -> Option<&Numbered> {
        self.entries.back()
    }

    /// The entries behind `after`, at most `limit`.
    pub(super) fn records(&self, after: Seq, limit: usize, last_seq: Seq) -> Recent<Record> {
        let start = self.behind(after);
        let end = self.entries.len().min(start + limit);
        Recent {
            entries: self.entries.range(start..end).map(|entry| entry.record.clone()).collect(),
            more: end < self.entries.len(),
            exhausted: after < self.forgotten,
            last_seq,
        }
    }

    /// The messages of `range`, at most `limit`.
    pub(super) fn messages(&self, range: HistoryRange, limit: usize, last_seq: Seq) -> Recent<Message> {
        if let HistoryRange::After(seq) = range {
            let mut messages = self.entries.range(self.behind(seq)..).filter_map(message);
            let entries = messages.by_ref().take(limit).cloned().collect();
            let exhausted = seq.max(self.expired) < self.forgotten;
            return Recent { entries, more: messages.next().is_some(), exhausted, last_seq };
        }
        let end = match range {
            HistoryRange::Before(seq) => self.behind(seq.saturating_sub(1)),
            _ => self.entries.len(),
        };
        let mut messages = self.entries.range(..end).rev().filter_map(message);
        let mut entries: Vec<Message> = messages.by_ref().take(limit).cloned().collect();
        entries.reverse();
        let more = messages.next().is_some();
        Recent { entries, more, exhausted: !more && self.expired < self.forgotten, last_seq }
    }

    /// The message with that number.
    pub(super) fn message(&self, seq: Seq) -> Option<Authored> {
        let entry = self.entries.get(self.behind(seq.checked_sub(1)?))?;
        authored(entry).filter(|found| found.message.seq == seq)
    }

    /// The newest message of which `is_it` holds.
    pub(super) fn last_message(&self, is_it: impl Fn(&Authored) -> bool) -> Option<Authored> {
        self.entries.iter().rev().filter_map(authored).find(is_it)
    }

    /// The newest messages before `before` that have all the words.
    pub(super) fn find(&self, words: &Words, before: Option<Seq>, limit: usize) -> Hits {
        let end = before.map_or(self.entries.len(), |before| self.behind(before.saturating_sub(1)));
        let entries = self.entries.range(..end).rev().filter_map(message);
        let mut found = entries.filter(|message| words.are_in(message.text.as_str()));
        let mut messages: Vec<Message> = found.by_ref().take(limit).cloned().collect();
        messages.reverse();
        Hits { messages, more: found.next().is_some() }
    }

    /// The place of the first entry behind `seq`.
    fn behind(&self, seq: Seq) -> usize {
        self.entries.partition_point(|entry| entry.record.seq() <= seq)
    }
}

/// Bytes of a remembered entry. Its text is shared with the segment, while that lasts.
fn weight(entry: &Numbered) -> usize {
    size_of::<Numbered>() + entry.record.text().map_or(0, |text| text.as_str().len())
}

fn message(entry: &Numbered) -> Option<&Message> {
    match &entry.record {
        Record::Message(message) => Some(message),
        Record::Edited(_) | Record::Deleted(_) => None,
    }
}

fn authored(entry: &Numbered) -> Option<Authored> {
    message(entry).map(|message| Authored { author: entry.author, message: message.clone() })
}
