//! A room's log: the newest entries in memory, as segments that are encoded once for everybody.
//!
//! The log owns the order of its entries. Appending is the sequencer's alone; reading is from a
//! [`Cursor`], and history and live traffic are the same reading. A cursor that has fallen behind
//! the segments is told so, and goes on with the newest entries, which are kept by themselves: news
//! about people come and go without pushing out what was said. What is not kept in memory either is
//! the store's. The log knows no peer.

mod kept;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crosstalk_protocol::{HistoryRange, Message, Position, Record, Seq, Text};

use crate::limits::{TAIL_BYTES, TAIL_BYTES_MIN, TAIL_ENTRIES, TAILS_BYTES};
use crate::segment::{Entry, Segment};
use crate::store::{Authored, Hits, Words};

use self::kept::Kept;
pub use self::kept::Recent;

/// A place in one log from which a connection reads on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The next segment, counted from the log's beginning.
    next: u64,
    /// The number of the last message that has been read, or that reading begins behind.
    seen: Seq,
}

impl Cursor {
    /// The number of the last message behind the cursor.
    pub fn seen(&self) -> Seq {
        self.seen
    }

    /// Moves behind the message `seen`, which was read from the store.
    pub fn advance(&mut self, seen: Seq) {
        *self = Self { next: BEHIND, seen };
    }
}

/// What a cursor finds.
#[derive(Debug)]
pub enum Read {
    /// Nothing new.
    CaughtUp,
    /// The next segment, to be read behind the message `after`.
    Segment {
        /// The segment.
        segment: Arc<Segment>,
        /// Messages up to this number have been read already.
        after: Seq,
    },
    /// Messages behind the cursor are in no segment any more.
    Behind {
        /// The last message that the cursor has seen.
        after: Seq,
    },
}

/// One room's log.
#[derive(Debug)]
pub struct Log {
    epoch: u64,
    /// Segments ever appended. A reader compares it with its cursor without taking the lock.
    end: AtomicU64,
    tail: RwLock<Tail>,
    meter: Arc<Meter>,
}

#[derive(Debug)]
struct Tail {
    segments: VecDeque<Arc<Segment>>,
    /// The place of `segments[0]`, counted from the log's beginning.
    first: u64,
    /// Entries in `segments`.
    entries: usize,
    last_seq: Seq,
    /// Whether more may have been stored than the log was made with.
    tentative: bool,
    /// Entries up to this number are in no segment.
    cut: Seq,
    /// The newest entries, for those who come late.
    kept: Kept,
}

impl Log {
    /// A log that has come as far as `last`, with nothing of it in memory. Its entries up to
    /// `expired` are nowhere. `total` counts the bytes of all logs.
    pub fn new(last: Position, expired: Seq, total: Arc<AtomicUsize>) -> Self {
        let Position { epoch, seq: last_seq } = last;
        let tail = Tail {
            segments: VecDeque::new(),
            first: 0,
            entries: 0,
            last_seq,
            tentative: false,
            cut: last_seq,
            kept: Kept::new(last_seq, expired),
        };
        Self {
            epoch,
            end: AtomicU64::new(0),
            tail: RwLock::new(tail),
            meter: Arc::new(Meter { own: AtomicUsize::new(0), total }),
        }
    }

    /// Appends a batch as one segment. Only the sequencer does, so that there is one order.
    pub fn append(&self, entries: Vec<Entry>) {
        let mut tail = self.tail_mut();
        let segment = Arc::new(Segment::new(entries, tail.last_seq, self.meter.clone()));
        tail.last_seq = segment.last_seq();
        tail.entries += segment.len();
        tail.segments.push_back(segment.clone());
        for entry in segment.numbered() {
            self.meter.add(tail.kept.push(entry.clone()));
            match &entry.record {
                Record::Message(_) => {}
                Record::Edited(edited) => self.amend(&mut tail, edited.target, Some(&edited.text)),
                Record::Deleted(deleted) => self.amend(&mut tail, deleted.target, None),
            }
        }
        // The store may have removed some already, between storing and this.
        let expired = tail.kept.expired();
        self.meter.remove(tail.kept.expire(expired));
        self.end.fetch_add(1, Ordering::Release);
        let dropped = self.trim(&mut tail);
        drop(tail);
        drop((segment, dropped)); // Freed outside the lock.
    }

