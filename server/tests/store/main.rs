//! The store on disk, through its trait.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod upkeep;

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crosstalk_protocol::{
    Answered, Deleted, Edited, HistoryRange, Message, Nick, Record, RequestId, RoomName, Seq, Text, Token,
};
use crosstalk_server::store::{
    By, Change, Draft, Fault, OpenError, Outcome, Partner, RoomId, RoomKey, Sqlite, SqliteOptions, Store,
    StoredRoom, TokenHash, UserId, Words,
};

const ALICE: UserId = UserId(0x7abc_def0_1234_5678);
const BOB: UserId = UserId(42);

/// When it all happens: in 2096, so that nothing is too old to be kept.
const AT: u64 = 4_000_000_000_000;

/// A directory of one test, which goes with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("crosstalk-store-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn open(&self) -> Sqlite {
        Sqlite::open(&self.0, SqliteOptions::default()).unwrap()
    }

    fn with_fault(&self) -> (Sqlite, Arc<Fault>) {
        let fault = Arc::new(Fault::default());
        let options = SqliteOptions { fault: fault.clone(), ..SqliteOptions::default() };
        (Sqlite::open(&self.0, options).unwrap(), fault)
    }

    /// Whether some bytes are in any of the files.
    fn holds(&self, bytes: &str) -> bool {
        let files = std::fs::read_dir(&self.0).unwrap();
        files.flatten().any(|file| {
            let content = std::fs::read(file.path()).unwrap();
            content.windows(bytes.len()).any(|window| window == bytes.as_bytes())
        })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn nick(name: &str) -> Nick {
    Nick::parse(name).unwrap()
}

fn key(number: u32) -> RoomKey {
    RoomKey { id: RoomId(number), name: room_name(number) }
}

fn room_name(number: u32) -> RoomName {
    if number == 1 { RoomName::lobby() } else { RoomName::parse(&format!("room{number}")).unwrap() }
}

async fn create(store: &Sqlite, number: u32) {
    store.change(Change::CreateRoom(stored_room(number))).await.unwrap();
}

fn stored_room(number: u32) -> StoredRoom {
    let name = room_name(number);
    StoredRoom {
        id: RoomId(number),
        name,
        epoch: 7,
        last_seq: 0,
        expired: 0,
        pair: None,
        ended: false,
        seats: 0,
    }
}

fn draft(author: UserId, room: u32, id: Option<&str>, record: Record) -> Draft {
    Draft { room: RoomId(room), author, id: id.map(|id| RequestId::new(id).unwrap()), record }
}

fn says(author: UserId, room: u32, seq: Seq, text: &str) -> Draft {
    draft(author, room, None, Record::Message(message(author, room, seq, text)))
}

fn message(author: UserId, room: u32, seq: Seq, text: &str) -> Message {
    Message {
        room: room_name(room),
        seq,
        at: AT + seq,
        from: nick(if author == ALICE { "Alice" } else { "bob" }),
        to: None,
        text: Text::clean(text).unwrap(),
        action: false,
        reply: None,
        edited: false,
    }
}

fn edits(author: UserId, room: u32, seq: Seq, target: Seq, text: &str) -> Draft {
    let text = Text::clean(text).unwrap();
    let edited = Edited { room: room_name(room), seq, at: AT + seq, from: nick("Alice"), target, text };
    draft(author, room, None, Record::Edited(edited))
}

fn deletes(author: UserId, room: u32, seq: Seq, target: Seq) -> Draft {
    let deleted = Deleted { room: room_name(room), seq, at: AT + seq, from: nick("Alice"), target };
    draft(author, room, None, Record::Deleted(deleted))
}

fn labelled(mut draft: Draft, id: &str) -> Draft {
    draft.id = RequestId::new(id);
    draft
}

async fn texts(store: &Sqlite, room: u32, range: HistoryRange, limit: usize) -> Vec<String> {
    let messages = store.messages(&key(room), range, limit).await.unwrap();
    messages.into_iter().map(|message| message.text.to_string()).collect()
}

async fn finds(store: &Sqlite, room: u32, words: &str) -> Vec<Seq> {
    let words = Words::parse(words).unwrap();
    let hits = store.search(&key(room), &words, None, 50).await.unwrap();
    hits.messages.iter().map(|message| message.seq).collect()
}

async fn stored(store: &Sqlite, batch: Vec<Draft>) {
    let count = batch.len();
    assert_eq!(store.append(batch).await.unwrap(), vec![Outcome::Stored; count]);
}

#[tokio::test]
async fn what_was_stored_is_there_when_it_is_opened_again() {
    let scratch = Scratch::new();
    let store = scratch.open();
    create(&store, 1).await;
    let mut answer = message(BOB, 1, 2, "yes");
    answer.action = true;
    answer.to = Some(nick("Alice"));
    answer.reply = Some(Answered { seq: 1, from: nick("Alice") });
    let answer = Record::Message(answer);
    stored(&store, vec![says(ALICE, 1, 1, "hello?"), draft(BOB, 1, None, answer.clone())]).await;
    drop(store);

    let store = scratch.open();
    let records = store.records(&key(1), HistoryRange::Latest, 10).await.unwrap().records;
    assert_eq!(records, [Record::Message(message(ALICE, 1, 1, "hello?")), answer]);
    let mut lobby = stored_room(1);
    lobby.last_seq = 2;
    assert_eq!(store.rooms().await.unwrap(), [lobby]);
    assert_eq!(finds(&store, 1, "hello").await, [1]);
}

#[tokio::test]
async fn a_page_is_the_part_that_was_asked_for() {
    let scratch = Scratch::new();
    let store = scratch.open();
    create(&store, 1).await;
    create(&store, 2).await;
    stored(&store, (1..=9).map(|seq| says(ALICE, 1, seq, &format!("m{seq}"))).collect()).await;
    stored(&store, vec![says(BOB, 2, 5, "elsewhere")]).await;
    assert_eq!(texts(&store, 1, HistoryRange::Latest, 2).await, ["m8", "m9"]);
    assert_eq!(texts(&store, 1, HistoryRange::Before(3), 5).await, ["m1", "m2"]);
    assert_eq!(texts(&store, 1, HistoryRange::Before(9), 2).await, ["m7", "m8"]);
    assert_eq!(texts(&store, 1, HistoryRange::After(3), 2).await, ["m4", "m5"]);
    assert_eq!(texts(&store, 1, HistoryRange::After(9), 2).await, [""; 0]);
    assert_eq!(texts(&store, 1, HistoryRange::After(u64::MAX), 2).await, [""; 0]);
    assert_eq!(texts(&store, 1, HistoryRange::Before(0), 2).await, [""; 0]);
    assert_eq!(texts(&store, 1, HistoryRange::Before(u64::MAX), 1).await, ["m9"]);
    assert_eq!(texts(&store, 2, HistoryRange::Latest, 10).await, ["elsewhere"]);
    assert_eq!(store.unread(&key(1), 3, 100).await.unwrap(), 6);
    assert_eq!(store.unread(&key(1), 0, 4).await.unwrap(), 4);
    assert_eq!(store.message(&key(1), 4).await.unwrap().unwrap().author, ALICE);
    assert_eq!(store.message(&key(1), 10).await.unwrap(), None);
}

#[tokio::test]
async fn the_same_label_of_the_same_author_is_stored_once() {
    let scratch = Scratch::new();
    let store = scratch.open();
    create(&store, 1).await;
    create(&store, 2).await;
    let first = labelled(says(ALICE, 1, 1, "once"), "a-1");
    let again = |seq| labelled(says(ALICE, 1, seq, "once"), "a-1");
    let known = Outcome::Known { room: RoomName::lobby(), seq: 1 };
    let batch = vec![
        first,
        again(2),
        labelled(says(ALICE, 1, 3, "twice"), "a-1"),
        labelled(says(BOB, 1, 4, "once"), "a-1"),
        labelled(says(ALICE, 2, 1, "once"), "a-1"),
    ];
    let outcomes = [Outcome::Stored, known.clone(), Outcome::Reused, Outcome::Stored, Outcome::Reused];
    assert_eq!(store.append(batch).await.unwrap(), outcomes);
    drop(store);
    let store = scratch.open();
    assert_eq!(store.append(vec![again(9)]).await.unwrap(), [known]);
    assert_eq!(texts(&store, 1, HistoryRange::Latest, 10).await, ["once", "once"]);
}

#[tokio::test]
async fn an_edit_gives_a_message_other_words() {
    let scratch = Scratch::new();
    let store = scratch.open();
    create(&store, 1).await;
    stored(&store, vec![says(ALICE, 1, 1, "frist words")]).await;
    stored(&store, vec![edits(ALICE, 1, 2, 1, "second words"), edits(ALICE, 1, 3, 1, "third words")]).await;
    let mut now = message(ALICE, 1, 1, "third words");
    now.edited = true;
    let records = store.records(&key(1), HistoryRange::Latest, 10).await.unwrap().records;
    assert_eq!(records[0], Record::Message(now));
    assert_eq!(records[1].text().unwrap().as_str(), "third words");
    assert_eq!(records[2], edits(ALICE, 1, 3, 1, "third words").record);
    assert_eq!(finds(&store, 1, "frist").await, [0; 0]);
    assert_eq!(finds(&store, 1, "second").await, [0; 0]);
    assert_eq!(finds(&store, 1, "words").await, [1]);
    assert_eq!(store.unread(&key(1), 0, 10).await.unwrap(), 1);
    let outcomes = store
        .append(vec![
            edits(BOB, 1, 4, 1, "not mine"),
            edits(ALICE, 1, 4, 2, "no message"),
            edits(ALICE, 1, 4, 9, "none"),
        ])
        .await;
    assert_eq!(outcomes.unwrap(), [Outcome::Gone, Outcome::Gone, Outcome::Gone]);
}

#[tokio::test]
async fn a_withdrawn_message_and_its_changes_are_gone() {
    let scratch = Scratch::new();
    let store = scratch.open();
    create(&store, 1).await;
    stored(&store, vec![says(ALICE, 1, 1, "one"), says(ALICE, 1, 2, "two"), edits(ALICE, 1, 3, 2, "three")])
        .await;
    let deletion = labelled(deletes(ALICE, 1, 4, 2), "d");
    stored(&store, vec![deletion.clone()]).await;
    let records = store.records(&key(1), HistoryRange::Latest, 10).await.unwrap().records;
    assert_eq!(records, [Record::Message(message(ALICE, 1, 1, "one")), deletion.record.clone()]);
    assert_eq!(finds(&store, 1, "three").await, [0; 0]);
    assert_eq!(store.message(&key(1), 2).await.unwrap(), None);
    let known = Outcome::Known { room: RoomName::lobby(), seq: 4 };
    let again = vec![deletion, deletes(ALICE, 1, 5, 2), edits(ALICE, 1, 5, 2, "back")];
    assert_eq!(store.append(again).await.unwrap(), [known, Outcome::Gone, Outcome::Gone]);
    // In one batch with what it takes away.
    stored(&store, vec![says(ALICE, 1, 6, "six"), deletes(ALICE, 1, 7, 6)]).await;
    assert_eq!(finds(&store, 1, "six").await, [0; 0]);
    // A failed change of something that is gone leaves no receipt: the label is free.
    let gone = labelled(edits(ALICE, 1, 8, 2, "x"), "e");
    assert_eq!(store.append(vec![gone]).await.unwrap(), [Outcome::Gone]);
    stored(&store, vec![labelled(says(ALICE, 1, 9, "nine"), "e")]).await;
}

/// Words without order, so that the index cannot shorten them to what they have in common.
fn secret(number: u64) -> String {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut word = String::new();
    for _ in 0..16 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.push(char::from(b'a' + (state % 26) as u8));
    }
    word
}

