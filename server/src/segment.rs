//! A batch of entries of one room, and its bytes: each encoding is made once, when its first
//! reader comes, and shared by all others.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use crosstalk_protocol::line::render::{self, Notice, Style};
use crosstalk_protocol::{Event, Presence, Record, Rename, Seq, Text, json};

use crate::log::Meter;
use crate::peer::PeerId;
use crate::store::UserId;
use crate::transport::websocket::frame;

/// One entry of a log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What happened.
    pub body: Body,
    /// Who is not told on lines: the author of a line does not get it back.
    pub unseen_by: Option<PeerId>,
}

/// Whom a segment is read for.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// Which peer.
    pub id: PeerId,
    /// Messages up to this number have been read.
    pub after: Seq,
    /// News about people up to this number are older than the peer's being here.
    pub known: u64,
}

/// What happened in a room.
#[derive(Clone, Debug)]
pub enum Body {
    /// Somebody said something, or changed it. Only this is numbered, stored, and part of history.
    Numbered(Numbered),
    /// What had this number was withdrawn.
    Withdrawn(Seq),
    /// People came or went.
    Presence {
        /// Its number among the room's news about people.
        number: u64,
        /// For programs.
        presence: Presence,
        /// For people.
        notices: Vec<Notice>,
    },
    /// Somebody has another nickname.
    Renamed {
        /// Its number among the room's news about people.
        number: u64,
        /// For programs.
        rename: Rename,
        /// Whether people are told here: once is enough for whoever shares several rooms.
        on_lines: bool,
    },
}

/// A numbered entry, and whose it is.
#[derive(Clone, Debug)]
pub struct Numbered {
    /// Who wrote it.
    pub author: UserId,
    /// What they wrote.
    pub record: Record,
}

impl Numbered {
    /// If this is the message `target`, or a change of it, gives it other words; `false` if there are
    /// none: then it has to go.
    pub(crate) fn amend(&mut self, target: Seq, text: Option<&Text>) -> bool {
        let words = match &mut self.record {
            Record::Message(message) if message.seq == target => {
                message.edited = true;
                &mut message.text
            }
            Record::Edited(edited) if edited.target == target => &mut edited.text,
            _ => return true,
        };
        match text {
            Some(text) => {
                *words = text.clone();
                true
            }
            None => false,
        }
    }

    fn concerns(&self, target: Seq) -> bool {
        match &self.record {
            Record::Message(message) => message.seq == target,
            Record::Edited(edited) => edited.target == target,
            Record::Deleted(_) => false,
        }
    }
}

/// How an entry is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Text lines.
    Line(Style),
    /// JSON, one object a line.
    Json,
    /// JSON in WebSocket text frames, header and all.
    WebSocket,
}

impl Encoding {
    const COUNT: usize = 5;

    fn is_line(self) -> bool {
        matches!(self, Encoding::Line(_))
    }

    fn index(self) -> usize {
        match self {
            Encoding::Line(Style::Lf) => 0,
            Encoding::Line(Style::CrLf) => 1,
            Encoding::Line(Style::Unframed) => 2,
            Encoding::Json => 3,
            Encoding::WebSocket => 4,
        }
    }
}

/// A batch of entries, immutable once appended.
#[derive(Debug)]
pub struct Segment {
    entries: Box<[Entry]>,
    last_seq: Seq,
    first: First,
    /// Each [`Entry::unseen_by`] once, in order.
    unseen_by: Box<[PeerId]>,
    runs: [OnceLock<Run>; Encoding::COUNT],
    weight: AtomicUsize,
    meter: Arc<Meter>,
}

/// Where the numbers of a segment begin. Who has read to before both has read none of it.
#[derive(Clone, Copy, Debug)]
struct First {
    message: Seq,
    news: u64,
}

/// A segment in one encoding.
#[derive(Debug)]
struct Run {
    bytes: Bytes,
    /// Where each entry ends.
    ends: Box<[usize]>,
}

impl Segment {
    /// A segment behind the message `previous`.
    pub(crate) fn new(entries: Vec<Entry>, previous: Seq, meter: Arc<Meter>) -> Self {
        let last_seq = entries.iter().rev().find_map(Entry::seq).unwrap_or(previous);
        let texts: usize = entries.iter().map(Entry::text_len).sum();
        let mut unseen_by: Vec<PeerId> = entries.iter().filter_map(|entry| entry.unseen_by).collect();
        unseen_by.sort_unstable();
        unseen_by.dedup();
        let weight = size_of::<Self>() + size_of_val(&*entries) + size_of_val(&*unseen_by) + texts;
        meter.add(weight);
        Self {
            first: First::of(&entries),
            entries: entries.into(),
            last_seq,
            unseen_by: unseen_by.into(),
            runs: Default::default(),
            weight: AtomicUsize::new(weight),
            meter,
        }
    }

