//! Measures the store on disk: `cargo run --release -p crosstalk-server --example store -- DIR append 1000000 1000`
//! appends a million messages in batches of a thousand, with labels, of a hundred people in ten rooms, and
//! `… store -- DIR look` opens what is there and looks for words in it. `CROSSTALK_SYNC` is `full`,
//! `normal` or `off`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use crosstalk_protocol::{HistoryRange, Message, Nick, Record, RequestId, RoomName, Text};
use crosstalk_server::store::{
    Change, Draft, Durability, RoomId, RoomKey, Sqlite, SqliteOptions, Store, StoredRoom, UserId, Words,
};

const ROOMS: u32 = 10;
const PEOPLE: u64 = 100;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let durability = match std::env::var("CROSSTALK_SYNC").as_deref() {
        Ok("normal") => Durability::Normal,
        Ok("off") => Durability::Off,
        _ => Durability::Full,
    };
    match arguments[..] {
        [directory, "append", count, batch] => {
            let store = open(directory, durability)?;
            append(&store, count.parse()?, batch.parse()?).await?;
            let closing = Instant::now();
            drop(store);
            println!("closed in {:?}", closing.elapsed());
            Ok(())
        }
        [directory, "look"] => {
            let store = open(directory, durability)?;
            look(&store).await
        }
        _ => bail!("store DIR append COUNT BATCH, or store DIR look"),
    }
}

fn open(directory: &str, durability: Durability) -> anyhow::Result<Sqlite> {
    let opening = Instant::now();
    let store = Sqlite::open(Path::new(directory), SqliteOptions { durability, ..SqliteOptions::default() })?;
    println!("opened in {:?}", opening.elapsed());
    Ok(store)
}

fn key(number: u32) -> anyhow::Result<RoomKey> {
    Ok(RoomKey { id: RoomId(number), name: RoomName::parse(&format!("room{number}"))? })
}

async fn append(store: &Sqlite, count: u64, batch: u64) -> anyhow::Result<()> {
    let mut last = vec![0; ROOMS as usize + 1];
    for room in store.rooms().await? {
        last[room.id.0 as usize] = room.last_seq;
    }
    for number in 1..=ROOMS {
        let id = RoomId(number);
        let name = key(number)?.name;
        // It is there already, if this is not the first run.
        let _ = store
            .change(Change::CreateRoom(StoredRoom {
                id,
                name,
                epoch: 1,
                last_seq: 0,
                expired: 0,
                pair: None,
                ended: false,
                seats: 0,
            }))
            .await;
    }
    let mut random = Random(last.iter().sum::<u64>() + 1);
    let people: Vec<Nick> =
        (0..PEOPLE).map(|number| Nick::parse(&format!("person{number}"))).collect::<Result<_, _>>()?;
    let names: Vec<RoomName> =
        (0..=ROOMS).map(|number| Ok(key(number)?.name)).collect::<anyhow::Result<_>>()?;
    let prefix = format!("{:x}", random.next());
    let mut times = Vec::new();
    let mut number = 0;
    let used = processor_time("store-writer");
    let began = Instant::now();
    while number < count {
        let mut drafts = Vec::with_capacity(batch as usize);
        for _ in 0..batch {
            number += 1;
            let room = 1 + (random.next() % u64::from(ROOMS)) as u32;
            let author = number % PEOPLE;
            last[room as usize] += 1;
            drafts.push(Draft {
                room: RoomId(room),
                author: UserId(author.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1),
                id: RequestId::new(&format!("{prefix}-{number}")),
                record: Record::Message(Message {
                    room: names[room as usize].clone(),
                    seq: last[room as usize],
                    at: 1_764_000_000_000 + number,
                    from: people[author as usize].clone(),
                    to: None,
                    text: Text::clean(&sentence(&mut random))?,
                    action: false,
                    reply: None,
                    edited: false,
                }),
            });
        }
        let asked = Instant::now();
        store.append(drafts).await?;
        times.push(asked.elapsed());
    }
    let all = began.elapsed();
    let storing: Duration = times.iter().sum();
    let used = processor_time("store-writer") - used;
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 1_000];
    println!(
        "{count} messages in batches of {batch}: {:.0} a second while storing ({:.2} µs each, {:.2} µs of the \
         writer's processor time), {all:.1?} in all; \
         a batch p50 {:.2?} p99 {:.2?} p99.9 {:.2?} most {:.2?}",
        count as f64 / storing.as_secs_f64(),
        storing.as_secs_f64() * 1e6 / count as f64,
        used * 1e6 / count as f64,
        at(500),
        at(990),
        at(999),
        at(1_000),
    );
    Ok(())
}

async fn look(store: &Sqlite) -> anyhow::Result<()> {
    let began = Instant::now();
    let rooms = store.rooms().await?;
    let messages: u64 = rooms.iter().map(|room| room.last_seq).sum();
    println!("{} rooms with {messages} entries in {:?}", rooms.len(), began.elapsed());
    let room = key(3)?;
    for range in [HistoryRange::Latest, HistoryRange::Before(1_000), HistoryRange::After(5_000)] {
        let began = Instant::now();
        let page = store.messages(&room, range, 200).await?.len();
        println!("{range:?}: {page} messages in {:?}", began.elapsed());
    }
    let searches = [
        "w0",
        "w0 w1",
        "w7 w70 w700",
        "\"w1 w2\"",
        "w5000",
        "w49999 w48888",
        "w0 w1 w2 w3 w4 w5 w6",
        "missing",
    ];
    for search in searches {
        for attempt in ["at first", "again"] {
            let words = Words::parse(search).map_err(|error| anyhow::anyhow!("{error:?}"))?;
            let began = Instant::now();
            let hits = store.search(&room, &words, None, 50).await.context("a search")?;
            println!(
                "{search}: {} found, more: {}, in {:?} {attempt}",
                hits.messages.len(),
                hits.more,
                began.elapsed()
            );
        }
    }
    Ok(())
}

/// Seconds that a thread of this process has run, by the system's hundredths; 0 where there is no `/proc`.
fn processor_time(name: &str) -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let mut hundredths = 0;
    for task in tasks {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        if let Some((comm, rest)) = stat.rsplit_once(") ")
            && comm.ends_with(name)
        {
            let numbers = rest.split(' ').skip(11).take(2);
            hundredths += numbers.filter_map(|number| number.parse::<u64>().ok()).sum::<u64>();
        }
    }
    hundredths as f64 / 100.0
}

/// Four to fifteen words of a vocabulary of 50,000, some of which are frequent, as in a language.
fn sentence(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..4 + random.next() % 12 {
        let uniform = (random.next() % 1_000_000) as f64 / 1_000_000.0;
        let word = 50_000_f64.powf(uniform) as u64 - 1;
        text.push_str(&format!("w{word} "));
    }
    text
}

/// Xorshift: the same messages in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