    /// Gives a message that is in memory other words, or takes them out, wherever they stand. Who has
    /// read it already reads of the change behind it.
    fn amend(&self, tail: &mut Tail, target: Seq, text: Option<&Text>) {
        let (before, after, was_changed) = tail.kept.amend(target, text);
        self.meter.remove(before);
        self.meter.add(after);
        let first = tail.segments.partition_point(|segment| segment.last_seq() < target);
        for segment in tail.segments.range_mut(first..) {
            let amended = segment.amended(target, text);
            let found = amended.is_some();
            if let Some(amended) = amended {
                *segment = Arc::new(amended);
            }
            // Only changes of it could stand behind it.
            if found && !was_changed {
                break;
            }
        }
    }

    /// Forgets the entries up to `seq`, which are nowhere any more.
    pub fn expire(&self, seq: Seq) {
        let mut tail = self.tail_mut();
        self.meter.remove(tail.kept.expire(seq));
        let mut dropped = Vec::new();
        while tail.segments.front().is_some_and(|segment| segment.last_seq() <= seq) {
            dropped.extend(tail.drop_segment());
        }
        tail.cut = tail.cut.max(seq);
        drop(tail);
        drop(dropped); // Freed outside the lock.
    }

    /// Marks the log as one that was made with what the store had said before, while others might still
    /// write. Nothing may be appended until it is settled.
    pub fn set_tentative(&self) {
        self.tail_mut().tentative = true;
    }

    /// Whether the store has to be asked again how far it has come.
    pub fn is_tentative(&self) -> bool {
        self.tail().tentative
    }

    /// Begins behind `last_seq`, which the store has said since the log was made. A log that is settled
    /// knows better: what it numbers is stored before it is here.
    pub fn settle(&self, last_seq: Seq) {
        let mut tail = self.tail_mut();
        if std::mem::take(&mut tail.tentative) && tail.last_seq < last_seq {
            (tail.last_seq, tail.cut) = (last_seq, last_seq);
            tail.kept.catch_up(last_seq);
        }
    }

    /// Half of the bytes are for messages, half for segments.
    fn trim(&self, tail: &mut Tail) -> Vec<Arc<Segment>> {
        let crowded = self.meter.total.load(Ordering::Relaxed) > TAILS_BYTES;
        let bytes_max = if crowded { TAIL_BYTES_MIN } else { TAIL_BYTES } / 2;
        while tail.kept.len() > 1 && (tail.kept.weight() > bytes_max || tail.kept.len() > TAIL_ENTRIES) {
            self.meter.remove(tail.kept.pop());
        }
        let mut bytes = self.bytes().saturating_sub(tail.kept.weight());
        let mut dropped = Vec::new();
        while tail.segments.len() > 1 && (bytes > bytes_max || tail.entries > TAIL_ENTRIES) {
            let Some(segment) = tail.drop_segment() else { break };
            bytes = bytes.saturating_sub(segment.weight());
            dropped.push(segment);
        }
        dropped
    }

    /// A cursor behind the newest entry.
    pub fn end(&self) -> Cursor {
        let tail = self.tail();
        Cursor { next: tail.first + tail.segments.len() as u64, seen: tail.last_seq }
    }

    /// A cursor behind `position`; `None` if the position is of another epoch, or from the future:
    /// what its owner has seen is not known.
    pub fn cursor(&self, position: Position) -> Option<Cursor> {
        let known = position.epoch == self.epoch && position.seq <= self.last_seq();
        // The place among the segments, if it is there, is found with the first read.
        known.then_some(Cursor { next: BEHIND, seen: position.seq })
    }

    /// A cursor before the first entry in memory.
    pub fn start(&self) -> Cursor {
        Cursor { next: BEHIND, seen: self.tail().kept.forgotten() }
    }

    /// Whether there is something behind `cursor`.
    pub fn has_news(&self, cursor: &Cursor) -> bool {
        cursor.next == BEHIND || self.end.load(Ordering::Acquire) > cursor.next
    }

    /// Reads one segment and moves `cursor` behind it. A cursor that has fallen behind stays where
    /// it is until it is moved with [`Cursor::advance`].
    pub fn read(&self, cursor: &mut Cursor) -> Read {
        if !self.has_news(cursor) {
            return Read::CaughtUp;
        }
        let tail = self.tail();
        if !tail.has_place(cursor) {
            if cursor.seen < tail.cut {
                return Read::Behind { after: cursor.seen };
            }
            let read = tail.segments.partition_point(|segment| segment.last_seq() <= cursor.seen);
            cursor.next = tail.first + read as u64;
        }
        let Some(segment) = tail.segments.get((cursor.next - tail.first) as usize) else {
            return Read::CaughtUp;
        };
        let after = cursor.seen;
        cursor.next += 1;
        cursor.seen = segment.last_seq();
        Read::Segment { segment: segment.clone(), after }
    }

