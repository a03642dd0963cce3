//! `fill`: a data directory with so many messages, as if people had talked for years.
//!
//! The messages go through the server's own store, so that the directory is what a server would have
//! made of them, but without waiting for the disk, and in large batches.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use clap::Args;
use crosstalk_protocol::{Message, Nick, Record, RequestId, RoomName, Text};
use crosstalk_server::store::{
    Change, Draft, Durability, RoomId, Sqlite, SqliteOptions, Store, StoredRoom, UserId,
};

use crate::clock::now;
use crate::random::Random;
use crate::report::Row;
use crate::stored;
use crate::words::Words;

/// Flags of the scenario.
#[derive(Debug, Args)]
pub(crate) struct Fill {
    /// The data directory: new, or empty
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// How many messages
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    messages: u64,

    /// Give each message a label, as if all had been sent within the time for which labels are kept
    #[arg(long)]
    labels: bool,
}

/// The rooms, and which share of the messages each has, in percent.
pub(crate) const ROOMS: [(&str, u64); 6] =
    [("lobby", 70), ("dev", 15), ("ops", 8), ("random", 4), ("builds", 2), ("quiet", 1)];

/// One of so many messages has a word that no other one has: `needle` and its number.
pub(crate) const NEEDLE_EVERY: u64 = 50_000;

/// Messages of one batch.
const BATCH: u64 = 8_192;

/// Batches that wait to be stored while others are made.
const AHEAD: usize = 3;

/// How many people talk.
const PEOPLE: u64 = 200;

/// Fills the directory.
///
/// # Errors
/// The store's.
pub(crate) async fn run(fill: &Fill) -> anyhow::Result<Vec<Row>> {
    let begun = now();
    into(&fill.data, fill.messages, fill.labels).await?;
    let seconds = (now() - begun) as f64 / 1e9;
    let megabytes = stored::megabytes(&fill.data)?;
    Ok(vec![
        Row::default()
            .with("messages", fill.messages)
            .with("labels", if fill.labels { "all" } else { "none" })
            .with("seconds", seconds)
            .with("messages/s", fill.messages as f64 / seconds)
            .with("MB on disk", megabytes)
            .with("bytes/message", megabytes * 1e6 / fill.messages as f64),
    ])
}

/// Fills a directory.
///
/// # Errors
/// The store's.
pub(crate) async fn into(data: &Path, messages: u64, labels: bool) -> anyhow::Result<()> {
    let store =
        Sqlite::open(data, SqliteOptions { durability: Durability::Off, ..SqliteOptions::default() })?;
    ensure!(store.last_room().await?.0 == 0, "{} has messages already", data.display());
    let present = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let mut maker = Maker::new(messages, present, labels)?;
    for room in &maker.rooms {
        store.change(Change::CreateRoom(room.clone())).await?;
    }
    let mut waiting = VecDeque::new();
    while let Some(batch) = maker.batch() {
        waiting.push_back(store.append(batch));
        if waiting.len() > AHEAD
            && let Some(oldest) = waiting.pop_front()
        {
            oldest.await?;
        }
    }
    for answer in waiting {
        answer.await?;
    }
    store.close();
    Ok(())
}

/// Makes messages up, in the order in which they were sent.
struct Maker {
    rooms: Vec<StoredRoom>,
    people: Vec<(UserId, Nick)>,
    words: Words,
    random: Random,
    made: u64,
    wanted: u64,
    first_at: u64,
    labels: bool,
}

/// Between two messages, in milliseconds: 10 million are three years.
const PAUSE: u64 = 10_000;

impl Maker {
    fn new(wanted: u64, present: u64, labels: bool) -> anyhow::Result<Self> {
        let first_at = present.saturating_sub(wanted * PAUSE);
        let mut rooms = Vec::new();
        for (number, (name, _)) in (1..).zip(ROOMS) {
            let (id, epoch) = (RoomId(number), first_at + u64::from(number));
            rooms.push(StoredRoom {
                id,
                name: RoomName::parse(name)?,
                epoch,
                last_seq: 0,
                expired: 0,
                pair: None,
                ended: false,
                seats: 0,
            });
        }
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            people.push((UserId(number + 1), Nick::parse(&format!("person{number}"))?));
        }
        let (words, random) = (Words::default(), Random::new(2));
        Ok(Self { rooms, people, words, random, made: 0, wanted, first_at, labels })
    }

    fn batch(&mut self) -> Option<Vec<Draft>> {
        let count = BATCH.min(self.wanted - self.made);
        (count > 0).then(|| (0..count).map(|_| self.message()).collect())
    }

    fn message(&mut self) -> Draft {
        let mut share = self.random.below(100);
        let room = ROOMS.iter().position(|(_, percent)| {
            let here = share < *percent;
            share = share.saturating_sub(*percent);
            here
        });
        let room = &mut self.rooms[room.expect("the shares are a hundred together")];
        room.last_seq += 1;
        let (author, from) = self.people[self.random.below(PEOPLE) as usize].clone();
        let mut text = self.words.sentence(&mut self.random);
        if self.made.is_multiple_of(NEEDLE_EVERY) {
            text.push_str(&format!(" needle{}", self.made / NEEDLE_EVERY));
        }
        let message = Message {
            room: room.name.clone(),
            seq: room.last_seq,
            at: self.first_at + self.made * PAUSE,
            from,
            to: None,
            text: Text::clean(&text).expect("words are a text"),
            action: false,
            reply: None,
            edited: false,
        };
        self.made += 1;
        let id = self.labels.then(|| RequestId::new(&format!("fill-{}", self.made))).flatten();
        Draft { room: room.id, author, id, record: Record::Message(message) }
    }
}
