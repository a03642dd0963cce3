//! How many instructions the way of a message to its readers takes, as a multiple of what cannot be
//! spared: to copy the bytes, to take the lock, to count the reference.
//!
//! Instructions are counted by callgrind, so that a count is the same on a busy machine and an idle one.
//! Both sides of a ratio are in one program and one run; a new compiler or a new library moves them
//! together. Nothing is measured here in seconds: that is `bench/`.
//!
//! The program runs itself under valgrind, once for each side of each piece, shows the ratios and fails
//! if one is out of its bounds: above, the way has become longer; far below, most likely nothing is
//! measured any more. Callgrind's profile of such a piece is kept in `build/guard`.

use std::cell::{Cell, LazyCell};
use std::collections::VecDeque;
use std::fs;
use std::hint::black_box;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::task::{Context, Waker};

use bytes::Bytes;
use crosstalk_protocol::line::{self, Style};
use crosstalk_protocol::{Message, Nick, Position, Record, RoomName, Text, json};
use crosstalk_server::limits::TAIL_ENTRIES;
use crosstalk_server::log::{Cursor, Log, Read};
use crosstalk_server::peer::{Peer, PeerId};
use crosstalk_server::room::Room;
use crosstalk_server::segment::{Body, Encoding, Entry, Numbered, Reader, Segment};
use crosstalk_server::store::{RoomId, UserId};
use crosstalk_server::transport::websocket::frame;
use crosstalk_server::user::User;

/// Messages of a batch.
const BATCH: u64 = 64;
/// Who reads it.
const READERS: usize = 500;

/// How often a piece is repeated while it is counted.
const TIMES: usize = 20;

/// A piece of the way, what it is compared with, and how many times as much it may take.
struct Piece {
    name: &'static str,
    ours: fn(&World),
    reference: fn(&World),
    bound: f64,
}

/// The bounds are what was measured and a seventh more; where each reader pays for it, a tenth more.
const PIECES: [Piece; 12] = [
    Piece { name: "a send is decoded", ours: decode, reference: parse, bound: 1.6 },
    Piece { name: "a frame is unmasked", ours: unmask, reference: copy_frames, bound: 2.8 },
    Piece { name: "64 lines are decoded", ours: decode_lines, reference: split_lines, bound: 12.6 },
    Piece { name: "a batch is appended", ours: append, reference: keep, bound: 4.25 },
    Piece {
        name: "a batch is appended to a full log",
        ours: append_and_drop,
        reference: keep_and_drop,
        bound: 6.3,
    },
    Piece { name: "500 readers are rung", ours: ring, reference: wake, bound: 7.4 },
    Piece { name: "a batch is encoded, lines", ours: encode_lines, reference: copy_lines, bound: 5.1 },
    Piece { name: "a batch is encoded, JSON", ours: encode_json, reference: copy_json, bound: 47.0 },
    Piece {
        name: "a batch is encoded, WebSocket",
        ours: encode_websocket,
        reference: copy_websocket,
        bound: 48.0,
    },
    Piece { name: "500 readers take a segment", ours: read, reference: share, bound: 3.1 },
    Piece { name: "500 readers take all but one message", ours: pick, reference: share, bound: 29.5 },
    Piece { name: "500 readers find nothing new", ours: find_nothing, reference: look, bound: 4.15 },
];

/// A piece that takes less than this part of its bound most likely does nothing any more.
const LEAST: f64 = 0.6;

