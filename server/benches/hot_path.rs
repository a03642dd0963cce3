//! How many instructions the way of a message to its readers takes, as a multiple of what cannot be
//! spared: to copy the bytes, to take the lock, to count the reference.
//!
//! Instructions are counted by callgrind, so that a count is the same on a busy machine and an idle one.
//! Both sides of a ratio are in one program and one run; a new compiler or a new library moves them
//! together. Nothing is measured here in seconds: that is `bench/`.
//!
//! The program runs itself under valgrind, once for each side of each piece, shows the ratios and fails
//! if one is above its bound.

use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use crosstalk_protocol::line::render::Style;
use crosstalk_protocol::{Message, Nick, Position, Record, RoomName, Text, json};
use crosstalk_server::log::{Cursor, Log, Read};
use crosstalk_server::peer::PeerId;
use crosstalk_server::segment::{Body, Encoding, Entry, Numbered, Reader};
use crosstalk_server::store::UserId;
use crosstalk_server::transport::websocket::frame::Decoder;

/// Messages of a batch.
const BATCH: u64 = 64;
/// Who reads it.
const READERS: usize = 500;

/// A piece of the way, what it is compared with, and how many times as much it may take.
struct Piece {
    name: &'static str,
    ours: fn(&World),
    reference: fn(&World),
    bound: f64,
}

/// The bounds are what was measured and a seventh more.
const PIECES: [Piece; 7] = [
    Piece { name: "append and encode, lines", ours: encode_lines, reference: copy_lines, bound: 4.2 },
    Piece { name: "append and encode, JSON", ours: encode_json, reference: copy_json, bound: 22.0 },
    Piece {
        name: "append and encode, WebSocket",
        ours: encode_websocket,
        reference: copy_websocket,
        bound: 22.0,
    },
    Piece { name: "500 readers take a segment", ours: read, reference: share, bound: 3.6 },
    Piece { name: "500 readers take all but one message", ours: pick, reference: share, bound: 33.0 },
    Piece { name: "a send is decoded", ours: decode, reference: parse, bound: 1.6 },
    Piece { name: "a frame is unmasked", ours: unmask, reference: copy_frames, bound: 2.8 },
];

/// What all pieces need, made before anything is counted.
struct World {
    entries: Vec<Entry>,
    log: Log,
    start: Cursor,
    shared: RwLock<Arc<Bytes>>,
    /// The batch as it is written.
    encoded: [Bytes; 3],
    request: Vec<u8>,
    frame: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let entries: Vec<Entry> = (1..=BATCH).map(entry).collect();
        let log = new_log();
        let start = log.end();
        log.append(entries.clone());
        let encoded = [Encoding::Line(Style::Lf), Encoding::Json, Encoding::WebSocket]
            .map(|encoding| take(&log, start, encoding, 0).first().cloned().expect("there is a batch"));
        let request = format!(r#"{{"type":"send","room":"lobby","id":"c1","text":"{}"}}"#, text(7));
        let mut frame = vec![0x81, 0x80 | 126, 0, request.len() as u8, 1, 2, 3, 4];
        frame.extend(request.bytes().zip([1, 2, 3, 4].into_iter().cycle()).map(|(byte, mask)| byte ^ mask));
        let shared = RwLock::new(Arc::new(encoded[0].clone()));
        Self { entries, log, start, shared, encoded, request: request.into_bytes(), frame }
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

fn take(log: &Log, mut cursor: Cursor, encoding: Encoding, peer: u64) -> Vec<Bytes> {
    let mut taken = Vec::new();
    while let Read::Segment { segment, after } = log.read(&mut cursor) {
        let reader = Reader { id: PeerId(peer), after, known: 0 };
        segment.bytes(encoding, reader, |bytes| taken.push(bytes));
    }
    taken
}

fn encode(world: &World, encoding: Encoding) {
    let log = new_log();
    let start = log.end();
    log.append(world.entries.clone());
    black_box(take(&log, start, encoding, 0));
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

/// The entries have to be there, and their bytes to be put together one by one.
fn copy(world: &World, encoded: &Bytes) {
    black_box(world.entries.clone());
    let mut bytes = Vec::new();
    for part in encoded.chunks(encoded.len() / BATCH as usize) {
        bytes.extend_from_slice(black_box(part));
    }
    black_box(bytes);
}

fn copy_lines(world: &World) {
    copy(world, &world.encoded[0]);
}

fn copy_json(world: &World) {
    copy(world, &world.encoded[1]);
}

fn copy_websocket(world: &World) {
    copy(world, &world.encoded[2]);
}

fn read_as(world: &World, peer: u64) {
    for _ in 0..READERS {
        let mut cursor = black_box(world.start);
        assert!(world.log.has_news(&cursor));
        while let Read::Segment { segment, after } = world.log.read(&mut cursor) {
            let reader = Reader { id: PeerId(peer), after, known: 0 };
            segment.bytes(Encoding::Line(Style::Lf), reader, |bytes| drop(black_box(bytes)));
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
    let mut decoder = Decoder::new(16 * 1024);
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

/// How often a piece is repeated while it is counted.
const TIMES: usize = 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("piece") => run(&arguments[2], arguments[3] == "ours"),
        // What cargo says to a benchmark that it does not run as a test.
        Some("--bench") => return guard(),
        _ => {}
    }
    ExitCode::SUCCESS
}

/// Makes the world, and does one thing in it. Of a name that no piece has, nothing.
fn run(name: &str, ours: bool) {
    let world = World::new();
    if let Some(piece) = PIECES.iter().find(|piece| piece.name == name) {
        for _ in 0..TIMES {
            if ours { (piece.ours)(&world) } else { (piece.reference)(&world) }
        }
    }
}

fn guard() -> ExitCode {
    let nothing = match count("nothing", "ours") {
        Ok(count) => count,
        Err(trouble) => {
            eprintln!("{trouble}");
            return ExitCode::FAILURE;
        }
    };
    let mut code = ExitCode::SUCCESS;
    println!("| piece | instructions | of the reference | ratio | at most |");
    println!("| --- | --- | --- | --- | --- |");
    for Piece { name, bound, .. } in &PIECES {
        let of = |side| count(name, side).map(|count| (count - nothing) / TIMES as f64);
        match (of("ours"), of("reference")) {
            (Ok(ours), Ok(reference)) => {
                let ratio = ours / reference;
                println!("| {name} | {ours:.0} | {reference:.0} | {ratio:.2} | {bound:.2} |");
                if ratio > *bound {
                    eprintln!(
                        "{name}: {ratio:.2} times the reference, and {bound:.2} at most is allowed. Find out \
                         what the way of a message does more than before; raise the bound in \
                         server/benches/hot_path.rs only if it is worth it, and say why."
                    );
                    code = ExitCode::FAILURE;
                }
            }
            (Err(trouble), _) | (_, Err(trouble)) => {
                eprintln!("{trouble}");
                return ExitCode::FAILURE;
            }
        }
    }
    code
}

/// The instructions that this program takes for one side of a piece.
fn count(name: &str, side: &str) -> Result<f64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["piece", name, side])
        .output()
        .map_err(|error| format!("valgrind cannot be run: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    match collected.and_then(|(_, number)| number.trim().parse().ok()) {
        Some(number) if output.status.success() => Ok(number),
        _ => Err(format!("{name} ({side}) was not counted: {said}")),
    }
}