#[tokio::test]
async fn withdrawn_words_are_not_on_the_disk() {
    let scratch = Scratch::new();
    let store = scratch.open();
    create(&store, 1).await;
    let text = |seq: u64| format!("{} {}", secret(seq), "z".repeat((seq % 90) as usize + 1));
    for batch in 0..40 {
        let seqs = batch * 50 + 1..batch * 50 + 51;
        stored(&store, seqs.map(|seq| says(ALICE, 1, seq, &text(seq))).collect()).await;
    }
    assert!(scratch.holds(&secret(700)), "or the test would prove nothing");
    let (mut next, mut withdrawn) = (2_001, Vec::new());
    for seq in (1..=2_000).filter(|seq| seq % 3 != 0) {
        let change = if seq % 2 == 0 {
            edits(ALICE, 1, next, seq, &"y".repeat((seq % 700) as usize + 1))
        } else {
            deletes(ALICE, 1, next, seq)
        };
        stored(&store, vec![change]).await;
        withdrawn.push(secret(seq));
        next += 1;
    }
    store.close();
    let mut content = Vec::new();
    for file in std::fs::read_dir(&scratch.0).unwrap().flatten() {
        content.extend(std::fs::read(file.path()).unwrap());
    }
    let content = String::from_utf8_lossy(&content);
    // The index keeps the first letters of a word once; the rest has to go as well.
    let left: Vec<_> = withdrawn.iter().filter(|word| content.contains(&word[6..])).collect();
    assert!(left.is_empty(), "{} of {} words are still there", left.len(), withdrawn.len());
}