    /// The last message that `cursor` has seen, if what is behind it is in no segment any more.
    pub fn behind(&self, cursor: &Cursor) -> Option<Seq> {
        let tail = self.tail();
        (!tail.has_place(cursor) && cursor.seen < tail.cut).then_some(cursor.seen)
    }

    /// What memory holds of the messages of `range`, at most `limit`.
    pub fn recent_messages(&self, range: HistoryRange, limit: usize) -> Recent<Message> {
        let tail = self.tail();
        tail.kept.messages(range, limit, tail.last_seq)
    }

    /// What memory holds of the entries behind `after`, at most `limit`.
    pub fn recent_records(&self, after: Seq, limit: usize) -> Recent<Record> {
        let tail = self.tail();
        tail.kept.records(after, limit, tail.last_seq)
    }

    /// The message with that number, if it is in memory.
    pub fn message(&self, seq: Seq) -> Option<Authored> {
        self.tail().kept.message(seq)
    }

    /// Whether memory knows all there is to know of the entry with that number.
    pub fn remembers(&self, seq: Seq) -> bool {
        let tail = self.tail();
        seq > tail.kept.forgotten() || seq <= tail.kept.expired()
    }

    /// The newest message in memory of which `is_it` holds.
    pub fn last_message(&self, is_it: impl Fn(&Authored) -> bool) -> Option<Authored> {
        self.tail().kept.last_message(is_it)
    }

    /// The newest messages in memory before `before` that have all the words.
    pub fn find(&self, words: &Words, before: Option<Seq>, limit: usize) -> Hits {
        self.tail().kept.find(words, before, limit)
    }

    /// Entries up to this number are nowhere any more.
    pub fn expired(&self) -> Seq {
        self.tail().kept.expired()
    }

    /// The life of this log.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number of the newest entry; 0 if there has been none.
    pub fn last_seq(&self) -> Seq {
        self.tail().last_seq
    }

    /// When the newest entry in memory was taken, in milliseconds since 1970.
    pub fn last_at(&self) -> Option<u64> {
        self.tail().kept.last().map(|entry| entry.record.at())
    }

    /// Bytes in memory, encodings included.
    pub fn bytes(&self) -> usize {
        self.meter.own.load(Ordering::Relaxed)
    }

