//! A room's log: the newest entries in memory, as segments that are encoded once for everybody.
//!
//! The log owns the order of its entries. Appending is the sequencer's alone; reading is from a
//! [`Cursor`], and history and live traffic are the same reading. A cursor that has fallen behind
//! the segments is told so, and goes on with the newest messages, which are remembered by
//! themselves: news about people come and go without pushing out what was said. What is not
//! remembered either is the store's. The log knows no peer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crosstalk_protocol::{HistoryRange, Message, Position, Seq};

use crate::limits::{TAIL_BYTES, TAIL_BYTES_MIN, TAIL_ENTRIES, TAILS_BYTES};
use crate::segment::{Entry, Segment};

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

/// What memory holds of a log's messages, for a reader of history.
#[derive(Debug, Default)]
pub struct Recent {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// Whether memory holds more in the direction asked for.
    pub more: bool,
    /// Whether older messages belong to the answer that memory does not hold: the store may.
    pub exhausted: bool,
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
    /// Messages up to this number are in no segment.
    cut: Seq,
    /// The newest messages, for those who come late.
    messages: VecDeque<Message>,
    /// Bytes in `messages`.
    weight: usize,
    /// Messages up to this number are not in `messages`.
    forgotten: Seq,
}

impl Log {
    /// A log whose last stored message is `last_seq`, with nothing of it in memory.
    pub fn new(epoch: u64, last_seq: Seq, total: Arc<AtomicUsize>) -> Self {
        let tail = Tail {
            segments: VecDeque::new(),
            first: 0,
            entries: 0,
            last_seq,
            cut: last_seq,
            messages: VecDeque::new(),
            weight: 0,
            forgotten: last_seq,
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
        let segment = Segment::new(entries, tail.last_seq, self.meter.clone());
        tail.last_seq = segment.last_seq();
        for message in segment.messages() {
            tail.weight += weight(message);
            self.meter.add(weight(message));
            tail.messages.push_back(message.clone());
        }
        tail.entries += segment.len();
        tail.segments.push_back(Arc::new(segment));
        self.end.fetch_add(1, Ordering::Release);
        let dropped = self.trim(&mut tail);
        drop(tail);
        drop(dropped); // Freed outside the lock.
    }

    /// Half of the bytes are for messages, half for segments.
    fn trim(&self, tail: &mut Tail) -> Vec<Arc<Segment>> {
        let crowded = self.meter.total.load(Ordering::Relaxed) > TAILS_BYTES;
        let bytes_max = if crowded { TAIL_BYTES_MIN } else { TAIL_BYTES } / 2;
        while tail.messages.len() > 1 && (tail.weight > bytes_max || tail.messages.len() > TAIL_ENTRIES) {
            let Some(message) = tail.messages.pop_front() else { break };
            tail.weight -= weight(&message);
            self.meter.remove(weight(&message));
            tail.forgotten = message.seq;
        }
        let mut bytes = self.bytes().saturating_sub(tail.weight);
        let mut dropped = Vec::new();
        while tail.segments.len() > 1 && (bytes > bytes_max || tail.entries > TAIL_ENTRIES) {
            let Some(segment) = tail.segments.pop_front() else { break };
            tail.first += 1;
            tail.entries -= segment.len();
            tail.cut = segment.last_seq();
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

    /// A cursor before the first message in memory.
    pub fn start(&self) -> Cursor {
        Cursor { next: BEHIND, seen: self.tail().forgotten }
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
        if cursor.next == BEHIND || cursor.next < tail.first {
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

    /// What memory holds of `range`, at most `limit` messages.
    pub fn recent(&self, range: HistoryRange, limit: usize) -> Recent {
        let tail = self.tail();
        let behind = |seq| tail.messages.partition_point(|message| message.seq <= seq);
        let (start, end, more, exhausted) = match range {
            HistoryRange::After(seq) => {
                let start = behind(seq);
                let end = tail.messages.len().min(start + limit);
                (start, end, end < tail.messages.len(), seq < tail.forgotten)
            }
            HistoryRange::Latest | HistoryRange::Before(_) => {
                let end = match range {
                    HistoryRange::Before(seq) => behind(seq.saturating_sub(1)),
                    _ => tail.messages.len(),
                };
                let start = end.saturating_sub(limit);
                (start, end, start > 0, start == 0 && tail.forgotten > 0)
            }
        };
        Recent { messages: tail.messages.range(start..end).cloned().collect(), more, exhausted }
    }

    /// The life of this log.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number of the newest message; 0 if there has been none.
    pub fn last_seq(&self) -> Seq {
        self.tail().last_seq
    }

    /// When the newest message in memory was taken, in milliseconds since 1970.
    pub fn last_at(&self) -> Option<u64> {
        self.tail().messages.back().map(|message| message.at)
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

impl Drop for Log {
    fn drop(&mut self) {
        let weight = self.tail().weight;
        self.meter.remove(weight);
    }
}

/// The `next` of a cursor of which only the last message seen is known.
const BEHIND: u64 = u64::MAX;

/// Bytes of a remembered message. Its text is shared with the segment, while that lasts.
fn weight(message: &Message) -> usize {
    size_of::<Message>() + message.text.as_str().len()
}

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
    use crate::segment::Body;

    fn entries(seqs: std::ops::RangeInclusive<Seq>, text: &str) -> Vec<Entry> {
        seqs.map(|seq| {
            let (room, from) = (RoomName::lobby(), Nick::parse("alice").unwrap());
            let text = Text::clean(text).unwrap();
            let message =
                Message { room, seq, at: 0, from, to: None, text, action: false, reply: None, edited: false };
            Entry { body: Body::Message(message), unseen_by: None }
        })
        .collect()
    }

    fn log() -> Log {
        Log::new(1, 0, Arc::default())
    }

    fn read(log: &Log, cursor: &mut Cursor) -> Vec<Seq> {
        let mut seqs = Vec::new();
        while let Read::Segment { segment, after } = log.read(cursor) {
            seqs.extend(segment.messages().map(|message| message.seq).filter(|seq| *seq > after));
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
        let log = Log::new(1, 0, total.clone());
        let mut cursor = log.end();
        let text = "x".repeat(4_000);
        for seq in 1..=5_000 {
            log.append(entries(seq..=seq, &text));
            assert!(log.bytes() <= TAIL_BYTES + 10_000, "{}", log.bytes());
        }
        assert!(matches!(log.read(&mut cursor), Read::Behind { after: 0 }));
        let recent = log.recent(HistoryRange::After(0), 10_000);
        let first = recent.messages[0].seq;
        assert!(recent.exhausted && first > 500 && first < 5_000, "{first}");
        cursor.advance(4_990);
        assert_eq!(read(&log, &mut cursor), (4_991..=5_000).collect::<Vec<_>>());
        for seq in 0..TAIL_ENTRIES as u64 + 1_000 {
            log.append(entries(5_001 + seq..=5_001 + seq, "x"));
        }
        assert!(log.tail().entries <= TAIL_ENTRIES && log.tail().messages.len() <= TAIL_ENTRIES);
        assert_eq!(total.load(Ordering::Relaxed), log.bytes());
        drop(log);
        assert_eq!(total.load(Ordering::Relaxed), 0, "what is dropped is not counted");
    }

    #[test]
    fn a_crowded_memory_leaves_each_room_a_little() {
        let total = Arc::new(AtomicUsize::new(TAILS_BYTES));
        let log = Log::new(1, 0, total);
        for seq in 1..=1_000 {
            log.append(entries(seq..=seq, "hello"));
        }
        assert!(log.bytes() <= TAIL_BYTES_MIN, "{}", log.bytes());
        assert!(!log.recent(HistoryRange::Latest, 10).messages.is_empty());
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
        let recent = log.recent(HistoryRange::Latest, 10);
        assert_eq!(recent.messages.iter().map(|message| message.seq).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(!recent.exhausted && !recent.more);
    }
}