    /// The bytes that are news to `reader`. Nearly always one piece, as it lies in memory.
    pub fn bytes(&self, encoding: Encoding, reader: Reader, mut take: impl FnMut(Bytes)) {
        let run = self.runs[encoding.index()].get_or_init(|| self.encode(encoding));
        if !self.is_all_news(encoding, reader) {
            self.pick(run, encoding, reader, take);
        } else if !run.bytes.is_empty() {
            take(run.bytes.clone());
        }
    }

    /// Whether `reader` is to get every entry, as most readers are.
    fn is_all_news(&self, encoding: Encoding, reader: Reader) -> bool {
        let First { message, news } = self.first;
        reader.after < message
            && reader.known < news
            && !(encoding.is_line() && self.unseen_by.binary_search(&reader.id).is_ok())
    }

    /// Entry by entry, for a reader who is not to get all.
    fn pick(&self, run: &Run, encoding: Encoding, reader: Reader, mut take: impl FnMut(Bytes)) {
        let on_lines = encoding.is_line();
        let seen = |entry: &Entry| entry.is_known(reader) || (on_lines && entry.unseen_by == Some(reader.id));
        let mut start = 0;
        let mut end = 0;
        for (entry, &entry_end) in self.entries.iter().zip(&run.ends) {
            if seen(entry) {
                if start < end {
                    take(run.bytes.slice(start..end));
                }
                start = entry_end;
            }
            end = entry_end;
        }
        if start < end {
            take(run.bytes.slice(start..end));
        }
    }

    fn encode(&self, encoding: Encoding) -> Run {
        let mut bytes = Vec::new();
        let ends = self
            .entries
            .iter()
            .map(|entry| {
                entry.encode(encoding, &mut bytes);
                bytes.len()
            })
            .collect();
        bytes.shrink_to_fit();
        let run = Run { bytes: bytes.into(), ends };
        let weight = run.bytes.len() + size_of_val(&*run.ends);
        self.weight.fetch_add(weight, Ordering::Relaxed);
        self.meter.add(weight);
        run
    }

    /// The numbered entries, oldest first.
    pub fn numbered(&self) -> impl DoubleEndedIterator<Item = &Numbered> {
        self.entries.iter().filter_map(|entry| match &entry.body {
            Body::Numbered(numbered) => Some(numbered),
            Body::Withdrawn(_) | Body::Presence { .. } | Body::Renamed { .. } => None,
        })
    }

    /// The segment with other words for the message `target` or, without `text`, with none; `None` if
    /// it has none of it.
    pub(crate) fn amended(&self, target: Seq, text: Option<&Text>) -> Option<Self> {
        if !self.numbered().any(|entry| entry.concerns(target)) {
            return None;
        }
        let mut entries = self.entries.to_vec();
        for entry in &mut entries {
            if let Body::Numbered(numbered) = &mut entry.body
                && !numbered.amend(target, text)
            {
                entry.body = Body::Withdrawn(numbered.record.seq());
            }
        }
        Some(Self::new(entries, self.last_seq, self.meter.clone()))
    }

    /// Entries.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number of the last message in this segment, or before it.
    pub fn last_seq(&self) -> Seq {
        self.last_seq
    }

    /// Bytes in memory.
    pub(crate) fn weight(&self) -> usize {
        self.weight.load(Ordering::Relaxed)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.meter.remove(self.weight());
    }
}

impl First {
    fn of(entries: &[Entry]) -> Self {
        let mut first = Self { message: Seq::MAX, news: u64::MAX };
        for entry in entries {
            match entry.body {
                Body::Numbered(Numbered { ref record, .. }) => {
                    first.message = first.message.min(record.seq())
                }
                Body::Withdrawn(seq) => first.message = first.message.min(seq),
                Body::Presence { number, .. } | Body::Renamed { number, .. } => {
                    first.news = first.news.min(number);
                }
            }
        }
        first
    }
}

impl Entry {
    fn seq(&self) -> Option<Seq> {
        match &self.body {
            Body::Numbered(numbered) => Some(numbered.record.seq()),
            Body::Withdrawn(seq) => Some(*seq),
            Body::Presence { .. } | Body::Renamed { .. } => None,
        }
    }

    fn is_known(&self, reader: Reader) -> bool {
        match self.body {
            Body::Numbered(Numbered { ref record, .. }) => record.seq() <= reader.after,
            Body::Withdrawn(seq) => seq <= reader.after,
            Body::Presence { number, .. } | Body::Renamed { number, .. } => number <= reader.known,
        }
    }

