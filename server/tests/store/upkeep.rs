//! Retention, and the rest of what the store does by itself.

use std::collections::HashSet;

use crosstalk_server::store::{Expiry, Retention, Unused};
use rusqlite::Connection;

use super::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Scratch {
    /// A store that is always at it.
    fn busy(&self, retention: Retention) -> (Sqlite, Arc<Fault>) {
        let fault = Arc::new(Fault::default());
        fault.rest_between_passes(Duration::ZERO);
        let options = SqliteOptions { retention, fault: fault.clone(), ..SqliteOptions::default() };
        (Sqlite::open(&self.0, options).unwrap(), fault)
    }

    /// The answer of the database itself, as of now.
    fn ask(&self, question: &str) -> i64 {
        let connection = Connection::open(self.0.join("crosstalk.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        connection.query_row(question, [], |row| row.get(0)).unwrap()
    }

    async fn becomes(&self, question: &str, wanted: i64) {
        let wait = async {
            while self.ask(question) != wanted {
                tokio::task::yield_now().await;
            }
        };
        let found = || format!("{question} is {} and not {wanted}", self.ask(question));
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("{}", found()));
    }

    /// What a room says of itself is what there is, and the index has just that.
    fn assert_sound(&self) {
        for (kept, counted) in [
            ("messages", "count(*) FILTER (WHERE kind = 0)"),
            ("bytes", "coalesce(sum(64 + coalesce(length(CAST(text AS BLOB)), 0)), 0)"),
        ] {
            let wrong = format!(
                "SELECT count(*) FROM room AS r WHERE removed = 0 AND {kept} <>
                 (SELECT {counted} FROM entry WHERE id >> 35 = r.id)"
            );
            assert_eq!(self.ask(&wrong), 0, "{kept}");
        }
    }
}

/// Waits until a room's entries up to `seq` are said to be gone.
async fn expires(store: &Sqlite, room: u32, seq: Seq) {
    let wait = async {
        loop {
            let expiries = store.expiries().await;
            assert!(expiries.iter().all(|expiry| expiry.room != RoomId(room) || expiry.seq <= seq));
            if expiries.contains(&Expiry { room: RoomId(room), seq }) {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("what is too much expires");
}

fn says_at(room: u32, seq: Seq, at: u64, text: &str) -> Draft {
    let mut draft = says(ALICE, room, seq, text);
    if let Record::Message(message) = &mut draft.record {
        message.at = at;
    }
    draft
}

fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
}

#[tokio::test]
async fn of_too_many_messages_the_newest_are_kept() {
    let scratch = Scratch::new();
    let (store, _) = scratch.busy(Retention { messages: Some(100), ..Retention::default() });
    create(&store, 1).await;
    create(&store, 2).await;
    stored(&store, (1..=100).map(|seq| says(ALICE, 2, seq, "elsewhere")).collect()).await;
    stored(&store, (1..=500).map(|seq| says(ALICE, 1, seq, &format!("all n{seq}"))).collect()).await;
    expires(&store, 1, 400).await;
    let page = store.records(&key(1), HistoryRange::After(7), 10).await.unwrap();
    assert_eq!((page.expired, page.records[0].seq()), (400, 401));
    assert_eq!(texts(&store, 1, HistoryRange::Latest, 5_000).await.len(), 100);
    assert_eq!(texts(&store, 2, HistoryRange::Latest, 5_000).await.len(), 100);
    assert_eq!(finds(&store, 1, "n400").await, [0; 0]);
    assert_eq!(finds(&store, 1, "n401").await, [401]);
    assert_eq!(store.unread(&key(1), 0, 5_000).await.unwrap(), 100);
    assert_eq!(store.message(&key(1), 400).await.unwrap(), None);
    // Numbers go on, and what is gone stays gone.
    stored(&store, vec![says(ALICE, 1, 501, "more")]).await;
    expires(&store, 1, 401).await;
    drop(store);
    let store = scratch.open();
    let rooms = store.rooms().await.unwrap();
    let ends: Vec<_> = rooms.iter().map(|room| (room.expired, room.last_seq)).collect();
    assert_eq!(ends, [(401, 501), (0, 100)]);
    scratch.assert_sound();
    assert_eq!(scratch.ask("SELECT count(*) FROM word WHERE word MATCH 'all'"), 99);
}

#[tokio::test]
async fn a_room_keeps_so_many_bytes() {
    let scratch = Scratch::new();
    let (store, _) = scratch.busy(Retention { bytes: Some(10 * 164), ..Retention::default() });
    create(&store, 1).await;
    let long = "x".repeat(100);
    stored(&store, (1..=30).map(|seq| says(ALICE, 1, seq, &long)).collect()).await;
    expires(&store, 1, 20).await;
    // Two small ones take less than the large one that goes.
    stored(&store, vec![says(ALICE, 1, 31, "x"), says(ALICE, 1, 32, "y")]).await;
    expires(&store, 1, 21).await;
    scratch.becomes("SELECT count(*) FROM entry", 11).await;
    scratch.assert_sound();
}

#[tokio::test]
async fn what_is_too_old_goes_up_to_the_first_that_is_not() {
    let scratch = Scratch::new();
    let (store, fault) = scratch.busy(Retention { age: Some(30 * DAY), ..Retention::default() });
    create(&store, 1).await;
    let now = now_ms();
    let ago = |days: u64| now - days * DAY.as_millis() as u64;
    // The clock has jumped back between the third and the fourth.
    let ages = [40, 31, 29, 35, 28, 0];
    let batch = (1..).zip(ages).map(|(seq, days)| says_at(1, seq, ago(days), "words")).collect();
    stored(&store, batch).await;
    expires(&store, 1, 2).await;
    assert_eq!(finds(&store, 1, "words").await, [3, 4, 5, 6]);
    fault.set_clock_ahead(DAY + DAY / 2);
    expires(&store, 1, 4).await;
    fault.set_clock_ahead(60 * DAY);
    expires(&store, 1, 6).await;
    assert_eq!(texts(&store, 1, HistoryRange::Latest, 10).await, [""; 0]);
    assert_eq!(store.rooms().await.unwrap()[0].last_seq, 6);
    // An empty room is as good as any.
    stored(&store, vec![says_at(1, 7, now + 50 * DAY.as_millis() as u64, "again")]).await;
    assert_eq!(finds(&store, 1, "again").await, [7]);
    scratch.assert_sound();
}

#[tokio::test]
async fn changes_go_with_their_message_and_withdrawals_in_their_turn() {
    let scratch = Scratch::new();
    let (store, _) = scratch.busy(Retention { messages: Some(2), ..Retention::default() });
    create(&store, 1).await;
    let mut batch = vec![says(ALICE, 1, 1, "first"), says(ALICE, 1, 2, "second"), says(ALICE, 1, 3, "third")];
    batch.extend([edits(ALICE, 1, 4, 1, "first again"), edits(ALICE, 1, 5, 3, "third again")]);
    batch.extend([deletes(ALICE, 1, 6, 2), says(ALICE, 1, 7, "seventh")]);
    batch.extend([edits(ALICE, 1, 8, 1, "first for good"), says(ALICE, 1, 9, "ninth")]);
    stored(&store, batch).await;
    scratch.becomes("SELECT messages FROM room", 2).await;
    let page = store.records(&key(1), HistoryRange::Latest, 10).await.unwrap();
    let seqs: Vec<_> = page.records.iter().map(Record::seq).collect();
    assert_eq!((page.expired, seqs), (3, vec![6, 7, 9]), "5 was a change of 3, which is gone");
    assert_eq!(store.append(vec![edits(ALICE, 1, 10, 3, "too late")]).await.unwrap(), [Outcome::Gone]);
    assert_eq!(finds(&store, 1, "again").await, [0; 0]);
    stored(&store, vec![says(ALICE, 1, 11, "eleventh")]).await;
    scratch.becomes("SELECT expired FROM room", 7).await;
    scratch.assert_sound();
    assert_eq!(scratch.ask("SELECT count(*) FROM entry"), 2);
}

#[tokio::test]
async fn what_has_expired_is_not_on_the_disk() {
    let scratch = Scratch::new();
    {
        let store = scratch.open();
        create(&store, 1).await;
        for batch in 0..6 {
            let seqs = batch * 50 + 1..batch * 50 + 51;
            stored(&store, seqs.map(|seq| says(ALICE, 1, seq, &secret(seq))).collect()).await;
        }
    }
    assert!(scratch.holds(&secret(150)[6..]), "or the test would prove nothing");
    let (store, _) = scratch.busy(Retention { messages: Some(1), ..Retention::default() });
    expires(&store, 1, 299).await;
    // While it runs, too: the log is emptied.
    let gone = async {
        while (1..300).any(|seq| scratch.holds(&secret(seq)[6..])) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), gone).await.expect("it leaves the disk");
    assert!(scratch.holds(&secret(300)));
    drop(store);
    assert!(!(1..300).any(|seq| scratch.holds(&secret(seq)[6..])));
}

#[tokio::test]
async fn a_removed_room_goes_with_all_that_was_said_in_it_and_gives_space_back() {
    let scratch = Scratch::new();
    let (store, _) = scratch.busy(Retention::default());
    create(&store, 1).await;
    create(&store, 2).await;
    stored(&store, vec![says(ALICE, 1, 1, "stays")]).await;
    for batch in 0..6 {
        let seqs = batch * 100 + 1..batch * 100 + 101;
        let text = |seq| format!("goes {} {}", secret(seq), "z".repeat(3_000));
        stored(&store, seqs.map(|seq| says(ALICE, 2, seq, &text(seq))).collect()).await;
    }
    stored(&store, vec![edits(ALICE, 2, 601, 600, "goes as well"), deletes(ALICE, 2, 602, 599)]).await;
    let before = scratch.ask("PRAGMA page_count");
    store.change(Change::RemoveRoom(RoomId(2))).await.unwrap();
    scratch.becomes("SELECT count(*) FROM room", 1).await;
    assert_eq!(scratch.ask("SELECT count(*) FROM entry"), 1);
    assert_eq!(scratch.ask("SELECT count(*) FROM word WHERE word MATCH 'goes OR stays'"), 1);
    scratch.becomes("SELECT count(*) FROM pragma_freelist_count WHERE freelist_count <= 256", 1).await;
    let after = scratch.ask("PRAGMA page_count");
    assert!(before > 600 && after < 400, "{before} pages became {after}");
    assert_eq!(store.last_room().await.unwrap(), RoomId(2), "its number is not given again");
    drop(store);
    let file = std::fs::metadata(scratch.0.join("crosstalk.db")).unwrap().len();
    assert!(file < 400 * 4_096, "{file} bytes");
    scratch.assert_sound();
}

#[tokio::test]
async fn receipts_are_kept_while_the_server_runs_for_two_days_whatever_the_time_of_day() {
    const HOUR: u64 = 3_600_000;
    let scratch = Scratch::new();
    let (store, _) = scratch.busy(Retention::default());
    create(&store, 1).await;
    // The clock was wrong by a year when these came.
    let say = |seq| labelled(says_at(1, seq, now_ms() - 365 * 24 * HOUR, "x"), &format!("label-{seq}"));
    stored(&store, (1..=800).map(say).collect()).await;
    drop(store);
    scratch.becomes("UPDATE uptime SET milliseconds = 7200000 RETURNING 1", 1).await;
    let (store, fault) = scratch.busy(Retention::default());
    stored(&store, (801..=1_200).map(say).collect()).await;
    fault.set_clock_ahead(Duration::from_millis(47 * HOUR));
    scratch.becomes("SELECT count(*) FROM receipt", 400).await;
    let known = Outcome::Known { room: RoomName::lobby(), seq: 801 };
    let again = |seq, label| labelled(says_at(1, seq, now_ms(), "x"), label);
    let outcomes = store.append(vec![again(1_201, "label-801"), again(1_202, "label-1")]).await.unwrap();
    assert_eq!(outcomes, [known, Outcome::Stored]);
    fault.set_clock_ahead(3 * DAY);
    scratch.becomes("SELECT count(*) FROM receipt", 0).await;
    assert_eq!(scratch.ask("SELECT count(*) FROM entry"), 1_201);
}

#[tokio::test]
async fn who_has_not_come_is_forgotten_and_conversations_without_anybody_go() {
    const CAROL: UserId = UserId(43);
    const NOBODY: UserId = UserId(44);
    let scratch = Scratch::new();
    let (store, _) = scratch.busy(Retention::default());
    create(&store, 1).await;
    for (user, name, at) in [(ALICE, "Alice", 500), (BOB, "bob", 99), (CAROL, "carol", 50)] {
        let token = TokenHash([user.0 as u8; 32]);
        let save = Change::SaveUser { id: user, token, nick: nick(name), hidden: false, at };
        store.change(save).await.unwrap();
        store.change(Change::Enter { user, room: RoomId(1), read: 0 }).await.unwrap();
    }
    let pairs =
        [(2, [ALICE, BOB]), (3, [BOB, CAROL]), (4, [CAROL, NOBODY]), (5, [NOBODY, BOB]), (6, [CAROL, BOB])];
    for (number, pair) in pairs {
        let mut room = stored_room(number);
        (room.name, room.pair) = (RoomName::direct(number.into()), Some(pair));
        store.change(Change::CreateRoom(room)).await.unwrap();
        stored(&store, vec![says(pair[0], number, 1, "between us")]).await;
        for user in pair.into_iter().filter(|user| *user != NOBODY) {
            store.change(Change::Enter { user, room: RoomId(number), read: 0 }).await.unwrap();
        }
    }
    let unused = Unused {
        people_since: 100,
        visitors_since: 100,
        lobby: RoomId(1),
        rooms_until: RoomId(5),
        rooms_in_use: HashSet::from([RoomId(4)]),
    };
    store.change(Change::TidyUp(unused)).await.unwrap();
    scratch.becomes("SELECT count(*) FROM user", 1).await;
    // 2 is alice's still; in 4 there is somebody who speaks lines; 6 is newer.
    scratch.becomes("SELECT sum(id) FROM room", 1 + 2 + 4 + 6).await;
    scratch.becomes("SELECT count(*) FROM entry", 3).await;
    assert_eq!(scratch.ask("SELECT count(*) FROM seat"), 2);
    let alice = store.user(TokenHash([ALICE.0 as u8; 32])).await.unwrap().unwrap();
    let partner = Partner { id: BOB, nick: nick("bob"), returns: false };
    assert_eq!(alice.seats[1].with, None, "bob has said nothing here, and nobody to him");
    let mut answer = message(BOB, 2, 2, "answer");
    answer.to = Some(nick("Alice"));
    stored(&store, vec![draft(BOB, 2, None, Record::Message(answer))]).await;
    let alice = store.user(TokenHash([ALICE.0 as u8; 32])).await.unwrap().unwrap();
    assert_eq!(alice.seats[1].with, Some(partner));
    assert_eq!(store.user(TokenHash([BOB.0 as u8; 32])).await.unwrap(), None);
}

#[tokio::test]
async fn upkeep_that_fails_harms_nothing_and_goes_on_later() {
    let scratch = Scratch::new();
    {
        let store = scratch.open();
        create(&store, 1).await;
        create(&store, 2).await;
        for room in [1, 2] {
            stored(&store, (1..=300).map(|seq| says(ALICE, room, seq, "w")).collect()).await;
        }
    }
    let writer = Connection::open(scratch.0.join("crosstalk.db")).unwrap();
    writer
        .execute_batch(
            "CREATE TRIGGER fail BEFORE UPDATE OF expired ON room WHEN old.id = 1
             BEGIN SELECT raise(ABORT, 'on purpose'); END",
        )
        .unwrap();
    let (store, _) = scratch.busy(Retention { messages: Some(10), ..Retention::default() });
    expires(&store, 2, 290).await;
    assert_eq!(texts(&store, 1, HistoryRange::Latest, 1_000).await.len(), 300);
    stored(&store, vec![says(ALICE, 1, 301, "w")]).await;
    assert_eq!(store.trouble(), None);
    let mended = async {
        while writer.execute_batch("DROP TRIGGER fail").is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), mended).await.unwrap();
    expires(&store, 1, 291).await;
    scratch.assert_sound();
}

#[tokio::test]
async fn nothing_is_stored_while_commits_cannot_be_made_to_wait_for_the_disk() {
    let scratch = Scratch::new();
    let (store, fault) = scratch.busy(Retention::default());
    create(&store, 1).await;
    fault.keep_haste(true);
    let mut kept = 0;
    let refused = async {
        while store.append(vec![says(ALICE, 1, kept + 1, "words")]).await.is_ok() {
            kept += 1;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused).await.expect("less is promised than asked for");
    assert!(store.trouble().is_some());
    fault.keep_haste(false);
    let recovered = async {
        while store.trouble().is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), recovered).await.expect("nobody has to write for it");
    stored(&store, vec![says(ALICE, 1, kept + 1, "words")]).await;
    assert_eq!(texts(&store, 1, HistoryRange::Latest, 5_000).await.len() as u64, kept + 1);
}

#[tokio::test]
async fn who_has_left_nothing_behind_is_forgotten_sooner() {
    let scratch = Scratch::new();
    let (store, _) = scratch.busy(Retention::default());
    create(&store, 1).await;
    create(&store, 2).await;
    // Of those seen at 50, one has written, one has written and withdrawn it, and one is in a room.
    for (number, at) in [(1, 50), (2, 50), (3, 50), (4, 50), (5, 150), (6, 5)] {
        let user = UserId(number);
        let token = TokenHash([number as u8; 32]);
        let save = Change::SaveUser { id: user, token, nick: nick(&format!("n{number}")), hidden: false, at };
        store.change(save).await.unwrap();
        store.change(Change::Enter { user, room: RoomId(1), read: 0 }).await.unwrap();
    }
    stored(&store, vec![says(UserId(1), 1, 1, "words"), says(UserId(2), 1, 2, "words")]).await;
    stored(&store, vec![deletes(UserId(2), 1, 3, 2), says(UserId(6), 1, 4, "words")]).await;
    store.change(Change::Enter { user: UserId(3), room: RoomId(2), read: 0 }).await.unwrap();
    let unused = Unused {
        people_since: 10,
        visitors_since: 100,
        lobby: RoomId(1),
        rooms_until: RoomId(2),
        rooms_in_use: HashSet::new(),
    };
    store.change(Change::TidyUp(unused)).await.unwrap();
    scratch.becomes("SELECT count(*) FROM user", 4).await;
    assert_eq!(
        scratch.ask("SELECT sum(id) FROM user"),
        1 + 2 + 3 + 5,
        "4 is gone, and 6, who was away too long"
    );
    assert_eq!(scratch.ask("SELECT count(*) FROM seat WHERE user IN (4, 6)"), 0);
    assert_eq!(scratch.ask("SELECT count(*) FROM entry"), 3, "what they wrote stays");
}