/// What the pieces need, made before anything is counted; what takes long to make, only if it is needed.
struct World {
    /// Which repetition it is: what is changed by a piece is there once for each.
    turn: Cell<usize>,
    entries: Vec<Entry>,
    log: Log,
    start: Cursor,
    end: Cursor,
    empty: Vec<Log>,
    /// The batch, never encoded.
    fresh: Vec<Arc<Segment>>,
    full: LazyCell<Log>,
    crowd: LazyCell<(Room, Vec<Arc<Peer>>)>,
    shared: RwLock<Arc<Bytes>>,
    /// Numbers that others change.
    numbers: Vec<AtomicU64>,
    /// Each message as it is written, in each encoding.
    encoded: [Vec<Bytes>; 3],
    request: Vec<u8>,
    frame: Vec<u8>,
    lines: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let entries: Vec<Entry> = (1..=BATCH).map(entry).collect();
        let log = new_log();
        let start = log.end();
        log.append(entries.clone());
        let request = format!(r#"{{"type":"send","room":"lobby","id":"c1","text":"{}"}}"#, text(7));
        let mut frame = vec![0x81, 0x80 | 126, 0, request.len() as u8, 1, 2, 3, 4];
        frame.extend(request.bytes().zip([1, 2, 3, 4].into_iter().cycle()).map(|(byte, mask)| byte ^ mask));
        Self {
            turn: Cell::new(0),
            empty: (0..=TIMES).map(|_| new_log()).collect(),
            fresh: (0..=TIMES).map(|_| segment(entries.clone())).collect(),
            full: LazyCell::new(full_log),
            crowd: LazyCell::new(crowd),
            shared: RwLock::new(Arc::new(Bytes::from(request.clone()))),
            numbers: (0..READERS).map(|_| AtomicU64::new(0)).collect(),
            encoded: [Encoding::Line(Style::Lf), Encoding::Json, Encoding::WebSocket]
                .map(|encoding| entries.iter().map(|entry| encoded(entry.clone(), encoding)).collect()),
            lines: (1..=BATCH).flat_map(|number| format!("{}\n", text(number)).into_bytes()).collect(),
            request: request.into_bytes(),
            end: log.end(),
            entries,
            log,
            start,
            frame,
        }
    }
}

fn text(number: u64) -> String {
    format!(
        "message {number:04}, of about as many bytes as people write when they have something to say to all"
    )
}

fn entry(seq: u64) -> Entry {
    let message = Message {
        room: RoomName::lobby(),
        seq,
        at: 1_767_225_600_000,
        from: Nick::parse("alice").expect("a nickname"),
        to: None,
        text: Text::clean(&text(seq)).expect("a text"),
        action: false,
        reply: None,
        edited: false,
    };
    let numbered = Numbered { author: UserId(1), record: Record::Message(message) };
    Entry { body: Body::Numbered(numbered), unseen_by: (seq == BATCH / 2).then_some(PeerId(7)) }
}

fn new_log() -> Log {
    Log::new(Position { epoch: 1, seq: 0 }, 0, Arc::default())
}

fn segment(entries: Vec<Entry>) -> Arc<Segment> {
    let log = new_log();
    let mut cursor = log.end();
    log.append(entries);
    match log.read(&mut cursor) {
        Read::Segment { segment, .. } => segment,
        other => unreachable!("it was appended: {other:?}"),
    }
}

/// An entry by itself, as it is written.
fn encoded(entry: Entry, encoding: Encoding) -> Bytes {
    let mut all = Bytes::new();
    segment(vec![entry]).bytes(encoding, reader(0, 0), |bytes| all = bytes);
    all
}

fn reader(peer: u64, after: u64) -> Reader {
    Reader { id: PeerId(peer), after, known: 0 }
}

/// The numbers of its entries repeat, which does not matter to who appends.
fn full_log() -> Log {
    let log = new_log();
    for _ in 0..=TAIL_ENTRIES as u64 / BATCH {
        log.append((1..=BATCH).map(entry).collect());
    }
    log
}

/// A room, and who is in it, out of sight.
fn crowd() -> (Room, Vec<Arc<Peer>>) {
    let room = Room::new(RoomId(1), RoomName::lobby(), new_log(), None);
    let user = Arc::new(User::new(UserId(1), None, Nick::parse("alice").expect("a nickname"), true));
    let peer = |number| Arc::new(Peer::new(PeerId(number), user.clone(), None, number));
    let peers: Vec<Arc<Peer>> = (0..READERS as u64).map(peer).collect();
    for peer in &peers {
        room.enter(peer, Log::end, None, |_| ());
    }
    (room, peers)
}

fn append(world: &World) {
    world.empty[world.turn.get()].append(world.entries.clone());
}

/// The entries have to be there. What is not full is not freed.
fn keep(world: &World) {
    let kept: VecDeque<Entry> = world.entries.iter().cloned().collect();
    std::mem::forget(black_box(kept));
}