#[tokio::test]
async fn withdrawn_words_leave_the_log_while_the_store_runs() {
    let scratch = Scratch::new();
    let store = scratch.open();
    create(&store, 1).await;
    stored(&store, vec![says(ALICE, 1, 1, &secret(1))]).await;
    stored(&store, vec![deletes(ALICE, 1, 2, 1)]).await;
    let gone = async {
        while scratch.holds(&secret(1)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the log is emptied");
}

#[tokio::test]
async fn somebody_is_known_by_their_token() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let token = TokenHash::of(&Token::new("secret").unwrap());
    let save = |id, token, name, at| Change::SaveUser { id, token, nick: nick(name), hidden: true, at };
    assert_eq!(store.user(token).await.unwrap(), None);
    store.change(save(ALICE, token, "Alice", 5)).await.unwrap();
    store.change(save(BOB, TokenHash([1; 32]), "bob", 5)).await.unwrap();
    create(&store, 1).await;
    create(&store, 2).await;
    let mut direct = stored_room(3);
    direct.name = RoomName::direct(9);
    direct.pair = Some([BOB, ALICE]);
    store.change(Change::CreateRoom(direct.clone())).await.unwrap();
    for number in [2, 3, 1] {
        store.change(Change::Enter { user: ALICE, room: RoomId(number), read: 0 }).await.unwrap();
    }
    for seq in [3, 2] {
        store.change(Change::Read { user: ALICE, room: RoomId(2), seq }).await.unwrap();
    }
    store.change(Change::Enter { user: ALICE, room: RoomId(2), read: 0 }).await.unwrap();
    store.change(Change::Leave { user: ALICE, room: RoomId(1) }).await.unwrap();
    store.change(save(ALICE, token, "alicia", 6)).await.unwrap();

    let user = store.user(token).await.unwrap().unwrap();
    assert_eq!((user.id, user.nick.as_str(), user.hidden), (ALICE, "alicia", true));
    let seats: Vec<_> =
        user.seats.iter().map(|seat| (seat.room.id.0, seat.read, seat.with.clone())).collect();
    let bob = Partner { id: BOB, nick: nick("bob"), returns: true };
    assert_eq!(seats, [(2, 3, None), (3, 0, Some(bob))]);
    assert_eq!(user.seats[1].room, direct);
    let public = store.rooms().await.unwrap();
    assert_eq!(public.iter().map(|room| room.id.0).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn a_room_that_is_gone_leaves_its_number() {
    let scratch = Scratch::new();
    let store = scratch.open();
    assert_eq!(store.last_room().await.unwrap(), RoomId(0));
    create(&store, 1).await;
    create(&store, 7).await;
    store.change(Change::Enter { user: ALICE, room: RoomId(7), read: 0 }).await.unwrap();
    stored(&store, vec![says(ALICE, 7, 1, "x")]).await;
    store.change(Change::RemoveRoom(RoomId(7))).await.unwrap();
    assert_eq!(store.rooms().await.unwrap().len(), 1);
    assert_eq!(store.last_room().await.unwrap(), RoomId(7));
    assert_eq!(store.append(vec![says(ALICE, 7, 2, "y")]).await.unwrap(), [Outcome::NoRoom]);
}

#[tokio::test]
async fn somebodys_last_message_is_found_by_name_and_by_person() {
    let scratch = Scratch::new();
    let store = scratch.open();
    create(&store, 1).await;
    stored(&store, vec![says(ALICE, 1, 1, "a"), says(ALICE, 1, 2, "b"), says(BOB, 1, 3, "c")]).await;
    stored(&store, vec![deletes(ALICE, 1, 4, 2)]).await;
    let room = key(1);
    let (alice, carol) = (nick("aLICE"), nick("carol"));
    let last = async |by| store.last_message(&room, by).await.unwrap().map(|authored| authored.message.seq);
    assert_eq!(last(By::Nick(&alice)).await, Some(1));
    assert_eq!(last(By::User(BOB)).await, Some(3));
    assert_eq!(last(By::Nick(&carol)).await, None);
}

#[tokio::test]
async fn a_search_finds_the_newest_in_its_room_and_pages_backwards() {
    let scratch = Scratch::new();
    let store = scratch.open();
    create(&store, 1).await;
    create(&store, 2).await;
    stored(&store, (1..=9).map(|seq| says(ALICE, 1, seq, &format!("Café n{seq}"))).collect()).await;
    stored(&store, vec![says(ALICE, 2, 1, "cafe 東京タワー")]).await;
    let cafe = Words::parse("cafe").unwrap();
    let page = async |before| {
        let hits = store.search(&key(1), &cafe, before, 4).await.unwrap();
        (hits.messages.iter().map(|message| message.seq).collect::<Vec<_>>(), hits.more)
    };
    assert_eq!(page(None).await, (vec![6, 7, 8, 9], true));
    assert_eq!(page(Some(6)).await, (vec![2, 3, 4, 5], true));
    assert_eq!(page(Some(2)).await, (vec![1], false));
    assert_eq!(page(Some(0)).await, (vec![], false));
    assert_eq!(finds(&store, 2, "東京").await, [1]);
    assert_eq!(finds(&store, 2, "タ cafe").await, [1]);
}

#[tokio::test]
async fn of_what_is_stored_together_only_the_faulty_part_fails() {
    let scratch = Scratch::new();
    let (store, fault) = scratch.with_fault();
    create(&store, 1).await;
    // While this one is on its way, the others gather for the next transaction.
    fault.stall(Duration::from_millis(300));
    let first = store.change(Change::Enter { user: ALICE, room: RoomId(1), read: 0 });
    let good = store.append(vec![says(ALICE, 1, 1, "good")]);
    let bad = store.append(vec![says(ALICE, 1, 2, "half"), says(ALICE, 1, 2, "the same number")]);
    let twice = store.change(Change::CreateRoom(stored_room(1)));
    let other = store.append(vec![says(BOB, 1, 3, "other")]);
    first.await.unwrap();
    fault.stall(Duration::ZERO);
    assert_eq!(good.await.unwrap(), [Outcome::Stored]);
    assert!(bad.await.is_err());
    assert!(twice.await.is_err());
    assert_eq!(other.await.unwrap(), [Outcome::Stored]);
    assert_eq!(texts(&store, 1, HistoryRange::Latest, 10).await, ["good", "other"]);
    assert_eq!(finds(&store, 1, "half").await, [0; 0]);
    assert_eq!(store.trouble(), None, "the disk is well");
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers_by_itself() {
    let scratch = Scratch::new();
    let (store, fault) = scratch.with_fault();
    create(&store, 1).await;
    fault.limit_pages(120);
    let mut kept = 0;
    loop {
        let seq = kept + 1;
        match store.append(vec![labelled(says(ALICE, 1, seq, &"w ".repeat(2_000)), &format!("l{seq}"))]).await
        {
            Ok(outcomes) => assert_eq!(outcomes, [Outcome::Stored]),
            Err(error) => break assert!(error.to_string().contains("full"), "{error}"),
        }
        kept += 1;
    }
    assert!(kept > 3);
    assert!(store.trouble().is_some());
    assert_eq!(texts(&store, 1, HistoryRange::Latest, 1_000).await.len() as u64, kept, "reading goes on");
    fault.limit_pages(0);
    let recovered = async {
        while store.trouble().is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), recovered).await.expect("nobody has to write for it");
    // The label was not used up by the attempt.
    let again = labelled(says(ALICE, 1, kept + 1, &"w ".repeat(2_000)), &format!("l{}", kept + 1));
    stored(&store, vec![again]).await;
}

/// What is logged while this is the thread's subscriber.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_change_that_is_refused_is_logged_though_nobody_waits_for_it() {
    let logged = Logged::default();
    let writer = logged.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let _logs = tracing::subscriber::set_default(subscriber);
    let scratch = Scratch::new();
    let (store, fault) = scratch.with_fault();
    create(&store, 1).await;
    fault.stall(Duration::from_secs(2));
    for seq in 1..=20_000 {
        drop(store.change(Change::Read { user: ALICE, room: RoomId(1), seq }));
    }
    fault.stall(Duration::ZERO);
    let log = String::from_utf8(logged.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("changes were not stored")).collect();
    assert!(lines.iter().all(|line| line.contains("how far somebody has read")), "{log}");
    assert!((1..=3).contains(&lines.len()), "now and then: {log}");
}

#[tokio::test]
async fn a_store_whose_writer_has_died_says_so() {
    let scratch = Scratch::new();
    let (store, fault) = scratch.with_fault();
    create(&store, 1).await;
    assert_eq!(store.trouble(), None);
    fault.end_writer();
    assert!(store.append(vec![says(ALICE, 1, 1, "lost")]).await.is_err());
    let known = async {
        while store.trouble().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), known).await.expect("it says so");
    assert_eq!(store.trouble().as_deref(), Some("the store has stopped; restart the server"));
    assert!(store.append(vec![says(ALICE, 1, 1, "refused")]).await.is_err());
    assert_eq!(texts(&store, 1, HistoryRange::Latest, 10).await, [""; 0], "reading goes on");
}

#[tokio::test]
async fn what_was_asked_for_is_stored_before_it_closes() {
    let scratch = Scratch::new();
    let store = scratch.open();
    create(&store, 1).await;
    for seq in 1..=500 {
        drop(store.append(vec![says(ALICE, 1, seq, "x")]));
    }
    store.close();
    assert!(store.append(vec![says(ALICE, 1, 501, "x")]).await.is_err());
    assert!(store.rooms().await.is_err());
    drop(store);
    assert_eq!(scratch.open().rooms().await.unwrap()[0].last_seq, 500);
    assert!(!scratch.0.join("crosstalk.db-wal").exists(), "the log was moved into the database");
}

#[tokio::test]
async fn what_is_not_ours_is_refused_untouched() {
    let refused = |content: &[u8]| {
        let scratch = Scratch::new();
        let file = scratch.0.join("crosstalk.db");
        std::fs::write(&file, content).unwrap();
        let error = Sqlite::open(&scratch.0, SqliteOptions::default()).unwrap_err();
        assert_eq!(std::fs::read(&file).unwrap(), content);
        error
    };
    assert!(matches!(refused(b"my diary"), OpenError::Foreign(_)));
    let sqlite = |id: [u8; 4], version: u8| {
        let scratch = Scratch::new();
        drop(scratch.open());
        let mut content = std::fs::read(scratch.0.join("crosstalk.db")).unwrap();
        content[68..72].copy_from_slice(&id);
        content[63] = version;
        content
    };
    assert!(matches!(refused(&sqlite([0; 4], 1)), OpenError::Foreign(_)));
    let newer = refused(&sqlite(*b"Xtlk", 200));
    assert!(matches!(newer, OpenError::Newer { found: 200, .. }), "{newer}");
    let mut torn = sqlite(*b"Xtlk", 1);
    torn.truncate(5_000);
    assert!(matches!(refused(&torn), OpenError::Database { .. }));
}

#[tokio::test]
async fn a_newer_version_that_is_in_the_log_only_is_refused_untouched() {
    let scratch = Scratch::new();
    drop(scratch.open());
    let path = scratch.0.join("crosstalk.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let files = ["crosstalk.db", "crosstalk.db-wal"].map(|name| scratch.0.join(name));
    let read = || files.each_ref().map(|file| std::fs::read(file).unwrap());
    let before = read();
    let kept = Scratch::new();
    for (file, content) in files.iter().zip(&before) {
        std::fs::write(kept.0.join(file.file_name().unwrap()), content).unwrap();
    }
    drop(connection);
    let error = Sqlite::open(&kept.0, SqliteOptions::default()).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
    let after = ["crosstalk.db", "crosstalk.db-wal"].map(|name| std::fs::read(kept.0.join(name)).unwrap());
    assert!(after == before, "a file was touched");
}

#[tokio::test]
async fn what_is_made_is_for_its_owner_alone_and_what_is_there_stays_as_it_is() {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let scratch = Scratch::new();
    let set = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    set(&scratch.0, 0o755);
    let made = scratch.0.join("made");
    let store = Sqlite::open(&made, SqliteOptions::default()).unwrap();
    create(&store, 1).await;
    assert_eq!(mode(&made), 0o700);
    for file in ["crosstalk.db", "crosstalk.db-wal", "crosstalk.db-shm", "lock"] {
        assert_eq!(mode(&made.join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&scratch.0), 0o755);
    drop(store);
    set(&made, 0o750);
    set(&made.join("crosstalk.db"), 0o640);
    drop(Sqlite::open(&made, SqliteOptions::default()).unwrap());
    assert_eq!((mode(&made), mode(&made.join("crosstalk.db"))), (0o750, 0o640));
}

#[tokio::test]
async fn a_second_server_is_turned_away() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let error = Sqlite::open(&scratch.0, SqliteOptions::default()).unwrap_err();
    assert!(error.to_string().contains("is used by another server"), "{error}");
    drop(store);
    drop(scratch.open());
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let scratch = Scratch::new();
    std::fs::write(scratch.0.join("file"), "").unwrap();
    let path = scratch.0.join("file/data");
    let error = Sqlite::open(Path::new(&path), SqliteOptions::default()).unwrap_err();
    assert!(error.to_string().starts_with("cannot use the data directory "), "{error}");
}