    fn text_len(&self) -> usize {
        match &self.body {
            Body::Numbered(numbered) => numbered.record.text().map_or(0, |text| text.as_str().len()),
            Body::Withdrawn(_) => 0,
            Body::Presence { presence, notices, .. } => {
                (presence.joined.len() + presence.left.len()) * size_of::<usize>() * 4
                    + size_of_val(&**notices)
            }
            Body::Renamed { .. } => 0,
        }
    }

    fn encode(&self, encoding: Encoding, out: &mut Vec<u8>) {
        match encoding {
            Encoding::Line(style) => self.encode_lines(style, out),
            Encoding::Json => self.event().iter().for_each(|event| encode_json(event, out)),
            Encoding::WebSocket => self.event().iter().for_each(|event| encode_websocket(event, out)),
        }
    }

    fn encode_lines(&self, style: Style, out: &mut Vec<u8>) {
        match &self.body {
            Body::Numbered(numbered) => render::record(&numbered.record, style, out),
            Body::Withdrawn(_) => {}
            Body::Presence { notices, .. } => {
                notices.iter().for_each(|notice| render::notice(notice, style, out))
            }
            Body::Renamed { rename, on_lines: true, .. } => {
                let notice = Notice::Renamed { from: rename.from.clone(), to: rename.to.clone() };
                render::notice(&notice, style, out);
            }
            Body::Renamed { on_lines: false, .. } => {}
        }
    }

    fn event(&self) -> Option<Event> {
        Some(match &self.body {
            Body::Numbered(numbered) => numbered.record.clone().into(),
            Body::Withdrawn(_) => return None,
            Body::Presence { presence, .. } => Event::Presence(presence.clone()),
            Body::Renamed { rename, .. } => Event::Renamed(rename.clone()),
        })
    }
}

/// Entries that were read from the store, encoded for one reader.
pub fn encode_records(records: Vec<Record>, encoding: Encoding) -> Bytes {
    let mut bytes = Vec::new();
    for record in records {
        match encoding {
            Encoding::Line(style) => render::record(&record, style, &mut bytes),
            Encoding::Json => encode_json(&record.into(), &mut bytes),
            Encoding::WebSocket => encode_websocket(&record.into(), &mut bytes),
        }
    }
    bytes.into()
}

/// Appends an event as a line of JSON.
pub fn encode_json(event: &Event, out: &mut Vec<u8>) {
    json::encode_event(event, out);
    out.push(b'\n');
}

/// Appends an event as a WebSocket text frame.
pub fn encode_websocket(event: &Event, out: &mut Vec<u8>) {
    frame::encode_with(frame::Opcode::Text, out, |out| json::encode_event(event, out));
}

#[cfg(test)]
mod tests {
    use crosstalk_protocol::{Message, Nick, RoomName};
    use proptest::prelude::*;

    use super::*;

    /// A message, or that somebody has another name; `on_lines` is of the second only.
    fn entry(seq: &mut Seq, news: &mut u64, is_message: bool, on_lines: bool, by: Option<u64>) -> Entry {
        let nick = Nick::parse("ann").unwrap();
        let body = if is_message {
            *seq += 1;
            let record = Record::Message(Message {
                room: RoomName::lobby(),
                seq: *seq,
                at: 0,
                from: nick,
                to: None,
                text: Text::clean(&format!("text {seq}")).unwrap(),
                action: false,
                reply: None,
                edited: false,
            });
            Body::Numbered(Numbered { author: UserId(1), record })
        } else {
            *news += 1;
            let rename = Rename { room: RoomName::lobby(), from: nick.clone(), to: nick };
            Body::Renamed { number: *news, rename, on_lines }
        };
        Entry { body, unseen_by: by.map(PeerId) }
    }

    proptest! {
        #[test]
        fn who_is_new_to_everything_gets_what_entry_by_entry_would_give(
            kinds in prop::collection::vec((any::<bool>(), any::<bool>(), prop::option::of(0..4_u64)), 0..6),
            (seq, news) in (0..4_u64, 0..4_u64),
            (id, after, known) in (0..4_u64, 0..8_u64, 0..8_u64),
        ) {
            let (mut last_seq, mut last_news) = (seq, news);
            let entries = kinds
                .into_iter()
                .map(|(is_message, on_lines, by)| entry(&mut last_seq, &mut last_news, is_message, on_lines, by))
                .collect();
            let segment = Segment::new(entries, seq, Arc::default());
            let reader = Reader { id: PeerId(id), after, known };
            for encoding in [Encoding::Line(Style::Lf), Encoding::Json, Encoding::WebSocket] {
                let (mut given, mut picked) = (Vec::new(), Vec::new());
                segment.bytes(encoding, reader, |bytes| given.push(bytes));
                segment.pick(&segment.encode(encoding), encoding, reader, |bytes| picked.push(bytes));
                prop_assert_eq!(given, picked);
            }
        }
    }
}