fn append_and_drop(world: &World) {
    world.full.append(world.entries.clone());
}

/// As many have to go as come.
fn keep_and_drop(world: &World) {
    let mut kept: VecDeque<Entry> = black_box(world.entries.iter().cloned().collect());
    while let Some(entry) = kept.pop_front() {
        drop(black_box(entry));
    }
}

/// Each of them hears it, as its task does when it is woken.
fn ring(world: &World) {
    let (room, peers) = &*world.crowd;
    room.publish(vec![world.entries[0].clone()]);
    let context = Context::from_waker(Waker::noop());
    for peer in peers {
        assert!(peer.poll_rung(&context).is_ready());
    }
}

/// That there is something has to be noted, the task to be woken, and the note to be taken back.
fn wake(world: &World) {
    for number in &world.numbers {
        number.fetch_or(1, Ordering::AcqRel);
        black_box(Waker::noop()).wake_by_ref();
    }
    for number in &world.numbers {
        assert!(number.swap(0, Ordering::AcqRel) != 0);
    }
}

fn encode(world: &World, encoding: Encoding) {
    let segment = &world.fresh[world.turn.get()];
    segment.bytes(encoding, reader(0, 0), |bytes| drop(black_box(bytes)));
}

fn encode_lines(world: &World) {
    encode(world, Encoding::Line(Style::Lf));
}

fn encode_json(world: &World) {
    encode(world, Encoding::Json);
}

fn encode_websocket(world: &World) {
    encode(world, Encoding::WebSocket);
}

/// The bytes of each message have to be put behind those of the one before.
fn copy(messages: &[Bytes]) {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend_from_slice(black_box(message));
    }
    black_box(bytes);
}

fn copy_lines(world: &World) {
    copy(&world.encoded[0]);
}

fn copy_json(world: &World) {
    copy(&world.encoded[1]);
}

fn copy_websocket(world: &World) {
    copy(&world.encoded[2]);
}

fn read_as(world: &World, peer: u64) {
    for _ in 0..READERS {
        let mut cursor = black_box(world.start);
        assert!(world.log.has_news(&cursor));
        while let Read::Segment { segment, after } = world.log.read(&mut cursor) {
            segment.bytes(Encoding::Line(Style::Lf), reader(peer, after), |bytes| drop(black_box(bytes)));
        }
    }
}

fn read(world: &World) {
    read_as(world, 0);
}

/// One of the messages is the reader's own.
fn pick(world: &World) {
    read_as(world, 7);
}

/// The lock has to be taken, and two references counted: the segment's, and that of its bytes.
fn share(world: &World) {
    for _ in 0..READERS {
        let shared = world.shared.read().expect("nobody fails with it").clone();
        black_box(Bytes::clone(&shared));
    }
}

fn find_nothing(world: &World) {
    for _ in 0..READERS {
        let mut cursor = black_box(world.end);
        assert!(matches!(black_box(world.log.read(&mut cursor)), Read::CaughtUp));
    }
}

/// How far the log is has to be looked at.
fn look(world: &World) {
    for _ in 0..READERS {
        black_box(black_box(&world.numbers[0]).load(Ordering::Acquire));
    }
}

fn decode(world: &World) {
    for _ in 0..BATCH {
        black_box(json::decode_request(black_box(&world.request))).expect("it is one");
    }
}

/// What serde_json takes to see what the fields are.
fn parse(world: &World) {
    for _ in 0..BATCH {
        black_box(serde_json::from_slice::<serde_json::Value>(black_box(&world.request))).expect("it is one");
    }
}

fn unmask(world: &World) {
    let mut decoder = frame::Decoder::new(16 * 1024);
    for _ in 0..BATCH {
        decoder.push(black_box(&world.frame));
        black_box(decoder.next_message()).expect("it is whole").expect("it is right");
    }
}

/// The bytes have to be copied twice: to where they wait for the rest, and into the message.
fn copy_frames(world: &World) {
    for _ in 0..BATCH {
        let waiting = black_box(&world.frame).clone();
        let text = String::from_utf8(waiting[8..].iter().map(|byte| byte & 0x7f).collect());
        black_box((waiting, text)).1.expect("it is ASCII");
    }
}