    fn tail(&self) -> RwLockReadGuard<'_, Tail> {
        self.tail.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn tail_mut(&self) -> RwLockWriteGuard<'_, Tail> {
        self.tail.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tail {
    /// Whether the cursor's place is that of a segment, or behind the last one.
    fn has_place(&self, cursor: &Cursor) -> bool {
        cursor.next != BEHIND && cursor.next >= self.first
    }

    fn drop_segment(&mut self) -> Option<Arc<Segment>> {
        let segment = self.segments.pop_front()?;
        self.first += 1;
        self.entries -= segment.len();
        self.cut = self.cut.max(segment.last_seq());
        Some(segment)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let weight = self.tail().kept.weight();
        self.meter.remove(weight);
    }
}

/// The `next` of a cursor of which only the last message seen is known.
const BEHIND: u64 = u64::MAX;

/// Counts the bytes of one log's segments, and of all logs'.
#[derive(Debug, Default)]
pub struct Meter {
    own: AtomicUsize,
    total: Arc<AtomicUsize>,
}

impl Meter {
    pub(crate) fn add(&self, bytes: usize) {
        self.own.fetch_add(bytes, Ordering::Relaxed);
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, bytes: usize) {
        self.own.fetch_sub(bytes, Ordering::Relaxed);
        self.total.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use crosstalk_protocol::{Nick, RoomName, Text};

    use super::*;
    use crate::segment::{Body, Numbered};
    use crate::store::UserId;

    fn entries(seqs: std::ops::RangeInclusive<Seq>, text: &str) -> Vec<Entry> {
        seqs.map(|seq| {
            let (room, from) = (RoomName::lobby(), Nick::parse("alice").unwrap());
            let text = Text::clean(text).unwrap();
            let message =
                Message { room, seq, at: 0, from, to: None, text, action: false, reply: None, edited: false };
            let numbered = Numbered { author: UserId(1), record: Record::Message(message) };
            Entry { body: Body::Numbered(numbered), unseen_by: None }
        })
        .collect()
    }

    fn log() -> Log {
        Log::new(Position { epoch: 1, seq: 0 }, 0, Arc::default())
    }

    fn read(log: &Log, cursor: &mut Cursor) -> Vec<Seq> {
        let mut seqs = Vec::new();
        while let Read::Segment { segment, after } = log.read(cursor) {
            seqs.extend(segment.numbered().map(|entry| entry.record.seq()).filter(|seq| *seq > after));
        }
        seqs
    }

    #[test]
    fn a_cursor_reads_everything_once_and_in_order() {
        let log = log();
        let mut cursor = log.end();
        assert!(!log.has_news(&cursor));
        log.append(entries(1..=3, "a"));
        log.append(entries(4..=4, "b"));
        assert!(log.has_news(&cursor));
        assert_eq!(read(&log, &mut cursor), [1, 2, 3, 4]);
        assert!(!log.has_news(&cursor));
        log.append(entries(5..=6, "c"));
        assert_eq!(read(&log, &mut cursor), [5, 6]);
    }

    #[test]
    fn a_position_inside_a_segment_goes_on_behind_it() {
        let log = log();
        log.append(entries(1..=3, "a"));
        log.append(entries(4..=6, "b"));
        for seq in 0..=6 {
            let mut cursor = log.cursor(Position { epoch: 1, seq }).unwrap();
            assert_eq!(read(&log, &mut cursor), (seq + 1..=6).collect::<Vec<_>>());
        }
        assert_eq!(log.cursor(Position { epoch: 1, seq: 7 }), None);
        assert_eq!(log.cursor(Position { epoch: 2, seq: 1 }), None);
    }

    #[test]
    fn the_memory_is_bounded_in_bytes_and_entries() {
        let total = Arc::new(AtomicUsize::new(0));
        let log = Log::new(Position { epoch: 1, seq: 0 }, 0, total.clone());
        let mut cursor = log.end();
        let text = "x".repeat(4_000);
        for seq in 1..=5_000 {
            log.append(entries(seq..=seq, &text));
            assert!(log.bytes() <= TAIL_BYTES + 10_000, "{}", log.bytes());
        }
        assert!(matches!(log.read(&mut cursor), Read::Behind { after: 0 }));
        let recent = log.recent_messages(HistoryRange::After(0), 10_000);
        let first = recent.entries[0].seq;
        assert!(recent.exhausted && first > 500 && first < 5_000, "{first}");
        cursor.advance(4_990);
        assert_eq!(read(&log, &mut cursor), (4_991..=5_000).collect::<Vec<_>>());
        for seq in 0..TAIL_ENTRIES as u64 + 1_000 {
            log.append(entries(5_001 + seq..=5_001 + seq, "x"));
        }
        assert!(log.tail().entries <= TAIL_ENTRIES && log.tail().kept.len() <= TAIL_ENTRIES);
        assert_eq!(total.load(Ordering::Relaxed), log.bytes());
        drop(log);
        assert_eq!(total.load(Ordering::Relaxed), 0, "what is dropped is not counted");
    }

    #[test]
    fn a_crowded_memory_leaves_each_room_a_little() {
        let total = Arc::new(AtomicUsize::new(TAILS_BYTES));
        let log = Log::new(Position { epoch: 1, seq: 0 }, 0, total);
        for seq in 1..=1_000 {
            log.append(entries(seq..=seq, "hello"));
        }
        assert!(log.bytes() <= TAIL_BYTES_MIN, "{}", log.bytes());
        assert!(!log.recent_messages(HistoryRange::Latest, 10).entries.is_empty());
    }

    #[test]
    fn news_about_people_push_out_no_message() {
        let log = log();
        log.append(entries(1..=3, "precious"));
        let (from, to) = (Nick::parse("alice").unwrap(), Nick::parse("bob").unwrap());
        let rename = crosstalk_protocol::Rename { room: RoomName::lobby(), from, to };
        for number in 1..=TAIL_ENTRIES as u64 * 2 {
            let body = Body::Renamed { number, rename: rename.clone(), on_lines: true };
            log.append(vec![Entry { body, unseen_by: None }]);
        }
        let recent = log.recent_messages(HistoryRange::Latest, 10);
        assert_eq!(recent.entries.iter().map(|message| message.seq).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(!recent.exhausted && !recent.more);
    }
}