fn decode_lines(world: &World) {
    let mut decoder = line::Decoder::new();
    decoder.push(black_box(&world.lines));
    for _ in 0..BATCH {
        black_box(decoder.next_line()).expect("it is whole").expect("it is right");
    }
    assert!(decoder.next_line().is_none());
}

/// The ends of the lines have to be found, their bytes to be copied, and to be text.
fn split_lines(world: &World) {
    for line in BufRead::split(black_box(world.lines.as_slice()), b'\n') {
        let line = line.expect("memory can be read");
        black_box(String::from_utf8(line)).expect("it is ASCII");
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("piece") => run(&arguments[2], arguments[3] == "ours"),
        // What cargo says to a benchmark that it does not run as a test.
        Some("--bench") => {
            return guard().unwrap_or_else(|trouble| {
                eprintln!("{trouble}");
                ExitCode::FAILURE
            });
        }
        _ => {}
    }
    ExitCode::SUCCESS
}

/// Makes the world, and does one thing in it. The first time, what is made when it is needed is made.
fn run(name: &str, ours: bool) {
    let world = World::new();
    let piece = PIECES.iter().find(|piece| piece.name == name).expect("a piece");
    let side = if ours { piece.ours } else { piece.reference };
    side(&world);
    counted_turns(&world, side);
}

/// Callgrind counts what is done in here.
#[inline(never)]
fn counted_turns(world: &World, side: fn(&World)) {
    for turn in 1..=TIMES {
        world.turn.set(turn);
        side(world);
    }
}

fn guard() -> Result<ExitCode, String> {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project").join("build/guard");
    match fs::remove_dir_all(&kept) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(format!("{} is in the way: {error}", kept.display()));
        }
        _ => {}
    }
    let mut code = ExitCode::SUCCESS;
    println!("| piece | instructions | of the reference | ratio | at least | at most |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for Piece { name, bound, .. } in &PIECES {
        let ours = count(name, "ours", None)?;
        let reference = count(name, "reference", None)?;
        let (ratio, least) = (ours / reference, bound * LEAST);
        println!("| {name} | {ours:.0} | {reference:.0} | {ratio:.2} | {least:.2} | {bound:.2} |");
        let advice = if ratio > *bound {
            format!(
                "{bound:.2} at most is allowed. Find out what the way of a message does more than before; \
                 raise the bound in server/benches/hot_path.rs only if it is worth it, and say why."
            )
        } else if ratio < least {
            format!(
                "{least:.2} at least was expected. If the way of a message has become so much shorter, lower \
                 the bound in server/benches/hot_path.rs; if not, the piece does not do any more what its \
                 name says, and the measurement is to be mended."
            )
        } else {
            continue;
        };
        let profile = keep_profile(name, &kept)?;
        eprintln!("{name}: {ratio:.2} times the reference, and {advice}");
        eprintln!("Where they are spent: callgrind_annotate {}", profile.display());
        code = ExitCode::FAILURE;
    }
    Ok(code)
}

/// Counts a piece once more, and writes down where. Returns the file.
fn keep_profile(name: &str, directory: &Path) -> Result<PathBuf, String> {
    fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let words: Vec<&str> = name.split([',', ' ']).filter(|word| !word.is_empty()).collect();
    let file = directory.join(words.join("-") + ".callgrind");
    count(name, "ours", Some(&file))?;
    Ok(file)
}

/// The instructions that one side of a piece takes.
fn count(name: &str, side: &str, profile: Option<&Path>) -> Result<f64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let profile = profile.unwrap_or(Path::new("/dev/null"));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*hot_path*counted_turns*"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .args(["piece", name, side])
        .output()
        .map_err(|error| format!("valgrind cannot be run: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    match collected.and_then(|(_, number)| number.trim().parse::<f64>().ok()) {
        Some(number) if output.status.success() && number > 0.0 => Ok(number / TIMES as f64),
        _ => Err(format!("{name} ({side}) was not counted: {said}")),
    }
}
